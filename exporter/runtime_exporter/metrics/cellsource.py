"""Our own families as the exposition takes them: what their cells say, line by line."""

# ruff: noqa: SLF001 - the exposition is the other half of the metrics

from __future__ import annotations

from contextlib import nullcontext
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
    from collections.abc import Iterable
    from mmap import mmap

    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.family import Family

BLOCK_CELLS: Final = 1024
"""Cells of a block. Measured: from a quarter of it to four times as many a scrape takes the same within a tenth."""

_NO_LOCK: Final = nullcontext()


class _Run(NamedTuple):
    """Bytes of children that lie side by side."""

    buffer: mmap
    begin: int
    end: int


class CellBlock(Block):
    """Children of ours, and where their cells are."""

    __slots__ = ("runs",)

    def __init__(self, metric: Metric, children: list[Any], *, one_line: bool) -> None:

        values = [child._labels for child in children]
        super().__init__(children, label_columns(metric.family.labelnames, values, one_line=one_line))
        self.runs: list[_Run] = []
        size = metric._cells() * CELL_BYTES
        for child in children:
            begin, buffer = child._at * CELL_BYTES, child._ints.obj
            last = self.runs[-1] if self.runs else None
            if last and last.end == begin and last.buffer is buffer:
                self.runs[-1] = _Run(buffer, last.begin, begin + size)
            else:
                self.runs.append(_Run(buffer, begin, begin + size))


class Cells(Source):
    """A family of ours. The numbers of a block are a copy of its cells."""

    family: Family
    lines: list[Line]

    def __init__(self, metric: Metric) -> None:
        self.family = metric.family
        self.created = created_enabled()
        self._metric = metric
        self._width = metric._cells()

    def blocks(self) -> list[CellBlock]:
        """Return the children as they are now."""
        family = self.family
        size = max(1, BLOCK_CELLS // self._width)
        one_line = len(self.lines) == 1
        family.blocks = renewed(
            family.blocks,
            list(family.children.values()),
            size,
            lambda children: CellBlock(self._metric, children, one_line=one_line),
        )
        return family.blocks

    def read(self, block: CellBlock) -> bytes:
        """Return the cells of all children, one behind the other, as they are at one moment."""
        # A copy in one call: no other thread of ours comes between a count and its sum.
        with self.family.lock if FREE_THREADED else _NO_LOCK:
            return b"".join([buffer[begin:end] for buffer, begin, end in block.runs])

    def exemplified(self) -> bool:
        """Return whether a child has or had an exemplar."""
        return self.family.exemplified

    def created_column(self, cells: bytes) -> Column:
        """Return when each child began: its last cell."""
        return texts(memoryview(cells).cast("d")[self._width - 1 :: self._width].tolist())


class _Value(Cells):
    def values(self, cells: bytes) -> bytes:
        """Return the first cell of each child."""
        return cells if self._width == 1 else memoryview(cells).cast("d")[:: self._width].tobytes()

    def columns(self, cells: bytes) -> list[Column]:
        """Return the values."""
        return [texts(memoryview(cells).cast("d")[:: self._width].tolist())]


class GaugeCells(_Value):
    """A gauge."""

    def __init__(self, metric: Gauge) -> None:
        super().__init__(metric)
        self.lines = [Line(metric.family.name)]
        self.created = False


class CounterCells(_Value):
    """A counter."""

    def __init__(self, metric: Counter) -> None:
        super().__init__(metric)
        self.lines = [Line(f"{metric.family.name}_total")]

    def exemplars(self, child: Counter) -> Iterable[tuple[int, Exemplar]]:
        """Return the exemplar of the last increment that had one."""
        exemplar = child.exemplar
        return ((0, exemplar),) if exemplar else ()


class _Observed(Cells):
    def _observed(self, cells: bytes) -> tuple[list[list[int]], Column]:
        """Return the cumulative counts, each a column, and the sums."""
        width, counts = self._width, self._width - SUMS - 1
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

    def __init__(self, metric: Summary) -> None:
        super().__init__(metric)
        self.lines = [Line(f"{metric.family.name}_count"), Line(f"{metric.family.name}_sum")]

    def columns(self, cells: bytes) -> list[Column]:
        """Return counts and sums."""
        (counts,), sums = self._observed(cells)
        return [[*map(repr, counts)], sums]


class HistogramCells(_Observed):
    """A histogram."""

    def __init__(self, metric: Histogram) -> None:
        super().__init__(metric)
        name = metric.family.name
        self.lines = [Line(f"{name}_bucket", f'le="{le}"') for le in metric.le]
        self.lines.append(Line(f"{name}_count"))
        if metric.has_sum:
            self.lines.append(Line(f"{name}_sum"))

    def columns(self, cells: bytes) -> list[Column]:
        """Return the cumulative buckets, counts and sums."""
        counts, sums = self._observed(cells)
        columns = [[*map(repr, column)] for column in counts]
        columns.append([*columns[-1]])
        return [*columns, sums][: len(self.lines)]

    def exemplars(self, child: Histogram) -> Iterable[tuple[int, Exemplar]]:
        """Return the exemplars of the buckets."""
        return tuple(child.exemplars.items())


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
    return next((source(metric) for base, source in _SOURCES.items() if isinstance(metric, base)), None)
