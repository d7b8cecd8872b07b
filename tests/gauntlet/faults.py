"""Services that fall ill: what of them must be told, and how soon. The promises are those of docs/detectors.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet import curves
from gauntlet.cases import DAY, HOUR, Case, Draw, told
from gauntlet.quiet import _follows, _starting
from gauntlet.service import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from gauntlet.service import Process

LEAK, NEAR_LIMIT = "RuntimeMemoryLeakSuspected", "RuntimeMemoryNearLimit"
CPU, GC = "RuntimeCpuSpike", "RuntimeGcPressure"
THREADS = "RuntimeThreadLeakSuspected"
BURN, LATENCY, TRAFFIC = "RuntimeHttpErrorBudgetBurn", "RuntimeHttpLatencyHigh", "RuntimeHttpThroughputDrop"
DOWN, RESTARTING, FILES = "RuntimeTargetDown", "RuntimeRestarting", "RuntimeFdExhaustion"
DOMINANT, REGRESSION, LOCK = "RuntimeProfileNewDominantFunction", "RuntimeProfileRegression", "RuntimeLockHotSpot"


def promised(an_hour: float) -> float:
    """How soon a leak of that share an hour is told, in minutes: 10 % within 2 h, 2 % within 8 h, what lies between by their line."""
    if an_hour >= 0.1:
        return 2 * HOUR
    return max(2 * HOUR, min(8.0, 8 - (an_hour - 0.02) / 0.08 * 6) * HOUR)


# --- memory -----------------------------------------------------------------------------------------------------------


def leak(an_hour: float, *, period: float = 0, amplitude: float = 0, lost: float = 0) -> Callable[[Draw], Case]:
    """A leak into a process that was well for more than a day; under teeth of `period` minutes a cycle later than without."""

    def recipe(draw: Draw) -> Case:
        # Above this time yesterday means something once there were two days.
        at = draw.minutes - 2 * DAY + draw.minute(26, 34)
        process = draw.process(amplitude=amplitude, peak=int(draw.within(9, 20) * HOUR))
        if amplitude:
            _follows(process, draw.within(0.2, 0.4))
        process.memory = curves.times(process.memory, curves.growth(draw.minutes, at, an_hour))
        if period:
            teeth = curves.sawtooth(draw.minutes, draw.rng, period=period, height=draw.within(0.1, 0.4))
            process.memory = curves.times(process.memory, teeth)
        if lost:
            process.gone = {minute for minute in range(draw.minutes) if draw.rng.random() < lost}
        return draw.case(process, faults=[told(LEAK, at, promised(an_hour) + period)])

    return recipe


def leak_of_a_release(draw: Draw) -> Case:
    """New instances leak from their first minute on; what is no more than a warm-up takes an hour or two as well."""
    at, processes = draw.minute(26, 34), []
    for replica in range(4):
        new = replica >= 2
        process = draw.process(replica, births=[at] if new else [])
        first = process.memory[at]
        process.memory = [240 * MIB / first * value for value in process.memory]
        if new:
            process.memory = curves.times(process.memory, curves.growth(draw.minutes, at, 0.1))
            process.memory = curves.times(process.memory, curves.warm_up(draw.minutes, [at], tau=15, missing=0.3))
        process.gone = set(range(at)) if new else set(range(at, draw.minutes))
        processes.append(_starting(process))
    return draw.case(*processes, faults=[told(LEAK, at, 4 * HOUR)])


def leak_of_the_first_day(draw: Draw) -> Case:
    """There is no past: only a line of hours tells a leak from a warm-up."""
    at = draw.minutes - 12 * HOUR
    process = draw.process(births=[at])
    process.memory = curves.times(process.memory, curves.growth(draw.minutes, at, draw.within(0.04, 0.12)))
    process.gone = set(range(at))
    return draw.case(_starting(process), faults=[told(LEAK, at, 8 * HOUR)])


def leak_under_restarts(hours: float, low: float, high: float) -> Callable[[Draw], Case]:
    """Something restarts the process whenever it has grown too much: in no life is there time to see a line of hours."""

    def recipe(draw: Draw) -> Case:
        begin, an_hour, pause = draw.minute(24, 28), draw.within(low, high), hours * HOUR
        births, at = [], draw.within(0, pause)
        while at < draw.minutes:
            births.append(int(at))
            at += pause * draw.within(0.9, 1.1)
        process = draw.process(births=births)
        process.memory = curves.times(
            process.memory,
            curves.warm_up(draw.minutes, births, tau=4, missing=0.2),
            curves.of_age(draw.minutes, births, an_hour, before=begin),
        )
        return draw.case(_starting(process), faults=[told(LEAK, begin, max(8.0, 4 * hours) * HOUR)])

    return recipe


def leak_in_one_of_three(draw: Draw) -> Case:
    at = draw.minute(26, 34)
    processes = [draw.process(replica) for replica in range(3)]
    processes[1].memory = curves.times(processes[1].memory, curves.growth(draw.minutes, at, 0.1))
    return draw.case(*processes, faults=[told(LEAK, at, 2 * HOUR, instance="10.0.0.1:9464")])


def leak_in_one_cluster(draw: Draw) -> Case:
    at = draw.minute(26, 34)
    eu, us = draw.process(), draw.process(cluster="us")
    us.memory = curves.times(us.memory, curves.growth(draw.minutes, at, 0.1))
    return draw.case(eu, us, faults=[told(LEAK, at, 2 * HOUR, cluster="us")])


def near_the_limit(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 44)
    process.memory = curves.times(process.memory, curves.step(draw.minutes, at, 1.5))
    process.limit = max(process.memory[at - 300 : at]) * 1.55
    return draw.case(process, faults=[told(NEAR_LIMIT, at, 15)])


# --- CPU, garbage, threads --------------------------------------------------------------------------------------------


def cpu_spike(*, amplitude: float = 0, batch: bool = False, clusters: bool = False) -> Callable[[Draw], Case]:
    def recipe(draw: Draw) -> Case:
        at, length = draw.minute(26, 44), draw.minute(0.5, 3)
        process = draw.process(amplitude=amplitude)
        if batch:
            nights = curves.bursts(draw.minutes, [3 * HOUR, 27 * HOUR], 40, 1.6)
            process.cores = curves.times(process.cores, nights)
        more = max(0.5, draw.within(2.5, 6) * max(process.cores[:at]))
        process.cores = [
            core + more * (at <= minute < at + length) * draw.within(0.9, 1.1)
            for minute, core in enumerate(process.cores)
        ]
        processes = [process, draw.process(cluster="us")] if clusters else [process]
        where = {"cluster": "eu"} if clusters else {}
        return draw.case(*processes, faults=[told(CPU, at, 15, until=at + length, **where)])

    return recipe


def garbage(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 44)
    process.gc = [share + (draw.within(0.15, 0.4) if minute >= at else 0) for minute, share in enumerate(process.gc)]
    return draw.case(process, faults=[told(GC, at, 20)])


def thread_leak(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 36)
    an_hour = draw.within(12, 60)
    process.threads = [count + max(0, minute - at) / 60 * an_hour for minute, count in enumerate(process.threads)]
    return draw.case(process, faults=[told(THREADS, at, 4 * HOUR)])


def goroutine_leak(draw: Draw) -> Case:
    process, at = draw.process(amplitude=0.3, gc=None), draw.minute(26, 36)
    base, an_hour = draw.within(50, 300), draw.within(0.3, 2)
    process.goroutines = [
        base * (0.5 + 0.5 * load / process.load[0]) * draw.within(0.9, 1.1) + max(0, minute - at) / 60 * an_hour * base
        for minute, load in enumerate(process.load)
    ]
    process.load = None
    return draw.case(process, faults=[told(THREADS, at, 4 * HOUR)])


def files_left_open(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 40)
    process.files = [min(1020.0, 30 + max(0, minute - at) * draw.within(2, 2.2)) for minute in range(draw.minutes)]
    # Told when half of them are gone, 4 h before none would be left.
    return draw.case(process, faults=[told(FILES, at, 5 * HOUR)])


# --- requests ---------------------------------------------------------------------------------------------------------


def slower(low: float, high: float, *, amplitude: float = 0) -> Callable[[Draw], Case]:
    """The median goes up at once to what lies between; the slowest 5 % are 2.7 times as slow."""

    def recipe(draw: Draw) -> Case:
        process, at, slow = draw.process(amplitude=amplitude), draw.minute(26, 44), draw.within(low, high)
        process.latency = [
            slow * max(0.6, draw.rng.gauss(1, 0.05)) if minute >= at else usual
            for minute, usual in enumerate(process.latency)
        ]
        return draw.case(process, faults=[told(LATENCY, at, 15)])

    return recipe


def failing(low: float, high: float, within: float | None = None, **given: float) -> Callable[[Draw], Case]:
    """A share of the requests fails from some minute on. Without `within` it is told as soon as one of the windows promises."""

    def recipe(draw: Draw) -> Case:
        days = 5 * DAY if high < 0.01 else 2 * DAY
        at, share = draw.minutes - days + draw.minute(26, 34), draw.within(low, high)
        process = draw.process(**given)
        process.errors = [share if minute >= at else 0.0001 for minute in range(draw.minutes)]
        return draw.case(process, faults=[told(BURN, at, within or of_the_windows(share))])

    return recipe


# Long window, factor and `for` (minutes) of each burn rate, by default; objective 99.9 %.
WINDOWS = ((60, 14.4, 2), (360, 6, 15), (1440, 3, 60), (4320, 1, 180))


def of_the_windows(share: float) -> float:
    """When the first window holds enough failures, its `for` is over, and a tenth more for chance."""
    budget = 0.001
    return min(
        1.1 * (window * factor * budget / share + hold) + 10
        for window, factor, hold in WINDOWS
        if share > 1.2 * factor * budget
    )


def failing_in_one_cluster(draw: Draw) -> Case:
    at = draw.minute(26, 44)
    eu, us = draw.process(rate=20), draw.process(rate=20, cluster="us")
    us.errors = [0.25 if minute >= at else 0.0001 for minute in range(draw.minutes)]
    return draw.case(eu, us, faults=[told(BURN, at, 15, cluster="us")])


def no_more_requests(low: float, high: float) -> Callable[[Draw], Case]:
    def recipe(draw: Draw) -> Case:
        process, at = draw.process(amplitude=0.3), draw.minute(28, 44)
        process.load = curves.times(process.load, curves.step(draw.minutes, at, draw.within(low, high)))
        return draw.case(process, faults=[told(TRAFFIC, at, 30)])

    return recipe


# --- targets ----------------------------------------------------------------------------------------------------------


def answers_no_more(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 46)
    process.dark = set(range(at, draw.minutes))
    return draw.case(process, faults=[told(DOWN, at, 10)], tolerated=[TRAFFIC])


def one_of_three_answers_no_more(draw: Draw) -> Case:
    processes, at = [draw.process(replica) for replica in range(3)], draw.minute(26, 46)
    processes[2].dark = set(range(at, draw.minutes))
    return draw.case(*processes, faults=[told(DOWN, at, 10, instance="10.0.0.2:9464")])


def looked_for_no_more(draw: Draw) -> Case:
    """It left service discovery: there is not even `up`."""
    process, at = draw.process(), draw.minute(26, 44)
    process.gone = set(range(at, draw.minutes))
    return draw.case(process, faults=[told(DOWN, at, 15)], tolerated=[TRAFFIC])


def crash_loop(draw: Draw) -> Case:
    at = draw.minute(26, 44)
    births = list(range(at, min(draw.minutes, at + 180), 7))
    return draw.case(_starting(draw.process(births=births)), faults=[told(RESTARTING, at, 40)], tolerated=[CPU, LEAK])


# --- profiles ---------------------------------------------------------------------------------------------------------


def _with_profiles(draw: Draw) -> Process:
    process = draw.process(amplitude=0.2)
    process.cores = [core + 0.1 for core in process.cores]
    process.functions = {
        "shop:render": curves.flat(draw.minutes, 0.4),
        "shop:search": curves.flat(draw.minutes, 0.02),
        "other": curves.flat(draw.minutes, 0.3),
    }
    return process


def new_dominant_function(draw: Draw) -> Case:
    process, at = _with_profiles(draw), draw.minute(26, 44)
    process.functions["shop:search"] = [
        draw.within(0.35, 0.45) if minute >= at else 0.02 for minute in range(draw.minutes)
    ]
    return draw.case(process, faults=[told(DOMINANT, at, 25)])


def confirmed_regression(draw: Draw) -> Case:
    process, at = _with_profiles(draw), draw.minute(26, 44)
    process.regressions = {"shop:render": [float(minute >= at) for minute in range(draw.minutes)]}
    return draw.case(process, faults=[told(REGRESSION, at, 5)])


def lock_hot_spot(draw: Draw) -> Case:
    process, at = _with_profiles(draw), draw.minute(26, 44)
    process.lock = [draw.within(0.2, 0.8) if minute >= at else 0.005 for minute in range(draw.minutes)]
    return draw.case(process, faults=[told(LOCK, at, 20)])


FAULTS: dict[str, tuple[Callable[[Draw], Case], int, dict[str, object]]] = {
    "leak 10 %/h": (leak(0.10), 3, {}),
    "leak 5 %/h": (leak(0.05), 2, {}),
    "leak 2 %/h": (leak(0.02), 3, {}),
    "leak 10 %/h, day and night": (leak(0.10, amplitude=0.5), 3, {"minutes": 3 * DAY}),
    "leak 2 %/h, day and night": (leak(0.02, amplitude=0.5), 2, {"minutes": 3 * DAY}),
    "leak 10 %/h, sawtooth 10m": (leak(0.10, period=10), 1, {}),
    "leak 10 %/h, sawtooth 30m": (leak(0.10, period=30), 1, {}),
    "leak 10 %/h, sawtooth 90m": (leak(0.10, period=90), 2, {}),
    "leak 10 %/h, sawtooth 5h": (leak(0.10, period=300), 2, {}),
    "leak 5 %/h, sawtooth 90m": (leak(0.05, period=90), 1, {}),
    "leak 10 %/h, scrapes lost": (leak(0.10, lost=0.33), 2, {}),
    "leak of a release": (leak_of_a_release, 2, {}),
    "leak of the first day": (leak_of_the_first_day, 1, {}),
    "leak under hourly restarts": (leak_under_restarts(1, 0.3, 0.8), 3, {}),
    "leak under restarts every 4h": (leak_under_restarts(4, 0.1, 0.25), 2, {}),
    "leak in one of three": (leak_in_one_of_three, 1, {}),
    "leak in one of two clusters": (leak_in_one_cluster, 1, {"world": "two clusters"}),
    "near the memory limit": (near_the_limit, 2, {}),
    "cpu spike": (cpu_spike(), 3, {}),
    "cpu spike, day and night": (cpu_spike(amplitude=0.5), 2, {}),
    "cpu spike, nightly batch": (cpu_spike(batch=True), 2, {}),
    "cpu spike in one of two clusters": (cpu_spike(clusters=True), 1, {"world": "two clusters"}),
    "garbage collection": (garbage, 2, {}),
    "thread leak": (thread_leak, 3, {}),
    "files left open": (files_left_open, 2, {}),
    "latency step above 1 s": (slower(0.6, 3), 2, {}),
    "latency step below 1 s": (slower(0.12, 0.3), 2, {}),
    "latency step, day and night": (slower(0.15, 0.3, amplitude=0.5), 2, {}),
    "error burst": (failing(0.1, 0.6, 15), 3, {}),
    "error burst, low traffic": (failing(0.3, 0.6, 60, rate=0.03), 1, {}),
    "all requests fail": (failing(0.98, 1.0, 15), 1, {}),
    "budget burn, 2 to 4 %": (failing(0.02, 0.04), 2, {}),
    "budget burn, 0.8 %": (failing(0.0075, 0.0085), 2, {"minutes": 5 * DAY}),
    "budget burn, 0.4 %": (failing(0.0038, 0.0045), 2, {"minutes": 5 * DAY}),
    "budget burn, 0.2 %": (failing(0.0018, 0.0022), 1, {"minutes": 5 * DAY}),
    "errors in one of two clusters": (failing_in_one_cluster, 1, {"world": "two clusters"}),
    "no more requests": (no_more_requests(0, 0), 2, {}),
    "a tenth of the requests": (no_more_requests(0.03, 0.12), 2, {}),
    "answers no more": (answers_no_more, 2, {}),
    "one of three answers no more": (one_of_three_answers_no_more, 1, {}),
    "looked for no more": (looked_for_no_more, 1, {}),
    "crash loop": (crash_loop, 2, {}),
    "new dominant function": (new_dominant_function, 2, {}),
    "confirmed regression": (confirmed_regression, 1, {}),
    "lock hot spot": (lock_hot_spot, 2, {}),
}
