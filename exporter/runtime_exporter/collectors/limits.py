"""What memory, CPU and threads the process may use, and how often its CPU quota held it back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from runtime_exporter.collectors.collector import Collector, put, put_total
from runtime_exporter.collectors.sources.cgroup import Cgroup, CgroupReading
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
        self._memory = Gauge(
            "process_memory_limit_bytes",
            "Memory that the process may use, of its control group or rlimit, in bytes.",
            registry=None,
            multiprocess_mode="livemin",
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
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self.families = (self._memory, self._cores, self._seconds, self._throttled, self._periods, self._threads)

    def update(self) -> None:
        """Read all limits. One that is not set hides its family."""
        group = self._cgroup.read() or _NO_GROUP
        limits = [
            limit for limit in (group.memory_limit_bytes, self._rlimits.soft("Max address space")) if limit is not None
        ]
        threads = self._max_threads(group.threads_left)
        if not limits and group.cpu_limit_cores is None and threads is None:
            raise NoData("no limit on memory, CPU or threads")
        put(self._memory, min(limits, default=None))
        put(self._cores, group.cpu_limit_cores)
        throttling = group.throttling
        put(self._threads, threads)
        put_total(self._seconds, throttling and throttling.throttled_seconds)
        put_total(self._throttled, throttling and throttling.throttled_periods)
        put_total(self._periods, throttling and throttling.periods)

    def _max_threads(self, left: float | None) -> float | None:
        """Return how many threads this process may have, or None for no limit.

        Of a group's limit what its other processes have now is taken off. RLIMIT_NPROC is for all that the user runs, of which only this
        process is seen; it does not hold for root (setrlimit(2)).
        """
        group = None if left is None else left + len(os.listdir(self._tasks))  # noqa: PTH208 - no objects are needed
        user = self._rlimits.soft("Max processes") if self._user() else None
        return min((limit for limit in (group, user) if limit is not None), default=None)

    def close(self) -> None:
        """Close the files that stay open between scrapes."""
        files: tuple[_Closeable, ...] = (self._cgroup, self._rlimits)
        for file in files:
            file.close()
