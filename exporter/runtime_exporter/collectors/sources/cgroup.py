"""The control group of this process: what memory, CPU and threads it may use, and how often it was held back. Versions 1 and 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.collectors.sources.procfs import ProcFile, number, optional

if TYPE_CHECKING:
    from collections.abc import Iterator

# Version 1 writes "no limit" as the largest multiple of the page size that fits 63 bits; no machine has an eighth of that.
_V1_UNLIMITED_BYTES = 2**60
_MICROSECONDS, _NANOSECONDS = 1e6, 1e9


class Throttling(NamedTuple):
    """How the CPU quota was enforced: counts of periods, seconds held back."""

    periods: float
    throttled_periods: float
    throttled_seconds: float


class CgroupReading(NamedTuple):
    """One look at the group and those above it; None where there is no limit."""

    memory_limit_bytes: float | None
    cpu_limit_cores: float | None
    throttling: Throttling | None
    threads_left: float | None = None
    """Threads that may still be started; all processes of a group share its limit."""
    memory_used_bytes: float | None = None
    """What counts against the memory limit: of all processes of the group, without what the kernel can take back."""


class Cgroup:
    """Reads the limits of the group of this process.

    A limit holds for everything below it, so the tightest of the group and of those above it counts, as far as they are
    visible from inside a container. A path that only the host knows (version 1 without a namespace) is looked for upwards,
    where the container's own group is mounted.
    """

    def __init__(self, *, proc: str = "/proc", root: str = "/sys/fs/cgroup") -> None:
        self._root = root
        self._membership = ProcFile(f"{proc}/self/cgroup")
        self._known: bytes | None = None
        self._memory: list[_MemoryFiles] = []
        self._cpu: list[_CpuFiles] = []
        self._pids: list[_PidsFiles] = []

    def read(self) -> CgroupReading | None:
        """Return the limits that hold now, or None where there are no control groups."""
        membership = optional(self._membership.read)
        if membership is None:
            return None
        if membership != self._known:
            self._find(membership)
        limits = [(limit, files) for files in self._memory if (limit := files.limit_bytes()) is not None]
        memory, fullest = min(limits, key=lambda pair: pair[0], default=(None, None))
        used = fullest.used_bytes() if fullest is not None else None
        quotas = [(quota, files) for files in self._cpu if (quota := files.quota()) is not None]
        cores, tightest = min(quotas, key=lambda pair: pair[0], default=(None, None))
        throttling = tightest.throttling() if tightest is not None else None
        left = [left for pids in self._pids if (left := pids.left()) is not None]
        return CgroupReading(memory, cores, throttling, min(left, default=None), used)

    def close(self) -> None:
        """Close the files that stay open between reads."""
        self._membership.close()
        self._forget()

    def _find(self, membership: bytes) -> None:
        """Open the files of the group and of those above it. Again when the process was moved to another group."""
        self._forget()
        for line in membership.decode(errors="surrogateescape").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                for directory in _upwards(self._root, path):
                    self._memory += _MemoryFiles.existing(directory, version=2)
                    self._cpu += _CpuFiles.existing(directory, version=2)
                    self._pids += _PidsFiles.existing(directory)
            if "pids" in controllers.split(","):
                for directory in _upwards(f"{self._root}/pids", path):
                    self._pids += _PidsFiles.existing(directory)
            if "memory" in controllers.split(","):
                for directory in _upwards(f"{self._root}/memory", path):
                    self._memory += _MemoryFiles.existing(directory, version=1)
            if "cpu" in controllers.split(","):
                for directory in _upwards(f"{self._root}/cpu", path):
                    self._cpu += _CpuFiles.existing(directory, version=1)
        self._known = membership

    def _forget(self) -> None:
        for memory in self._memory:
            memory.close()
        for files in self._cpu:
            files.close()
        for pids in self._pids:
            pids.close()
        self._memory, self._cpu, self._pids, self._known = [], [], [], None


class _MemoryFiles(NamedTuple):
    """The files of one group that say what memory it may use, and uses."""

    limit: ProcFile
    usage: ProcFile
    stat: ProcFile
    reclaimable: tuple[bytes, ...]
    """Lines of `stat` about what is used and would be given up before anybody is killed: pages of files, caches of the kernel."""

    @staticmethod
    def existing(directory: str, *, version: int) -> list[_MemoryFiles]:
        limit, usage = ("max", "current") if version == 2 else ("limit_in_bytes", "usage_in_bytes")  # noqa: PLR2004 - a version
        # In version 1 the lines without this word are of the group alone, the limit is of those below it, too.
        total, slab = (b"", (b"slab_reclaimable",)) if version == 2 else (b"total_", ())  # noqa: PLR2004
        reclaimable = (total + b"inactive_file", total + b"active_file", *slab)
        return [
            _MemoryFiles(
                file, ProcFile(f"{directory}/memory.{usage}"), ProcFile(f"{directory}/memory.stat"), reclaimable
            )
            for file in _existing(f"{directory}/memory.{limit}")
        ]

    def limit_bytes(self) -> float | None:
        """Return the limit, or None for no limit."""
        text = (optional(self.limit.read) or b"max").strip()
        value = None if text == b"max" else float(text)
        return value if value is not None and value < _V1_UNLIMITED_BYTES else None

    def used_bytes(self) -> float | None:
        """Return what the kernel could not take back if it had to, or None where it does not tell."""
        usage, stat = optional(self.usage.read), optional(self.stat.read)
        if usage is None or stat is None:
            return None
        return max(0.0, float(usage) - sum(number(stat, line) or 0.0 for line in self.reclaimable))

    def close(self) -> None:
        for file in (self.limit, self.usage, self.stat):
            file.close()


class _CpuFiles(NamedTuple):
    """The files of one group that say what CPU it may use: one file in version 2, quota and period in version 1."""

    version: int
    limit: tuple[ProcFile, ...]
    stat: ProcFile

    @staticmethod
    def existing(directory: str, *, version: int) -> list[_CpuFiles]:
        names = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")  # noqa: PLR2004 - a version
        found = [file for name in names for file in _existing(f"{directory}/{name}")]
        if len(found) < len(names):
            return []
        return [_CpuFiles(version, tuple(found), ProcFile(f"{directory}/cpu.stat"))]

    def quota(self) -> float | None:
        """Return the limit in cores, or None for no limit."""
        words = b" ".join(optional(file.read) or b"" for file in self.limit).split()
        if len(words) != 2 or words[0] in (b"max", b"-1") or int(words[1]) <= 0:  # noqa: PLR2004 - quota and period
            return None
        return int(words[0]) / int(words[1])

    def throttling(self) -> Throttling | None:
        """Return how the limit was enforced, or None where the kernel does not tell."""
        content = optional(self.stat.read) or b""
        key, unit = (b"throttled_usec", _MICROSECONDS) if self.version == 2 else (b"throttled_time", _NANOSECONDS)  # noqa: PLR2004
        periods, throttled, time = (number(content, name) for name in (b"nr_periods", b"nr_throttled", key))
        if periods is None or throttled is None or time is None:
            return None
        return Throttling(periods, throttled, time / unit)

    def close(self) -> None:
        for file in (*self.limit, self.stat):
            file.close()


class _PidsFiles(NamedTuple):
    """The files of one group that say how many threads it may have, and has; the same in both versions."""

    limit: ProcFile
    current: ProcFile

    @staticmethod
    def existing(directory: str) -> list[_PidsFiles]:
        found = [file for name in ("pids.max", "pids.current") for file in _existing(f"{directory}/{name}")]
        return [_PidsFiles(*found)] if len(found) == 2 else []  # noqa: PLR2004 - both

    def left(self) -> float | None:
        """Return how many more there may be, or None for no limit. Never below 0, as a limit set after the fact would make it."""
        limit = (optional(self.limit.read) or b"max").strip()
        current = optional(self.current.read)
        return None if limit == b"max" or current is None else max(0.0, float(limit) - float(current))

    def close(self) -> None:
        for file in self:
            file.close()


def _upwards(mount: str, path: str) -> Iterator[str]:
    """Yield the directory of a group and of all above it, the mount point last. `..` is a group outside the namespace."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield "/".join((mount, *parts[:length]))


def _existing(path: str) -> list[ProcFile]:
    file = ProcFile(path)
    return [] if optional(file.read) is None else [file]
