"""What a process uses too much of: CPU, garbage collection, threads, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet import curves, promises
from gauntlet.cases import HOUR, Case, Draw, told
from gauntlet.quiet import starting

if TYPE_CHECKING:
    from collections.abc import Callable

CPU, THROTTLED, GC = "RuntimeCpuSpike", "RuntimeCpuThrottled", "RuntimeGcPressure"
THREADS, FILES, NO_THREADS = "RuntimeThreadLeakSuspected", "RuntimeFdExhaustion", "RuntimeThreadExhaustion"


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


def cpu_spike_after_a_deploy(draw: Draw) -> Case:
    """In an instance of some hours, which nobody knows: but its job is known."""
    deploy = draw.minute(26, 36)
    at, length = deploy + draw.minute(1, 8), draw.minute(0.5, 3)
    old, new = draw.process(0), draw.process(1, births=[deploy])
    old.gone, new.gone = set(range(deploy, draw.minutes)), set(range(deploy))
    more = max(0.5, draw.within(2.5, 6) * max(*old.cores, *new.cores))
    new.cores = [core + more * (at <= minute < at + length) for minute, core in enumerate(new.cores)]
    return draw.case(old, starting(new), faults=[told(CPU, at, 15, until=at + length)])


def garbage(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 44)
    process.gc = [share + (draw.within(0.15, 0.4) if minute >= at else 0) for minute, share in enumerate(process.gc)]
    return draw.case(process, faults=[told(GC, at, 20)])


def throttled(draw: Draw) -> Case:
    """Its CPU limit holds it back in more than a quarter of the periods; before, in hardly any."""
    process, at = draw.process(), draw.minute(26, 44)
    process.throttled = [
        draw.within(0.35, 0.7) if minute >= at else draw.within(0, 0.05) for minute in range(draw.minutes)
    ]
    return draw.case(process, faults=[told(THROTTLED, at, 25)])


def thread_leak(draw: Draw) -> Case:
    """Each hour a third of what there was, or more."""
    process, at = draw.process(), draw.minute(26, 36)
    an_hour = draw.within(12, 60)
    process.threads = [count + max(0, minute - at) / 60 * an_hour for minute, count in enumerate(process.threads)]
    return draw.case(process, faults=[told(THREADS, at, promises.leak(0.1))], tolerated=[NO_THREADS])


def threads_to_their_limit(draw: Draw) -> Case:
    """Five times as many as there were are allowed, and each hour so many more are started, as a share of those."""
    process, at, share = draw.process(), draw.minute(26, 36), draw.within(0.4, 0.8)
    most = process.maximum_threads or 0.0
    process.threads = [
        min(most, count + max(0, minute - at) / 60 * share * most / 5)
        for minute, count in enumerate(process.threads or [])
    ]
    return draw.case(process, faults=[told(NO_THREADS, at, promises.exhausted(4 / share))], tolerated=[THREADS])


def goroutine_leak(draw: Draw) -> Case:
    process, at = draw.process(amplitude=0.3), draw.minute(26, 36)
    base, an_hour = sum(process.goroutines) / draw.minutes, draw.within(0.3, 2)
    process.goroutines = [
        count + max(0, minute - at) / 60 * an_hour * base for minute, count in enumerate(process.goroutines)
    ]
    return draw.case(process, faults=[told(THREADS, at, promises.leak(0.1))])


def files_left_open(draw: Draw) -> Case:
    process, at = draw.process(), draw.minute(26, 40)
    process.files = [min(1020.0, 30 + max(0, minute - at) * draw.within(2, 2.2)) for minute in range(draw.minutes)]
    # 1020 files at 2.1 a minute last for 8.1 h.
    return draw.case(process, faults=[told(FILES, at, 4.6 * HOUR)])
