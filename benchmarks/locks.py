"""What `with lock: pass` costs: plain, with our profiled lock, and with a lock that is always timed."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.harness import figure, rounds
from runtime_exporter.profiling.locks import LockProfiler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item


class TimedLock:
    """A lock that reads the clock at each acquisition and release, as a profiler without a fast path must."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = 0
        self.waited = self.held = 0

    def __enter__(self) -> bool:
        begin = time.perf_counter_ns()
        self._lock.acquire()
        self._since = time.perf_counter_ns()
        self.waited += self._since - begin
        return True

    def __exit__(self, *_: object) -> None:
        self.held += time.perf_counter_ns() - self._since
        self._lock.release()


def take(lock: Any, times: int) -> None:
    """Take and release a lock that nobody else wants."""
    for _ in range(times):
        with lock:
            pass


def nothing(times: int) -> None:
    """Loop as `take` does."""
    for _ in range(times):
        pass


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what an uncontended `with` costs, a kind of lock: beside a plain one, and beside one that is always timed."""
    times, count = (100_000, 9) if quick else (300_000, 15)
    profiler = LockProfiler([__name__])
    plain = {"Lock": threading.Lock(), "RLock": threading.RLock()}
    timed = TimedLock()
    profiler.install()
    try:
        profiled = {"Lock": threading.Lock(), "RLock": threading.RLock()}
        for kind, raw in plain.items():
            timings = rounds(
                {
                    "ours": partial(take, profiled[kind], times),
                    "A/A": partial(take, profiled[kind], times),
                    "a plain lock": partial(take, raw, times),
                    "a lock that is always timed": partial(take, timed, times),
                    "loop": partial(nothing, times),
                },
                count=count,
            )
            for peer in ("a plain lock", "a lock that is always timed"):
                yield figure(f"profiled {kind}, uncontended", timings, peer=peer, over="loop", unit="ns", per=times)
    finally:
        profiler.uninstall()
