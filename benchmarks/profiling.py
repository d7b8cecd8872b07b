"""How right each sampler is, on programs whose truth is known, and what it costs, beside its peers.

Accuracy is the total variation distance between the shares that a profile gives to functions and the shares of CPU time that
they measured of themselves: of two functions, the difference of either's share. Cost is CPU time for the same work with the profiler on
and off, in ABBA blocks within one process, after it has found its rate and without what a start costs, as the mean of the blocks' log ratios, the
outermost tenths left out, with a 95 % bootstrap interval in the place of quartiles; not the median, to which a look every few seconds is
nothing. "none" against itself is A/A, the noise floor. Where that is above what is to be told, there is the CPU that each profiler runs
itself: its threads' by the kernel's clocks, its signal handler's by its own account, its helper's. A helper's counts where profilers are
compared. Profilers choose by themselves how often they look (ddtrace so that it takes 1 % of what the program uses, ours so that they keep to
their budgets), hence what each runs is told beside how often it looks, and by the look, where it says how often that was. Instructions, which no other load of the machine changes, are counted where there is valgrind.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import instructions, machine, progress
from benchmarks.figures import Figure, Goal, Missing, Noise, Spread
from benchmarks.profiled import WORKLOADS
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers import pyspy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.figures import Item

PEERS = {"ddtrace": "ddtrace", "pyroscope-io": "pyroscope"}
CPU, RUNS = "CPU for the same work", "CPU that it runs itself"
MOST_DISTANCE = 5.0
"""Points of percent that an unbiased sampler may be off by, at 2,000 samples."""
MOST_DISTANCE_WITHOUT_FLAG = 10.0
FLAG = 0.1
"""A bias ratio above this is a flag: the stacks of busy threads are not to be trusted."""
_BOOTSTRAPS = 2000
_NOTHING = 1e-6
"""A part of a core that no clock tells from nothing."""
MOST_IN_PROCESS, MOST_IN_HELPER = 1.0, 1.0
"""Percent of one core that profiling may take of a busy program, and beside it in a helper."""


class _Length(NamedTuple):
    """How long each part is measured, in seconds, and how often."""

    accuracy: float
    workloads: int
    blocks: int
    block: float
    learn: float
    settle: float


FULL = _Length(accuracy=8.0, workloads=4, blocks=8, block=0.3, learn=16.0, settle=0.6)
QUICK = _Length(accuracy=1.5, workloads=1, blocks=2, block=0.2, learn=0.5, settle=0.3)


def report(*, quick: bool) -> Iterator[Item]:
    """Yield how far each sampler is off in each workload, then what each profiler costs, then instructions."""
    length = QUICK if quick else FULL
    samplers = ["signal", *_pyspy(), "thread"]
    for sampler in samplers:
        for workload in WORKLOADS[: length.workloads]:
            yield from _accuracy(sampler, workload, length.accuracy)
    peers = [name for name, module in PEERS.items() if machine.can_import(module)]
    yield from (Missing(name) for name in PEERS if name not in peers)
    costs = {profiler: _overhead(profiler, length) for profiler in ["none", *samplers, *peers]}
    floor = costs["none"]
    yield Figure(f"{CPU}, nothing beside nothing", "%", floor.spread, count=floor.blocks)
    for sampler in samplers:
        yield from _by_the_clock(sampler, costs[sampler], floor)
        for peer in peers:
            yield from _beside(sampler, costs[sampler], peer, costs[peer], floor)
    if quick:
        yield "too short for samplers to find their rates, so nothing is told of what each runs by itself"
        return
    for sampler in samplers:
        yield from _by_what_it_runs(sampler, costs[sampler])
        for peer in peers:
            yield from _runs_beside(sampler, costs[sampler], peer, costs[peer])
    yield from _instructions()


def _by_the_clock(sampler: str, cost: _Cost, floor: _Cost) -> Iterator[Item]:
    """Yield what one of ours adds to the CPU for the same work, and what was promised."""
    name = f"{CPU}, {sampler}"
    yield Figure(name, "%", cost.spread, noise=floor.noise, count=cost.blocks)
    promised = f"{sampler}: at most {MOST_IN_PROCESS:g} % of a core in the process, by CPU for the same work"
    yield Goal(promised, name, of="ours", at_most=MOST_IN_PROCESS)


def _beside(sampler: str, mine: _Cost, peer: str, theirs: _Cost, floor: _Cost) -> Iterator[Item]:
    """Yield what one of ours and a peer add, and how much more ours does. A helper's CPU is counted, too: the machine pays it."""
    both = f"{CPU}, helpers counted, {sampler}"
    yield Figure(both, "%", mine.with_helper, peer, theirs.with_helper, noise=floor.noise, count=mine.blocks)
    ours, its = mine.with_helper, theirs.with_helper
    more = Spread(ours.low - its.high, ours.middle - its.middle, ours.high - its.low)
    name = f"{CPU}, {sampler} less {peer}"
    yield Figure(name, "%", more, noise=floor.noise, count=mine.blocks)
    yield Goal(f"{sampler}: no worse than {peer}, by CPU for the same work", name, of="ours", at_most=0.0)


