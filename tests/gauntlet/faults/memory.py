"""Leaks, and what is near its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet import curves, promises
from gauntlet.cases import DAY, HOUR, Case, Draw, told
from gauntlet.quiet import follows, starting
from gauntlet.service import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

LEAK, NEAR_LIMIT = "RuntimeMemoryLeakSuspected", "RuntimeMemoryNearLimit"


def leak(an_hour: float, *, period: float = 0, amplitude: float = 0, lost: float = 0) -> Callable[[Draw], Case]:
    """A leak into a process that was well for more than a day; under teeth of `period` minutes a cycle later than without."""

    def recipe(draw: Draw) -> Case:
        # Above this time yesterday means something once there were two days.
        at = draw.minutes - 2 * DAY + draw.minute(26, 34)
        process = draw.process(amplitude=amplitude, peak=int(draw.within(9, 20) * HOUR))
        if amplitude:
            follows(process, draw.within(0.2, 0.4))
        process.memory = curves.times(process.memory, curves.growth(draw.minutes, at, an_hour))
        if period:
            teeth = curves.sawtooth(draw.minutes, draw.rng, period=period, height=draw.within(0.1, 0.4))
            process.memory = curves.times(process.memory, teeth)
        if lost:
            process.gone = draw.lost_scrapes(lost)
        return draw.case(process, faults=[told(LEAK, at, promises.leak(an_hour) + period)])

    return recipe


def leak_of_a_release(draw: Draw) -> Case:
    """New instances leak from their first minute on; what is no more than a warm-up takes an hour or two as well."""
    at, processes = draw.minute(26, 34), []
    for replica in range(4):
        new = replica >= 2
        process = draw.process(replica, births=[at] if new else [])
        first = process.memory[at]
        process.memory = [240 * MIB / first * value for value in process.memory]
        # It does the work of the others: a release that took three times their CPU would rightly be told for that.
        process.cores = [*(processes[0] if processes else process).cores]
        if new:
            process.memory = curves.times(process.memory, curves.growth(draw.minutes, at, 0.1))
            process.memory = curves.times(process.memory, curves.warm_up(draw.minutes, [at], tau=15, missing=0.3))
        process.gone = set(range(at)) if new else set(range(at, draw.minutes))
        processes.append(starting(process))
    return draw.case(*processes, faults=[told(LEAK, at, promises.leak(0.1) + 2 * HOUR)])


def leak_of_the_first_day(draw: Draw) -> Case:
    """There is no past: only a line of hours tells a leak from a warm-up."""
    at = draw.minutes - 12 * HOUR
    process = draw.process(births=[at])
    process.memory = curves.times(process.memory, curves.growth(draw.minutes, at, draw.within(0.04, 0.12)))
    process.gone = set(range(at))
    return draw.case(starting(process), faults=[told(LEAK, at, 8 * HOUR)])


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
        return draw.case(starting(process), faults=[told(LEAK, begin, promises.restarted(hours))])

    return recipe


def leak_in_one_of_three(draw: Draw) -> Case:
    at = draw.minute(26, 34)
    processes = [draw.process(replica) for replica in range(3)]
    processes[1].memory = curves.times(processes[1].memory, curves.growth(draw.minutes, at, 0.1))
    return draw.case(*processes, faults=[told(LEAK, at, promises.leak(0.1), instance="10.0.0.1:9464")])


def leak_in_one_cluster(draw: Draw) -> Case:
    at = draw.minute(26, 34)
    eu, us = draw.process(), draw.process(cluster="us")
    us.memory = curves.times(us.memory, curves.growth(draw.minutes, at, 0.1))
    return draw.case(eu, us, faults=[told(LEAK, at, promises.leak(0.1), cluster="us")])


def near_the_limit(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 44)
    process.memory = curves.times(process.memory, curves.step(draw.minutes, at, 1.5))
    process.limit = max(process.memory[at - 300 : at]) * 1.55
    return draw.case(process, faults=[told(NEAR_LIMIT, at, 15)])
