"""What the process costs the machine: CPU, memory, descriptors, page faults, context switches, storage."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runtime_exporter.collectors.collector import Collector, put, put_total
from runtime_exporter.collectors.sources.process import LinuxProcess, ProcessReading, psutil_process
from runtime_exporter.metrics import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable


class ProcessCollector(Collector):
    """The families of prometheus_client's process collector under the same names, and more. On every system."""

    name = "process"
    interval = None

    def __init__(
        self, source: Callable[[], ProcessReading] | None = None, *, close: Callable[[], None] | None = None
    ) -> None:
        self._read = source
        self._close = close
        self._cpu = Counter(
            "process_cpu_seconds_total",
            "CPU time of the process in seconds, user and system.",
            registry=None,
            per_worker=True,
        )
        self._modes = Counter(
            "process_cpu_mode_seconds_total",
            "CPU time of the process in seconds, by mode.",
            ["mode"],
            registry=None,
            per_worker=True,
        )
        self._resident = Gauge(
            "process_resident_memory_bytes",
            "Memory of the process in RAM, in bytes.",
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._virtual = Gauge(
            "process_virtual_memory_bytes",
            "Address space of the process, in bytes.",
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._start = Gauge(
            "process_start_time_seconds",
            "When the process started, in Unix seconds.",
            registry=None,
            multiprocess_mode="min",
            per_worker=True,
        )
        self._open_fds = Gauge(
            "process_open_fds", "Open file descriptors.", registry=None, multiprocess_mode="livemax", per_worker=True
        )
        self._max_fds = Gauge(
            "process_max_fds",
            "File descriptors that the process may open.",
            registry=None,
            multiprocess_mode="livemin",
            per_worker=True,
        )
        self._threads = Gauge(
            "process_num_threads",
            "Threads of the process as the operating system counts them.",
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._faults = Counter(
            "process_page_faults_total",
            "Page faults: minor without, major with a read from storage.",
            ["kind"],
            registry=None,
            per_worker=True,
        )
        self._switches = Counter(
            "process_context_switches_total",
            "Context switches of all threads of the process.",
            ["kind"],
            registry=None,
            per_worker=True,
        )
        self._read_bytes = Counter(
            "process_io_read_bytes_total", "Bytes read from storage.", registry=None, per_worker=True
        )
        self._written_bytes = Counter(
            "process_io_write_bytes_total", "Bytes written to storage.", registry=None, per_worker=True
        )
        self.families = (
            *(self._cpu, self._modes, self._resident, self._virtual, self._start, self._open_fds, self._max_fds),
            *(self._threads, self._faults, self._switches, self._read_bytes, self._written_bytes),
        )

    def update(self) -> None:
        """Take one reading."""
        if self._read is None:
            self._read, self._close = default_source()
        reading = self._read()
        self._cpu.set_total(reading.user_seconds + reading.system_seconds)
        _totals(self._modes, user=reading.user_seconds, system=reading.system_seconds)
        self._resident.set(reading.resident_bytes)
        self._virtual.set(reading.virtual_bytes)
        self._threads.set(reading.threads)
        put(self._start, reading.start_time)
        put(self._open_fds, reading.open_fds)
        put(self._max_fds, reading.max_fds)
        _totals(self._faults, minor=reading.minor_faults, major=reading.major_faults)
        _totals(self._switches, voluntary=reading.voluntary_switches, involuntary=reading.involuntary_switches)
        put_total(self._read_bytes, reading.read_bytes)
        put_total(self._written_bytes, reading.write_bytes)

    def close(self) -> None:
        """Close the files of /proc that stay open between scrapes."""
        if self._close is not None:
            self._close()


def default_source(platform: str = sys.platform) -> tuple[Callable[[], ProcessReading], Callable[[], None] | None]:
    """Return how to read this process on this system, and how to stop."""
    if platform == "linux":
        import resource

        source = LinuxProcess(lambda: resource.getrusage(resource.RUSAGE_SELF))
        return source.read, source.close
    return psutil_process(), None


def _totals(counter: Counter, **values: float | None) -> None:
    """Set the series of a counter with one label; the family is hidden where a value is missing."""
    counter.hidden = None in values.values()
    for label, value in values.items():
        if value is not None:
            counter.labels(label).set_total(value)