def _by_what_it_runs(sampler: str, cost: _Cost) -> Iterator[Item]:
    """Yield the CPU that one of ours runs itself, in the process and in its helper, and what was promised."""
    name, helper = f"{RUNS}, {sampler}", f"CPU of its helper, {sampler}"
    yield Figure(name, "%", Spread.exactly(100 * cost.runs))
    promised = f"{sampler}: at most {MOST_IN_PROCESS:g} % of a core in the process, by what it runs there"
    yield Goal(promised, name, of="ours", at_most=MOST_IN_PROCESS)
    if cost.helper:
        yield Figure(helper, "%", Spread.exactly(100 * cost.helper))
        promised = f"{sampler}: at most {MOST_IN_HELPER:g} % of a core in its helper"
        yield Goal(promised, helper, of="ours", at_most=MOST_IN_HELPER)


def _runs_beside(sampler: str, mine: _Cost, peer: str, theirs: _Cost) -> Iterator[Item]:
    """Yield what one of ours and a peer run, helpers counted: of a core, how often they look, and by the look."""
    ours, its = mine.runs + mine.helper, theirs.runs + theirs.helper
    name = f"{RUNS}, helpers counted, {sampler}"
    part = Spread.exactly(ours / max(its, _NOTHING))
    yield Figure(name, "%", Spread.exactly(100 * ours), peer, Spread.exactly(100 * its), part)
    yield Goal(f"{sampler}: no worse than {peer}, by what each runs", name, peer, at_most=1.0)
    if mine.looks and theirs.looks:
        looks = Spread.exactly(mine.looks / theirs.looks)
        yield Figure(
            f"looks a second, {sampler}", "", Spread.exactly(mine.looks), peer, Spread.exactly(theirs.looks), looks
        )
        one, other = ours / mine.looks, its / theirs.looks
        part = Spread.exactly(one / max(other, _NOTHING))
        name = f"CPU of a look, helpers counted, {sampler}"
        yield Figure(name, "ms", Spread.exactly(1e3 * one), peer, Spread.exactly(1e3 * other), part)


def _instructions() -> Iterator[Item]:
    if shutil.which("valgrind") is None:
        yield Missing("valgrind", "apt-get install valgrind")
        return
    unit, again, look, turn = instructions.each(("unit", 20), ("unit", 20), ("look", 300), ("interval", 4))
    noise = Noise(min(1.0, again / unit), max(1.0, again / unit))
    thousand = "thousand instructions"
    yield Figure("a unit of work of the busy program", thousand, Spread.exactly(unit / 1e3), noise=noise)
    yield Figure("a look at 10 idle threads", thousand, Spread.exactly(look / 1e3), noise=noise)
    what = f"an interval of {instructions.STACKS} stacks of {instructions.DEPTH} frames, CPU and wall time"
    yield Figure(what, thousand, Spread.exactly(turn / 1e3), noise=noise)


