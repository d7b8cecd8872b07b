"""The exporter itself: what it is, what a scrape costs, how much it exposes."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.metrics import Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.metrics import Metric

SCRAPE_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class ExporterCollector(Collector):
    """`scraped` is told of every scrape; what it says shows in the next one.

    `compiled` says of each interface that requests come by whether they are counted by compiled code; None is of a process
    that has no requests, and leaves the word to those that have.
    """

    name = "exporter"
    interval = None

    def __init__(self, version: str, compiled: Callable[[], Mapping[str, bool]] | None = None) -> None:
        self._build = Gauge(
            "runtime_exporter_build_info",
            "Always 1; the version of the exporter and of Python.",
            ["version", "python_version", "implementation"],
            registry=None,
            multiprocess_mode="livemax",
        )
        self._duration = Histogram(
            "runtime_exporter_scrape_duration_seconds",
            "Seconds that collecting and writing an exposition took.",
            registry=None,
            buckets=SCRAPE_BUCKETS_SECONDS,
        )
        self._series = Gauge(
            "runtime_exporter_series",
            "Series in the last exposition.",
            registry=None,
            multiprocess_mode="livemostrecent",
        )
        self._workers = Gauge(
            "runtime_exporter_workers",
            "Processes that this exposition speaks for.",
            ["state"],
            registry=None,
            multiprocess_mode="livesum",
        )
        self._compiled = Gauge(
            "runtime_exporter_compiled",
            "1 where ordinary requests by the interface are counted in compiled code, 0 where in Python.",
            ["interface"],
            registry=None,
            multiprocess_mode="livemin",
        )
        self._version = version
        self._asked = compiled
        self._series.hidden = True
        own = (self._build, self._duration, self._series, self._workers)
        self.families: tuple[Metric, ...] = own if compiled is None else (*own, self._compiled)

    def update(self) -> None:
        """Set what does not change while a process lives."""
        python = (platform.python_version(), platform.python_implementation())
        self._build.labels(self._version, *python).set(1)
        self._workers.labels("live").set(1)
        if self._asked is not None:
            for interface, compiled in self._asked().items():
                self._compiled.labels(interface).set(compiled)

    def scraped(self, seconds: float, exposition: bytes) -> None:
        """Take note of a finished scrape."""
        self._duration.observe(seconds)
        self._series.set(series_in(exposition))
        self._series.hidden = False


def series_in(exposition: bytes) -> int:
    """Return how many samples an exposition holds: its lines that are not comments."""
    comments = exposition.count(b"\n#") + exposition.startswith(b"#")
    return exposition.count(b"\n") - comments
