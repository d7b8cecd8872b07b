"""The values of series that have one each, made text again only where they changed since the last scrape.

Making text of a number takes most of what a scrape of such series takes, and most of them do not change between two.
Kept are the texts of a block as one string: a list of them would be six times the memory, and is made of it in no time.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Final

from runtime_exporter.metrics.blocks import Written
from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.source import texts

if TYPE_CHECKING:
    from runtime_exporter.metrics.blocks import Block
    from runtime_exporter.metrics.rows import Rows
    from runtime_exporter.metrics.source import Column

SMALL: Final = 8
"""Series of a block whose lines are kept, too: most families have one or a few, and no memory to speak of."""

FEW: Final = 2
"""Up to every second series is changed one by one; above, it takes as long as making all texts again."""


def refreshed(block: Block, values: bytes, rows: Rows) -> bytes:
    """Return the lines of a block whose series have these values, 8 bytes each."""
    last = block.written
    if last is not None and last.values == values:
        return last.lines or rows.write(block.labels, [last.texts.split(" ")])
    column = _changed(last, values) if last else _all(values)
    lines = rows.write(block.labels, [column])
    block.written = Written(values, " ".join(column), lines if len(column) <= SMALL else b"")
    return lines


def _all(values: bytes) -> Column:
    return texts(memoryview(values).cast("d").tolist())


def _changed(last: Written, values: bytes) -> Column:
    moved = _moved(last.values, values)
    if len(moved) * CELL_BYTES * FEW > len(values):
        return _all(values)
    column = last.texts.split(" ")
    numbers = memoryview(values).cast("d")
    for index, text in zip(moved, texts([numbers[index] for index in moved]), strict=True):
        column[index] = text
    return column


def _moved(before: bytes, after: bytes) -> list[int]:
    """Return the indices of the cells that differ in a bit: as one large number each, which is compared in one go."""
    bits = int.from_bytes(before, "little") ^ int.from_bytes(after, "little")
    differences = memoryview(bits.to_bytes(len(after), "little")).cast("q").tolist()
    return [*compress(range(len(differences)), differences)]
