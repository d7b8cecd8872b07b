"""What the exporter costs a process, by the kernel's clocks and by its own account, in states from idle to saturated.

A program (benchmarks/watched.py) runs in a process of its own and is scraped. From outside, what the exporter uses is the CPU of the
process less that of the program's own threads, and what signal handlers took of these, which only the process can tell. Beside it
stand `runtime_exporter_cpu_seconds_total` over the same time, and `runtime_exporter_overhead_ratio` at the end.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import progress
from benchmarks.figures import Figure, Goal, Spread
from runtime_exporter.collectors.supervision.overhead import MEMORY_SECONDS
from runtime_exporter.costs import HOOKS, PROFILING
from runtime_exporter.cpuclock import process_cpu_time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.figures import Item

BUDGET = 0.01
"""The default of `overhead_budget`: a part of one core."""
TOLERANCE = 0.2
"""How far the account may be from what is seen outside."""
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class State:
    """What the program has and does. `seconds` it is looked at, after `settle`; it is scraped every `every` seconds."""

    threads: int
    routes: int
    saturated: bool
    every: float = 15.0

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.threads} thread{'s' * (self.threads > 1)}, {self.routes:,} routes, {'saturated' if self.saturated else 'idle'}"


STATES = tuple(
    State(threads, routes, saturated)
    for saturated in (False, True)
    for threads, routes in ((1, 10), (50, 10), (500, 10), (50, 1_000), (50, 10_000), (500, 10_000))
)
QUICK_STATES = (State(1, 10, saturated=False, every=2.0), State(50, 1_000, saturated=True, every=2.0))
_SETTLE_SECONDS, _SECONDS = 60.0, 120.0
"""A profile is evaluated once a minute: it has been once, and is twice."""


@dataclass(frozen=True)
class Seen:
    """CPU seconds a second: outside, by the account, and by the gauge, whose mean forgets; `mean` is the same of what was outside."""

    outside: float
    account: float
    gauge: float
    mean: float
    parts: dict[str, float]
    longest: float
    """The longest scrape, seconds."""


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what every state costs, and how true the exporter's own account is."""
    settle, seconds = (4.0, 10.0) if quick else (_SETTLE_SECONDS, _SECONDS)
    for state, seen in _looks(QUICK_STATES if quick else STATES, settle, seconds):
        name = f"{state}: overhead"
        yield Figure(name, "% of a core", Spread.exactly(100 * seen.outside))
        parts = ", ".join(f"{part} {100 * used:.2f}" for part, used in sorted(seen.parts.items()) if used > 5e-5)
        yield f"{state}, by part, in % of a core: {parts}; the longest scrape took {seen.longest * 1e3:.0f} ms"
        if not quick:  # of half a minute the first evaluation of profiles is too large a part
            yield Goal(f"{state}: within {BUDGET:.0%}", name, of="ours", at_most=100 * BUDGET)
        for what, told, outside in (
            ("seconds", seen.account, seen.outside),
            ("ratio", seen.gauge, seen.mean),
        ):
            title = f"{state}: {what} told over seen outside"
            yield Figure(title, "", Spread.exactly(told / outside))
            least, most = 1 - TOLERANCE, 1 + TOLERANCE
            yield Goal(f"{title}: {least:g} to {most:g}", title, of="ours", at_most=most, at_least=least)


def _looks(states: Sequence[State], settle: float, seconds: float) -> Iterator[tuple[State, Seen]]:
    """Yield what is seen of each. All that are idle at once, which together take a twentieth of a core; of those that are busy, one a core."""
    for saturated, at_once in ((False, len(states)), (True, os.cpu_count() or 1)):
        mine = [state for state in states if state.saturated == saturated]
        progress.say(f"{len(mine)} states, {'saturated' if saturated else 'idle'}")
        with ThreadPoolExecutor(at_once) as pool:
            yield from zip(mine, pool.map(lambda state: look(state, settle=settle, seconds=seconds), mine), strict=True)


