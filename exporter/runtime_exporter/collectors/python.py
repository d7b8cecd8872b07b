"""Which Python runs."""

from __future__ import annotations

import platform

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.metrics import Gauge


class PythonCollector(Collector):
    """The family of prometheus_client's platform collector."""

    name = "python"
    interval = None

    def __init__(self) -> None:
        self._info = Gauge(
            "python_info",
            "The interpreter: 1, with its version as labels.",
            ["version", "implementation", "major", "minor", "patchlevel"],
            registry=None,
            multiprocess_mode="livemax",
        )
        self.families = (self._info,)

    def update(self) -> None:
        """Say it once: it cannot change."""
        major, minor, patch = platform.python_version_tuple()
        self._info.labels(platform.python_version(), platform.python_implementation(), major, minor, patch).set(1)
