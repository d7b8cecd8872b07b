"""`python -m benchmarks.scraped WRITER LIBRARY SUBJECT SERIES`: a process with many series, which is scraped.

WRITER writes the metrics of LIBRARY: each is runtime_exporter or prometheus_client. Once there are as many series it says
"ready". For each `[FORMAT, TRAFFIC]` that it reads it first counts what happens between two scrapes, then writes all
series, and says the CPU seconds that the writing took.

A process of its own for each writer, since a service has one: what the other one allocates and frees decides which pages
the kernel has to give to the next.
"""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import prometheus_client as peer
from prometheus_client.openmetrics import exposition as peer_openmetrics

from benchmarks import machine, progress
from benchmarks.harness import Timing
from runtime_exporter import metrics
from runtime_exporter.metrics.openmetrics import exposition as openmetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from typing_extensions import Self

US, PEER = "runtime_exporter", "prometheus_client"
LIBRARIES: dict[str, Any] = {US: metrics, PEER: peer}
TEXT, OPENMETRICS = "text", "OpenMetrics"
WRITERS: dict[tuple[str, str], Callable[[Any], bytes]] = {
    (US, TEXT): metrics.generate_latest,
    (PEER, TEXT): peer.generate_latest,
    (US, OPENMETRICS): openmetrics.generate_latest,
    (PEER, OPENMETRICS): peer_openmetrics.generate_latest,
}
NAME = "http_server_request_duration_seconds"
LABELS = ["http_request_method", "http_route", "http_response_status_code"]
PER_HISTOGRAM = 17
"""Series of a child: 15 buckets, count, sum."""
WARM = 2


def histograms(library: Any, series: int) -> Any:
    """Return a registry of `library` with histograms of 17 series a child."""
    registry = metrics.CollectorRegistry()
    histogram = library.Histogram(NAME, "Duration.", LABELS, registry=registry)
    numbers = random.Random(1)
    for number in range(series // PER_HISTOGRAM):
        child = histogram.labels("GET", f"/api/v1/items/{number}", "200")
        for _ in range(3):
            child.observe(numbers.expovariate(3))
    return registry


def counters(library: Any, series: int) -> Any:
    """Return a registry of `library` with a counter of as many children."""
    registry = metrics.CollectorRegistry()
    counter = library.Counter("shop_orders_total", "Orders.", ["customer"], registry=registry)
    for number in range(series):
        counter.labels(f"customer-{number}").inc(number)
    return registry


def seconds(library: Any, series: int) -> Any:
    """Return a registry of `library` with a counter of as many children, which are no whole numbers."""
    registry = metrics.CollectorRegistry()
    counter = library.Counter("shop_waiting_seconds_total", "Waiting.", ["customer"], registry=registry)
    numbers = random.Random(1)
    for number in range(series):
        counter.labels(f"customer-{number}").inc(number * numbers.random())
    return registry


@dataclass(frozen=True)
class Subject:
    """What there are many series of."""

    build: Callable[[Any, int], Any]
    count: Callable[[Any, random.Random], object]
    """Counts once in a child."""


SUBJECTS = {
    "histograms": Subject(histograms, lambda child, numbers: child.observe(numbers.expovariate(3))),
    "counters": Subject(counters, lambda child, _: child.inc()),
    "counters of seconds": Subject(seconds, lambda child, numbers: child.inc(numbers.expovariate(3))),
}

REQUESTS = 1_500
"""Between two scrapes of a busy service: 100 a second for 15 s, where each takes 10 ms and there is one interpreter."""


def requests(children: int, numbers: random.Random) -> list[int]:
    """Return which child each request counts in, by Zipf's law: the n-th most popular has 1/n of the first's.

    Which are popular has nothing to do with which were born first.
    """
    return numbers.choices(_by_popularity(children), cum_weights=_popularity(children), k=REQUESTS)


@cache
def _by_popularity(children: int) -> list[int]:
    return random.Random(3).sample(range(children), children)


@cache
def _popularity(children: int) -> list[float]:
    return [*accumulate(1 / rank for rank in range(1, children + 1))]


SERVICE, NOTHING, TENTH, EVERYTHING = "a busy service", "nothing changed", "a tenth changed", "everything changed"
TRAFFIC: dict[str, Callable[[int, random.Random], Iterable[int]]] = {
    SERVICE: requests,
    NOTHING: lambda *_: (),
    TENTH: lambda children, numbers: numbers.sample(range(children), children // 10),
    EVERYTHING: lambda children, _: range(children),
}


def main(writer: str, library: str, subject: str, series: int) -> None:
    """Make the series, and be scraped as long as there is somebody to ask."""
    peer.disable_created_metrics()  # as ours by default: the same series on both sides
    registry = SUBJECTS[subject].build(LIBRARIES[library], series)
    children = [*next(iter(registry._collector_to_names))._metrics.values()]
    count, numbers = SUBJECTS[subject].count, random.Random(2)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        form, traffic = json.loads(line)
        for number in TRAFFIC[traffic](len(children), numbers):
            count(children[number], numbers)
        gc.collect()
        write = WRITERS[writer, form]
        begin = time.thread_time()
        write(registry)
        print(json.dumps(time.thread_time() - begin), flush=True)


class Scraped:
    """Such a process, to be entered."""

    def __init__(self, writer: str, library: str, subject: str, series: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scraped", writer, library, subject, str(series)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=machine.environment(),
        )

    def __enter__(self) -> Self:
        self._read()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def scrape(self, form: str, traffic: str) -> float:
        """Return the CPU seconds of a scrape after so much traffic."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([form, traffic]) + "\n")
        self._process.stdin.flush()
        return float(self._read())

    def run_on(self, core: int) -> None:
        """Let it run on this core alone."""
        os.sched_setaffinity(self._process.pid, {core})

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process that was scraped ended")
        return json.loads(line)


def alternate(processes: Mapping[str, Scraped], form: str, traffic: str, *, count: int) -> dict[str, Timing]:
    """Scrape every process once a round, in random order, and return the CPU times, by the names of the processes.

    All of a round run on one core, of the next on another: where a machine is virtual, one of its cores takes half as
    long again for some seconds, whenever somebody else's is the other half of the same real one.
    """
    cores = sorted(os.sched_getaffinity(0))
    order, shuffle = [*processes], random.Random(1).shuffle
    spent: dict[str, list[float]] = {name: [] for name in order}
    for number in range(WARM + count):
        progress.say(f"round {number + 1} of {WARM + count}")
        shuffle(order)
        for name in order:
            processes[name].run_on(cores[number % len(cores)])
            spent[name].append(processes[name].scrape(form, traffic))
    return {name: Timing(name, tuple(each[WARM:])) for name, each in spent.items()}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
