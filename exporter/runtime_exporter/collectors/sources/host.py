"""What the machine is doing, as one frozen reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.collectors.sources.procfs import CLOCK_TICKS, ProcFile, kilobytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Columns of a line cpuN in /proc/stat, proc_stat(5). The two that follow, guest and guest_nice, are part of user and nice.
_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


class HostReading(NamedTuple):
    """One look at the machine. `cpu_seconds` is by (core, mode); memory in bytes, None where the system does not tell."""

    cpu_seconds: Mapping[tuple[str, str], float]
    memory_available: float | None
    memory_total: float | None
    load1: float


class LinuxHost:
    """Reads the machine from /proc."""

    def __init__(self, *, proc: str = "/proc", ticks: int = CLOCK_TICKS) -> None:
        self._tick = 1 / ticks
        self._stat = ProcFile(f"{proc}/stat")
        self._meminfo = ProcFile(f"{proc}/meminfo")
        self._loadavg = ProcFile(f"{proc}/loadavg")

    def read(self) -> HostReading:
        """Return the present numbers; raises `OSError` or `ValueError` when a file is missing or broken."""
        meminfo = self._meminfo.read()
        return HostReading(
            self._cpu(), kilobytes(meminfo, b"MemAvailable"), kilobytes(meminfo, b"MemTotal"), self._load()
        )

    def close(self) -> None:
        """Close the files that stay open between reads."""
        for file in (self._stat, self._meminfo, self._loadavg):
            file.close()

    def _cpu(self) -> dict[tuple[str, str], float]:
        seconds = {}
        for line in self._stat.read().split(b"\n"):
            if not line.startswith(b"cpu"):
                break
            name, *ticks = line.split()
            if name != b"cpu":
                core = name[3:].decode()
                seconds.update({(core, mode): int(tick) * self._tick for mode, tick in zip(_MODES, ticks)})  # noqa: B905 - old kernels have fewer columns, new ones more
        if not seconds:
            raise ValueError(f"{self._stat.path} has no line cpu0")
        return seconds

    def _load(self) -> float:
        words = self._loadavg.read().split()
        if not words:
            raise ValueError(f"{self._loadavg.path} is empty")
        return float(words[0])


def psutil_host() -> Callable[[], HostReading]:
    """Return a reader for systems without /proc."""
    import psutil

    def read() -> HostReading:
        cores = enumerate(psutil.cpu_times(percpu=True))
        seconds = {
            (str(core), mode): value
            for core, times in cores
            for mode, value in times._asdict().items()
            if mode not in ("guest", "guest_nice")
        }
        memory = psutil.virtual_memory()
        return HostReading(seconds, memory.available, memory.total, psutil.getloadavg()[0])

    return read
