"""The log of this process: a file that it appends records to (see `log.py`), and now and then writes anew."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from runtime_exporter.metrics.workers.slots import is_removed, make

if TYPE_CHECKING:
    from pathlib import Path


class LogFile:
    """A log that this process alone writes. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Make the file. Raises OSError, also where there is one."""
        self.size = 0
        """Bytes of whole records."""
        self.refused = False
        """Whether a record could not be written, since whoever cares last said that it has seen it."""
        self._path = path
        self._descriptor = _new(path)

    @property
    def is_removed(self) -> bool:
        """Whether somebody removed the file."""
        return is_removed(self._descriptor)

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            os.close(self._descriptor)

    def append(self, record: bytes) -> bool:
        """Write a record and return whether it is there, whole."""
        try:
            written = os.write(self._descriptor, record)
        except OSError:
            written = 0
        if written == len(record):
            self.size += written
            return True
        self.refused = True
        # What is cut would hide everything after it.
        with suppress(OSError):
            os.ftruncate(self._descriptor, self.size)
        return False

    def replace(self, records: bytes) -> None:
        """Put a new file with these records in the place of this one. Raises OSError, and then nothing has changed."""
        path = self._path.with_suffix(".keys.new")
        path.unlink(missing_ok=True)
        new = _new(path)
        try:
            _write_all(new, records)
            path.replace(self._path)
        except BaseException:
            os.close(new)
            path.unlink(missing_ok=True)
            raise
        os.close(self._descriptor)
        self._descriptor = new
        self.size = len(records)


def _new(path: Path) -> int:
    return make(path, os.O_WRONLY | os.O_EXCL | os.O_APPEND)


def _write_all(descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
