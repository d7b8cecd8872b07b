"""The lines of a block, of which only what changed since the last scrape is made text again.

Making text of numbers takes most of what a scrape takes, and most series do not change between two. Kept are the texts
of a block as one string: a list of them would be six times the memory, and is made of it in no time.
"""

from __future__ import annotations

from array import array
from itertools import chain, compress
from typing import TYPE_CHECKING, Final

from runtime_exporter.metrics.blocks import BLOCK_SERIES, Written
from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.lines import exemplar_text
from runtime_exporter.metrics.source import doubles

if TYPE_CHECKING:
    from runtime_exporter.metrics.blocks import Block
    from runtime_exporter.metrics.kept import Part
    from runtime_exporter.metrics.source import Column, Source

SMALL: Final = 8
"""Series of a block whose lines are kept, too: most families have one or a few, and no memory to speak of."""

FEW: Final = 3
"""Up to every third series is changed one by one; of more than that it takes as long to make all texts again."""

SAMPLE: Final = 16
"""Series of which is seen whether a block in which most had changed has become calm."""

_INDICES: Final = tuple(range(BLOCK_SERIES))


def block_lines(source: Source, block: Block, part: Part, *, exemplified: bool) -> bytes:
    """Return the lines of a block as its numbers are now; behind their values exemplars, where there may be some."""
    numbers = source.read(block)
    last = block.written
    if last is not None and last.created != source.created:
        last = None
    if last is not None and last.part is part and not exemplified and last.numbers == numbers:
        return last.lines
    count = len(block.children)
    moved = _moved_since(last, numbers, source.size, count)
    whole = source.whole(numbers) if moved is None and block.plain and not exemplified else ()
    if whole:
        lines, texts = part.rows.write_whole(block.labels, whole), ""
    else:
        columns, texts = _columns(source, last, numbers, moved, count)
        if exemplified:
            _add_exemplars(source, block, columns)
        lines = part.rows.write(block.labels, [columns[place] for place in part.places])
    if count <= SMALL and not exemplified:
        block.written = Written(numbers, source.created, texts, part, lines)
    else:
        block.written = Written(numbers, source.created, texts)
    return lines


def _moved_since(last: Written | None, numbers: bytes, size: int, count: int) -> list[int] | None:
    """Return the series whose kept texts do not hold any more; None of a block in which most change from scrape to scrape."""
    if last is None:
        return []
    if not last.texts:
        return [] if _calm(last.numbers, numbers, size) else None
    moved = _moved(last.numbers, numbers, size) if last.numbers != numbers else []
    return moved if len(moved) * FEW <= count else None


def _columns(
    source: Source, last: Written | None, numbers: bytes, moved: list[int] | None, count: int
) -> tuple[list[Column], str]:
    """Return the texts of so many series: to be written now, and all together to be kept. Nothing is kept where most move."""
    if moved is None:
        return source.columns(numbers), ""
    if last is None or not last.texts:
        columns = source.columns(numbers)
        return columns, _together(columns)
    columns = _apart(last.texts, count)
    if not moved:
        return columns, last.texts
    for column, fresh in zip(columns, source.columns(_of(moved, numbers, source.size)), strict=True):
        for index, text in zip(moved, fresh, strict=True):
            column[index] = text
    return columns, _together(columns)


def _together(columns: list[Column]) -> str:
    return " ".join(columns[0] if len(columns) == 1 else chain.from_iterable(columns))


def _apart(texts: str, count: int) -> list[Column]:
    every = texts.split(" ")
    return [every] if len(every) == count else [every[at : at + count] for at in range(0, len(every), count)]


def _of(series: list[int], numbers: bytes, size: int) -> bytes:
    """Return the numbers of some of the series."""
    if size > CELL_BYTES:
        return b"".join([numbers[index * size : (index + 1) * size] for index in series])
    every = doubles(numbers)
    return array("d", [every[index] for index in series]).tobytes()


def _calm(before: bytes, after: bytes, size: int) -> bool:
    """Return whether few of the first series have changed."""
    some = min(SAMPLE, len(after) // size)
    return len(_moved(before[: some * size], after[: some * size], size)) * FEW <= some


def _moved(before: bytes, after: bytes, size: int) -> list[int]:
    """Return the indices of the series whose numbers differ in a bit."""
    if size > CELL_BYTES:
        begins = range(0, len(after), size)
        return [number for number, at in enumerate(begins) if before[at : at + size] != after[at : at + size]]
    # Of one number each: all as one large number, which is compared in one go.
    bits = int.from_bytes(before, "little") ^ int.from_bytes(after, "little")
    return [*compress(_INDICES, array("q", bits.to_bytes(len(after), "little")))]


def _add_exemplars(source: Source, block: Block, columns: list[Column]) -> None:
    """Write exemplars behind the values that have one: of a counter the only, of a histogram some of its buckets."""
    for index, child in enumerate(block.children):
        for place, exemplar in source.exemplars(child):
            columns[place][index] += exemplar_text(exemplar)
