"""The garbage collector: how long it stops the program, how often, and what it finds."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.costs import COSTS, HOOKS
from runtime_exporter.metrics import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

GENERATIONS = ("0", "1", "2")
_FULL = 2
# What the two calls of a collection take of the thread in which it happens, here: to time them each time would double it.
_COST_NS = 3000
_METER = COSTS.meter(HOOKS)
# A collection of the youngest generation takes microseconds, a full one of a large heap seconds.
PAUSE_BUCKETS_SECONDS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)


class GcCollector(Collector):
    """Totals come from `gc.get_stats`; pauses from `gc.callbacks`, written straight into the cells of the histogram.

    The callbacks take no lock (a collection may start anywhere, with any lock held) and cannot meet themselves: the
    interpreter starts no collection while one runs, callbacks included.
    """

    name = "gc"
    interval = None

    def __init__(
        self,
        *,
        module: Any = gc,
        clock: Callable[[], float] = time.perf_counter,
        blocks: Callable[[], int] = sys.getallocatedblocks,
    ) -> None:
        self._gc = module
        self._pause = Histogram(
            "python_gc_duration_seconds",
            "Seconds for which a garbage collection stopped the program.",
            ["generation"],
            registry=None,
            per_worker=True,
            buckets=PAUSE_BUCKETS_SECONDS,
        )
        self._collected = Counter(
            "python_gc_objects_collected_total",
            "Objects freed by the garbage collector.",
            ["generation"],
            registry=None,
            per_worker=True,
        )
        self._uncollectable = Counter(
            "python_gc_objects_uncollectable_total",
            "Objects that the garbage collector found but could not free.",
            ["generation"],
            registry=None,
            per_worker=True,
        )
        self._collections = Counter(
            "python_gc_collections_total", "Garbage collections.", ["generation"], registry=None, per_worker=True
        )
        self._threshold = Gauge(
            "python_gc_threshold",
            "Threshold of gc.get_threshold() that starts a collection; 0 switches it off.",
            ["generation"],
            registry=None,
            multiprocess_mode="livemax",
            per_worker=True,
        )
        self._enabled = Gauge(
            "python_gc_enabled",
            "1 while automatic garbage collection is on.",
            registry=None,
            multiprocess_mode="livemin",
            per_worker=True,
        )
        self.families = (
            self._pause,
            self._collected,
            self._uncollectable,
            self._collections,
            self._threshold,
            self._enabled,
        )
        self.pauses: tuple[Histogram, ...] = tuple(self._pause.labels(generation) for generation in GENERATIONS)
        """Of each generation, the youngest first."""
        self._settled: deque[tuple[float, int]] = deque(maxlen=1)
        self._callback = _pause_callback(
            tuple(pause.observe for pause in self.pauses),
            clock,
            lambda: self._settled.append((time.time(), blocks())),
        )

    def start(self) -> None:
        """Time collections from now on."""
        if self._callback not in self._gc.callbacks:
            self._gc.callbacks.append(self._callback)

    def close(self) -> None:
        """Stop timing collections."""
        with contextlib.suppress(ValueError):
            self._gc.callbacks.remove(self._callback)

    @property
    def settled(self) -> tuple[float, int] | None:
        """When the last full collection ended (Unix seconds), and how many blocks were in use then: growth of that is no garbage."""
        return self._settled[-1] if self._settled else None

    def update(self) -> None:
        """Take over the interpreter's own totals."""
        for generation, stats in zip(GENERATIONS, self._gc.get_stats(), strict=True):
            self._collected.labels(generation).set_total(stats["collected"])
            self._uncollectable.labels(generation).set_total(stats["uncollectable"])
            self._collections.labels(generation).set_total(stats["collections"])
        for generation, threshold in zip(GENERATIONS, self._gc.get_threshold(), strict=True):
            self._threshold.labels(generation).set(threshold)
        self._enabled.set(self._gc.isenabled())


def _pause_callback(
    observe: tuple[Callable[[float], None], ...], clock: Callable[[], float], settle: Callable[[], None]
) -> Callable[[str, dict[str, int]], None]:
    """Return the function for `gc.callbacks`. A closure: the fewest look-ups, and nothing that the collector would track."""
    started = 0.0

    def on_collection(phase: str, info: dict[str, int]) -> None:
        nonlocal started
        if phase == "start":
            started = clock()
        elif started:
            # Installed in the middle of a collection, the start was not seen.
            observe[info["generation"]](clock() - started)
            started = 0.0
            if info["generation"] == _FULL:
                settle()
            _METER.nanoseconds += _COST_NS

    return on_collection
