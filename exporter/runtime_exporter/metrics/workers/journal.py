"""What a process says of itself to the others: its cells, and in a log what lies in which of them.

Kinds of records (see `life.py`, which reads them):

    ["begun", graves]          how many graves were folded before this log began: it replaces a longer one
    ["family", number, cell of its state, definition]
    ["series", number of the family, [[label values, first cell], …]]
    ["pairs", cell, {…}]       what an Info says
    ["removed", cell]          a series ended; where it counted, what it counted still counts until it is folded
    ["ended", number]          a family is gone
    ["end", how]               how this life counts if nothing more is heard of it
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.workers import log
from runtime_exporter.metrics.workers.cellfile import CellFile
from runtime_exporter.metrics.workers.definition import COUNTING, Definition
from runtime_exporter.metrics.workers.ending import UNKNOWN
from runtime_exporter.metrics.workers.logfile import LogFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runtime_exporter.metrics.cells import CellStore, Segment
    from runtime_exporter.metrics.family import Family
    from runtime_exporter.metrics.workers.slots import Name

logger = logging.getLogger("runtime_exporter")

MOST_BYTES: Final = 64 << 20
"""Bytes of a process's cells, and of its log. What comes after is seen by this process alone, and counted."""


PATIENCE: Final = 60.0
"""Seconds that series which were removed may wait to be folded: it means to read what all others have."""

MANY: Final = 1000
"""So many of them do not wait."""

HEAP: Final = 20_000
"""Nor do so many wait for a tick: who removes one of a process that never ticks folds them, some hundred milliseconds of work."""

LONG: Final = 1 << 20
"""Bytes from which on a log is written anew, without what ended, if it is twice as long as it was then."""


@dataclass(frozen=True)
class Series:
    """A series that is written down: its family's number and definition, and its label values."""

    number: int
    definition: Definition
    values: tuple[str, ...]


@dataclass
class Grave:
    """A series that ended and whose numbers still count; its cells are free once nobody holds them any more."""

    series: Series
    place: tuple[Segment, int]
    since: float
    free: bool = False


