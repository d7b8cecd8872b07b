"""Contention for the interpreter: how late a thread gets on that is ready to run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.metrics import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

_NAP_SECONDS = 0.001
# The switch interval is 5 ms: one busy thread makes a waker wait about that long, n busy threads up to n times.
WAIT_BUCKETS_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class GilCollector(Collector):
    """A probe: a short sleep gives the GIL away, and waking up needs it back. About 50 us of CPU for each probe.

    Lateness of the system's own scheduling is in it, too: some 0.1 ms on an idle machine.
    """

    name = "gil"
    interval = 0.5

    def __init__(
        self, *, clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self.wait = Histogram(
            "python_gil_wait_seconds",
            "Seconds that a probing thread, ready to run, waited for the interpreter.",
            registry=None,
            per_worker=True,
            buckets=WAIT_BUCKETS_SECONDS,
        )
        self.families = (self.wait,)

    def update(self) -> None:
        """Probe once."""
        started = self._clock()
        self._sleep(_NAP_SECONDS)
        self.wait.observe(max(0.0, self._clock() - started - _NAP_SECONDS))
