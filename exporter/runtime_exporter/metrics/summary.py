"""Summary: count and sum of observations, without quantiles (as in prometheus_client)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.cells import FREE_THREADED
from runtime_exporter.metrics.collected import Point
from runtime_exporter.metrics.contexts import Timer
from runtime_exporter.metrics.created import created_enabled
from runtime_exporter.metrics.observed import Observed, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runtime_exporter.metrics.peer_attributes import Number

_READ: Final = reading(1)


class Summary(Observed):
    """Adds up observations: one count."""

    __slots__ = ()
    _type = "summary"
    _reserved = ("quantile",)

    def _counts(self) -> int:
        return 1

    def _reading(self) -> Callable[..., tuple[Any, ...]]:
        return _READ

    def observe(self, amount: float) -> None:
        """Count `amount`."""
        if FREE_THREADED:
            with self._family.lock:
                self._commit(0, amount)
        else:
            to, valid, floats = self._to, self._from, self._floats
            floats[to] = floats[valid] + amount
            self._ints[self._at] += 1
            self._from, self._to = to, valid

    def time(self) -> Timer:
        """Observe the seconds that a block or a function took: context manager and decorator."""
        return Timer(self, "observe")

    @property
    def _count(self) -> Number:
        return self._number_of(0)

    def points(self) -> Iterator[Point]:
        """Yield count and sum, and when the series began if that is asked for."""
        (count,), total = self.snapshot()
        yield Point("_count", {}, float(count))
        yield Point("_sum", {}, total)
        if created_enabled():
            yield Point("_created", {}, self.created)
