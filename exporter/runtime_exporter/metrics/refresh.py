"""The lines of series that have one value each, written again only where a value changed since the last scrape.

Most series of a service do not change between two scrapes. Where none of a block did, its lines are those of the last
scrape; where few did, those are taken from the last lines and given new ends.
"""

from __future__ import annotations

from itertools import compress, count
from typing import TYPE_CHECKING, Final

from runtime_exporter.metrics.blocks import Written
from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.source import texts

if TYPE_CHECKING:
    from runtime_exporter.metrics.blocks import Block
    from runtime_exporter.metrics.rows import Rows

FEW: Final = 3
"""Up to one in three series are changed one by one; above, it takes as long as writing all of them in one go."""


def refreshed(block: Block, values: bytes, rows: Rows) -> bytes:
    """Return the lines of a block whose series have these values, 8 bytes each."""
    last = block.written
    if last is not None and last.values == values:
        return last.lines
    lines = None if last is None else _changed(last, values)
    if lines is None:
        lines = rows.write(block.labels, [texts(memoryview(values).cast("d").tolist())])
    block.written = Written(values, lines)
    return lines


def _changed(last: Written, values: bytes) -> bytes | None:
    """Return the last lines with the values that changed; None where those are many."""
    moved = _moved(last.values, values)
    if len(moved) * CELL_BYTES * FEW > len(values):
        return None
    lines = last.lines.split(b"\n")
    numbers = memoryview(values).cast("d")
    for index, text in zip(moved, texts([numbers[index] for index in moved]), strict=True):
        line = lines[index + 1]  # before the first is nothing
        lines[index + 1] = line[: line.rindex(b" ") + 1] + text.encode()
    return b"\n".join(lines)


def _moved(before: bytes, after: bytes) -> list[int]:
    """Return the indices of the cells that differ in a bit: as one large number each, which is compared in one go."""
    bits = int.from_bytes(before, "little") ^ int.from_bytes(after, "little")
    return [*compress(count(), memoryview(bits.to_bytes(len(after), "little")).cast("q").tolist())]
