"""Histogram: observations counted in buckets."""

from __future__ import annotations

import time
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import REGISTRY
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from runtime_exporter.metrics.cells import FREE_THREADED, STORE
from runtime_exporter.metrics.collected import Point
from runtime_exporter.metrics.contexts import Timer
from runtime_exporter.metrics.created import created_enabled
from runtime_exporter.metrics.family import validate_exemplar
from runtime_exporter.metrics.observed import Observed, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client import CollectorRegistry

    from runtime_exporter.metrics.cells import CellStore
    from runtime_exporter.metrics.peer_attributes import Number

INF: Final = float("inf")


class Histogram(Observed):
    """Counts observations by size: one count for each bucket, not cumulative.

    The count of all is derived, so that it can never disagree with the buckets.
    """

    __slots__ = ("_bounds", "_exemplars", "_first", "_last", "_read", "le")
    _type = "histogram"
    _reserved = ("le",)
    DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, INF)

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: CollectorRegistry | None = REGISTRY,
        buckets: Sequence[float | str] = DEFAULT_BUCKETS,
        *,
        per_worker: bool = False,
        store: CellStore = STORE,
    ) -> None:
        bounds = [float(bound) for bound in buckets]
        if bounds != sorted(set(bounds)):
            raise ValueError("Buckets not in sorted order")
        if bounds and bounds[-1] != INF:
            bounds.append(INF)
        if len(bounds) < 2:  # noqa: PLR2004 - +Inf and one more
            raise ValueError("Must have at least two buckets")
        # The search runs over the finite bounds: what is above them all falls on the index of +Inf by itself.
        self._bounds = bounds[:-1]
        self._first = bounds[0]
        self._last = len(bounds) - 1
        self._read = reading(len(bounds))
        # The same text as prometheus_client's: a series must not change its name with the library.
        self.le = tuple(floatToGoString(bound) for bound in bounds)  # type: ignore[no-untyped-call]
        super().__init__(
            *(name, documentation, labelnames, namespace, subsystem, unit, registry),
            per_worker=per_worker,
            store=store,
        )

    def _configure(self) -> None:
        super()._configure()
        self._family.detail = self.le

    def _copy_configuration(self, child: Histogram) -> None:
        child._bounds = self._bounds
        child._first = self._first
        child._last = self._last
        child._read = self._read
        child.le = self.le

    def _counts(self) -> int:
        return self._last + 1

    def _reading(self) -> Callable[..., tuple[Any, ...]]:
        return self._read

    def _reset(self) -> None:
        self._exemplars: dict[int, Exemplar] | None = None
        super()._reset()

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count `amount`. NaN falls into +Inf, as with Go's client."""
        bucket = self.tally(amount)
        if exemplar:
            self.exemplify(bucket, amount, exemplar)

    def tally(self, amount: float) -> int:
        """Count `amount` and return the index of its bucket: `observe` for who gives exemplars afterwards, if at all."""
        # Most of what is observed lies in the first bucket, at least of durations: found without a call.
        if amount <= self._first:
            bucket = 0
        elif amount != amount:  # noqa: PLR0124 - NaN, without a call
            bucket = self._last
        else:
            bucket = bisect_left(self._bounds, amount)
        if FREE_THREADED:
            with self._family.lock:
                self._commit(bucket, amount)
        else:
            # As `_count`, written out: a call would let other threads in, and cost.
            to, valid, floats = self._to, self._from, self._floats
            floats[to] = floats[valid] + amount
            self._ints[self._at + bucket] += 1
            self._from, self._to = to, valid
        return bucket

    def exemplify(self, bucket: int, amount: float, exemplar: dict[str, str]) -> None:
        """Make `exemplar` that of the bucket, in which `amount` was counted. Raises ValueError for labels that are none."""
        validate_exemplar(exemplar)
        if self._exemplars is None:
            self._exemplars = {}
        self._exemplars[bucket] = Exemplar(exemplar, amount, time.time())
        self._family.exemplified = True

    def time(self) -> Timer:
        """Observe the seconds that a block or a function took: context manager and decorator."""
        return Timer(self, "observe")

    def counts(self) -> list[int]:
        """Return the cumulative counts, in the order of the bounds; the last is the count of all."""
        return [*accumulate(self.snapshot()[0])]

    @property
    def bounds(self) -> tuple[float, ...]:
        """Upper bounds of the buckets, +Inf among them."""
        return (*self._bounds, INF)

    @property
    def _upper_bounds(self) -> list[float]:
        return [*self.bounds]

    @property
    def _buckets(self) -> list[Number]:
        return [self._number_of(index) for index in range(self._last + 1)]

    @property
    def has_sum(self) -> bool:
        """Whether a sum is exposed: with negative buckets it could go down, which OpenMetrics forbids."""
        return self._bounds[0] >= 0

    @property
    def exemplars(self) -> dict[int, Exemplar]:
        """The last exemplar of each bucket that has one, by the bucket's index."""
        return self._exemplars or {}

    def points(self) -> Iterator[Point]:
        """Yield cumulative buckets, count and sum, and when the series began if that is asked for."""
        each, total = self.snapshot()
        counts = [*accumulate(each)]
        exemplars = self.exemplars
        for index, (le, count) in enumerate(zip(self.le, counts, strict=True)):
            yield Point("_bucket", {"le": le}, float(count), exemplars.get(index))
        yield Point("_count", {}, float(counts[-1]))
        if self.has_sum:
            yield Point("_sum", {}, total)
        if created_enabled():
            yield Point("_created", {}, self.created)
