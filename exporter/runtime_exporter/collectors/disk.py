"""The file systems that the process writes to: what is left of them."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from runtime_exporter.collectors.collector import Collector, put_series
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Gauge

if TYPE_CHECKING:
    from collections.abc import Iterable


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
        )
        self._size = Gauge(
            "host_filesystem_size_bytes", "Size of the file system of a directory, in bytes.", ["path"], registry=None
        )
        self.families = (self._available, self._size)

    def update(self) -> None:
        """Ask each file system. A directory that is not there, or not any more, has no series."""
        found, refused = {}, []
        for path in dict.fromkeys(os.path.abspath(each) for each in (".", *self._paths)):  # noqa: PTH100 - resolves no links
            try:
                found[(path,)] = shutil.disk_usage(path)
            except OSError as error:  # noqa: PERF203 - each may be away
                refused.append(f"{path}: {error.strerror}")
        put_series(self._available, {path: usage.free for path, usage in found.items()})
        put_series(self._size, {path: usage.total for path, usage in found.items()})
        if not found:
            raise NoData("; ".join(refused))