class Journal:
    """The files of this process. Told by `cells`, `metric` and `info` of what happens."""

    def __init__(self, directory: Path, name: Name, store: CellStore) -> None:
        """Make both files. Raises OSError."""
        self._store = store
        self.left_out = 0
        """Series that other processes do not see, because there was no room for them."""
        self.graves: dict[tuple[Segment, int], Grave] = {}
        self.heaped: Callable[[], None] = lambda: None
        """Folds them, in a process that nobody has do it now and then."""
        self.buried = 0
        """How many graves were folded and are gone."""
        self._series: dict[int, Series | int] = {}
        self._pairs: dict[int, dict[str, str]] = {}
        self._families: dict[int, tuple[int, Definition]] = {}
        self._numbers: WeakKeyDictionary[Family, tuple[int, Definition]] = WeakKeyDictionary()
        self._next = count()
        self._dead: deque[tuple[Segment, int, int]] = deque()
        # Reentrant: a signal handler may make a series while its own thread is making one.
        self._lock = threading.RLock()
        self._least = 0
        self._end_is = UNKNOWN
        self._cells = CellFile(name.path(directory, "cells"))
        self._log = LogFile(name.path(directory, "keys"))

    @property
    def bereft(self) -> bool:
        """Whether somebody removed one of both files."""
        with self._lock:  # a log that is written anew takes the other's place
            return self._log.is_removed or not self._cells.path.exists()

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    # What `cells.Journal` asks for.

    def lay(self, segment: Segment) -> None:
        """Lay the file under a segment, where there is room for it."""
        try:
            self.extend(segment)
        except OSError as error:
            logger.warning("%s cannot grow, new series are seen by this process alone: %s", self._cells.path, error)

    def extend(self, segment: Segment) -> None:
        """Lay the file under a segment, and keep what is in it. Raises OSError."""
        if (self._cells.size + segment.size) * CELL_BYTES > MOST_BYTES:
            raise OSError(f"it may have {MOST_BYTES} bytes")
        self._cells.extend(segment)

    def define(self, family: Family) -> None:
        """Write down a family."""
        with self._lock:
            self._define(family)

    def born(self, child: Any, labelvalues: tuple[str, ...]) -> None:
        """Write down a series."""
        self.births(child.family, [(child, labelvalues)])

    def births(self, family: Family, children: list[tuple[Any, tuple[str, ...]]]) -> None:
        """Write down several series of a family at once."""
        with self._lock:
            number, definition = self._define(family)
            placed = [(_cell(*child.cells), values) for child, values in children]
            new = [(cell, values) for cell, values in placed if cell is None or cell not in self._series]
            found = [(cell, values) for cell, values in new if cell is not None and number in self._families]
            if found and self._write("series", number, [[values, cell] for cell, values in found]):
                self._series.update((cell, Series(number, definition, values)) for cell, values in found)
                self.left_out += len(new) - len(found)
            else:
                self.left_out += len(new)

    def catch_up(self) -> None:
        """Write down what there was no room for before, as far as there is now."""
        before = self._cells.size
        with self._store.still(), suppress(OSError):
            for segment in self._store.segments:
                if segment.first is None:
                    self.extend(segment)
        if self._cells.size == before and not self._log.refused:
            return
        with self._lock:
            self._log.refused = False
            self.left_out = 0
            for family in self._store.living_families():
                children = [(child, values) for values, child in [*family.children.items()]]
                self.births(family, children)
                for child, _ in children if family.type == "info" else ():
                    self.told(child, child.pairs)

    def told(self, child: Any, pairs: dict[str, str]) -> None:
        """Write down what an Info says."""
        cell = _cell(*child.cells)
        if cell is not None and cell in self._series:
            self._pairs[cell] = pairs
            self._write("pairs", cell, pairs)

    def removed(self, child: Any) -> None:
        """Write down that a series ended."""
        with self._lock:
            self._end(*child.cells)
        if len(self.graves) >= HEAP:
            self.heaped()

    def end(self, how: str) -> None:
        """Write down how this life counts if nothing more is heard of it: a word of `ending.py`."""
        with self._lock:
            if how != self._end_is and self._write("end", how):
                self._end_is = how

    def died(self, segment: Segment, at: int, size: int) -> None:
        """Remember cells that nobody holds any more: a finaliser may take no lock."""
        self._dead.append((segment, at, size))

    # The ends of series.

    def bury(self) -> None:
        """Give back the cells of what died: at once what only was, and what counted when it has been folded."""
        with self._lock:
            while self._dead:
                segment, at, size = self._dead.popleft()
                self._end(segment, at)
                grave = self.graves.get((segment, at))
                if grave is None:
                    self._store.free(segment, at, size)
                else:
                    grave.free = True

    def abandon(self) -> None:
        """Give back the same in the child of a fork: without a lock, which a thread of the parent may have held, or a word."""
        for segment, at, size in [*self._dead]:
            self._store.free(segment, at, size)
        for grave in self.graves.values():
            if grave.free:
                self._store.free(*grave.place, len(grave.series.definition.codes))

    def give_back(self) -> None:
        """Give back the cells of all that died: nobody reads these files for this process any more."""
        with self._lock:
            self.bury()
            self.folded([*self.graves.values()])

    def folded(self, graves: list[Grave]) -> None:
        """Give back the cells of the oldest graves, which were folded."""
        with self._lock:
            for grave in graves:
                del self.graves[grave.place]
                self.buried += 1
                if grave.free:
                    self._store.free(*grave.place, len(grave.series.definition.codes))

    def _end(self, segment: Segment, at: int) -> None:
        cell = _cell(segment, at)
        known = None if cell is None else self._series.pop(cell, None)
        if isinstance(known, int):
            self._families.pop(known, None)
            self._write("ended", known)
        elif known is not None:
            self._pairs.pop(cell or 0, None)
            self._write("removed", cell)
            if known.definition.type in COUNTING:
                self.graves[segment, at] = Grave(known, (segment, at), time.monotonic())

    # Writing.

    @property
    def due(self) -> bool:
        """Whether so many series were removed, or so long ago, that they should be folded."""
        first = next(iter(self.graves.values()), None)
        return first is not None and (len(self.graves) >= MANY or time.monotonic() - first.since >= PATIENCE)

    def shorten(self) -> None:
        """Write the log anew where most of it tells of what is no more. Raises OSError, and then nothing has changed."""
        with self._lock:
            if self._log.size >= LONG and self._log.size >= 2 * self._least:
                self._log.replace(b"".join(self._whole()))
                self._least = self._log.size

    def _whole(self) -> Iterator[bytes]:
        """Yield the records that say what the log says now."""
        yield log.encode("begun", self.buried)
        yield log.encode("end", self._end_is)
        for number, (cell, definition) in self._families.items():
            yield log.encode("family", number, cell, definition.written())
        graves = [(_cell(*grave.place), grave.series) for grave in self.graves.values()]
        for place, series in (*self._series.items(), *graves):
            if isinstance(series, Series):
                yield log.encode("series", series.number, [[series.values, place]])
        for ended, _ in graves:
            yield log.encode("removed", ended)
        for place, pairs in self._pairs.items():
            yield log.encode("pairs", place, pairs)

    def _define(self, family: Family) -> tuple[int, Definition]:
        definition = Definition.of(family)
        known = self._numbers.get(family)
        if known is not None and known[1] == definition and known[0] in self._families:
            return known
        known = next(self._next) if known is None else known[0], definition
        self._numbers[family] = known
        cell = _cell(*family.cells)
        if cell is not None and self._write("family", known[0], cell, definition.written()):
            self._series[cell] = known[0]
            self._families[known[0]] = cell, definition
        return known

    def _write(self, *record: Any) -> bool:
        data = log.encode(*record)
        with self._lock:
            return self._log.size + len(data) <= MOST_BYTES and self._log.append(data)


def _cell(segment: Segment, at: int) -> int | None:
    return None if segment.first is None else segment.first + at
