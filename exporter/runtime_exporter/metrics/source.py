"""What the exposition asks of a family that it writes many lines at a time, wherever its values are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from itertools import accumulate, pairwise
from math import trunc
from operator import add
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from runtime_exporter.metrics.family import format_float

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.blocks import Block
    from runtime_exporter.metrics.kept import Kept

Column = list[str]
"""The values of one line, child by child, as text."""


class Line(NamedTuple):
    """One sample that each child of a family has: its name, and the label that is its own (`le="0.1"`), if any."""

    name: str
    own: str = ""


class Described(Protocol):
    """What stands over the samples of a family."""

    name: str
    type: str
    documentation: str
    unit: str
    labelnames: tuple[str, ...]


class Source(ABC):
    """A family: its lines, and its values block by block."""

    family: Described
    kept: Kept
    size: int
    """Bytes of what is read of a child."""
    one_line: bool
    """Whether a child has one line, apart from that of its creation."""
    begins = True
    """Whether its children say when they began."""
    created: bool
    """Whether that is exposed."""

    @abstractmethod
    def lines(self) -> list[Line]:
        """Return the lines of each child, without that of its creation."""

    @abstractmethod
    def exemplified(self) -> bool:
        """Return whether a child may have exemplars."""

    @abstractmethod
    def blocks(self) -> Sequence[Block]:
        """Return the children as they are now."""

    @abstractmethod
    def read(self, block: Any) -> bytes:
        """Return the numbers of a block as they are at one moment, child by child: where none changed, the same bytes."""

    @abstractmethod
    def columns(self, numbers: bytes) -> list[Column]:
        """Return what the lines say of some children that were read, and at last when each began if that is exposed."""

    def whole(self, numbers: bytes) -> Sequence[int]:  # noqa: ARG002 - for those that have one line and a label
        """Return the values of children that have one line each if all are whole numbers; else, or if unsure, none."""
        return ()

    def exemplars(self, child: Any) -> Iterable[tuple[int, Exemplar]]:  # noqa: ARG002 - for those that have some
        """Return the exemplars of a child, each with the place of its line."""
        return ()


def doubles(numbers: bytes) -> array[float]:
    """Return bytes as numbers. Not as a view, whose items take twice as long to read."""
    return array("d", numbers)


SHORT: Final = 1e16
"""From here on the text of a number has an exponent."""


def whole_numbers(numbers: bytes) -> Sequence[int]:
    """Return values of which none is negative, if all are whole numbers that are written without an exponent; else none."""
    cells = doubles(numbers)
    if not cells[0].is_integer():  # as a rule it is seen of the first
        return ()
    values = cells.tolist()
    return [*map(trunc, values)] if all(map(float.is_integer, values)) and sum(values) < SHORT else ()


def texts(values: Sequence[float]) -> Column:
    """Return numbers as both formats want them."""
    total = sum(values)
    if total - total:  # not zero: inf or nan is among them, or the sum overflows
        return [*map(format_float, values)]
    return [*map(repr, values)]


def cumulated(buckets: Iterable[list[Any]]) -> list[list[Any]]:
    """Return what is in each bucket and those before it, child by child. Where a bucket is empty it is the very list before it."""
    return [*accumulate(buckets, _with)]


def _with(before: list[Any], bucket: list[Any]) -> list[Any]:
    return [*map(add, before, bucket)] if any(bucket) else before


def bucket_texts(counts: Sequence[list[Any]], written: Callable[[list[Any]], Column]) -> list[Column]:
    """Return `cumulated` buckets as text, and behind them the count. Most histograms have many empty buckets."""
    columns = [written(counts[0])]
    for before, column in pairwise(counts):
        # A copy, not the same: exemplars are written behind some.
        columns.append([*columns[-1]] if column is before else written(column))
    return [*columns, [*columns[-1]]]
