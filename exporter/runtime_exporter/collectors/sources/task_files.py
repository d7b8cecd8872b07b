"""What /proc says of one thread. Read once for each thread, hence without keeping files open."""

from __future__ import annotations

import time
from pathlib import Path

from runtime_exporter.collectors.sources.procfs import CLOCK_TICKS

_START_TICKS = 19  # of /proc/<pid>/task/<tid>/stat after the command, proc_pid_stat(5) field 22


class TaskFiles:
    """Names and start times of the threads of this process."""

    def __init__(self, proc: str = "/proc", *, ticks: int = CLOCK_TICKS) -> None:
        self._self = Path(proc, "self")
        self._ticks = ticks

    def started(self, tid: int) -> float | None:
        """Return when a thread started, in seconds since boot; None when it has ended."""
        try:
            fields = (self._self / "task" / str(tid) / "stat").read_bytes().rpartition(b")")[2].split()
            return float(fields[_START_TICKS]) / self._ticks
        except (OSError, IndexError, ValueError):
            return None

    def own_name(self, tid: int) -> str | None:
        """Return the name that a thread gave itself; None when it has only that of the program, or has ended."""
        try:
            name = (self._self / "task" / str(tid) / "comm").read_text(errors="replace").strip()
            program = (self._self / "comm").read_text(errors="replace").strip()
        except OSError:
            return None
        return None if name == program else name


def seconds_since_boot() -> float:
    """Return the clock that start times of threads are in; on other systems one that only goes on."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
