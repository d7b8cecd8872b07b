"""What the operating system knows about a process, this one or another, as one frozen reading."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime_exporter.collectors.sources.procfs import CLOCK_TICKS, ProcFile, number, optional
from runtime_exporter.collectors.sources.rlimits import LimitsFile, max_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable

_STAT_FIELDS = 22
# Indexes into /proc/<pid>/stat after the command's closing parenthesis, that is proc_pid_stat(5)'s field number minus 3.
_MINOR_FAULTS, _MAJOR_FAULTS, _USER_TICKS, _SYSTEM_TICKS = 7, 9, 11, 12
_NUM_THREADS, _START_TICKS, _VSIZE, _RSS_PAGES = 17, 19, 20, 21


class ProcessReading(NamedTuple):
    """One look at a process: seconds, bytes, counts. None where the system does not tell."""

    user_seconds: float
    system_seconds: float
    resident_bytes: float
    virtual_bytes: float
    threads: float
    start_time: float | None
    open_fds: float | None
    max_fds: float | None
    minor_faults: float | None = None
    major_faults: float | None = None
    voluntary_switches: float | None = None
    involuntary_switches: float | None = None
    read_bytes: float | None = None
    write_bytes: float | None = None


class _Usage(NamedTuple):
    """What is known of another process, in the words of getrusage."""

    ru_utime: float
    ru_stime: float
    ru_minflt: float
    ru_majflt: float
    ru_nvcsw: float | None = None
    ru_nivcsw: float | None = None


class LinuxProcess:
    """Reads this process from /proc/self and getrusage, or the one with the number `pid` from /proc alone.

    CPU time, faults and context switches of this process come from getrusage: microseconds instead of the 10 ms ticks of
    /proc/self/stat, and of all threads, where /proc/self/status counts the switches of the main thread alone.
    """

    def __init__(
        self,
        usage: Callable[[], Any] | None,
        *,
        proc: str = "/proc",
        ticks: int = CLOCK_TICKS,
        page_bytes: int | None = None,
        pid: int | str = "self",
    ) -> None:
        self._usage = usage
        self._ticks = ticks
        self._page_bytes = page_bytes or os.sysconf("SC_PAGE_SIZE")
        self._stat = ProcFile(f"{proc}/{pid}/stat")
        self._io = ProcFile(f"{proc}/{pid}/io")
        self._boot = ProcFile(f"{proc}/stat")
        self._limits = LimitsFile(proc, pid)
        self._descriptors = DescriptorCount(f"{proc}/{pid}/fd", own=pid == "self")
        self._boot_time: float | None = None

    def read(self) -> ProcessReading:
        """Return the present numbers; raises `OSError` or `ValueError` when /proc/self/stat is missing or broken."""
        stat = self._stat_fields()
        usage = self._usage() if self._usage is not None else self._usage_in(stat)
        read_bytes, write_bytes = self._storage()
        return ProcessReading(
            user_seconds=usage.ru_utime,
            system_seconds=usage.ru_stime,
            resident_bytes=float(stat[_RSS_PAGES]) * self._page_bytes,
            virtual_bytes=float(stat[_VSIZE]),
            threads=float(stat[_NUM_THREADS]),
            start_time=self._start_time(float(stat[_START_TICKS])),
            open_fds=self._descriptors.read(),
            max_fds=self._limits.soft("Max open files"),
            minor_faults=usage.ru_minflt,
            major_faults=usage.ru_majflt,
            voluntary_switches=usage.ru_nvcsw,
            involuntary_switches=usage.ru_nivcsw,
            read_bytes=read_bytes,
            write_bytes=write_bytes,
        )

    def close(self) -> None:
        """Close the files that stay open between reads."""
        for file in (self._stat, self._io, self._boot, self._limits):
            file.close()

    def _usage_in(self, stat: list[bytes]) -> _Usage:
        return _Usage(
            ru_utime=float(stat[_USER_TICKS]) / self._ticks,
            ru_stime=float(stat[_SYSTEM_TICKS]) / self._ticks,
            ru_minflt=float(stat[_MINOR_FAULTS]),
            ru_majflt=float(stat[_MAJOR_FAULTS]),
        )

    def _stat_fields(self) -> list[bytes]:
        content = self._stat.read()
        # The command stands in parentheses and may contain spaces and parentheses itself.
        fields = content[content.rfind(b")") + 2 :].split()
        if len(fields) < _STAT_FIELDS:
            raise ValueError(
                f"{self._stat.path}: {len(fields)} fields after the command, at least {_STAT_FIELDS} are needed"
            )
        return fields

    def _start_time(self, start_ticks: float) -> float | None:
        """Return Unix seconds. The boot time is read once: the kernel's own figure wanders by a second as clocks are set."""
        if self._boot_time is None:
            match = optional(lambda: self._boot.read().partition(b"\nbtime ")[2].split(None, 1))
            self._boot_time = float(match[0]) if match else None
            self._boot.close()
        return None if self._boot_time is None else self._boot_time + start_ticks / self._ticks

    def _storage(self) -> tuple[float | None, float | None]:
        """Return bytes read from and written to storage; the file is closed to processes that may not be traced."""
        content = optional(self._io.read) or b""
        return number(content, b"read_bytes"), number(content, b"write_bytes")


class DescriptorCount:
    """Counts open descriptors. Linux 6.2 tells the number as the size of the directory; before, the names are counted."""

    def __init__(self, directory: str, *, own: bool = True) -> None:
        self._directory = Path(directory)
        self._ours = int(own)
        self._size_is_count: bool | None = None

    def read(self) -> float | None:
        """Return the number of open descriptors, or None where that is not to be known."""
        return optional(self._count)

    def _count(self) -> float:
        if self._size_is_count:
            return self._directory.stat().st_size
        # In our own directory the listing has a descriptor, too.
        names = len(os.listdir(self._directory)) - self._ours  # noqa: PTH208 - no objects are needed
        if self._size_is_count is None:
            self._size_is_count = self._directory.stat().st_size == names
        return names


def foreign_process(pid: int) -> tuple[Callable[[], ProcessReading], Callable[[], None]]:
    """Return how to read another process of this Linux machine, and how to stop. Without the context switches of its threads."""
    source = LinuxProcess(None, pid=pid)
    return source.read, source.close


def psutil_process() -> Callable[[], ProcessReading]:
    """Return a reader for systems without /proc."""
    import psutil

    process = psutil.Process()
    count_fds = getattr(process, "num_fds" if hasattr(process, "num_fds") else "num_handles")

    def read() -> ProcessReading:
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
            switches = process.num_ctx_switches()
            return ProcessReading(
                user_seconds=times.user,
                system_seconds=times.system,
                resident_bytes=memory.rss,
                virtual_bytes=memory.vms,
                threads=process.num_threads(),
                start_time=process.create_time(),
                open_fds=count_fds(),
                max_fds=max_descriptors(),
                voluntary_switches=switches.voluntary,
                involuntary_switches=switches.involuntary,
            )

    return read
