"""Summary: count and sum of observations, without quantiles (as in prometheus_client)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runtime_exporter.metrics.cells import FREE_THREADED
from runtime_exporter.metrics.contexts import Timer
from runtime_exporter.metrics.metric import Metric, Point, created_enabled

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNT, _SUM, _CREATED = 0, 1, 2


class Summary(Metric):
    """Adds up observations. Cells of a child: count (an integer), sum, time of creation."""

    __slots__ = ()
    _type = "summary"
    _reserved = ("quantile",)

    def _cells(self) -> int:
        return 3

    def _reset(self) -> None:
        self._floats[self._at + _CREATED] = time.time()

    def observe(self, amount: float) -> None:
        """Count `amount`."""
        if FREE_THREADED:
            with self._family.lock:
                self._ints[self._at + _COUNT] += 1
                self._floats[self._at + _SUM] += amount
        else:
            self._ints[self._at + _COUNT] += 1
            self._floats[self._at + _SUM] += amount

    def time(self) -> Timer:
        """Observe the seconds that a block or a function took: context manager and decorator."""
        return Timer(self, "observe")

    @property
    def created(self) -> float:
        """When this series began, Unix seconds."""
        return float(self._floats[self._at + _CREATED])

    def points(self) -> Iterator[Point]:
        """Yield count and sum, and when the series began if that is asked for."""
        yield Point("_count", {}, float(self._ints[self._at + _COUNT]))
        yield Point("_sum", {}, self._floats[self._at + _SUM])
        if created_enabled():
            yield Point("_created", {}, self.created)
