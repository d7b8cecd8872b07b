"""The file in which the cells of this process lie for the others to read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.workers.mapping import lay_file
from runtime_exporter.metrics.workers.slots import make

if TYPE_CHECKING:
    from pathlib import Path

    from runtime_exporter.metrics.cells import Segment


class CellFile:
    """A file of cells that grows by segments. Open only while it does."""

    def __init__(self, path: Path) -> None:
        """Make the file. Raises OSError, also where there is one."""
        self.path = path
        self.size = 0
        """Cells that lie in it."""
        os.close(make(path, os.O_RDWR | os.O_EXCL))

    def extend(self, segment: Segment) -> None:
        """Lay the file under a segment, which keeps what is in it. Raises OSError."""
        offset, size = self.size * CELL_BYTES, segment.size * CELL_BYTES
        descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            _reserve(descriptor, offset, size)
            lay_file(segment.buffer, descriptor, offset)
        finally:
            os.close(descriptor)
        segment.first = self.size
        self.size += segment.size


def _reserve(descriptor: int, offset: int, size: int) -> None:
    """Take the place on the disk: a page that is missing later would kill the process with SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, offset, size)
    else:
        os.pwrite(descriptor, bytes(size), offset)
