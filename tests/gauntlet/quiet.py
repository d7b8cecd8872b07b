"""Services that are well, in every way in which a service can be well and look ill. Nothing may be said of any of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gauntlet import curves
from gauntlet.cases import DAY, HOUR, Case, Draw
from gauntlet.preforked import PREFORKED

if TYPE_CHECKING:
    from collections.abc import Callable

    from gauntlet.service import Process


def steady(draw: Draw) -> Case:
    return draw.case(draw.process())


def day_and_night(draw: Draw) -> Case:
    process = draw.process(amplitude=draw.within(0.3, 0.7), peak=int(draw.within(9, 20) * HOUR))
    return draw.case(follows(process, draw.within(0.2, 0.5)))


def follows(process: Process, share: float) -> Process:
    """Memory and threads go up and down with the load, by that share of them."""
    mean = sum(process.load) / len(process.load)
    busy = [1 - share + share * load / mean for load in process.load]
    process.memory = curves.times(process.memory, busy)
    if process.threads:
        process.threads = curves.times(process.threads, busy)
    return process


def sawtooth(period: float) -> Callable[[Draw], Case]:
    def recipe(draw: Draw) -> Case:
        process = draw.process()
        teeth = curves.sawtooth(draw.minutes, draw.rng, period=period, height=draw.within(0.1, 0.7))
        process.memory = curves.times(process.memory, teeth)
        return draw.case(process)

    return recipe


def grown_at_once(draw: Draw) -> Case:
    """A cache that was filled, a pool that was made larger: higher from then on, and level."""
    process, at = draw.process(), draw.minute(6, 44)
    process.memory = curves.times(process.memory, curves.step(draw.minutes, at, draw.within(1.1, 1.8)))
    process.threads = curves.times(process.threads, curves.step(draw.minutes, at, draw.within(1.1, 1.8)))
    return draw.case(process)


def warming_up(draw: Draw) -> Case:
    """Restarted, and its caches fill up again to what they were."""
    births = [draw.minute(4, 44)]
    process = draw.process(births=births)
    warm = curves.warm_up(draw.minutes, births, tau=draw.within(5, 150), missing=draw.within(0.2, 0.5))
    process.memory = curves.times(process.memory, warm)
    return draw.case(starting(process))


def starting(process: Process) -> Process:
    """A start costs a minute of a core."""
    process.cores = [0.9 if minute in set(process.births) else core for minute, core in enumerate(process.cores)]
    return process


def restarted(hours: float, tau: float) -> Callable[[Draw], Case]:
    def recipe(draw: Draw) -> Case:
        pause = hours * HOUR
        births, at = [], draw.within(0, pause)
        while at < draw.minutes:
            births.append(int(at))
            at += pause * draw.within(0.9, 1.1)
        process = draw.process(births=births)
        warm = curves.warm_up(draw.minutes, births, tau=tau * draw.within(0.6, 1.4), missing=draw.within(0.1, 0.4))
        process.memory = curves.times(process.memory, warm)
        return draw.case(starting(process))

    return recipe


def deployed_as_new(draw: Draw) -> Case:
    """Three replicas that give way one after the other, twice: each new one is an instance that nobody knows."""
    deploys = [0, draw.minute(8, 20), draw.minute(26, 42), draw.minutes]
    level, processes = draw.within(0.9, 1.15), []
    base = draw.process()
    for wave in range(3):
        for replica in range(3):
            begin, end = deploys[wave] + 4 * replica * (wave > 0), min(draw.minutes, deploys[wave + 1] + 4 * replica)
            births = [begin] if wave else []
            process = draw.process(10 * wave + replica, births=births, rate=base.load[0])
            warm = curves.warm_up(draw.minutes, births, tau=draw.within(10, 60), missing=0.3)
            share = base.memory[0] * level**wave / process.memory[0]
            process.memory = [share * value for value in curves.times(process.memory, warm)]
            process.cores = [*base.cores]
            process.gone = set(range(begin)) | set(range(end, draw.minutes))
            processes.append(starting(process))
    return draw.case(*processes)


def deployed_in_place(draw: Draw) -> Case:
    """The same three hosts, restarted one after the other by two releases."""
    processes = []
    deploys = [draw.minute(8, 20), draw.minute(26, 42)]
    for replica in range(3):
        births = [deploy + 5 * replica for deploy in deploys]
        process = draw.process(replica, births=births)
        warm = curves.warm_up(draw.minutes, births, tau=draw.within(10, 60), missing=0.3)
        process.memory = curves.times(process.memory, warm)
        process.dark = {birth - 1 for birth in births}
        processes.append(starting(process))
    return draw.case(*processes)


def scrapes_lost(draw: Draw) -> Case:
    process = draw.process(amplitude=0.3)
    process.gone = draw.lost_scrapes(0.33)
    return draw.case(process)


def collector_was_silent(draw: Draw) -> Case:
    """The target answered, and for some hours said nothing of the process."""
    process, at = draw.process(amplitude=0.4), draw.minute(10, 40)
    process.silent = set(range(at, at + int(draw.within(0.3, 4) * HOUR)))
    return draw.case(process)


def hardly_used(draw: Draw) -> Case:
    """A few requests an hour, one of which fails now and then; now and then all are slower than usual, and within the objective."""
    process = draw.process(rate=draw.within(0.002, 0.02), errors=curves.flat(draw.minutes, 0.001))
    process.latency = [0.2 * max(0.2, draw.rng.gauss(1, 0.4)) for _ in range(draw.minutes)]
    process.cores = curves.flat(draw.minutes, 0.01)
    return draw.case(process)


def nightly_batch(draw: Draw) -> Case:
    """A job of every night, never at the same minute, that needs CPU, memory and threads, and gives them back."""
    length, at = int(draw.within(5, 90)), draw.minute(0, 22)
    starts = [int(at + day * DAY + draw.within(-20, 20)) for day in range(-1, 3)]
    return draw.case(_batch(draw, starts, length, draw.within(1.15, 1.5)))


def nightly_batch_of_a_new_instance(draw: Draw) -> Case:
    """The same, with a release between two nights: the instance that does the job has never done it."""
    [old] = nightly_batch(draw).processes
    deploy = draw.minute(26, 34)
    new = replace(old, labels=draw.labels(1), births=[deploy], gone=set(range(deploy)))
    return draw.case(replace(old, gone=set(range(deploy, draw.minutes))), starting(new))


def hourly_batch(draw: Draw) -> Case:
    starts = list(range(draw.minute(0, 1), draw.minutes, HOUR))
    return draw.case(_batch(draw, starts, int(draw.within(3, 20)), draw.within(1.1, 1.5)))


def _batch(draw: Draw, starts: list[int], length: int, memory: float) -> Process:
    process = draw.process()
    process.cores = [
        value + extra - 1
        for value, extra in zip(process.cores, curves.bursts(draw.minutes, starts, length, 1.8), strict=True)
    ]
    process.memory = curves.times(process.memory, curves.bursts(draw.minutes, starts, length, memory))
    process.threads = curves.times(process.threads, curves.bursts(draw.minutes, starts, length, 1.5))
    return process


def comes_and_goes(draw: Draw) -> Case:
    """A batch job as a target: there for a few minutes every hour, each time a new process."""
    starts = list(range(draw.minute(0, 1), draw.minutes, HOUR))
    there = {minute for start in starts for minute in range(start, start + int(draw.within(5, 15)))}
    process = draw.process(births=starts)
    process.gone = set(range(draw.minutes)) - there
    process.load = None
    return draw.case(process)


def without_requests(draw: Draw) -> Case:
    return draw.case(draw.process(load=None))


def memory_alone(draw: Draw) -> Case:
    """An exporter that says little: no requests, no garbage collection, no threads."""
    teeth = curves.sawtooth(draw.minutes, draw.rng, period=draw.within(10, 60), height=0.2)
    process = draw.process(load=None, gc=None, threads=None, files=None, cores=None)
    process.memory = curves.times(process.memory, teeth)
    return draw.case(process)


def weekdays(draw: Draw) -> Case:
    """Eight days: a weekend in between with a third of the load, then Monday."""
    return draw.case(follows(draw.process(amplitude=0.5, weekend=0.35), draw.within(0.2, 0.4)))


def busiest_day(draw: Draw) -> Case:
    """From some hour on up to 40 % more requests than ever; memory, threads and CPU follow."""
    at = draw.minute(26, 40)
    rise, length = draw.within(0.15, 0.4), draw.within(30, 180)
    more = [1 + rise * min(1.0, max(0.0, (minute - at) / length)) for minute in range(draw.minutes)]
    process = draw.process(amplitude=0.3)
    for name in ("load", "cores"):
        setattr(process, name, curves.times(getattr(process, name), more))
    return draw.case(follows(process, draw.within(0.2, 0.4)))


def blips(draw: Draw) -> Case:
    """Two minutes in which some requests fail, one in which all are slow, one in which a core is busy."""
    process, at = draw.process(), draw.minute(26, 44)
    process.errors = [0.15 if at <= minute < at + 2 else 0.0001 for minute in range(draw.minutes)]
    process.latency = curves.times(process.latency, curves.burst(draw.minutes, at + 60, 1, 20))
    process.cores = curves.times(process.cores, curves.burst(draw.minutes, at + 120, 3, 4))
    return draw.case(process)


def goroutines_of_a_batch(draw: Draw) -> Case:
    """A worker for each item of a job, every hour or two, of a few minutes to half an hour."""
    process = draw.process(amplitude=0.3)
    starts = list(range(draw.minute(0, 1), draw.minutes, draw.minute(1, 2)))
    process.goroutines = curves.times(
        process.goroutines, curves.bursts(draw.minutes, starts, int(draw.within(4, 30)), draw.within(2, 5))
    )
    return draw.case(process)


def day_and_night_of_checkouts(draw: Draw) -> Case:
    """Two routes with an objective each, some failures, and nothing near a budget."""
    processes = [
        draw.process(number, amplitude=0.5, route=route, errors=curves.flat(draw.minutes, 0.0003))
        for number, route in enumerate(("/checkout", "/search"))
    ]
    return draw.case(*processes)


def hardly_used_checkouts(draw: Draw) -> Case:
    return draw.case(replace(hardly_used(draw).processes[0], route="/checkout"))


def profiled(draw: Draw) -> Case:
    process = draw.process(amplitude=0.3)
    shares = {"shop:render": 0.4, "json:dumps": 0.2, "shop:search": draw.within(0.02, 0.15), "other": 0.2}
    process.functions = {
        name: curves.times(curves.flat(draw.minutes, share), curves.wander(draw.minutes, draw.rng, sigma=0.1))
        for name, share in shares.items()
    }
    process.lock = [0.01 * max(0.0, draw.rng.gauss(1, 0.5)) for _ in range(draw.minutes)]
    process.regressions = {"shop:render": curves.flat(draw.minutes, 0.0)}
    return draw.case(process)


def opposite_clusters(draw: Draw) -> Case:
    """The same job and the same addresses in two clusters, whose days are each other's nights."""
    eu = follows(draw.process(amplitude=0.5, peak=14 * HOUR), 0.3)
    us = follows(draw.process(amplitude=0.5, peak=2 * HOUR, cluster="us"), 0.3)
    us.births = [draw.minute(10, 40)]
    return draw.case(eu, us)


