"""Gauge: a value that goes up and down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from prometheus_client import REGISTRY

from runtime_exporter.metrics.cells import FREE_THREADED, STORE
from runtime_exporter.metrics.collected import Point
from runtime_exporter.metrics.contexts import InprogressTracker, Timer
from runtime_exporter.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry

    from runtime_exporter.metrics.cells import CellStore
    from runtime_exporter.metrics.peer_attributes import Number

Mode: TypeAlias = Literal[
    "all", "liveall", "min", "livemin", "max", "livemax", "sum", "livesum", "mostrecent", "livemostrecent"
]

MODES: Final[frozenset[str]] = frozenset(get_args(Mode))
"""How the values of several worker processes become one: prometheus_client's words."""


class Gauge(Metric):
    """A value that can be set, raised and lowered. Cells of a child: value; and when it was set, where the last wins."""

    __slots__ = ("_last_wins",)
    _type = "gauge"
    _modes = MODES

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: CollectorRegistry | None = REGISTRY,
        multiprocess_mode: Mode = "all",
        *,
        per_worker: bool = False,
        store: CellStore = STORE,
    ) -> None:
        self._last_wins = multiprocess_mode.endswith("mostrecent")
        super().__init__(
            *(name, documentation, labelnames, namespace, subsystem, unit, registry),
            multiprocess_mode=multiprocess_mode,
            per_worker=per_worker,
            store=store,
        )

    def _copy_configuration(self, child: Gauge) -> None:
        child._last_wins = self._last_wins

    def _cells(self) -> int:
        return 2 if self._last_wins else 1

    def inc(self, amount: float = 1) -> None:
        """Add `amount`."""
        if self._last_wins:
            raise RuntimeError("inc must not be used with the mostrecent mode")
        self._add(amount)

    def dec(self, amount: float = 1) -> None:
        """Subtract `amount`."""
        if self._last_wins:
            raise RuntimeError("dec must not be used with the mostrecent mode")
        self._add(-amount)

    def _add(self, amount: float) -> None:
        if FREE_THREADED:
            with self._family.lock:
                self._floats[self._at] += amount
        else:
            self._floats[self._at] += amount

    @property
    def cell(self) -> tuple[memoryview, int]:
        """Where the value lies, for good: `floats[at] += 1.0` there is `inc()` without a call, where there is a GIL."""
        return self._floats, self._at

    def set(self, value: float) -> None:
        """Set the value."""
        value = float(value)
        if FREE_THREADED:
            with self._family.lock:  # or it comes between the read and the write of an `inc`, and is lost
                self._set(value)
        else:
            self._floats[self._at] = value
            if self._last_wins:
                self._floats[self._at + 1] = time.time()

    def _set(self, value: float) -> None:
        self._floats[self._at] = value
        if self._last_wins:
            self._floats[self._at + 1] = time.time()

    def set_to_current_time(self) -> None:
        """Set the value to the Unix time in seconds."""
        self.set(time.time())

    def track_inprogress(self) -> InprogressTracker:
        """Hold the value one higher while a block or a function runs: context manager and decorator."""
        self._floats[self._at]  # says that labels are missing
        return InprogressTracker(self)

    def time(self) -> Timer:
        """Set the value to the seconds that a block or a function took: context manager and decorator."""
        return Timer(self, "set")

    def set_function(self, function: Callable[[], float]) -> None:
        """Take the value from `function` at every scrape. One that raises leaves its sample out."""
        self._floats[self._at]  # says that labels are missing
        self._function = function
        self._family.computed = True

    def value(self) -> float:
        """Return the value now."""
        return float(self._function()) if self._function else self._floats[self._at]

    @property
    def _value(self) -> Number:
        return self._number(lambda: float(self._floats[self._at]), self.set)

    @property
    def _multiprocess_mode(self) -> str:
        return self._family.mode

    def points(self) -> Iterator[Point]:
        """Yield the value."""
        yield Point("", {}, self.value())
