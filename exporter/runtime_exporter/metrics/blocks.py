"""The series of a family in the order of their birth, some at a time: what the exposition reads and writes at once.

A few hundred series are read with one copy and written with one join: enough that what it takes to begin is divided by
many, few enough that all of it stays in a core's cache and that no scrape allocates pages that the next one faults in
again. A block lasts from scrape to scrape while its series are the same.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runtime_exporter.metrics.cells import CELL_BYTES, FREE_THREADED
from runtime_exporter.metrics.family import escape_value, label_string

if TYPE_CHECKING:
    from collections.abc import Sequence
    from mmap import mmap

    from runtime_exporter.metrics.family import Family

BLOCK_CELLS: Final = 1024
"""Cells of a block. Measured: from a quarter of it to four times as many a scrape takes the same within a tenth."""

ONE_LINE: Final = frozenset(("counter", "gauge"))
"""Types whose children have one line, apart from that of their creation."""

_NO_LOCK: Final = nullcontext()


class _Run(NamedTuple):
    """Bytes of series that lie side by side."""

    buffer: mmap
    begin: int
    end: int


class Written(NamedTuple):
    """The lines of a block as they were written last, and the values that they have, as the cells have them."""

    values: bytes
    lines: bytes


class Block:
    """Some series of a family."""

    __slots__ = ("_lock", "_runs", "children", "labels", "written")

    def __init__(self, family: Family, children: list[Any]) -> None:
        self.children = children
        self.labels = _label_columns(family, children)
        """For each hole that a line has for labels what stands there, series by series."""
        self.written: Written | None = None
        self._lock = family.lock if FREE_THREADED else _NO_LOCK
        self._runs = _runs(children)

    def read(self) -> bytes:
        """Return the cells of all series, one behind the other, as they are at one moment."""
        # A copy in one call: no other thread of ours comes between a count and its sum.
        with self._lock:
            return b"".join([buffer[begin:end] for buffer, begin, end in self._runs])


def blocks_of(family: Family) -> list[Block]:
    """Return the blocks of a family as it is now: those of the last scrape where nothing changed."""
    children = list(family.children.values())
    if not children:
        return []
    size = max(1, BLOCK_CELLS // children[0]._cells())  # noqa: SLF001 - the writer is the other half of the metrics
    known = family.blocks
    blocks = []
    for number, begin in enumerate(range(0, len(children), size)):
        some = children[begin : begin + size]
        # Compares identities: metrics define no equality.
        if number < len(known) and known[number].children == some:
            blocks.append(known[number])
        else:
            blocks.append(Block(family, some))
    family.blocks = blocks
    return blocks


def _label_columns(family: Family, children: list[Any]) -> list[Sequence[str]]:
    """Return what stands in the holes for labels.

    A child of one line has a hole for each label: the values are there, and nothing is kept for a child. Of more lines
    each has one hole for the text of all labels, which is made once.
    """
    values = [child._labels for child in children]  # noqa: SLF001
    if not family.labelnames:
        return []
    if family.type in ONE_LINE:
        return [_escaped(column) for column in zip(*values, strict=True)]
    return [[label_string(family.labelnames, each) for each in values]]


def _escaped(values: tuple[str, ...]) -> Sequence[str]:
    # Nearly always nothing is to be escaped, which is seen of all at once.
    together = "".join(values)
    return values if escape_value(together) == together else [*map(escape_value, values)]


def _runs(children: list[Any]) -> list[_Run]:
    """Return where the cells of children are, those that lie side by side taken together."""
    size = children[0]._cells() * CELL_BYTES  # noqa: SLF001
    runs: list[_Run] = []
    for child in children:
        begin = child._at * CELL_BYTES  # noqa: SLF001
        end = begin + size
        buffer = child._ints.obj  # noqa: SLF001
        if runs and runs[-1].end == begin and runs[-1].buffer is buffer:
            runs[-1] = _Run(buffer, runs[-1].begin, end)
        else:
            runs.append(_Run(buffer, begin, end))
    return runs
