"""What the resident memory is made of, from /proc/self/status."""

from __future__ import annotations

from runtime_exporter.collectors.collector import Collector, put
from runtime_exporter.collectors.sources.procfs import ProcFile, kilobytes
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Gauge

_FAMILIES = (
    (
        "process_resident_memory_anon_bytes",
        "Resident memory that no file stands behind: heap and stacks, in bytes.",
        b"RssAnon",
    ),
    (
        "process_resident_memory_file_bytes",
        "Resident memory mapped from files: code and libraries, in bytes.",
        b"RssFile",
    ),
    (
        "process_resident_memory_shared_bytes",
        "Resident memory shared with other processes (shmem, tmpfs), in bytes.",
        b"RssShmem",
    ),
    ("process_resident_memory_peak_bytes", "The most resident memory the process ever had, in bytes.", b"VmHWM"),
    ("process_swap_bytes", "Memory of the process that is swapped out, in bytes.", b"VmSwap"),
    ("process_stack_bytes", "Stack of the main thread, in bytes.", b"VmStk"),
)


class MemoryCollector(Collector):
    """Linux only. Of this process, or of the one with the number `pid`."""

    name = "memory"
    interval = None

    def __init__(self, *, proc: str = "/proc", pid: int | str = "self") -> None:
        self._status = ProcFile(f"{proc}/{pid}/status")
        self._gauges = tuple(
            (Gauge(name, help_, registry=None, multiprocess_mode="livesum", per_worker=True), key)
            for name, help_, key in _FAMILIES
        )
        self.families = tuple(gauge for gauge, _ in self._gauges)

    def update(self) -> None:
        """Read the file; a line that this kernel does not write hides its family."""
        try:
            status = self._status.read()
        except FileNotFoundError as missing:
            raise NoData(f"{self._status.path} is not there") from missing
        for gauge, key in self._gauges:
            put(gauge, kilobytes(status, key))

    def close(self) -> None:
        """Close the file that stays open between scrapes."""
        self._status.close()
