"""One simulated process: what an exporter would have said of it, scrape by scrape."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.settings import OTEL_BUCKETS_SECONDS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

MIB = 2.0**20
# Fewer than the exporter has by default: half the series, and quantiles that are less exact.
BOUNDS = tuple(bound for bound in OTEL_BUCKETS_SECONDS if bound not in (0.005, 0.025, 0.075, 0.75, 7.5, 10.0))
# A scrape a minute, the pace that Prometheus has by default: with the 15 s of ours there is four times as much to go by.
SCRAPE_SECONDS = 60


class Source(NamedTuple):
    """What instruments the process, and calls the same things by names of its own (rules/sources.libsonnet)."""

    renamed: dict[str, str]  # the names of runtime_exporter, and what they are instead
    python: bool = True

    def of(self, name: str) -> str:
        return self.renamed.get(name, name)

    def bound(self, value: float) -> str:
        """Go writes the bound of a bucket as 1, Python as 1.0."""
        return "+Inf" if value == math.inf else str(value) if self.python else f"{value:g}"


SOURCES = {
    "native": Source({}),
    "go": Source(
        {
            "http_server_request_duration_seconds": "http_request_duration_seconds",
            "http_request_method": "method",
            "http_route": "handler",
            "http_response_status_code": "code",
            "python_gc_duration_seconds_sum": "go_gc_duration_seconds_sum",
        },
        python=False,
    ),
}


class Series(NamedTuple):
    """One time series: a value for each minute, None where the scrape found nothing."""

    name: str
    labels: dict[str, str]
    values: Sequence[float | None]


class Worker(NamedTuple):
    """One of several that are one target: the minutes in which another took its place, and those in which there was none."""

    births: Sequence[int] = ()
    gone: frozenset[int] = frozenset()


@dataclass
class Process:
    """The courses of one process, each a value a minute. What is None is not exposed: not every service has everything."""

    labels: dict[str, str]
    first: int  # minutes since the epoch
    minutes: int
    memory: list[float] | None = None  # bytes
    cores: list[float] | None = None
    threads: list[float] | None = None
    goroutines: list[float] | None = None
    throttled: list[float] | None = None  # the share of the scheduler's periods
    gc: list[float] | None = None  # the share of the time
    load: list[float] | None = None  # requests a second
    latency: list[float] | None = None  # seconds, the median
    errors: list[float] | None = None  # the share of the requests
    files: list[float] | None = None
    lock: list[float] | None = None  # seconds waited a second, at one place
    functions: dict[str, list[float]] = field(default_factory=dict)  # share of the CPU
    regressions: dict[str, list[float]] = field(default_factory=dict)  # 1 while the profiler says so
    suspects: list[float] | None = None  # objects that the profiler takes for a leak
    workers: Sequence[Worker] = ()
    ended: dict[str, list[float]] = field(default_factory=dict)  # workers in each minute, by how
    births: Sequence[int] = ()  # the minutes in which it was started anew
    dark: set[int] = field(default_factory=set)  # the scrape failed
    silent: set[int] = field(default_factory=set)  # it was scraped, and said nothing
    gone: set[int] = field(default_factory=set)  # it was not there, and not looked for
    age: int = 30 * 24 * 60  # of the first life, at the first minute
    route: str = "/orders/{id}"
    limit: float | None = None  # bytes
    source: str = "native"
    maximum_files: float = 1024
    maximum_threads: float | None = None

    @property
    def requests_alone(self) -> Process:
        """Of a long history what it is about: the rest takes minutes to evaluate, and says what that of two days says."""
        return replace(self, memory=None, cores=None, threads=None, goroutines=None, gc=None, files=None)


def series_of(process: Process, rng: random.Random) -> Iterator[Series]:
    """Yield every series of the process."""
    yield _named(process, "up", [0.0 if minute in process.dark else 1.0 for minute in range(process.minutes)], up=True)
    yield _named(process, "process_start_time_seconds", _starts(process, process.births))
    for number, worker in enumerate(process.workers):
        labels = {"worker": str(number)}
        known = replace(process, gone=process.gone | worker.gone)
        yield _named(known, "worker_process_start_time_seconds", _starts(process, worker.births), labels)
    yield from _gauges(process)
    yield from _cpu(process, rng)
    if process.lock:
        yield _total(process, "profile_wait_seconds_total", process.lock, {"profile": "mutex", "site": "pool.get"})
        rest = [0.02] * process.minutes
        yield _total(process, "profile_wait_seconds_total", rest, {"profile": "mutex", "site": "other"})
    for how, counts in process.ended.items():
        rates = [count / SCRAPE_SECONDS for count in counts]
        yield _total(process, "runtime_exporter_workers_ended_total", rates, {"how": how})
    if process.load:
        yield from _requests(process, rng)


def _starts(process: Process, births: Sequence[int]) -> list[float]:
    """Return in each minute when what was there then had begun, in Unix seconds."""
    born = set(births)
    start, starts = 60.0 * (process.first - process.age), []
    for minute in range(process.minutes):
        start = 60.0 * (process.first + minute) if minute in born else start
        starts.append(start)
    return starts


def _gauges(process: Process) -> Iterator[Series]:
    gauges = {
        "process_resident_memory_bytes": process.memory,
        "process_num_threads": process.threads,
        "go_goroutines": process.goroutines,
        "process_open_fds": process.files,
        "process_max_fds": process.files and [process.maximum_files] * process.minutes,
        "process_max_threads": process.threads
        and process.maximum_threads
        and [process.maximum_threads] * process.minutes,
        "process_memory_limit_bytes": process.limit and [process.limit] * process.minutes,
    }
    whole = ("process_resident_memory_bytes", "process_num_threads", "go_goroutines", "process_open_fds")
    for name, values in gauges.items():
        if values:
            yield _named(process, name, [float(round(value)) for value in values] if name in whole else values)
    if process.suspects:
        yield _named(process, "profile_leak_suspects", process.suspects, {"kind": "objects"})
    for function, active in process.regressions.items():
        labels = {"profile": "cpu", "function": function}
        yield _named(process, "profile_regression_active", active, labels)
        yield _named(process, "profile_regression_delta_ratio", [0.8 * value for value in active], labels)


def _cpu(process: Process, rng: random.Random) -> Iterator[Series]:
    if process.cores:
        yield _total(process, "process_cpu_seconds_total", process.cores)
    if process.throttled:
        # Ten periods a second.
        yield _total(process, "process_cpu_periods_total", [10.0] * process.minutes)
        yield _total(process, "process_cpu_throttled_periods_total", [10 * share for share in process.throttled])
    if process.gc:
        source = SOURCES[process.source]
        generation = {"generation": "2"} if source.python else {}
        yield _total(process, source.of("python_gc_duration_seconds_sum"), process.gc, generation)
    if process.cores and process.functions:
        yield _total(process, "profile_total_seconds_total", process.cores, {"profile": "cpu"})
        for function, share in process.functions.items():
            # A profiler that samples sees a share as it falls, a few hundred stacks a minute.
            seen = [
                core * max(0.0, part + rng.gauss(0, math.sqrt(part / 300)))
                for core, part in zip(process.cores, share, strict=True)
            ]
            yield _total(process, "profile_self_seconds_total", seen, {"profile": "cpu", "function": function})


def _requests(process: Process, rng: random.Random) -> Iterator[Series]:
    """Count the requests of each minute into the exporter's buckets: Poisson in number, lognormal in duration."""
    load, minutes = process.load or [], process.minutes
    latency, errors = process.latency or [0.05] * minutes, process.errors or [0.0] * minutes
    failed = [_poisson(60 * rate * share, rng) for rate, share in zip(load, errors, strict=True)]
    answered = [_poisson(60 * rate * (1 - share), rng) for rate, share in zip(load, errors, strict=True)]
    # What failed took its time, too. Both are in one set of buckets, which no rule tells apart by status: half the series.
    rows = [_spread(sum(both), median, rng) for *both, median in zip(answered, failed, latency, strict=True)]
    source = SOURCES[process.source]
    base = {source.of("http_request_method"): "GET", source.of("http_route"): process.route}
    good = base | {source.of("http_response_status_code"): "200"}
    name = source.of("http_server_request_duration_seconds")
    for index, bound in enumerate((*BOUNDS, math.inf)):
        column = [row[index] / 60 for row in rows]
        yield _total(process, name + "_bucket", column, good | {"le": source.bound(bound)})
    yield _total(process, name + "_count", [number / 60 for number in answered], good)
    if any(failed):
        bad = base | {source.of("http_response_status_code"): "500"}
        yield _total(process, name + "_count", [number / 60 for number in failed], bad, absent_until_first=True)


