"""Our own families as the exposition takes them: what their cells say, line by line."""

# ruff: noqa: SLF001 - the exposition is the other half of the metrics

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runtime_exporter.metrics.blocks import Block, label_columns, renewed
from runtime_exporter.metrics.cells import CELL_BYTES, FREE_THREADED
from runtime_exporter.metrics.counter import Counter
from runtime_exporter.metrics.created import created_enabled
from runtime_exporter.metrics.gauge import Gauge
from runtime_exporter.metrics.histogram import Histogram
from runtime_exporter.metrics.observed import SUMS
from runtime_exporter.metrics.source import Column, Line, Source, bucket_texts, cumulated, doubles, texts, whole_numbers
from runtime_exporter.metrics.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from mmap import mmap

    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.family import Family
    from runtime_exporter.metrics.metric import Metric

BLOCK_CELLS: Final = 2048
"""Cells of a block. Measured: half as many take up to a tenth longer where few changed, twice as many no shorter."""


class _Run(NamedTuple):
    """Bytes of children that lie side by side."""

    buffer: mmap
    begin: int
    end: int


class CellBlock(Block):
    """Children of ours, and where their cells are."""

    __slots__ = ("runs",)

    def __init__(self, source: Cells, children: list[Any]) -> None:
        values = [child._labels for child in children]
        super().__init__(children, label_columns(source.family.labelnames, values, one_line=source.one_line))
        self.runs: list[_Run] = []
        size = source.width * CELL_BYTES
        for child in children:
            begin, buffer = child._at * CELL_BYTES, child._floats.obj
            last = self.runs[-1] if self.runs else None
            if last and last.end == begin and last.buffer is buffer:
                self.runs[-1] = _Run(buffer, last.begin, begin + size)
            else:
                self.runs.append(_Run(buffer, begin, begin + size))


class Cells(Source):
    """A family of ours. The numbers of a block are a copy of its cells."""

    family: Family

    def __init__(self, metric: Metric) -> None:
        self.family = metric.family
        self.kept = metric.family.kept
        self.created = self.begins and created_enabled()
        self.width = metric._cells()
        self.size = self.width * CELL_BYTES

    def blocks(self) -> Sequence[CellBlock]:
        """Return the children as they are now."""
        kept = self.kept
        size = max(1, BLOCK_CELLS // self.width)
        kept.blocks = blocks = renewed(kept.blocks, self.family.children, size, lambda some: CellBlock(self, some))
        return blocks

    def read(self, block: CellBlock) -> bytes:
        """Return the cells of all children, one behind the other, as they are at one moment."""
        if FREE_THREADED:
            with self.family.lock:
                return _copy(block.runs)
        # In one call, between which no other thread of ours comes: a count and its sum belong together.
        return _copy(block.runs)

    def exemplified(self) -> bool:
        """Return whether a child has or had an exemplar."""
        return self.family.exemplified


class _Value(Cells):
    one_line = True

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        if not self.created:
            self.size = CELL_BYTES

    def read(self, block: CellBlock) -> bytes:
        """Return the values of all children, and when each began if that is exposed."""
        cells = super().read(block)
        return cells if self.created or self.width == 1 else doubles(cells)[:: self.width].tobytes()

    def columns(self, numbers: bytes) -> list[Column]:
        """Return the values."""
        every = doubles(numbers).tolist()
        return [texts(every[::2]), texts(every[1::2])] if self.created else [texts(every)]


class GaugeCells(_Value):
    """A gauge."""

    begins = False

    def lines(self) -> list[Line]:
        """Return the value's."""
        return [Line(self.family.name)]


class CounterCells(_Value):
    """A counter."""

    def lines(self) -> list[Line]:
        """Return the total's."""
        return [Line(f"{self.family.name}_total")]

    def whole(self, numbers: bytes) -> Sequence[int]:
        """Return the values if all are whole numbers."""
        return () if self.created else whole_numbers(numbers)

    def exemplars(self, child: Counter) -> Iterable[tuple[int, Exemplar]]:
        """Return the exemplar of the last increment that had one."""
        exemplar = child.exemplar
        return ((0, exemplar),) if exemplar else ()


class _Observed(Cells):
    one_line = False

    def _observed(self, numbers: bytes) -> tuple[list[list[int]], Column]:
        """Return the cumulative counts, each a column, and the sums."""
        width, counts = self.width, self.width - SUMS - 1
        every = array("q", numbers).tolist()
        columns = cumulated(every[index::width] for index in range(counts))
        floats = doubles(numbers)
        # Which of the two sums is valid: see `observed`.
        sums = zip(columns[-1], floats[counts::width], floats[counts + 1 :: width], strict=True)
        return columns, texts([odd if count & 1 else even for count, even, odd in sums])

    def _begun(self, numbers: bytes) -> list[Column]:
        """Return when each child began, its last cell, if that is exposed."""
        return [texts(doubles(numbers)[self.width - 1 :: self.width])] if self.created else []


class SummaryCells(_Observed):
    """A summary."""

    def lines(self) -> list[Line]:
        """Return those of count and sum."""
        return [Line(f"{self.family.name}_count"), Line(f"{self.family.name}_sum")]

    def columns(self, numbers: bytes) -> list[Column]:
        """Return counts and sums."""
        (counts,), sums = self._observed(numbers)
        return [[*map(repr, counts)], sums, *self._begun(numbers)]


class HistogramCells(_Observed):
    """A histogram."""

    def __init__(self, metric: Histogram) -> None:
        super().__init__(metric)
        self._metric = metric

    def lines(self) -> list[Line]:
        """Return those of the buckets, of the count, and of the sum if there is one."""
        name = self.family.name
        lines = [Line(f"{name}_bucket", f'le="{le}"') for le in self._metric.le]
        lines.append(Line(f"{name}_count"))
        return [*lines, Line(f"{name}_sum")] if self._metric.has_sum else lines

    def columns(self, numbers: bytes) -> list[Column]:
        """Return the cumulative buckets, counts, and sums if there are any."""
        counts, sums = self._observed(numbers)
        columns = bucket_texts(counts, lambda column: [*map(repr, column)])
        return [*columns, *([sums] if self._metric.has_sum else []), *self._begun(numbers)]

    def exemplars(self, child: Histogram) -> Iterable[tuple[int, Exemplar]]:
        """Return the exemplars of the buckets."""
        return [*child.exemplars.items()]


def _copy(runs: list[_Run]) -> bytes:
    if len(runs) == 1:
        buffer, begin, end = runs[0]
        return buffer[begin:end]
    return b"".join([buffer[begin:end] for buffer, begin, end in runs])


_SOURCES: Final[dict[type[Metric], Any]] = {
    Counter: CounterCells,
    Gauge: GaugeCells,
    Histogram: HistogramCells,
    Summary: SummaryCells,
}


def cells_of(metric: Metric) -> Cells | None:
    """Return a family of ours as a source; None where its cells do not say all that its samples do."""
    if metric.family.computed:
        return None
    source = _SOURCES.get(type(metric)) or next((_SOURCES[kind] for kind in _SOURCES if isinstance(metric, kind)), None)
    return source and source(metric)
