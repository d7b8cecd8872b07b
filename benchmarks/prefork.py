"""What a scrape of a preforking server costs: several worker processes as one, beside prometheus_client's multiprocess mode.

The workers are processes that count a tenth of their series anew before each round. prometheus_client's are read as its
documentation says, by a collector and a registry that are made for each scrape; ours by one that keeps what it has read.
The dead of prometheus_client are copies of a worker's file, which is what a dead worker leaves.

`python -m benchmarks.prefork LIBRARY DIRECTORY SERIES FIRST DEAD` is such a worker.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Goal
from benchmarks.harness import figure, rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.figures import Figure, Item

FASTER = 45
WORKERS = 4
SERIES = 18_000
DEAD = 200
SAME = 1.15
"""What two hundred dead workers may add, in which the noise of a small figure is: it is a file more to look for."""
PEER = "prometheus_client"
NAME = "http_server_request_duration_seconds"
LABELS = ("http_request_method", "http_route", "http_response_status_code")
PER_CHILD = 17
"""Series of a histogram with the default buckets."""


def worker(library: str, directory: str, series: int, first: int, dead: int) -> None:
    """Count in so many series; then, for each line that comes in, in a tenth of them, and say when it is done."""
    kept = _library(library, directory)
    histogram = kept.Histogram(NAME, "Duration.", LABELS, registry=None)
    numbers = random.Random(first + 1)
    children = [
        histogram.labels("GET", f"/api/v1/items/{first + number}", "200") for number in range(series // PER_CHILD)
    ]
    for child in children:
        child.observe(numbers.expovariate(3))
    for _ in range(dead):
        pid = os.fork()
        if pid == 0:
            for child in children:
                child.observe(1.0)
            os._exit(0)
        os.waitpid(pid, 0)
    print("ready", flush=True)
    for _ in sys.stdin:
        for child in numbers.sample(children, len(children) // 10):
            child.observe(0.3)
        print("done", flush=True)
    os._exit(0)


def _library(library: str, directory: str) -> Any:
    if library == PEER:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory  # read at import
        import prometheus_client

        return prometheus_client
    from runtime_exporter import metrics
    from runtime_exporter.metrics import workers

    workers.join(Path(directory))
    return metrics


@dataclass(frozen=True)
class Service:
    """A few workers of one library, and how all of them are scraped."""

    processes: list[subprocess.Popen[str]]
    scrape: Callable[[], bytes]

    def count(self) -> None:
        """Have every worker count."""
        for process in self.processes:
            _ask(process).write("count\n")
            _ask(process).flush()
        for process in self.processes:
            _answer(process)


@contextmanager
def service(library: str, series: int, *, apart: bool, dead: int = 0) -> Iterator[Service]:
    """Run workers with so many series each: the same ones, or each its own (`apart`)."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        started = [
            _started(library, directory, series, number * series if apart else 0, dead // WORKERS)
            for number in range(WORKERS)
        ]
        try:
            for process in started:
                _answer(process)
            yield Service(started, _scrape(library, directory, dead))
        finally:
            for process in started:
                process.communicate()


def _started(library: str, directory: str, series: int, first: int, dead: int) -> subprocess.Popen[str]:
    dead = 0 if library == PEER else dead
    return subprocess.Popen(
        [sys.executable, "-m", __spec__.name, library, directory, str(series), str(first), str(dead)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(process: subprocess.Popen[str]) -> Any:
    return process.stdin


def _answer(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    if not process.stdout.readline():
        raise RuntimeError("a worker of the benchmark ended")


def _scrape(library: str, directory: str, dead: int) -> Callable[[], bytes]:
    if library != PEER:
        from runtime_exporter import metrics
        from runtime_exporter.metrics import workers

        merged = workers.Merged(Path(directory))
        return lambda: metrics.generate_latest(merged)
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    left = next(Path(directory).glob("histogram_*.db"))
    for number in range(dead):
        shutil.copy(left, left.with_name(f"histogram_{10_000_000 + number}.db"))

    def scrape() -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    return scrape


def report(*, quick: bool) -> Iterator[Item]:
    """Yield scrapes of four workers, with the same series and with their own; and with two hundred that are dead."""
    series, count = (SERIES // 4, 3) if quick else (SERIES, 11)
    for name, each, apart in (
        (f"{WORKERS} workers, {series:,} series in all", series // WORKERS, True),
        (f"{WORKERS} workers, the same {series:,} series in each", series, False),
    ):
        yield _beside(name, each, apart=apart, count=count)
        yield Goal(f"{name}: at least {FASTER} times faster than MultiProcessCollector", name, PEER, at_most=1 / FASTER)
    yield from _dead(series // 10, count)


def _beside(name: str, series: int, *, apart: bool, count: int) -> Figure:
    with service("ours", series, apart=apart) as ours, service(PEER, series, apart=apart) as theirs:

        def change() -> None:
            ours.count()
            theirs.count()

        timings = rounds({"ours": ours.scrape, "A/A": ours.scrape, PEER: theirs.scrape}, count=count, before=change)
    return figure(name, timings, peer=PEER)


def _dead(series: int, count: int) -> Iterator[Item]:
    name, none = f"{WORKERS} workers of {series:,} series and {DEAD} dead ones", "no dead ones"
    with ExitStack() as stack:
        enter: Callable[..., Service] = partial(_entered, stack, series)
        ours, theirs, alive = enter("ours", DEAD), enter(PEER, DEAD), enter("ours", 0)

        def change() -> None:
            for one in (ours, theirs, alive):
                one.count()

        mine = {"ours": ours.scrape, "A/A": ours.scrape}
        beside_theirs = rounds({**mine, PEER: theirs.scrape}, count=count, before=change)
        # A millisecond each, of which a tenth is to be told apart: not right after what takes a second, and more often.
        beside_none = rounds({**mine, none: alive.scrape}, count=9 * count, before=change)
    yield figure(name, beside_theirs, peer=PEER)
    yield figure(name, beside_none, peer=none)
    yield Goal(f"{name}: as fast as without them, {SAME} times at most", name, none, at_most=SAME)


def _entered(stack: ExitStack, series: int, library: str, dead: int) -> Service:
    return stack.enter_context(service(library, series, apart=False, dead=dead))


if __name__ == "__main__":
    worker(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
