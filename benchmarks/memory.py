"""What a series takes in memory, beside prometheus_client: a fresh process for each library, kind and number of series.

Measured after the series were born and scraped three times, which is when all is there that is kept. Two ways: what Python's own
account says is in use (tracemalloc; our cells are mapped, and added), and what the kernel says is resident, after the allocator gave
back what is free: how much of a page that was written it keeps for the next depends on the size of that page alone.

`python -m benchmarks.memory LIBRARY KIND SERIES` prints what one process found.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import prometheus_client as peer

from benchmarks import progress
from benchmarks.figures import Figure, Goal, Noise, Spread
from benchmarks.scraped import counters, histograms
from runtime_exporter import metrics
from runtime_exporter.metrics.cells import STORE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item

HALF = 0.5
LIBRARIES: dict[str, Any] = {"runtime_exporter": metrics, "prometheus_client": peer}
KINDS = {"histograms": histograms, "counters": counters}
WAYS = {"in use": "what is in use", "resident": "what is resident"}
SCRAPES = 3


def report(*, quick: bool) -> Iterator[Item]:
    """Yield bytes for a series of both libraries, and that ours are at most half."""
    count = 1 if quick else 3
    for kind in KINDS:
        for series in (10_000,) if quick else (10_000, 100_000):
            progress.say(f"{series:,} series of {kind}")
            # One on each core: what is measured is no time.
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                libraries = ["runtime_exporter", "runtime_exporter", "prometheus_client"] * count
                found = [*pool.map(lambda library, kind=kind, series=series: run(library, kind, series), libraries)]
            ours, again, theirs = found[0::3], found[1::3], found[2::3]
            for way, text in WAYS.items():
                name = f"a series of {kind}: {text}"
                mine, other, same = ([found[way] for found in runs] for runs in (ours, theirs, again))
                ratio = Spread.of(one / another for one, another in zip(mine, other, strict=True))
                noise = Spread.of(one / another for one, another in zip(same, mine, strict=True))
                yield Figure(
                    name,
                    "B",
                    Spread.of(mine),
                    "prometheus_client",
                    Spread.of(other),
                    ratio,
                    Noise(noise.low, noise.high),
                    count,
                    series,
                    "series",
                )
                yield Goal(
                    f"{name}, of {series:,}: at most half of prometheus_client's",
                    name,
                    "prometheus_client",
                    at=series,
                    at_most=HALF,
                )


def run(library: str, kind: str, series: int) -> dict[str, float]:
    """Return what a series takes, in bytes, by each of WAYS: each in a process of its own."""
    found: dict[str, float] = {}
    for way in WAYS:
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name, library, kind, str(series), way],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
            env={**os.environ, "RUNTIME_EXPORTER_PROFILING": "false"},
        )
        found[way] = json.loads(done.stdout)
    return found


def measure(library: str, kind: str, series: int, way: str) -> float:
    """Return what a series takes in this process, in bytes."""
    peer.disable_created_metrics()  # as ours by default
    of = LIBRARIES[library]
    of.generate_latest(metrics.CollectorRegistry())  # what only the first scrape imports and tries is no series'
    used = _in_use if way == "in use" else _resident
    if way == "in use":
        tracemalloc.start()
    before = used()
    registry = KINDS[kind](of, series)
    for _ in range(SCRAPES):
        of.generate_latest(registry)
    return (used() - before) / series


def _in_use() -> float:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] + STORE.mapped_bytes


def _resident() -> float:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])))
