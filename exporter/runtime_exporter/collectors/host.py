"""The machine around the process: CPU by core, memory, load."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runtime_exporter.collectors.collector import Collector, put
from runtime_exporter.collectors.sources.host import HostReading, LinuxHost, psutil_host
from runtime_exporter.metrics import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable


class HostCollector(Collector):
    """What somebody needs who has no node_exporter: to tell a slow process from a busy machine."""

    name = "host"
    interval = None

    def __init__(
        self, source: Callable[[], HostReading] | None = None, *, close: Callable[[], None] | None = None
    ) -> None:
        self._read = source
        self._close = close
        self._cpu = Counter(
            "host_cpu_seconds_total",
            "CPU time of the machine in seconds, by core and mode.",
            ["cpu", "mode"],
            registry=None,
            multiprocess_mode="max",
        )
        self._series: dict[tuple[str, str], Counter] = {}
        self._available = Gauge(
            "host_memory_available_bytes",
            "Memory that programs can still get without swapping, in bytes.",
            registry=None,
            multiprocess_mode="livemin",
        )
        self._total = Gauge(
            "host_memory_total_bytes", "Memory of the machine, in bytes.", registry=None, multiprocess_mode="livemax"
        )
        self._load = Gauge(
            "host_load1",
            "Tasks that run or wait for CPU or storage, averaged over a minute.",
            registry=None,
            multiprocess_mode="livemax",
        )
        self.families = (self._cpu, self._available, self._total, self._load)

    def update(self) -> None:
        """Take one reading."""
        if self._read is None:
            self._read, self._close = default_source()
        reading = self._read()
        for labels, seconds in reading.cpu_seconds.items():
            series = self._series.get(labels)
            if series is None:
                series = self._series[labels] = self._cpu.labels(*labels)
            # iowait is an estimate that the kernel sometimes takes back (proc_stat(5)); a counter must not.
            series.set_total(max(seconds, series.value()))
        for gone in self._series.keys() - reading.cpu_seconds.keys():
            del self._series[gone]
            self._cpu.remove(*gone)
        put(self._available, reading.memory_available)
        put(self._total, reading.memory_total)
        self._load.set(reading.load1)

    def close(self) -> None:
        """Close the files of /proc that stay open between scrapes."""
        if self._close is not None:
            self._close()


def default_source(platform: str = sys.platform) -> tuple[Callable[[], HostReading], Callable[[], None] | None]:
    """Return how to read this machine, and how to stop."""
    if platform == "linux":
        source = LinuxHost()
        return source.read, source.close
    return psutil_host(), None
