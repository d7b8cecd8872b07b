"""Labels whose values come from the application: a hard cap, sticky membership, and one word for the rest."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Final

from runtime_exporter import forks
from runtime_exporter.metrics.cells import FREE_THREADED

LONGEST_VALUE: Final = 200
"""Characters of a label value; a longer one is cut, since it is text that somebody else chose."""


class _Locked:
    """Held, where there is no GIL, while a value is admitted or folded: one for all, which a fork makes anew."""

    lock = threading.RLock()

    @classmethod
    def after_fork_in_child(cls) -> None:
        cls.lock = threading.RLock()


forks.after_in_child(_Locked.after_fork_in_child)


class BoundedLabel:
    """The first `limit` values are themselves for good; every later one is folded into `other`, and counted.

    Sticky, because a series that comes and goes breaks `rate()`. `other` itself takes no place.
    """

    __slots__ = ("_members", "folded", "limit", "other")

    def __init__(self, limit: int, other: str = "other") -> None:
        if limit < 0:
            raise ValueError(f"limit must not be negative: {limit}")
        self.limit = limit
        self.other = other
        self.folded = 0
        self._members: dict[str, str] = {}

    def fold(self, value: str) -> str:
        """Return the value to use as the label."""
        member = self._members.get(value)
        if member is not None:
            return member
        with _Locked.lock if FREE_THREADED else nullcontext():
            return self._admitted_or_other(value)

    def _admitted_or_other(self, value: str) -> str:
        value = value[:LONGEST_VALUE]
        if value == self.other:
            return value
        # Two threads may pass the test of the size together and leave one member too many each: hence the test first
        # and the removal after, which keeps the bound without a lock where there is a GIL.
        if value in self._members or len(self._members) < self.limit:
            self._members.setdefault(value, value)
            if len(self._members) <= self.limit:
                return value
            self._members.pop(value, None)
        self.folded += 1
        return self.other

    @property
    def members(self) -> frozenset[str]:
        """The values that stand for themselves."""
        return frozenset(self._members)
