"""Series of several sources put together all at once: everything that is done for each cell is done in C."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import chain, pairwise
from operator import add, itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.cells import FREE_THREADED, CellStore, Segment
from runtime_exporter.metrics.created import created_enabled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runtime_exporter.metrics.metric import Metric
    from runtime_exporter.metrics.workers.source import Source


_SIDE_BY_SIDE: Final = 12
"""From so many cells in a row on it is faster to take slices than each cell."""

_ORDERS: Final[dict[str, tuple[Callable[[Any, Any], Any], float]]] = {
    "sum": (add, 0),
    "max": (max, float("-inf")),
    "min": (min, float("inf")),
}
"""For each way what makes one number of two, and the number that changes none."""


class Rows(CellStore):
    """Cells of series of one width, side by side, and nothing between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self._states = CellStore()

    def allocate_state(self) -> tuple[Segment, int]:
        """Return a cell for the state of a family, which is not a series."""
        return self._states.allocate(1)

    def release(self, segment: Segment, at: int, count: int) -> None:
        """Take cells back."""
        if segment in self.segments:
            super().release(segment, at, count)


class Layer:
    """Which cells of a source go into which rows: one after the other from row to row, some of them none."""

    def __init__(self, begin: int, width: int) -> None:
        self.begin = begin
        self._none = [*range(-width, 0)]
        """A row that the source does not have: behind its values stand as many that change nothing."""
        self.cells: list[int] = []
        self.pick: Any = None
        """What takes the cells, made when it is needed."""
        self.part: Any = None
        """What was taken last, for who finds that nothing has changed since."""

    def free(self, place: int) -> bool:
        """Return whether nothing goes into this row yet."""
        at = place - self.begin
        return at >= len(self.cells) or (at >= 0 and self.cells[at] < 0)

    def put(self, place: int, cells: range) -> None:
        """Let cells go into a row."""
        at = place - self.begin
        self.cells += self._none * ((at + len(cells) - len(self.cells)) // len(cells))
        self.cells[at : at + len(cells)] = cells
        self.pick = self.part = None


class Shape:
    """The series that have the same cells and become one in the same way, whatever their families."""

    def __init__(self, codes: str, how: str) -> None:
        self.rows = Rows(len(codes))
        self.codes = codes
        self._how = how
        self._layers: dict[Source, list[Layer]] = {}
        """Of each source. More than one where it has a series twice, or one that comes before those it had."""

    def place(self, child: Metric, source: Source, cell: int) -> None:
        """Let the cells of a source from `cell` on go into the child."""
        width = self.rows.width
        segment, at = child.cells
        place = self._base(segment) + at
        layers = self._layers.setdefault(source, [])
        layer = next((layer for layer in layers if layer.free(place)), None)
        if layer is None:
            layer = Layer(place, width)
            layers.append(layer)
        layer.put(place, range(cell, cell + width))

    def put_together(self) -> None:
        """Write what all sources have now into the cells of the children."""
        parts = sorted(self._flats(), key=itemgetter(0))
        if self._how == "mostrecent":
            whole = _latest(parts)
        else:
            whole = one(*_ORDERS[self._how], parts)
            if created_enabled() and len(self.codes) > 1:
                width = self.rows.width
                whole[width - 1 :: width] = oldest([(at // width, flat[width - 1 :: width]) for at, flat in parts])
        self._write(whole)

    def _flats(self) -> Iterator[tuple[int, list[Any]]]:
        _, neutral = _ORDERS.get(self._how, _ORDERS["max"])
        for source, layers in self._layers.items():
            values = source.values + (neutral,) * self.rows.width
            for layer in layers:
                layer.pick = layer.pick or _picking(layer.cells)
                yield layer.begin, layer.pick(values)

    def _base(self, segment: Segment) -> int:
        """Return where a segment begins among the whole rows of all."""
        width = self.rows.width
        return sum(one.size // width * width for one in self.rows.segments[: self.rows.segments.index(segment)])

    def _write(self, whole: Sequence[Any]) -> None:
        # An exposition that another thread writes reads these cells: where there is no GIL, under the families' locks.
        with self.rows.still() if FREE_THREADED else nullcontext():
            self._write_rows(whole)

    def _write_rows(self, whole: Any) -> None:
        width = self.rows.width
        at = 0
        for segment in self.rows.segments:
            part = whole[at : at + segment.size // width * width]
            if part:
                Struct(self.codes * (len(part) // width)).pack_into(segment.buffer, 0, *part)
            at += len(part)


def _picking(cells: list[int]) -> Callable[[Sequence[Any]], list[Any]]:
    """Return what takes these cells of a source: slice by slice where most of them lie side by side."""
    starts = [at for at, (before, cell) in enumerate(pairwise(cells), 1) if cell != before + 1 or not cell]
    if len(starts) * _SIDE_BY_SIDE > len(cells):
        # One more than there are: an itemgetter of a single index would not return a tuple.
        pick = itemgetter(*cells, -1)
        return lambda values: [*pick(values)][:-1]
    slices = [
        slice(cells[begin], (cells[begin] + end - begin) or None) for begin, end in pairwise([0, *starts, len(cells)])
    ]
    return lambda values: [*chain.from_iterable(map(values.__getitem__, slices))]


def one(join: Callable[[Any, Any], Any], neutral: float, parts: Sequence[tuple[int, list[Any]]]) -> list[Any]:
    """Return the rows of all; each part begins where it says, and they are sorted by that."""
    whole: list[Any] = []
    for begin, flat in parts:
        whole.extend([neutral] * (begin - len(whole)))
        both = min(len(whole) - begin, len(flat))
        whole[begin : begin + both] = map(join, whole[begin : begin + both], flat)
        whole += flat[both:]
    return whole


def oldest(parts: Sequence[tuple[int, list[float]]]) -> list[float]:
    """Return when each row began: when the first of its series did."""
    found: list[float] = []
    for begin, flat in parts:
        for at, created in enumerate(flat, begin):
            found.extend([0.0] * (at + 1 - len(found)))
            found[at] = min(found[at] or created, created or found[at])
    return found


def _latest(parts: Sequence[tuple[int, list[Any]]]) -> list[Any]:
    """Return of each row the value that was set last, and when."""
    found: dict[int, tuple[float, float]] = {}
    for begin, flat in parts:
        for at, (value, when) in enumerate(zip(flat[::2], flat[1::2], strict=True), begin // 2):
            found[at] = max(found.get(at, (when, value)), (when, value))
    return [cell for at in range(max(found, default=-1) + 1) for cell in reversed(found.get(at, (0.0, 0.0)))]
