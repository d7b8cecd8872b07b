"""Where values live: 8-byte cells in arrays mapped from memory.

A cell is read and written through one of two views of the same bytes, as a signed integer (`ints`, for counts of
observations) or as a float (`floats`, for everything else). Under the GIL `floats[i] += x` cannot be interrupted
between its read and its write: CPython (3.10 and later) hands the GIL over only at calls, at jumps backward and at
the entry of functions, and that statement has none. `tests/metrics/test_threads.py` keeps watch on it. Where there may
be no GIL (`FREE_THREADED`) whoever changes a cell or copies several has the family's lock, and no view is sliced: in
CPython 3.13 two threads that make slices of one view count its users wrong, until it is released under both.

Where several processes serve together (`workers`), a `Journal` lays a file under the same addresses and writes down
what lies where: whoever holds a cell never notices.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakValueDictionary

from runtime_exporter import forks
from runtime_exporter.freethreading import FREE_THREADED as FREE_THREADED

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator

    from runtime_exporter.metrics.family import Family

SEGMENT_CELLS: Final = 8192
"""Cells of one mapping: 64 KiB, a whole number of pages everywhere."""

CELL_BYTES: Final = 8

AHEAD_CELLS: Final = 512
"""Cells that are at most kept for children to come: a sixteenth of a segment, whose rest is lost where they do not fit."""

AHEAD_LEAST: Final = 8
"""Children that a family has before any are: most families have one or a few for good."""


class Segment:
    """One mapping and its two views. A view never moves, so that holders of a cell need no lock to use it."""

    __slots__ = ("buffer", "first", "floats", "ints", "size")

    def __init__(self, size: int) -> None:
        # Private, not shared: after a fork without exec parent and child must not write into each other's numbers.
        if hasattr(mmap, "MAP_PRIVATE"):
            buffer = mmap.mmap(-1, size * CELL_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        else:  # pragma: no cover - Windows
            buffer = mmap.mmap(-1, size * CELL_BYTES)
        self.size = size
        self.first: int | None = None
        """Where the segment begins in the file that other processes read, in cells; None where none is laid under it."""
        self._lie_in(buffer)

    def move(self) -> None:
        """Take other memory, all zero, where the old cannot be exchanged. Who keeps a view goes on to see the old."""
        self._lie_in(bytearray(self.size * CELL_BYTES))

    def _lie_in(self, buffer: Any) -> None:
        self.buffer = buffer
        self.ints = memoryview(buffer).cast("q")
        self.floats = memoryview(buffer).cast("d")


Cells = tuple[Segment, int, int]
"""Where some cells are, and how many."""


class Journal(Protocol):
    """Told what lies in which cells, before anybody counts in them."""

    def lay(self, segment: Segment) -> None:
        """Lay a file under a new segment, if there is room for one."""

    def define(self, family: Family) -> None:
        """Write down a family that has no series yet."""

    def born(self, child: Any, labelvalues: tuple[str, ...]) -> None:
        """Write down a series whose cells are ready."""

    def told(self, child: Any, pairs: dict[str, str]) -> None:
        """Write down what an Info says now."""

    def removed(self, child: Any) -> None:
        """Write down that a series ends."""

    def died(self, segment: Segment, at: int, size: int) -> None:
        """Take the cells of a child that nobody holds any more. Runs inside finalisers."""


class CellStore:
    """Hands out runs of neighbouring zeroed cells and takes them back."""

    def __init__(self) -> None:
        self._segment = Segment(SEGMENT_CELLS)
        self.segments = [self._segment]
        self.families: WeakValueDictionary[int, Family] = WeakValueDictionary()
        """Every family whose cells are here, by its identity."""
        self.journal: Journal | None = None
        self._next = 0
        self._free: dict[int, list[tuple[Segment, int]]] = {}
        # Reentrant: a signal handler or a finaliser may make a series while its own thread is making one here.
        self.lock = threading.RLock()
        self.leave_to_parent: Callable[[], None] = lambda: None
        """Makes the cells of a forked child its own. Set by `workers`, which not every process needs."""

    @property
    def mapped_bytes(self) -> int:
        """Bytes of all mappings."""
        return sum(segment.size for segment in self.segments) * CELL_BYTES

    def allocate(self, count: int) -> tuple[Segment, int]:
        """Return a segment and the index of the first of `count` cells in it, all zero."""
        if FREE_THREADED:
            with self.lock:  # `still` means also those who make a series
                return self._handed_out(count)
        return self._handed_out(count)

    def _handed_out(self, count: int) -> tuple[Segment, int]:
        try:
            segment, at = self._free[count].pop()
        except (KeyError, IndexError):
            with self.lock:
                return self._carve(count)
        for index in range(at, at + count):
            segment.ints[index] = 0
        return segment, at

    def allocate_beside(self, count: int, ahead: deque[Cells], children: int) -> tuple[Segment, int]:
        """Return cells for one more of the children of a family, beside those of the last one if that can be.

        Children of many families are born in turn; a scrape reads those of one, in one go where they lie side by side.
        `ahead` are the cells that are kept for the family's next children: as many as it has, within AHEAD_CELLS.
        """
        try:
            segment, at, _ = ahead.popleft()
        except IndexError:
            pass
        else:
            return segment, at  # nobody had them: they are zero
        times = min(children, AHEAD_CELLS // count)
        if times < AHEAD_LEAST or self._free.get(count):
            return self.allocate(count)
        with self.lock:
            segment, at = self._carve(count * times)
        ahead.extend((segment, at + count * place, count) for place in range(1, times))
        return segment, at

    def allocate_state(self) -> tuple[Segment, int]:
        """Return a zeroed cell for the state of a family."""
        return self.allocate(1)

    def release(self, segment: Segment, at: int, count: int) -> None:
        """Take cells back. Runs inside finalisers, that is anywhere: hence no lock, only atomic operations."""
        if self.journal is not None and segment.first is not None:
            self.journal.died(segment, at, count)
        else:
            self.free(segment, at, count)

    def free(self, segment: Segment, at: int, count: int) -> None:
        """Let cells be handed out again."""
        self._free.setdefault(count, []).append((segment, at))

    def living_families(self) -> list[Family]:
        """Return every family as of now, whoever makes or drops one meanwhile."""
        return [family for reference in self.families.valuerefs() if (family := reference()) is not None]

    @contextmanager
    def still(self) -> Iterator[None]:
        """Let nobody make a series meanwhile, nor count where there is no GIL that keeps an exchange of memory in one piece."""
        with ExitStack() as held:
            held.enter_context(self.lock)
            for family in self.living_families() if FREE_THREADED else ():
                held.enter_context(family.lock)
            yield

    def after_fork_in_child(self) -> None:
        """Make new locks, since another thread may have held the old ones when this process was forked, and let go of the parent's files.

        Before anything else happens in the child: whoever makes or removes a series there would tell the parent's journal otherwise,
        that is, write into the parent's files, or wait for ever for a lock that a thread of the parent had.
        """
        self.lock = threading.RLock()
        for family in self.living_families() if FREE_THREADED else ():
            family.lock = threading.RLock()
        self.leave_to_parent()

    def _carve(self, count: int) -> tuple[Segment, int]:
        if self._next + count > self._segment.size:
            # Whole pages, also for a child of many cells: what comes after it in a file would lie askew otherwise.
            segment = Segment(-(-count // SEGMENT_CELLS) * SEGMENT_CELLS)
            if self.journal is not None:
                self.journal.lay(segment)
            self.segments.append(segment)
            self._segment, self._next = segment, 0
        # No call between the two: who comes in from above on this thread comes before or after them.
        at = self._next
        self._next += count
        return self._segment, at


STORE: Final = CellStore()
"""The cells of this process."""

forks.after_in_child(STORE.after_fork_in_child)
