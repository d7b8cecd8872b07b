"""What a process reads of another: its log, as far as it is whole, and its cells at one moment."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.workers import log
from runtime_exporter.metrics.workers.definition import COUNTING, Definition
from runtime_exporter.metrics.workers.ending import ENDS, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runtime_exporter.metrics.workers.slots import Name

_CHUNK: Final = 4096
"""Bytes that are compared at once between two copies."""

_TRIES: Final = 10_000
"""How often one series is read again because its process changes it meanwhile: about ten milliseconds."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A series of a life: its family's number and definition, its label values and its cells."""

    family: int
    definition: Definition
    values: tuple[str, ...]
    cell: int
    end: int


@dataclass
class Keys:
    """What a log says."""

    families: dict[int, tuple[Definition, int]] = field(default_factory=dict)
    """Definition and the cell of the state, by the family's number."""
    entries: dict[int, Entry] = field(default_factory=dict)
    """The series that are, by their first cell."""
    graves: list[Entry] = field(default_factory=list)
    """Series that ended and counted, in order."""
    begun: int = 0
    """How many of them there were before the log was written anew."""
    pairs: dict[int, dict[str, str]] = field(default_factory=dict)
    """What each Info says."""
    end: str = UNKNOWN
    """How the life counts when it is over."""
    changes: int = 0
    """How many records said more than that a series was born: what was read before the last may be of another one."""

    def apply(self, records: Sequence[list[Any]], cells: int) -> list[Entry]:
        """Take over records, as far as they make sense in a file of so many cells; return what was born."""
        born: list[Entry] = []
        for kind, *rest in records:
            with suppress(ValueError, TypeError, KeyError, IndexError, AttributeError):
                if kind == "series":
                    born += self._series(cells, *rest)
                    continue
                if kind == "end":
                    self.end = ENDS[ENDS.index(rest[0])]
                    continue
                self.changes += 1
                if kind == "begun":
                    self.begun = int(rest[0])
                elif kind == "family":
                    self._family(*rest)
                elif kind == "pairs":
                    self.pairs[rest[0]] = {str(key): str(value) for key, value in rest[1].items()}
                elif kind == "removed":
                    self._removed(rest[0])
                elif kind == "ended":
                    self.families.pop(rest[0], None)
        return born

    def _family(self, number: int, cell: int, written: Any) -> None:
        self.families[number] = Definition.read(written), int(cell)

    def _series(self, cells: int, number: int, pairs: list[Any]) -> list[Entry]:
        definition, _ = self.families[number]
        width = len(definition.codes)
        found = [
            Entry(number, definition, tuple(map(str, values)), at := int(cell), at + width) for values, cell in pairs
        ]
        labels = len(definition.labelnames)
        known = [entry for entry in found if entry.cell >= 0 and entry.end <= cells and len(entry.values) == labels]
        self.entries.update((entry.cell, entry) for entry in known)
        return known

    def _removed(self, cell: int) -> None:
        self.pairs.pop(cell, None)
        entry = self.entries.pop(cell)
        if entry.definition.type in COUNTING:
            self.graves.append(entry)


