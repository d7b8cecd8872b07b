"""Reading the small files of /proc again and again, cheaply."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

CLOCK_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
"""Ticks per second, the unit of times in /proc."""

_FIRST_READ_BYTES = 4096
_KILOBYTE = 1024


class ProcFile:
    """One file of /proc that stays open: a read is one `pread`, a third of the cost of open, read and close.

    An open /proc/self/x keeps meaning the process that opened it, so it is opened again after a fork. The host may close
    descriptors that it does not know (daemons do) and the number may then belong to another file: identity is checked
    before each read, and a descriptor that is not ours any more is neither read nor closed.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._size = _FIRST_READ_BYTES
        self._descriptor = -1
        self._identity: tuple[int, int] | None = None
        self._pid = 0

    def read(self) -> bytes:
        """Return the present content; raises `OSError` when there is no such file or no permission."""
        if self._pid != os.getpid() or not self._is_ours():
            self._open()
        while True:
            content = os.pread(self._descriptor, self._size, 0)
            if len(content) < self._size:
                return content
            self._size *= 2

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._is_ours():
            os.close(self._descriptor)
        self._descriptor, self._identity = -1, None

    def _open(self) -> None:
        self.close()
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self._identity = _identity(self._descriptor)
        self._pid = os.getpid()

    def _is_ours(self) -> bool:
        return self._identity is not None and _identity(self._descriptor) == self._identity


def optional(read: Callable[[], T]) -> T | None:
    """Return what `read` returns, or None where the file is missing or closed to this process."""
    try:
        return read()
    except OSError:
        return None


def kilobytes(content: bytes, key: bytes) -> float | None:
    """Return in bytes the value of a line such as `VmRSS:   1024 kB`, or None where there is no such line."""
    value = number(content, key)
    return None if value is None else value * _KILOBYTE


def number(content: bytes, key: bytes) -> float | None:
    """Return the whole number that follows `key` or `key:` at the start of a line, or None where there is none."""
    match = re.search(rb"^%s:?\s+(\d+)\s" % key, content, re.MULTILINE)
    return float(match[1]) if match else None


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