# Recipe, how many of it, and what else to know of it: the length of the history, several clusters.
QUIET: dict[str, tuple[Callable[[Draw], Case], int, dict[str, object]]] = {
    "steady": (steady, 4, {}),
    "day and night": (day_and_night, 6, {}),
    "sawtooth 10m": (sawtooth(10), 2, {}),
    "sawtooth 30m": (sawtooth(30), 3, {}),
    "sawtooth 90m": (sawtooth(90), 3, {}),
    "sawtooth 3h": (sawtooth(180), 3, {}),
    "sawtooth 5h": (sawtooth(300), 3, {}),
    "step": (grown_at_once, 4, {}),
    "warm-up": (warming_up, 5, {}),
    "restarts hourly": (restarted(1, 4), 3, {}),
    "restarts every 5h": (restarted(5, 20), 3, {}),
    "restarts every 12h": (restarted(12, 60), 2, {}),
    "deploy waves, new instances": (deployed_as_new, 2, {}),
    "deploy waves, same instances": (deployed_in_place, 2, {}),
    "gaps, scrapes lost": (scrapes_lost, 3, {}),
    "gaps, hours of silence": (collector_was_silent, 3, {}),
    "low traffic": (hardly_used, 3, {}),
    "batch nightly": (nightly_batch, 5, {}),
    "batch nightly, new instance": (nightly_batch_of_a_new_instance, 2, {}),
    "batch hourly": (hourly_batch, 3, {}),
    "batch comes and goes": (comes_and_goes, 2, {}),
    "missing series, no requests": (without_requests, 2, {}),
    "missing series, memory alone": (memory_alone, 2, {}),
    "weekdays": (weekdays, 2, {"minutes": 8 * DAY}),
    "busiest day": (busiest_day, 4, {}),
    "blips": (blips, 3, {}),
    "profiled": (profiled, 2, {}),
    **PREFORKED,
    "two clusters": (opposite_clusters, 4, {"world": "two clusters"}),
    "Go: day and night": (day_and_night, 3, {"world": "Go"}),
    "Go: restarts every 5h": (restarted(5, 20), 2, {"world": "Go"}),
    "Go: goroutines of a batch": (goroutines_of_a_batch, 2, {"world": "Go"}),
    "objectives, day and night": (day_and_night_of_checkouts, 2, {"world": "objectives"}),
    "objectives, low traffic": (hardly_used_checkouts, 1, {"world": "objectives"}),
    "objectives, blips": (blips, 1, {"world": "objectives"}),
}