def look(state: State, *, settle: float, seconds: float) -> Seen:
    """Run the program in a state, and return what is seen of it in `seconds` after it has settled."""
    with running(state) as program:
        observer = Observer(program)
        began = time.monotonic()
        observer.look()
        first: tuple[float, dict[str, float]] | None = None
        scraped, due, longest = dict[str, dict[str, float]](), began, 0.0
        while time.monotonic() < began + settle + seconds or first is None:
            time.sleep(_LOOK_SECONDS)
            if time.monotonic() < due:
                observer.look()
                continue
            due += state.every
            begin = time.monotonic()
            scraped = program.scrape()
            longest = max(longest, time.monotonic() - begin)
            observer.look()
            if first is None and time.monotonic() >= began + settle:
                first, since = (observer.total, scraped["seconds"]), time.monotonic()
        scraped = program.scrape()
        observer.look()
        passed = time.monotonic() - since
        parts = {
            part: (now - first[1].get(part, 0.0)) / passed for part, now in scraped["seconds"].items() if part != HOOKS
        }
        return Seen(
            outside=(observer.total - first[0]) / passed,
            account=sum(parts.values()),
            gauge=sum(ratio for part, ratio in scraped["ratio"].items() if part != HOOKS),
            mean=observer.mean,
            parts=parts,
            longest=longest,
        )


class Program:
    """The running program, its address and its own threads."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        ready = self._line()
        self.pid = process.pid
        self.threads: list[int] = ready["threads"]
        self.url = f"{ready['url']}/metrics"

    def handlers(self) -> float:
        """Return the CPU seconds of signal handlers, on the program's main thread."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seconds: float = self._line().get(PROFILING, 0.0)
        return seconds

    def scrape(self) -> dict[str, dict[str, float]]:
        """Return what the exporter says of its costs, by part: "seconds" in all, and the "ratio"."""
        request = urllib.request.Request(self.url, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return costs_in(body)

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        return line


def costs_in(body: bytes) -> dict[str, dict[str, float]]:
    """Return what an exposition, gzipped or not, says of the exporter's costs."""
    text = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode()
    # The parser would take seconds for 170,000 series, of which a dozen are wanted.
    lines = "".join(
        line for line in text.splitlines(keepends=True) if "runtime_exporter_cpu_" in line or "overhead_ratio" in line
    )
    found: dict[str, dict[str, float]] = {"seconds": {}, "ratio": {}}
    for family in text_string_to_metric_families(lines):
        kind = "ratio" if family.name.endswith("ratio") else "seconds"
        found[kind] |= {sample.labels["part"]: sample.value for sample in family.samples}
    return found


class Observer:
    """Adds up what the exporter uses, as it is seen outside, and its mean that forgets as the gauge's does."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._began = self._looked = time.monotonic()
        self.total = self._total()
        self._used = 0.0

    @property
    def mean(self) -> float:
        """The exponential mean, a part of one core."""
        age = self._looked - self._began
        return self._used / (MEMORY_SECONDS * -math.expm1(-age / MEMORY_SECONDS))

    def look(self) -> None:
        """Take the clocks."""
        now, total = time.monotonic(), self._total()
        self._used = self._used * math.exp(-(now - self._looked) / MEMORY_SECONDS) + total - self.total
        self._looked, self.total = now, total

    def _total(self) -> float:
        """Return the CPU seconds of all that is not the program's: of threads that ended, too."""
        handlers = self._program.handlers()
        process = process_cpu_time_ns(self._program.pid) / 1e9
        theirs = sum(_thread_seconds(self._program.pid, tid) for tid in self._program.threads)
        return process - theirs + handlers


def _thread_seconds(pid: int, tid: int) -> float:
    """Return the CPU seconds of a thread of another process, to the nanosecond."""
    with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:  # noqa: PTH123 - 500 a second
        return int(file.read().split()[0]) / 1e9


@contextmanager
def running(state: State) -> Iterator[Program]:
    """Run the program in a state until the end of the block."""
    what = [str(state.threads), str(state.routes), "saturated" if state.saturated else "idle"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.watched", *what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate()
