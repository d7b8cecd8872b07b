"""Series of several sources put together all at once: everything that is done for each cell is done in C."""

from __future__ import annotations

from operator import add, itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.cells import CellStore, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runtime_exporter.metrics.metric import Metric
    from runtime_exporter.metrics.workers.source import Source

_NONE: Final = -1
"""Where a source has no such cell: the last of its values, behind which stands what changes nothing."""

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


class Shape:
    """The series that have the same cells and become one in the same way, whatever their families."""

    def __init__(self, codes: str, counts: int, how: str) -> None:
        self.rows = Rows(len(codes))
        self._codes = codes
        self._counts = counts
        self._how = how
        self._layers: dict[Source, list[list[int]]] = {}
        """For each source, for each cell of `rows` which of its cells. A second layer where it has a series twice."""
        self._picks: dict[Source, list[Callable[[Any], Any]]] = {}
        self._size = 0
        self._created: list[float] = []

    def place(self, child: Metric, source: Source, cell: int) -> None:
        """Let the cells of a source from `cell` on go into the child."""
        width = self.rows.width
        segment, at = child.cells
        place = (self._base(segment) + at) // width * width
        self._size = max(self._size, place + width)
        for layer in self._layers.setdefault(source, [[]]):
            if place >= len(layer) or layer[place] == _NONE:
                break
        else:
            layer = []
            self._layers[source].append(layer)
        layer.extend([_NONE] * (self._size - len(layer)))
        layer[place : place + width] = range(cell, cell + width)
        self._picks.pop(source, None)

    def put_together(self) -> None:
        """Write what all sources have now into the cells of the children."""
        flats = [flat for source in self._layers for flat in self._flats(source)]
        if not flats:
            return
        if self._how == "mostrecent":
            whole = _latest(flats)
        else:
            whole = _one(_ORDERS[self._how][0], flats)
            if len(self._codes) > 1:
                width = self.rows.width
                columns = [flat[width - 1 :: width] for flat in flats]
                whole[width - 1 :: width] = [
                    min(filter(None, times), default=0.0) for times in zip(*columns, strict=True)
                ]
        self._write(whole)

    def _flats(self, source: Source) -> list[list[Any]]:
        neutral = _ORDERS[self._how][1] if self._how in _ORDERS else float("-inf")
        values = (*source.values, neutral)
        picks = self._picks.get(source)
        if picks is None:
            for layer in self._layers[source]:
                layer.extend([_NONE] * (self._size - len(layer)))
            # One more than there are: an itemgetter of a single index would not return a tuple.
            picks = self._picks[source] = [itemgetter(*layer, _NONE) for layer in self._layers[source]]
        return [self._valid([*pick(values)][:-1]) for pick in picks]

    def _valid(self, flat: list[Any]) -> list[Any]:
        """Put the sum that is valid into both places."""
        if not self._counts:
            return flat
        width, first = self.rows.width, self._counts
        totals = map(sum, zip(*(flat[column::width] for column in range(first)), strict=True))
        sums = [
            odd if total & 1 else even
            for total, even, odd in zip(totals, flat[first::width], flat[first + 1 :: width], strict=True)
        ]
        flat[first::width] = flat[first + 1 :: width] = sums
        return flat

    def _base(self, segment: Segment) -> int:
        """Return where a segment begins among the whole rows of all."""
        width = self.rows.width
        return sum(one.size // width * width for one in self.rows.segments[: self.rows.segments.index(segment)])

    def _write(self, whole: Sequence[Any]) -> None:
        width = self.rows.width
        at = 0
        for segment in self.rows.segments:
            part = whole[at : at + segment.size // width * width]
            if part:
                Struct(self._codes * (len(part) // width)).pack_into(segment.buffer, 0, *part)
            at += len(part)


def _one(join: Callable[[Any, Any], Any], flats: Sequence[Iterable[Any]]) -> list[Any]:
    first, *others = flats
    for other in others:
        first = map(join, first, other)
    return [*first]


def _latest(flats: list[list[Any]]) -> list[Any]:
    """Return of each series the value that was set last, and when."""
    whole: list[Any] = []
    pairs = [[*zip(flat[1::2], flat[::2], strict=True)] for flat in flats]
    for when, value in map(max, zip(*pairs, strict=True)):
        whole += (value, when)
    return whole