class Life:
    """The files of one life of one process, read again and again."""

    def __init__(self, directory: Path, name: Name) -> None:
        """Open both files. Raises OSError where they are gone."""
        self.name = name
        self.keys = Keys()
        self.values: tuple[Any, ...] = ()
        """Every cell as far as one is used, as `read_cells` found them."""
        self.raw = b""
        self._read = 0
        self._known: tuple[int, int] | None = None
        self._used = 0
        self._struct = Struct("")
        self._observed: dict[int, list[tuple[int, int]]] = {}
        self._map: mmap.mmap | None = None
        self._cells = os.open(name.path(directory, "cells"), os.O_RDONLY | os.O_CLOEXEC)
        self._keys = name.path(directory, "keys")
        try:
            self._log = os.open(self._keys, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.close(self._cells)
            raise

    def close(self) -> None:
        """Give back both files."""
        if self._map is not None:
            self._map.close()
        os.close(self._log)
        os.close(self._cells)

    def read_keys(self) -> list[Entry]:
        """Read what was written since the last time; return the series that were born."""
        size = self._length()
        if size <= self._read:
            return []
        records, length = log.decode(os.pread(self._log, size - self._read, self._read))
        self._read += length
        return self.keys.apply(records, self._mapped())

    def log(self) -> tuple[bytes, int]:
        """Return the log as it is on the disk, and how many bytes of cells it is about."""
        return os.pread(self._log, os.fstat(self._log).st_size, 0), os.fstat(self._cells).st_size

    def read_as(self, other: Life) -> None:
        """Take over what another life's log says, which is the same: nothing of it is parsed again."""
        self.keys, self._read, self._known = other.keys, other._read, other._known
        self._used, self._struct, self._observed = other._used, other._struct, other._observed
        self._mapped()

    def moved(self) -> bool:
        """Return whether cells that were read may have been another series' meanwhile."""
        state = os.fstat(self._log)
        if state.st_nlink == 0 or state.st_size <= self._read:
            return state.st_nlink == 0
        size = state.st_size
        records, _ = log.decode(os.pread(self._log, size - self._read, self._read))
        return any(self._reuses(*record) for record in records)

    def _reuses(self, kind: Any, *rest: Any) -> bool:
        if kind == "series":
            return any(cell in self.keys.entries for _, cell in rest[1])
        return bool(kind == "family")

    def read_cells(self) -> None:
        """Take all cells at one moment: no number is half written, no observation counted but not added up."""
        if self._map is None:
            return
        self._prepare()
        first = self._map[: self._used]
        second = bytearray(self._map[: self._used])
        if first != second:
            self._settle(first, second)
        self.raw = bytes(second)
        self.values = self._struct.unpack_from(second)

    def graves(self, folded: int) -> list[Entry]:
        """Return the series that ended, besides the first so many, which are folded."""
        return self.keys.graves[max(0, folded - self.keys.begun) :]

    def hidden(self) -> set[int]:
        """Return the numbers of the families that this worker has no values for now."""
        values = self.values
        return {number for number, (_, cell) in self.keys.families.items() if any(values[cell : cell + 1])}

    def _length(self) -> int:
        """Return how long the log is; begin again where another one has taken its place."""
        state = os.fstat(self._log)
        if state.st_nlink == 0:
            with suppress(FileNotFoundError):
                new = os.open(self._keys, os.O_RDONLY | os.O_CLOEXEC)
                os.close(self._log)
                self._log, self._read, self._known = new, 0, None
                self.keys = Keys(changes=self.keys.changes + 1)
                state = os.fstat(new)
        return state.st_size

    def _mapped(self) -> int:
        """Return how many cells there are, mapped as far as the file goes now."""
        size = os.fstat(self._cells).st_size // _CHUNK * _CHUNK
        if size and (self._map is None or len(self._map) < size):
            if self._map is not None:
                self._map.close()
            self._map = mmap.mmap(self._cells, size, prot=mmap.PROT_READ)
        return size // CELL_BYTES

    def _prepare(self) -> None:
        """Learn which cells are integers, where that has changed."""
        assert self._map is not None  # noqa: S101 - who calls has looked
        size = len(self._map) // CELL_BYTES
        if self._known == (self._read, size):
            return
        self._known = self._read, size
        codes = bytearray(b"d" * size)
        self._observed = {}
        for _, cell in self.keys.families.values():
            codes[cell : cell + 1] = b"q"
        end = max((cell + 1 for _, cell in self.keys.families.values()), default=0)
        for entry in [*self.keys.graves, *self.keys.entries.values()]:
            end = max(end, entry.end)
            codes[entry.cell : entry.end] = entry.definition.codes.encode()
            if entry.definition.counts:
                for chunk in range(entry.cell * CELL_BYTES // _CHUNK, (entry.end * CELL_BYTES - 1) // _CHUNK + 1):
                    self._observed.setdefault(chunk, []).append((entry.cell, entry.end))
        end = min(end, size)
        self._struct = Struct("".join(f"{len([*run])}{code}" for code, run in groupby(codes[:end].decode())))
        self._used = -(-end * CELL_BYTES // _CHUNK) * _CHUNK

    def _settle(self, first: bytes, second: bytearray) -> None:
        """Read again what changed between two copies, until it stands still."""
        assert self._map is not None  # noqa: S101 - who calls has looked
        with memoryview(self._map) as whole, whole.cast("q") as cells:
            for at in range(0, len(first), _CHUNK):
                if first[at : at + _CHUNK] == second[at : at + _CHUNK]:
                    continue
                # One load of eight bytes each, which is never torn.
                loaded = cells[at // CELL_BYTES : (at + _CHUNK) // CELL_BYTES].tolist()
                second[at : at + _CHUNK] = Struct(f"{len(loaded)}q").pack(*loaded)
                for begin, end in self._observed.get(at // _CHUNK, ()):
                    second[begin * CELL_BYTES : end * CELL_BYTES] = self._still(begin * CELL_BYTES, end * CELL_BYTES)

    def _still(self, begin: int, end: int) -> bytes:
        """Return the bytes of a series that were the same twice: its counts never come back to what they were."""
        assert self._map is not None  # noqa: S101 - who calls has looked
        last = self._map[begin:end]
        for _ in range(_TRIES):
            now = self._map[begin:end]
            if now == last:
                break
            last = now
        return last
