"""Counter: a total that only goes up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client.samples import Exemplar

from runtime_exporter.metrics.cells import FREE_THREADED
from runtime_exporter.metrics.collected import Point
from runtime_exporter.metrics.contexts import ExceptionCounter
from runtime_exporter.metrics.created import created_enabled
from runtime_exporter.metrics.family import validate_exemplar
from runtime_exporter.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runtime_exporter.metrics.peer_attributes import Number

_VALUE, _CREATED = 0, 1


class Counter(Metric):
    """Counts events or adds up amounts; `_total` is added to the name where it is missing.

    Cells of a child: value, time of creation.
    """

    __slots__ = ()
    _type = "counter"
    _modes = frozenset(("sum", "max"))  # max: a total that somebody else keeps, the same in every worker

    def _cells(self) -> int:
        return 2

    def _reset(self) -> None:
        self._family.exemplars.pop(self._labels or (), None)
        self._floats[self._at + _CREATED] = time.time()

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Add `amount`, which must not be negative (ValueError)."""
        if amount < 0:
            raise ValueError("Counters can only be incremented by non-negative amounts.")
        if FREE_THREADED:
            with self._family.lock:
                self._floats[self._at] += amount
        else:
            self._floats[self._at] += amount
        if exemplar:
            validate_exemplar(exemplar)
            self._exemplify(Exemplar(exemplar, amount, time.time()))

    def reset(self) -> None:
        """Start again at zero, where a logical process restarts within the real one."""
        self.set_total(0.0)
        self._floats[self._at + _CREATED] = time.time()

    def count_exceptions(
        self, exception: type[BaseException] | tuple[type[BaseException], ...] = Exception
    ) -> ExceptionCounter:
        """Count exceptions that leave a block or a function: context manager and decorator."""
        self._floats[self._at]  # says that labels are missing, now and not at the first exception
        return ExceptionCounter(self, exception)

    def set_total(self, value: float) -> None:
        """Take over a total that somebody else keeps (the kernel, the interpreter)."""
        if FREE_THREADED:
            with self._family.lock:  # or it comes between the read and the write of an `inc`, and is lost
                self._floats[self._at] = value
        else:
            self._floats[self._at] = value

    def set_function(self, function: Callable[[], float]) -> None:
        """Take the total from `function` at every scrape; it must never go down."""
        self._function = function
        self._family.computed = True

    def value(self) -> float:
        """Return the total now."""
        return float(self._function()) if self._function else self._floats[self._at]

    @property
    def _value(self) -> Number:
        return self._number(lambda: float(self._floats[self._at]), self.set_total)

    @property
    def _created(self) -> float:
        return self.created

    @property
    def exemplar(self) -> Exemplar | None:
        """The exemplar of the last increment that had one."""
        return self._family.exemplars.get(self._labels or ())

    def _exemplify(self, exemplar: Exemplar) -> None:
        family, labelvalues = self._family, self._labels or ()
        # With the family: few counters have one, and an attribute of each child would be memory. Not for a child that
        # was removed and is still counted in: nobody would take its exemplar away.
        if family.children.get(labelvalues) is self:
            family.exemplars[labelvalues] = exemplar
            family.exemplified = True

    @property
    def created(self) -> float:
        """When this series began, Unix seconds."""
        return float(self._floats[self._at + _CREATED])

    def points(self) -> Iterator[Point]:
        """Yield the total, and when it began if that is asked for."""
        yield Point("_total", {}, self.value(), self.exemplar)
        if created_enabled():
            yield Point("_created", {}, self.created)
