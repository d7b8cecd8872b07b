"""How right each sampler is, on programs whose truth is known, and what it costs, beside its peers.

Accuracy is the total variation distance between the shares that a profile gives to functions and the shares of CPU time that
they measured of themselves: of two functions, the difference of either's share. Cost is CPU time for the same work with the profiler on
and off, in ABBA blocks within one process, after it has found its rate and without what a start costs, as the mean of the blocks' log ratios, the
outermost tenths left out, with a 95 % bootstrap interval; not the median, to which a look every few seconds is nothing. "none" against
itself is A/A, the noise floor. Where that is above what is to be told, there is the CPU that each profiler runs itself: its threads' by
the kernel's clocks, its signal handler's by its own account, its helper's. A helper's counts where profilers are compared. Peers are those of benchmarks/peers.txt, in the virtual environment that BENCHMARK_PEERS
names, which `make bench` makes. Instructions, which no other load of the machine changes, are counted where there is valgrind.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import instructions
from benchmarks.profiled import WORKLOADS
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers import pyspy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PEERS = {"ddtrace": "ddtrace", "pyroscope-io": "pyroscope"}
MOST_DISTANCE = 0.05
"""What an unbiased sampler may be off by, at 2,000 samples."""
MOST_DISTANCE_WITHOUT_FLAG = 0.1
FLAG = 0.1
"""A bias ratio above this is a flag: the stacks of busy threads are not to be trusted."""
_BOOTSTRAPS = 2000
_LEARN_SECONDS = 60.0
MOST_IN_PROCESS, MOST_IN_HELPER = 0.01, 0.015
"""Parts of one core that profiling may take of a busy program, and beside it in a helper."""


def report(*, quick: bool) -> Iterator[str]:
    """Yield a line for each sampler and workload, then one for each profiler's cost."""
    samplers = ["signal", *_pyspy(), "thread"]
    seconds = 4.0 if quick else 20.0
    yield f"accuracy at 100 Hz for {seconds:g} s each; distance to the truth, unbiased to be at most {MOST_DISTANCE}:"
    for sampler in samplers:
        for workload in WORKLOADS:
            yield "  " + _accuracy(sampler, workload, seconds)
    blocks, length = (6, 0.25) if quick else (40, 0.25)
    learn = 9.0 if quick else _LEARN_SECONDS
    yield f"CPU for the same work, {blocks} ABBA blocks of 4 x {length:g} s after {learn:g} s, 5 threads; our samplers at 20 Hz, peers as they are by default:"
    peers = [name for name, module in PEERS.items() if _has(module)]
    costs = {profiler: _overhead(profiler, blocks, length, learn) for profiler in ["none", *samplers, *peers]}
    floor = costs["none"]
    for profiler, cost in costs.items():
        yield f"  {'A/A' if profiler == 'none' else profiler:12} {cost}{'' if profiler == 'none' else f'; A/A {floor.interval}'}"
    yield "so, by the 95 % intervals:"
    for sampler in samplers:
        yield from (f"  {line}" for line in _verdicts(sampler, costs, peers))
    missing = [name for name in PEERS if name not in peers]
    if missing:
        yield f"  not here to compare with: {', '.join(missing)}; `make bench` installs benchmarks/peers.txt"
    if not quick:
        yield from _instructions()


def _verdicts(sampler: str, costs: Mapping[str, _Cost], peers: Sequence[str]) -> Iterator[str]:
    """Yield what was promised of a sampler, and whether it holds."""
    cost = costs[sampler]
    yield (
        f"{sampler}: at most {MOST_IN_PROCESS:.0%} in the process: {_verdict(cost.low - MOST_IN_PROCESS, cost.high - MOST_IN_PROCESS)};"
        f" by what it runs there, {cost.runs:.2%}: {_verdict(cost.runs - MOST_IN_PROCESS, cost.runs - MOST_IN_PROCESS)}"
    )
    if cost.helper:
        yield f"{sampler}: at most {MOST_IN_HELPER:.1%} in the helper: {_verdict(cost.helper - MOST_IN_HELPER, cost.helper - MOST_IN_HELPER)}"
    for peer in peers:
        # A helper's CPU is counted with what it adds in the process: that is what the machine pays.
        theirs, more = costs[peer], cost.helper - costs[peer].helper
        verdict = _verdict(cost.low - theirs.high + more, cost.high - theirs.low + more)
        runs = cost.runs - theirs.runs + more
        yield f"{sampler}: no worse than {peer}: {verdict}; by what each runs: {_verdict(runs, runs)}"


