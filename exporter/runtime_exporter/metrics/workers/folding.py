"""Folding: the numbers of who ended, and of series that were removed, go into the one file, and their own files go.

Whoever comes by does it: a worker every few seconds, one that joins, a reader that finds somebody dead. One at a time.
"""

from __future__ import annotations

import os
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING, Final

from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.workers import retired, slots
from runtime_exporter.metrics.workers.definition import COUNTING
from runtime_exporter.metrics.workers.ending import UNKNOWN
from runtime_exporter.metrics.workers.life import Life

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path
    from typing import Any

    from runtime_exporter.metrics.workers.definition import Definition
    from runtime_exporter.metrics.workers.journal import Journal
    from runtime_exporter.metrics.workers.retired import Key, Ledger
    from runtime_exporter.metrics.workers.slots import Name

KINDS: Final = ("keys", "cells", "keys.new")


HEAPED: Final = 32
"""So many dead do not wait for somebody who folds now and then: the next child of a fork does it, some milliseconds of work."""


def fold(directory: Path, name: Name | None = None, journal: Journal | None = None, *, least: int = 1) -> bool:
    """Add the dead to the file and remove theirs, and what this process removed; return whether there was anything.

    name, journal: of this process, where it is a worker. least: of fewer dead nothing is done. Nor is while somebody else folds.
    Raises OSError, before anything is removed.
    """
    if len(_dead(directory)) < least and (journal is None or not journal.due):
        return False
    with slots.folding(directory) as alone:
        return alone and _fold(directory, name, journal)


def _dead(directory: Path) -> list[Name]:
    # In this order: whoever has files had its lock before.
    lives = slots.names(directory)
    alive = slots.living(directory)
    return [life for life in lives if life not in alive]


def _fold(directory: Path, name: Name | None, journal: Journal | None) -> bool:
    before = retired.read(directory)
    dead = _dead(directory)
    fresh = [life for life in dead if before.folded.get(str(life)) != retired.WHOLE]
    graves = [*journal.graves.values()] if journal is not None and (fresh or journal.due) else []
    if fresh or graves:
        ledger = retired.Ledger(before)
        lives = slots.names(directory)
        there = {*map(str, lives)}
        folded = {life: count for life, count in before.folded.items() if life in there}
        present = _Present(directory, set(lives) - set(dead))
        ends = []
        adding = _Adding(ledger, directory, present)
        for life in fresh:
            ends.append(adding.add(life, folded.get(str(life), 0)))
            folded[str(life)] = retired.WHOLE
        if journal is not None and name is not None and graves:
            others = present.besides(name)
            for grave in graves:
                segment, at = grave.place
                cells = Struct(grave.series.definition.codes).unpack_from(segment.buffer, at * CELL_BYTES)
                _bury(ledger, grave.series.definition, name.began, grave.series.values, cells, others)
            folded[str(name)] = journal.buried + len(graves)
        _replace(directory, ledger.data(folded, ends))
        if journal is not None:
            journal.folded(graves)
    for life in dead:
        for kind in KINDS:
            life.path(directory, kind).unlink(missing_ok=True)
    return bool(fresh or graves)


class _Present:
    """Which series living workers have; found out when it is asked."""

    def __init__(self, directory: Path, lives: Iterable[Name]) -> None:
        self._directory = directory
        self._lives = lives
        self._keys: dict[Name, set[Key]] | None = None

    def besides(self, name: Name) -> Collection[Key]:
        """Return those of all but one."""
        if self._keys is None:
            self._keys = {}
            for life in self._lives:
                with suppress(OSError):
                    self._keys[life] = _keys(self._directory, life)
        return set().union(*(keys for life, keys in self._keys.items() if life != name))


def _keys(directory: Path, name: Name) -> set[Key]:
    life = Life(directory, name)
    try:
        life.read_keys()
    finally:
        life.close()
    return {(entry.definition.name, entry.values) for entry in life.keys.entries.values()}


class _Adding:
    """Adds lives that are over, oldest first.

    The children of one parent have written the same log, however many thousands they are: it is parsed once, and of those after the
    first only what they have counted is added.
    """

    def __init__(self, ledger: Ledger, directory: Path, present: _Present) -> None:
        self._ledger = ledger
        self._directory = directory
        self._present = present
        self._log = b"", 0
        self._last: Life | None = None

    def add(self, name: Name, folded: int) -> str:
        """Add a life; of the series that it removed the first `folded` are in the file already. Return how it ended."""
        try:
            life = Life(self._directory, name)
        except OSError:
            return UNKNOWN
        try:
            again = self._read(life)
            life.read_cells()
        finally:
            life.close()
        hidden = life.hidden()
        for entry in life.keys.entries.values():
            definition, cells = entry.definition, life.values[entry.cell : entry.end]
            if again and definition.type in COUNTING and not any(cells[: definition.counts or 1]):
                continue
            if entry.family not in hidden or definition.type != "gauge":
                self._ledger.add(definition, name.began, entry.values, cells)
        graves = life.graves(folded)
        others = self._present.besides(name) if graves else ()
        for entry in graves:
            _bury(self._ledger, entry.definition, name.began, entry.values, life.values[entry.cell : entry.end], others)
        return life.keys.end

    def _read(self, life: Life) -> bool:
        """Read a log; return whether it is the same as the last."""
        log = life.log()
        if self._last is not None and log == self._log:
            life.read_as(self._last)
            return True
        life.read_keys()
        self._log, self._last = log, life
        return False


def _bury(
    ledger: Ledger,
    definition: Definition,
    since: float,
    values: tuple[str, ...],
    cells: Sequence[Any],
    others: Collection[Key],
) -> None:
    """Add a series that was removed: where nobody has it any more it is gone, as it would be with one process."""
    if (definition.name, values) in others:
        ledger.add(definition, since, values, cells)
    else:
        ledger.drop((definition.name, values))


def _replace(directory: Path, data: bytes) -> None:
    new = directory / "retired.new"
    try:
        with os.fdopen(slots.make(new, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            file.write(data)
        new.replace(directory / "retired")
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise
