"""What memory, CPU and threads the process may use, and how often its CPU quota held it back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from runtime_exporter.collectors.collector import Collector, put, put_total
from runtime_exporter.collectors.sources.cgroup import Cgroup, CgroupReading
from runtime_exporter.collectors.sources.procfs import ProcFile, kilobytes, optional
from runtime_exporter.collectors.sources.rlimits import LimitsFile
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_GROUP = CgroupReading(None, None, None)


class _Closeable(Protocol):
    def close(self) -> None: ...


class LimitsCollector(Collector):
    """Limits of the control group (version 2 or 1) and of the kernel (rlimits of address space and threads), whichever is tighter."""

    name = "limits"
    interval = None

    def __init__(
        self, *, proc: str = "/proc", cgroup_root: str = "/sys/fs/cgroup", user: Callable[[], int] | None = None
    ) -> None:
        self._tasks = f"{proc}/self/task"
        self._user: Callable[[], int] = getattr(os, "getuid", lambda: 0) if user is None else user
        self._cgroup = Cgroup(proc=proc, root=cgroup_root)
        self._rlimits = LimitsFile(proc)
        self._status = ProcFile(f"{proc}/self/status")
        self._memory = Gauge(
            "process_memory_limit_bytes",
            "Memory that the process may use, of its control group or rlimit, in bytes.",
            registry=None,
            multiprocess_mode="livemin",
        )
        self._used = Gauge(
            "process_memory_limit_used_bytes",
            "What counts against process_memory_limit_bytes: of all processes of the control group, what the kernel"
            " cannot take back; of an rlimit, the address space; in bytes.",
            registry=None,
            multiprocess_mode="livemax",
        )
        self._cores = Gauge(
            "process_cpu_limit_cores",
            "CPU that the process may use, in cores.",
            registry=None,
            multiprocess_mode="livemin",
        )
        self._seconds = Counter(
            "process_cpu_throttled_seconds_total",
            "Seconds in which the CPU quota held the group back.",
            registry=None,
            multiprocess_mode="max",
        )
        self._throttled = Counter(
            "process_cpu_throttled_periods_total",
            "Periods in which the CPU quota held the group back.",
            registry=None,
            multiprocess_mode="max",
        )
        self._periods = Counter(
            "process_cpu_periods_total",
            "Periods of the CPU quota in which the group ran.",
            registry=None,
            multiprocess_mode="max",
        )
        self._threads = Gauge(
            "process_max_threads",
            "Threads that the process may have: its own and those that its control group still allows, or an rlimit.",
            registry=None,
            multiprocess_mode="livemin",
            per_worker=True,
        )
        # Of several workers each may start them, and then none is left for the others: what they have is added up, this is not.
        self._threads_left = Gauge(
            "process_threads_left",
            "Threads that may still be started, before the control group or an rlimit allows no more.",
            registry=None,
            multiprocess_mode="livemin",
        )
        self.families = (
            *(self._memory, self._used, self._cores, self._seconds, self._throttled, self._periods),
            *(self._threads, self._threads_left),
        )

    def update(self) -> None:
        """Read all limits. One that is not set hides its family."""
        group = self._cgroup.read() or _NO_GROUP
        limit, used = self._memory_of(group)
        own, left = self._threads_of(group)
        if limit is None and group.cpu_limit_cores is None and left is None:
            raise NoData("no limit on memory, CPU or threads")
        put(self._memory, limit)
        put(self._used, used)
        put(self._cores, group.cpu_limit_cores)
        throttling = group.throttling
        put(self._threads, None if left is None else own + left)
        put(self._threads_left, left)
        put_total(self._seconds, throttling and throttling.throttled_seconds)
        put_total(self._throttled, throttling and throttling.throttled_periods)
        put_total(self._periods, throttling and throttling.periods)

    def _memory_of(self, group: CgroupReading) -> tuple[float | None, float | None]:
        """Return the tighter limit on memory and what counts against it, each None where there is none, or nobody tells."""
        space = self._rlimits.soft("Max address space")
        if space is None or (group.memory_limit_bytes is not None and group.memory_limit_bytes <= space):
            return group.memory_limit_bytes, group.memory_used_bytes
        status = optional(self._status.read)
        return space, None if status is None else kilobytes(status, b"VmSize")

    def _threads_of(self, group: CgroupReading) -> tuple[int, float | None]:
        """Return how many threads this process has, 0 where nobody asks, and how many it may still start, None for no limit.

        RLIMIT_NPROC is for all that the user runs, of which only this process is seen; it does not hold for root (setrlimit(2)).
        """
        most = self._rlimits.soft("Max processes") if self._user() else None
        if group.threads_left is None and most is None:
            return 0, None
        own = len(os.listdir(self._tasks))  # noqa: PTH208 - no objects are needed
        of_user = None if most is None else max(0.0, most - own)
        return own, min(left for left in (group.threads_left, of_user) if left is not None)

    def close(self) -> None:
        """Close the files that stay open between scrapes."""
        files: tuple[_Closeable, ...] = (self._cgroup, self._rlimits, self._status)
        for file in files:
            file.close()
