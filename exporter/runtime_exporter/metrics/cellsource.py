"""Our own families as the exposition takes them: what their cells say, line by line."""

# ruff: noqa: SLF001 - the exposition is the other half of the metrics

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runtime_exporter.metrics.blocks import Block, label_columns, renewed
from runtime_exporter.metrics.cells import CELL_BYTES, FREE_THREADED
from runtime_exporter.metrics.counter import Counter
from runtime_exporter.metrics.gauge import Gauge
from runtime_exporter.metrics.histogram import Histogram
from runtime_exporter.metrics.metric import Metric, created_enabled
from runtime_exporter.metrics.observed import SUMS
from runtime_exporter.metrics.source import Column, Line, Source, texts
from runtime_exporter.metrics.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from mmap import mmap

    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.family import Family

BLOCK_CELLS: Final = 1024
"""Cells of a block. Measured: half as many and twice as many take up to a sixth longer, four times as many a third."""


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
        self.created = created_enabled()
        self.width = metric._cells()

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

    def created_column(self, cells: bytes) -> Column:
        """Return when each child began: its last cell."""
        return texts(memoryview(cells).cast("d")[self.width - 1 :: self.width].tolist())


class _Value(Cells):
    one_line = True

    def values(self, cells: bytes) -> bytes:
        """Return the first cell of each child."""
        return cells if self.width == 1 else memoryview(cells).cast("d")[:: self.width].tobytes()

    def columns(self, cells: bytes) -> list[Column]:
        """Return the values."""
        return [texts(memoryview(cells).cast("d")[:: self.width].tolist())]


class GaugeCells(_Value):
    """A gauge."""

    def __init__(self, metric: Gauge) -> None:
        super().__init__(metric)
        self.created = False

    def lines(self) -> list[Line]:
        """Return the value's."""
        return [Line(self.family.name)]


class CounterCells(_Value):
    """A counter."""

    def lines(self) -> list[Line]:
        """Return the total's."""
        return [Line(f"{self.family.name}_total")]

    def exemplars(self, child: Counter) -> Iterable[tuple[int, Exemplar]]:
        """Return the exemplar of the last increment that had one."""
        exemplar = child.exemplar
        return ((0, exemplar),) if exemplar else ()


class _Observed(Cells):
    one_line = False

    def _observed(self, cells: bytes) -> tuple[list[list[int]], Column]:
        """Return the cumulative counts, each a column, and the sums."""
        width, counts = self.width, self.width - SUMS - 1
        every = memoryview(cells).cast("q").tolist()
        columns = [every[::width]]
        for index in range(1, counts):
            columns.append([*map(add, columns[-1], every[index::width])])
        floats = memoryview(cells).cast("d")
        even, odd = floats[counts::width].tolist(), floats[counts + 1 :: width].tolist()
        # Which of the two sums is valid: see `observed`.
        return columns, texts([sums[count & 1] for count, *sums in zip(columns[-1], even, odd, strict=True)])


class SummaryCells(_Observed):
    """A summary."""

    def lines(self) -> list[Line]:
        """Return those of count and sum."""
        return [Line(f"{self.family.name}_count"), Line(f"{self.family.name}_sum")]

    def columns(self, cells: bytes) -> list[Column]:
        """Return counts and sums."""
        (counts,), sums = self._observed(cells)
        return [[*map(repr, counts)], sums]


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

    def columns(self, cells: bytes) -> list[Column]:
        """Return the cumulative buckets, counts and sums."""
        counts, sums = self._observed(cells)
        columns = [[*map(repr, column)] for column in counts]
        return [*columns, [*columns[-1]], sums]

    def exemplars(self, child: Histogram) -> Iterable[tuple[int, Exemplar]]:
        """Return the exemplars of the buckets."""
        return tuple(child.exemplars.items())


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
