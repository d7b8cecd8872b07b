"""What people read in prometheus_client's objects though nothing promises it: `counter._value.get()`, above all in tests.

Everything here is made when it is asked for, from the cells; nothing of this package uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.metrics.family import Family


class Number:
    """One number of a series, with the methods of prometheus_client's values."""

    __slots__ = ("_read", "_write")

    def __init__(self, read: Callable[[], float], write: Callable[[float], object]) -> None:
        self._read = read
        self._write = write

    def get(self) -> float:
        """Return the number now."""
        return self._read()

    def set(self, value: float, timestamp: float | None = None) -> None:  # noqa: ARG002 - the peer's parameter
        """Replace the number, as tests do that begin at zero."""
        self._write(value)

    def inc(self, amount: float) -> None:
        """Add to the number."""
        self._write(self._read() + amount)

    _value = property(get)


class PeerAttributes:
    """The attributes that all of prometheus_client's metrics have. See the types for `_value`, `_sum` and the like."""

    __slots__ = ()
    _family: Family
    _labels: tuple[str, ...] | None

    @property
    def _name(self) -> str:
        return self._family.name

    @property
    def _documentation(self) -> str:
        return self._family.documentation

    @property
    def _unit(self) -> str:
        return self._family.unit

    @property
    def _labelnames(self) -> tuple[str, ...]:
        return self._family.labelnames

    @property
    def _labelvalues(self) -> tuple[str, ...]:
        """The values of a child's labels; empty for a parent."""
        return self._labels or ()

    @property
    def _metrics(self) -> dict[tuple[str, ...], Any]:
        """The children of a metric with labels by their values. Only these have it: it is how people tell them."""
        if not self._is_parent():
            raise AttributeError(f"{self} has no children")
        return self._family.children

    def _is_parent(self) -> bool:
        return self._labels is None

    def _is_observable(self) -> bool:
        return self._labels is not None

    def _raise_if_not_observable(self) -> None:
        if self._labels is None:
            raise ValueError(f"{self._family.type} metric is missing label values")

    def _number(self, read: Callable[[], float], write: Callable[[float], object]) -> Number:
        if self._is_parent():
            raise AttributeError(f"{self} has no value before its labels are chosen")
        return Number(read, write)
