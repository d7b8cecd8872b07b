"""The file systems that the process writes to: what is left of them."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.collectors.collector import Collector, put_series
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Gauge

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Inodes(NamedTuple):
    """What an ordinary user can still use of the room for files, and all of it."""

    available: int
    size: int


class DiskCollector(Collector):
    """The working directory's file system and those of chosen directories.

    In the background: a network's file system may take its time to answer, and a scrape must not wait for it.
    """

    name = "disk"
    interval = 30.0

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._paths = tuple(paths)
        self._available = Gauge(
            "host_filesystem_available_bytes",
            "Space that the process can still use on the file system of a directory, in bytes.",
            ["path"],
            registry=None,
            multiprocess_mode="livemin",
        )
        self._size = Gauge(
            "host_filesystem_size_bytes",
            "Size of the file system of a directory, in bytes.",
            ["path"],
            registry=None,
            multiprocess_mode="livemax",
        )
        self._available_inodes = Gauge(
            "host_filesystem_available_inodes",
            "Files that can still be created on the file system of a directory.",
            ["path"],
            registry=None,
            multiprocess_mode="livemin",
        )
        self._inodes = Gauge(
            "host_filesystem_size_inodes",
            "Files that the file system of a directory has room for.",
            ["path"],
            registry=None,
            multiprocess_mode="livemax",
        )
        self.families = (self._available, self._size, self._available_inodes, self._inodes)

    def update(self) -> None:
        """Ask each file system. A directory that is not there, or not any more, has no series."""
        found, inodes, refused = {}, {}, []
        for path in dict.fromkeys(os.path.abspath(each) for each in (".", *self._paths)):  # noqa: PTH100 - resolves no links
            try:
                found[(path,)] = shutil.disk_usage(path)
                room = _inodes(path)
                if room is not None:
                    inodes[(path,)] = room
            except OSError as error:  # noqa: PERF203 - each may be away
                refused.append(f"{path}: {error.strerror}")
        put_series(self._available, {path: usage.free for path, usage in found.items()})
        put_series(self._size, {path: usage.total for path, usage in found.items()})
        put_series(self._available_inodes, {path: room.available for path, room in inodes.items()})
        put_series(self._inodes, {path: room.size for path, room in inodes.items()})
        if not found:
            raise NoData("; ".join(refused))


def _inodes(path: str) -> _Inodes | None:
    """Return how many files a file system has room for, or None where it makes room as it needs it (Btrfs), which it says by 0."""
    status = os.statvfs(path) if hasattr(os, "statvfs") else None
    return _Inodes(status.f_favail, status.f_files) if status is not None and status.f_files else None