def _verdict(least: float, most: float) -> str:
    """Return whether something is at most what it may be, from the interval of the difference."""
    if most <= 0:
        return "HOLDS"
    return "DOES NOT HOLD" if least > 0 else f"NOT RESOLVED, the noise is {most - least:.1%} wide"


def _instructions() -> Iterator[str]:
    if shutil.which("valgrind") is None:
        yield "instructions are not counted: apt-get install valgrind"
        return
    yield "instructions, by valgrind; A/A is the same count once more:"
    unit, again, look, turn = instructions.each(("unit", 20), ("unit", 20), ("look", 300), ("interval", 4))
    yield f"  a unit of work of the busy program {unit / 1e3:,.0f} k; A/A {again / unit - 1:+.2%}"
    yield f"  a look at 10 idle threads {look / 1e3:,.0f} k: {look / unit:.2f} units of work"
    yield (
        f"  an interval of {instructions.STACKS} stacks of {instructions.DEPTH} frames, CPU and wall time: {turn / 1e6:,.0f} M,"
        f" {turn / unit:,.0f} units of work"
    )


def _peers() -> str:
    """Return the directory of the peers' packages, empty where there is none."""
    found = sorted(Path(os.environ.get("BENCHMARK_PEERS", "")).glob("lib/python*/site-packages"))
    return str(found[0].absolute()) if found and os.environ.get("BENCHMARK_PEERS") else ""


def _environment() -> dict[str, str]:
    paths = [path for path in (os.environ.get("PYTHONPATH", ""), _peers()) if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _has(module: str) -> bool:
    # It must import here: one that was installed for another Python does not.
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], capture_output=True, check=False, env=_environment()
    )
    return done.returncode == 0


class _Cost(NamedTuple):
    """What a profiler costs: CPU for the same work relative to none, with its 95 % interval, and parts of a core."""

    middle: float
    low: float
    high: float
    handler: float
    threads: float
    helper: float

    @property
    def interval(self) -> str:
        return f"{self.middle:+.2%} ({self.low:+.2%} to {self.high:+.2%})"

    @property
    def runs(self) -> float:
        """What it runs in the process: its threads, and its signal's handler on the program's."""
        return self.handler + self.threads

    def __str__(self) -> str:
        helper = [f"helper {self.helper:.2%}"] if self.helper else []
        return ", ".join([f"in the process {self.interval}", f"runs there {self.runs:.2%} of a core", *helper])


def _pyspy() -> Sequence[str]:
    try:
        pyspy.self_test()
    except ProfileError:
        return ()
    return (pyspy.NAME,)


def _accuracy(sampler: str, workload: str, seconds: float) -> str:
    found = _run("accuracy", sampler, workload, str(seconds))
    distance = abs(found["seen"] - found["truth"])
    line = (
        f"{sampler:7} {workload:14} truth {found['truth']:6.1%}, seen {found['seen']:6.1%} in {found['samples']} samples:"
        f" distance {distance:.3f}"
    )
    # Two standard errors of a share are no error of the sampler.
    chance = 2 * math.sqrt(found["truth"] * (1 - found["truth"]) / max(1, found["samples"]))
    line = f"{line}, by chance up to {chance:.3f}"
    if sampler != "thread":
        verdict = (
            "DOES NOT HOLD"
            if distance > MOST_DISTANCE + chance
            else "HOLDS"
            if distance <= MOST_DISTANCE
            else "NOT RESOLVED"
        )
        return f"{line}: {verdict}"
    flagged = found["bias_ratio"] > FLAG
    holds = flagged or distance <= MOST_DISTANCE_WITHOUT_FLAG
    return f"{line}, bias ratio {found['bias_ratio']:.2f}: flag {'up' if flagged else 'down'}{'' if holds else ', DOES NOT HOLD'}"


def _overhead(profiler: str, blocks: int, length: float, learn: float) -> _Cost:
    found = _run("overhead", profiler, str(blocks), str(length), str(learn))
    pairs = [
        (found["with"][place] + found["with"][place + 1]) / (found["without"][place] + found["without"][place + 1])
        for place in range(0, 2 * blocks, 2)
    ]
    middle, low, high = (math.expm1(value) for value in interval([math.log(ratio) for ratio in pairs]))
    return _Cost(middle, low, high, found["handler"], found["threads"], found["helper"])


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
        env=_environment(),
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
