"""What histograms and summaries share: counts of observations and their sum, changed by one store at a time.

Another process may read the cells at any moment, and this one may be killed at any moment; neither may see an
observation that is counted but not added up. There are two cells for the sum. An observation writes the new sum into
the one that is not valid and then raises one count, which is the commit: the sum is valid in the first cell while the
count of all observations is even, and in the second while it is odd.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.cells import CELL_BYTES, FREE_THREADED
from runtime_exporter.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.metrics.peer_attributes import Number

SUMS: Final = 2
"""Cells of a sum."""

_NO_LOCK: Final = nullcontext()


def reading(counts: int) -> Callable[..., tuple[Any, ...]]:
    """Return what reads so many counts and both sums in one call, between which no other thread of ours comes."""
    return Struct(f"{counts}q{SUMS}d").unpack_from


class Observed(Metric):
    """Counts observations. Cells of a child: the counts as integers, two sums, the time of creation.

    `_from` is the cell of the valid sum and `_to` that of the next one.
    """

    __slots__ = ("_from", "_ints", "_to")

    def _counts(self) -> int:
        """Return how many counts a child has."""
        raise NotImplementedError

    def _reading(self) -> Callable[..., tuple[Any, ...]]:
        """Return what `reading` gives for them."""
        raise NotImplementedError

    def _cells(self) -> int:
        return self._counts() + SUMS + 1

    def _configure(self) -> None:
        self._ints: Any = self._floats
        self._from = self._to = 0  # a metric with labels has no cells, and says so where they are used

    def _reset(self) -> None:
        self._ints = super()._ints
        self.begin()
        self._floats[self._at + self._counts() + SUMS] = time.time()

    def begin(self) -> None:
        """Find the valid sum by the counts: after the cells were cleared or filled."""
        first = self._at + self._counts()
        *counts, _, _ = self._reading()(self._ints.obj, self._at * CELL_BYTES)
        odd = sum(counts) & 1
        self._from, self._to = (first + 1, first) if odd else (first, first + 1)

    def snapshot(self) -> tuple[list[int], float]:
        """Return the counts, not cumulative, and the sum, which belong together."""
        read = self._reading()
        with self._family.lock if FREE_THREADED else _NO_LOCK:
            *counts, even, odd = read(self._ints.obj, self._at * CELL_BYTES)
        return counts, odd if sum(counts) & 1 else even

    def _commit(self, count: int, amount: float) -> None:
        to, valid = self._to, self._from
        self._floats[to] = self._floats[valid] + amount
        self._ints[self._at + count] += 1
        self._from, self._to = to, valid

    @property
    def sum(self) -> float:
        """The sum of all observations."""
        return self.snapshot()[1]

    @property
    def created(self) -> float:
        """When this series began, Unix seconds."""
        return float(self._floats[self._at + self._counts() + SUMS])

    @property
    def _created(self) -> float:
        return self.created

    @property
    def _sum(self) -> Number:
        def write(total: float) -> None:
            self._floats[self._from] = total

        return self._number(lambda: self.sum, write)

    def _number_of(self, count: int) -> Number:
        def write(value: float) -> None:
            total = self.sum
            self._ints[self._at + count] = int(value)
            self.begin()
            self._floats[self._from] = total

        return self._number(lambda: float(self._ints[self._at + count]), write)
