"""Histograms and summaries of several sources put together: their cells as bytes, and all counts as one large number.

Counts are lanes of 64 bits, which do not reach into one another: so one addition adds those of all series. Which of the two
sums of a series is valid is told by the lowest bit of its count, found for all series by one exclusive or a bucket.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import add, attrgetter
from typing import TYPE_CHECKING, Any

from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.created import created_enabled
from runtime_exporter.metrics.workers.shape import Layer, Shape, oldest, one

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, eq=False)
class Part:
    """What a layer's source says, whose bytes are `raw`: from row `first` on, all counts as one number, sums, and when each began."""

    raw: bytes
    first: int
    counts: int
    sums: list[float]
    created: list[float]


class Observations(Shape):
    """The shape of series that observe, with so many counts each."""

    def __init__(self, codes: str, counts: int) -> None:
        super().__init__(codes, "sum")
        self._counts = counts

    def put_together(self) -> None:
        """Write what all sources have now into the cells of the children."""
        width = self.rows.width
        parts = sorted(self._parts(), key=attrgetter("first"))
        total = sum(part.counts for part in parts)
        created = [(part.first, part.created) for part in parts if part.created]
        together = one(add, 0.0, [(part.first, part.sums) for part in parts])
        mask = _counting(self._counts, width, len(together))
        whole = bytearray((total & mask).to_bytes(len(together) * width * CELL_BYTES, "little"))
        with memoryview(whole) as view, view.cast("d") as floats:
            for column in (self._counts, self._counts + 1):
                floats[column::width] = memoryview(array("d", together))
            if created:
                floats[width - 1 :: width] = memoryview(array("d", oldest(created)))
        self._write(whole)

    def _parts(self) -> Iterator[Part]:
        with_created = created_enabled()
        for source, layers in self._layers.items():
            for layer in layers:
                known = layer.part
                # The dead say the same until another one dies.
                if known is None or known.raw is not source.raw or bool(known.created) != with_created:
                    known = layer.part = self._part(layer, source.raw, with_created=with_created)
                yield known

    def _part(self, layer: Layer, raw: bytes, *, with_created: bool) -> Part:
        width, counts = self.rows.width, self._counts
        layer.pick = layer.pick or self._picking(layer)
        cells = b"".join(map((raw + bytes(width * CELL_BYTES)).__getitem__, layer.pick))
        mask = _counting(counts, width, len(cells) // CELL_BYTES // width)
        return Part(
            raw=raw,
            first=layer.begin // width,
            counts=(int.from_bytes(cells, "little") & mask) << (8 * CELL_BYTES * layer.begin),
            sums=_valid(cells, counts, width),
            created=_column(cells, width - 1, width) if with_created else [],
        )

    def _picking(self, layer: Layer) -> list[slice]:
        """Return which bytes of a source are the layer's rows: as few slices as it takes."""
        width = self.rows.width
        firsts = layer.cells[::width]
        starts = [
            0,
            *(at for at, (before, cell) in enumerate(pairwise(firsts), 1) if cell != before + width or not cell),
        ]
        return [
            slice(firsts[begin] * CELL_BYTES, (firsts[begin] + (end - begin) * width) * CELL_BYTES or None)
            for begin, end in pairwise([*starts, len(firsts)])
        ]

    def _write_rows(self, whole: Any) -> None:
        width = self.rows.width * CELL_BYTES
        at = 0
        for segment in self.rows.segments:
            part = whole[at : at + len(segment.buffer) // width * width]
            # At once: an exposition that another thread writes reads series that are whole.
            segment.buffer[: len(part)] = part
            at += len(part)


@lru_cache(16)
def _counting(counts: int, width: int, rows: int) -> int:
    """Return the bits of the counts of so many series."""
    row = b"\xff" * (counts * CELL_BYTES) + bytes((width - counts) * CELL_BYTES)
    return int.from_bytes(row * rows, "little")


def _valid(cells: bytes, counts: int, width: int) -> list[float]:
    """Return of each series the sum that belongs to its counts."""
    lowest = cells[::CELL_BYTES]
    odd = 0
    for column in range(counts):
        odd ^= int.from_bytes(lowest[column::width], "little")
    pairs = zip(_column(cells, counts, width), _column(cells, counts + 1, width), strict=True)
    rows = len(cells) // CELL_BYTES // width
    return [pair[bits & 1] for pair, bits in zip(pairs, odd.to_bytes(rows, "little"), strict=True)]


def _column(cells: bytes, column: int, width: int) -> list[float]:
    floats: Any = memoryview(cells).cast("d")
    found: list[float] = floats[column::width].tolist()
    return found