def _poisson(mean: float, rng: random.Random) -> int:
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    number, product, bound = 0, rng.random(), math.exp(-mean)
    while product > bound:
        number, product = number + 1, product * rng.random()
    return number


def share_above(bound: float, median: float) -> float:
    """Return how many durations of that median are longer: they are lognormal, with a deviation of 0.6."""
    return (1 - math.erf((math.log(bound) - math.log(median)) / (0.6 * math.sqrt(2)))) / 2


@cache
def _shares(octave: int) -> tuple[float, ...]:
    """Return the cumulative share in each bucket of durations with the median 2 ** (octave / 16)."""
    return tuple(1 - share_above(bound, 2 ** (octave / 16)) for bound in BOUNDS)


def _spread(number: int, median: float, rng: random.Random) -> list[int]:
    """Return the cumulative counts of `number` durations: exact draws for few, their normal limit for many."""
    shares = _shares(round(16 * math.log2(median)))
    left, below, counts = number, 0.0, []
    total = 0
    for share in shares:
        chance = min(1.0, max(0.0, (share - below) / (1 - below))) if below < 1 else 1.0
        here = _binomial(left, chance, rng)
        left, below, total = left - here, share, total + here
        counts.append(total)
    return [*counts, number]


def _binomial(number: int, chance: float, rng: random.Random) -> int:
    if chance <= 1e-9 or number == 0:
        return 0
    if chance >= 1 - 1e-9:
        return number
    if number < 16:
        return sum(rng.random() < chance for _ in range(number))
    drawn = round(rng.gauss(number * chance, math.sqrt(number * chance * (1 - chance))))
    return min(number, max(0, drawn))


def _named(
    process: Process, name: str, values: Sequence[float], labels: dict[str, str] | None = None, *, up: bool = False
) -> Series:
    """A gauge, without the scrapes that failed (`up` itself is there then)."""
    lost = process.gone if up else process.gone | process.dark | process.silent
    kept = [None if minute in lost else value for minute, value in enumerate(values)] if lost else values
    return Series(name, process.labels | (labels or {}), kept)


def _total(
    process: Process,
    name: str,
    rates: Sequence[float],
    labels: dict[str, str] | None = None,
    *,
    absent_until_first: bool = False,
) -> Series:
    """A counter: the sum of `rates` (a second) times the pause between scrapes, from 0 at every start."""
    births = set(process.births)
    total, totals = 0.0, []
    for minute, rate in enumerate(rates):
        total = SCRAPE_SECONDS * rate + (0.0 if minute in births else total)
        totals.append(round(total, 6))
    series = _named(process, name, totals, labels)
    if absent_until_first:
        known = itertools.accumulate(value is not None and value > 0 for value in series.values)
        return series._replace(
            values=[value if seen else None for value, seen in zip(series.values, known, strict=True)]
        )
    return series
