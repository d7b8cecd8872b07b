"""Where values live: 8-byte cells in arrays mapped from memory.

A cell is read and written through one of two views of the same bytes, as a signed integer (`ints`, for counts of
observations) or as a float (`floats`, for everything else). Under the GIL `floats[i] += x` cannot be interrupted
between its read and its write: CPython (3.10 and later) hands the GIL over only at calls, at jumps backward and at
the entry of functions, and that statement has none. `tests/metrics/test_threads.py` keeps watch on it. Builds
without a GIL take the family's lock instead (`FREE_THREADED`).
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
from typing import Final

FREE_THREADED: Final = not getattr(sys, "_is_gil_enabled", lambda: True)()

SEGMENT_CELLS: Final = 8192
"""Cells of one mapping: 64 KiB, a whole number of pages everywhere."""

CELL_BYTES: Final = 8


class Segment:
    """One mapping and its two views. A view never moves, so that holders of a cell need no lock to use it."""

    __slots__ = ("floats", "ints", "size")

    def __init__(self, size: int) -> None:
        # Private, not shared: after a fork without exec parent and child must not write into each other's numbers.
        if hasattr(mmap, "MAP_PRIVATE"):
            buffer = mmap.mmap(-1, size * CELL_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        else:  # pragma: no cover - Windows
            buffer = mmap.mmap(-1, size * CELL_BYTES)
        self.size = size
        self.ints = memoryview(buffer).cast("q")
        self.floats = memoryview(buffer).cast("d")


class CellStore:
    """Hands out runs of neighbouring zeroed cells and takes them back."""

    def __init__(self) -> None:
        self._segment = Segment(SEGMENT_CELLS)
        self._next = 0
        self._free: dict[int, list[tuple[Segment, int]]] = {}
        # Reentrant: a signal handler or a finaliser may make a series while its own thread is making one here.
        self._lock = threading.RLock()
        self.mapped_bytes = SEGMENT_CELLS * CELL_BYTES

    def allocate(self, count: int) -> tuple[Segment, int]:
        """Return a segment and the index of the first of `count` cells in it, all zero."""
        try:
            segment, at = self._free[count].pop()
        except (KeyError, IndexError):
            with self._lock:
                return self._carve(count)
        for index in range(at, at + count):
            segment.ints[index] = 0
        return segment, at

    def release(self, segment: Segment, at: int, count: int) -> None:
        """Take cells back. Runs inside finalisers, that is anywhere: hence no lock, only atomic operations."""
        self._free.setdefault(count, []).append((segment, at))

    def after_fork_in_child(self) -> None:
        """Make a new lock: another thread may have held the old one when this process was forked."""
        self._lock = threading.RLock()

    def _carve(self, count: int) -> tuple[Segment, int]:
        if self._next + count > self._segment.size:
            size = max(SEGMENT_CELLS, count)
            self._segment, self._next = Segment(size), 0
            self.mapped_bytes += size * CELL_BYTES
        # No call between the two: who comes in from above on this thread comes before or after them.
        at = self._next
        self._next += count
        return self._segment, at


def choose_store() -> CellStore:
    """Return the store of this process. One process, one anonymous store; prefork will put a file behind it."""
    return CellStore()


STORE: Final = choose_store()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=STORE.after_fork_in_child)
