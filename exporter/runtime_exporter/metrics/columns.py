"""What the cells of a block say, line by line: a column of values as text for each line that a child has."""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.counter import Counter
from runtime_exporter.metrics.family import format_float
from runtime_exporter.metrics.gauge import Gauge
from runtime_exporter.metrics.histogram import Histogram
from runtime_exporter.metrics.observed import SUMS
from runtime_exporter.metrics.rows import Line
from runtime_exporter.metrics.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.metric import Metric

Column = list[str]


@dataclass(frozen=True)
class Kind:
    """How a type of metrics is written from its cells."""

    lines: Callable[[Any], list[Line]]
    """The lines of each child, without that of its creation."""
    columns: Callable[[Any, bytes], list[Column]]
    """The values of those lines, from the cells of some children."""
    exemplars: Callable[[Any], Iterable[tuple[int, Exemplar]]] = lambda _: ()
    """The exemplars of a child, each with the place of its line."""
    created: bool = True
    """Whether the last cell of a child is the time of its creation."""


def texts(values: Sequence[float]) -> Column:
    """Return numbers as both formats want them."""
    total = sum(values)
    if total - total:  # not zero: inf or nan is among them, or the sum overflows
        return [*map(format_float, values)]
    return [*map(repr, values)]


def created_column(metric: Metric, cells: bytes) -> Column:
    """Return when each child began."""
    width = metric._cells()  # noqa: SLF001 - the writer is the other half of the metrics
    return texts(memoryview(cells).cast("d")[width - 1 :: width].tolist())


def first_cells(metric: Metric, cells: bytes) -> bytes:
    """Return the first cell of each child: the value of a counter or a gauge."""
    width = metric._cells()  # noqa: SLF001
    return cells if width == 1 else memoryview(cells).cast("d")[::width].tobytes()


def _value_columns(metric: Metric, cells: bytes) -> list[Column]:
    return [texts(memoryview(first_cells(metric, cells)).cast("d").tolist())]


def _counter_exemplars(child: Counter) -> Iterable[tuple[int, Exemplar]]:
    exemplar = child.exemplar
    return ((0, exemplar),) if exemplar else ()


def _observed(metric: Histogram | Summary, cells: bytes) -> tuple[list[list[int]], list[float]]:
    """Return the cumulative counts, each a column, and the sums."""
    width = metric._cells()  # noqa: SLF001
    counts = width - SUMS - 1
    every = memoryview(cells).cast("q").tolist()
    columns = [every[::width]]
    for index in range(1, counts):
        columns.append([*map(add, columns[-1], every[index::width])])
    floats = memoryview(cells).cast("d")
    even, odd = floats[counts::width].tolist(), floats[counts + 1 :: width].tolist()
    # Which of the two sums is valid: see `observed`.
    return columns, [sums[count & 1] for count, *sums in zip(columns[-1], even, odd, strict=True)]


def _histogram_lines(metric: Histogram) -> list[Line]:
    name = metric.family.name
    lines = [Line(f"{name}_bucket", f'le="{le}"') for le in metric.le]
    lines.append(Line(f"{name}_count"))
    if metric.has_sum:
        lines.append(Line(f"{name}_sum"))
    return lines


def _histogram_columns(metric: Histogram, cells: bytes) -> list[Column]:
    counts, sums = _observed(metric, cells)
    columns = [[*map(repr, column)] for column in counts]
    columns.append([*columns[-1]])
    if metric.has_sum:
        columns.append(texts(sums))
    return columns


def _summary_columns(metric: Summary, cells: bytes) -> list[Column]:
    (count,), sums = _observed(metric, cells)
    return [[*map(repr, count)], texts(sums)]


_KINDS: Final[dict[type[Metric], Kind]] = {
    Counter: Kind(lambda metric: [Line(f"{metric.family.name}_total")], _value_columns, _counter_exemplars),
    Gauge: Kind(lambda metric: [Line(metric.family.name)], _value_columns, created=False),
    Histogram: Kind(_histogram_lines, _histogram_columns, lambda child: tuple(child.exemplars.items())),
    Summary: Kind(
        lambda metric: [Line(f"{metric.family.name}_count"), Line(f"{metric.family.name}_sum")], _summary_columns
    ),
}


def kind_of(metric: Metric) -> Kind | None:
    """Return how a metric is written from its cells; None where they do not say all that its samples do."""
    return next((kind for base, kind in _KINDS.items() if isinstance(metric, base)), None)
