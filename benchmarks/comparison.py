"""Does the comparison cry wolf, and what does it see: a simulation of processes whose truth is known, and its speed.

A process has 40 functions with shares of 1 to 30 %, and a window a minute of 1 200 samples (20 Hz on one busy core) in
which each share is its true one times noise (gamma, mean 1, the stated coefficient of variation; or a log-normal
first-order autoregression where it says "drifting"). Five windows (or 15) are compared at a time, all day. Seeds are fixed.
"""

from __future__ import annotations

import math
import random
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import progress
from benchmarks.figures import Figure, Goal, Spread
from benchmarks.harness import figure, rounds
from runtime_exporter.profiling.baseline import Baseline
from runtime_exporter.profiling.comparison import compare
from runtime_exporter.profiling.persistence import History
from runtime_exporter.profiling.tally import Tally, Window, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.figures import Item

FUNCTIONS = 40
SAMPLES = 1200
MINUTE = 60.0
DAY = 24 * 60
BLOCK = 5

Noise = tuple["Callable[[], float]", ...]


@dataclass(frozen=True)
class World:
    """How windows vary."""

    name: str
    variation: float
    """Coefficient of variation of a function's true share from window to window."""
    correlation: float = 0.0
    """Of that share with the one a window before."""
    busier: float = 1.0
    """Samples per window now over those of the baseline."""
    block: int = BLOCK
    """Windows of one comparison."""


def report(*, quick: bool) -> Iterator[Item]:
    """Yield the false alarms, the power and the speed."""
    yield from _alarms_of_all(processes=1 if quick else 8)
    worlds = [
        World(f"noise {variation}, {block} windows", variation, block=block)
        for variation in ((0.0,) if quick else (0.0, 0.2, 0.5))
        for block in (BLOCK, 15)
    ]
    with ProcessPoolExecutor() as pool:  # what is simulated takes no time that is told
        for figures in pool.map(partial(_powers, trials=8 if quick else 30), worlds):
            yield from figures
    yield from _speed(5 if quick else 31)


ALLOWED = 0.2
"""Percent of functions that may be told of wrongly in a day, given as many windows as the comparison asks for."""
ENOUGH = 180
"""Those are they, and more."""


def _alarms_of_all(*, processes: int) -> Iterator[Item]:
    """Yield the false alarms in each world by baseline, then in all together in which a window does not resemble the one before."""
    progress.say("false alarms")
    enough, days = 0, processes * FUNCTIONS
    with ProcessPoolExecutor() as pool:
        found = [*pool.map(partial(_false_alarms, processes=processes), WORLDS)]
    for world, alarms in zip(WORLDS, found, strict=True):
        for windows, count in alarms.items():
            yield Figure(f"{ALARMS}, {world.name}", "%", _rate(count, days), count=days, at=windows, along="windows")
        if not world.correlation:
            enough += sum(count for windows, count in alarms.items() if windows >= ENOUGH)
    days *= sum(not world.correlation for world in WORLDS) * sum(windows >= ENOUGH for windows in BASELINES)
    name = f"{ALARMS}, all worlds without drift, {ENOUGH} windows and more"
    yield Figure(name, "%", _rate(enough, days), count=days)
    yield Goal(
        f"of functions that did not change, at most {ALLOWED} % are told of in a day, without drift",
        name,
        of="ours",
        at_most=ALLOWED,
    )


ALARMS = "false alarms per function and day"
BASELINES = (30, 180, 1440)
"""Windows of the baselines: half an hour, three hours, a day."""

WORLDS = (
    *(World(f"noise {variation}", variation) for variation in (0.0, 0.1, 0.2, 0.3, 0.5)),
    World("noise 0.5, 15 windows at a time", 0.5, block=15),
    World("noise 0.3, drifting (0.8)", 0.3, correlation=0.8),
    World("noise 0.3, now 5 times as busy", 0.3, busier=5),
    World("noise 0.3, now a 5th as busy", 0.3, busier=0.2),
)


