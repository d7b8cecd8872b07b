"""The past of profiles in little memory: an hour of it is a row of numbers beside names that all hours share."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import ItemsView, Mapping
from dataclasses import replace
from itertools import chain
from operator import is_
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.naming import OTHER
from runtime_exporter.profiling.tally import NOTHING, Sums, add

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runtime_exporter.profiling.tally import Tally

MOST_FUNCTIONS: Final = 500
"""Functions that are kept of an hour. What is tested has 1 % of the samples (regression.Limits.share), which hardly a hundred have;
with the windows' floor of 0.1 % a program of a thousand functions would fill eight days with 850 an hour."""


class Columns(Mapping[str, Sums]):
    """Sums by function: sorted names, and their numbers one after the other. 48 bytes a function, where a dict takes 370."""

    __slots__ = ("_names", "_numbers")

    def __init__(self, functions: Mapping[str, Sums]) -> None:
        names = sorted(functions)
        # The same functions run hour after hour, and each window makes their names anew.
        self._names = tuple(map(sys.intern, names))
        self._numbers = array("d", chain.from_iterable(map(functions.__getitem__, names)))

    def __getitem__(self, name: str) -> Sums:
        place = bisect_left(self._names, name)
        if place == len(self._names) or self._names[place] != name:
            raise KeyError(name)
        width = len(NOTHING)
        return Sums._make(self._numbers[place * width : (place + 1) * width])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> ItemsView[str, Sums]:
        """Return names with their sums, all of which are wanted where hours are added."""
        return _Items(self)

    def rows(self) -> Iterator[tuple[str, Sums]]:
        """Yield each name with its sums."""
        numbers = iter(self._numbers)
        return zip(self._names, map(Sums._make, zip(*[numbers] * len(NOTHING), strict=True)), strict=True)


class _Items(ItemsView[str, Sums]):
    """Goes through all of them at once, and does not search for each."""

    _mapping: Columns

    def __iter__(self) -> Iterator[tuple[str, Sums]]:
        return self._mapping.rows()


def condensed(tally: Tally, *, most: int = MOST_FUNCTIONS) -> Tally:
    """Return a tally that takes little memory and is not to be added to: of more functions than `most` those that weigh most.

    A function that had much of a few windows weighs more than one that had little of all: it is what looks like a rise. What the
    others did themselves is told as OTHER's, so that the leaves still add up.
    """
    functions = tally.functions
    if isinstance(functions, Columns):
        return tally
    if len(functions) > most:
        heaviest = sorted(functions.items(), key=lambda item: -item[1].squares)
        other = functions.get(OTHER, NOTHING)
        left = other.leaf + sum(sums.leaf for name, sums in heaviest[most - 1 :] if name != OTHER)
        functions = {**dict(heaviest[: most - 1]), OTHER: other._replace(leaf=left)}
    return replace(tally, functions=Columns(functions))


class Total:
    """The sum of tallies, remembered: minute after minute it is asked of the same hours, which change every few minutes."""

    def __init__(self) -> None:
        self._of: tuple[Tally, ...] = ()
        self._sum: Tally | None = None

    def __call__(self, tallies: Sequence[Tally]) -> Tally:
        """Return the sum. Raises ValueError when there is none, or when the kinds differ."""
        same = len(tallies) == len(self._of) and all(map(is_, tallies, self._of))
        if self._sum is None or not same:
            found = add(tallies)
            self._of, self._sum = tuple(tallies), replace(found, functions=Columns(found.functions))
        return self._sum