class _Cost(NamedTuple):
    """What a profiler costs: CPU for the same work relative to none, with its 95 % interval, and parts of a core."""

    middle: float
    low: float
    high: float
    handler: float
    threads: float
    helper: float
    blocks: int = 1
    looks: float = 0.0
    """How often it looks, a second; 0 where it does not tell."""

    @property
    def spread(self) -> Spread:
        """The 95 % interval of what is added, percent."""
        return _percent(Spread(self.low, self.middle, self.high))

    @property
    def with_helper(self) -> Spread:
        """The same, with what its helper uses beside the process."""
        return Spread(*(100 * (end + self.helper) for end in (self.low, self.middle, self.high)))

    @property
    def noise(self) -> Noise:
        """What this is as the noise of others, percent."""
        return Noise(100 * self.low, 100 * self.high, relative=False)

    @property
    def runs(self) -> float:
        """What it runs in the process: its threads, and its signal's handler on the program's."""
        return self.handler + self.threads


def _percent(spread: Spread) -> Spread:
    return Spread(100 * spread.low, 100 * spread.middle, 100 * spread.high)


def _pyspy() -> Sequence[str]:
    try:
        pyspy.self_test()
    except ProfileError:
        return ()
    return (pyspy.NAME,)


def _accuracy(sampler: str, workload: str, seconds: float) -> Iterator[Item]:
    """Yield how far from the truth a sampler is; what chance alone makes of so many samples is taken off at the lower end."""
    progress.say(f"accuracy of {sampler}, {workload}")
    found = _run("accuracy", sampler, workload, str(seconds))
    distance = abs(found["seen"] - found["truth"])
    # Two standard errors of a share are no error of the sampler.
    chance = 2 * math.sqrt(found["truth"] * (1 - found["truth"]) / max(1, found["samples"]))
    name = f"distance to the truth, {sampler}, {workload}"
    yield Figure(name, "%", _percent(Spread(max(0.0, distance - chance), distance, distance)), count=found["samples"])
    flagged = found["bias_ratio"] > FLAG
    if sampler == "thread" and flagged:
        yield f"thread, {workload}: its bias ratio of {found['bias_ratio']:.2f} is told, above {FLAG:g}: not to be trusted there"
        return
    most = MOST_DISTANCE_WITHOUT_FLAG if sampler == "thread" else MOST_DISTANCE
    yield Goal(f"{sampler}, {workload}: at most {most:g} points from the truth", name, of="ours", at_most=most)


def _overhead(profiler: str, length: _Length) -> _Cost:
    progress.say(f"CPU with {profiler}")
    arguments = (length.blocks, length.block, length.learn, length.settle)
    found = _run("overhead", profiler, *map(str, arguments))
    pairs = [
        (found["with"][place] + found["with"][place + 1]) / (found["without"][place] + found["without"][place + 1])
        for place in range(0, 2 * length.blocks, 2)
    ]
    middle, low, high = (math.expm1(value) for value in interval([math.log(ratio) for ratio in pairs]))
    return _Cost(middle, low, high, found["handler"], found["threads"], found["helper"], length.blocks, found["looks"])


def interval(values: Sequence[float], *, seed: int = 1) -> tuple[float, float, float]:
    """Return the mean without the outermost tenths, and its 95 % interval by bootstrap."""
    numbers = random.Random(seed)
    means = sorted(trimmed_mean(numbers.choices(values, k=len(values))) for _ in range(_BOOTSTRAPS))
    return trimmed_mean(values), means[_BOOTSTRAPS // 40], means[-_BOOTSTRAPS // 40]


def trimmed_mean(values: Sequence[float]) -> float:
    """Return the mean of what is left without the largest and the smallest tenth."""
    out = len(values) // 10
    return statistics.fmean(sorted(values)[out : len(values) - out])


def _run(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.profiled", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=machine.environment(),
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