def _false_alarms(world: World, *, processes: int) -> dict[int, int]:
    """Return how many functions were told of in a day of so many processes in which nothing changed, by windows of the baseline."""
    alarms = dict.fromkeys(BASELINES, 0)
    for process in range(processes):
        source = random.Random(f"{world.name} {process}")
        shares = _shares(source)
        noise = _noise(world, source, len(shares))
        windows = [_window(source, shares, noise, minute, SAMPLES) for minute in range(max(BASELINES))]
        baselines = {count: Baseline("pinned", tally(windows[-count:])) for count in BASELINES}
        histories = dict.fromkeys(BASELINES, History())
        alarmed: dict[int, set[str]] = {count: set() for count in BASELINES}
        for block in range(DAY // world.block):
            now = _block(world, source, shares, noise, max(BASELINES) + block * world.block)
            for count, baseline in baselines.items():
                comparison = compare(now, baseline, histories[count])
                histories[count] = comparison.history
                alarmed[count] |= {one.function for one in comparison.findings if one.state == "confirmed"}
        for count in BASELINES:
            alarms[count] += len(alarmed[count])
    return alarms


def _powers(world: World, *, trials: int) -> list[Item]:
    return [*_power(world, trials)]


def _power(world: World, trials: int) -> Iterator[Item]:
    """Yield which part of real rises is confirmed, and after how many minutes, beside what the comparison says it would see."""
    for share in (0.02, 0.1):
        where = f"{world.name}, share {share:.0%}"
        for factor in (1.2, 1.5, 2.0):
            minutes = [_minutes_until_confirmed(world, share, factor, trial) for trial in range(trials)]
            seen = [one for one in minutes if one is not None]
            part = Spread.exactly(100 * len(seen) / trials)
            yield Figure(f"rises seen, {where}", "%", part, count=trials, at=factor, along="times")
            if seen:
                yield Figure(
                    f"until they are seen, {where}", "min", Spread.of(seen), count=len(seen), at=factor, along="times"
                )
        detectable = Spread.of(1 + _detectable(world, share, trial) for trial in range(trials // 4))
        yield Figure(f"smallest rise that it says it would see, {where}", "times", detectable, count=trials // 4)


def _minutes_until_confirmed(world: World, share: float, factor: float, trial: int) -> float | None:
    source = random.Random(f"{world.name} {share} {factor} {trial}")
    shares = [share, *_shares(source)[1:]]
    noise = _noise(world, source, len(shares))
    before = tally([_window(source, shares, noise, minute, SAMPLES) for minute in range(BASELINES[0])])
    shares[0] *= factor
    history = History()
    for block in range(12):
        now = _block(world, source, shares, noise, BASELINES[0] + block * world.block)
        comparison = compare(now, Baseline("pinned", before), history)
        history = comparison.history
        if any(one.function == _name(0) and one.state == "confirmed" for one in comparison.findings):
            return (block + 1) * world.block
    return None


def _detectable(world: World, share: float, trial: int) -> float:
    source = random.Random(f"{world.name} {share} {trial}")
    shares = [share, *_shares(source)[1:]]
    noise = _noise(world, source, len(shares))
    before = tally([_window(source, shares, noise, minute, SAMPLES) for minute in range(BASELINES[0])])
    now = _block(world, source, shares, noise, BASELINES[0])
    return compare(now, Baseline("pinned", before)).changes[_name(0)].detectable_ratio


def _speed(count: int) -> Iterator[Item]:
    source = random.Random(200)
    shares = [min(0.9, 0.5 / (1 + index / 4)) for index in range(200)]
    windows = [_window(source, shares, (lambda: 1.0,) * 200, minute, SAMPLES) for minute in range(30 + BLOCK)]
    baseline = Baseline("pinned", tally(windows[:30]))
    tasks: dict[str, Callable[[], object]] = {
        "30 windows into a baseline": lambda: tally(windows[:30]),
        f"{BLOCK} windows against it": lambda: compare(tally(windows[30:]), baseline),
    }
    for title, run in tasks.items():
        yield figure(f"of 200 functions, {title}", rounds({"ours": run, "A/A": run}, count=count))


def _shares(source: random.Random) -> list[float]:
    return [math.exp(source.uniform(math.log(0.01), math.log(0.3))) for _ in range(FUNCTIONS)]


def _noise(world: World, source: random.Random, functions: int) -> Noise:
    if not world.variation:
        return (lambda: 1.0,) * functions
    if world.correlation:
        return tuple(_drift(world, source) for _ in range(functions))
    square = world.variation**2
    return (lambda: source.gammavariate(1 / square, square),) * functions


def _drift(world: World, source: random.Random) -> Callable[[], float]:
    square = math.log1p(world.variation**2)
    state = source.gauss(0, 1)

    def step() -> float:
        nonlocal state
        state = world.correlation * state + math.sqrt(1 - world.correlation**2) * source.gauss(0, 1)
        return math.exp(math.sqrt(square) * state - square / 2)

    return step


def _block(world: World, source: random.Random, shares: Sequence[float], noise: Noise, minute: int) -> Tally:
    samples = SAMPLES * world.busier
    return tally([_window(source, shares, noise, minute + index, samples) for index in range(world.block)])


def _window(source: random.Random, shares: Sequence[float], noise: Noise, minute: int, samples: float) -> Window:
    n = round(samples)
    cum: Mapping[str, float] = {
        _name(index): _binomial(source, n, min(1.0, share * factor()))
        for index, (share, factor) in enumerate(zip(shares, noise, strict=True))
    }
    return Window("cpu", minute * MINUTE, (minute + 1) * MINUTE, n, cum, {}, n / 20)


def _name(index: int) -> str:
    return f"shop.search:function_{index}"


def _binomial(source: random.Random, n: int, p: float) -> float:
    """Draw a binomial count: exactly by geometric gaps while it is small, else by Cornish and Fisher's expansion."""
    if p > 0.5:
        return n - _binomial(source, n, 1 - p)
    if n * p < 10:
        if p <= 0:
            return 0.0
        count, place, scale = -1, 0.0, math.log1p(-p)
        while place <= n:
            count += 1
            place += math.floor(math.log(1 - source.random()) / scale) + 1
        return float(count)
    deviation = math.sqrt(n * p * (1 - p))
    z = source.gauss(0, 1)
    return float(min(n, max(0, round(n * p + deviation * z + (1 - 2 * p) * (z * z - 1) / 6))))


def _rate(events: int, trials: int) -> Spread:
    """Return the rate in percent, and in place of its upper quartile the end of its one-sided 95 % interval (Wilson's; 3/n for none)."""
    rate = events / trials
    z = statistics.NormalDist().inv_cdf(0.95)
    upper = (
        -math.log(0.05) / trials
        if not events
        else (rate + z * z / (2 * trials) + z * math.sqrt(rate * (1 - rate) / trials + (z / (2 * trials)) ** 2))
        / (1 + z * z / trials)
    )
    return Spread(100 * rate, 100 * rate, 100 * upper)
