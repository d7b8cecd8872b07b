"""Info and Enum: text as labels of a series whose value is 1 or 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from runtime_exporter.metrics.cells import STORE
from runtime_exporter.metrics.collected import Point
from runtime_exporter.metrics.family import valid_labelnames
from runtime_exporter.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import CollectorRegistry

    from runtime_exporter.metrics.cells import CellStore


class Info(Metric):
    """Key-value pairs that describe the process: a build, a version. `_info` is added to the name."""

    __slots__ = ("_pairs",)
    _type = "info"

    def _cells(self) -> int:
        return 1

    def _reset(self) -> None:
        self._pairs: dict[str, str] = {}

    def info(self, val: dict[str, str]) -> None:
        """Set the pairs. Raises ValueError where a key is no label name, or one of the metric's, or a value is None."""
        self._floats[self._at]  # says that labels are missing
        valid_labelnames(val, ())  # Prometheus refuses a whole scrape for one that is none
        overlap = set(self._family.labelnames).intersection(val)
        if overlap:
            raise ValueError(f"Overlapping labels for Info metric, metric: {self._family.labelnames} child: {val}")
        if any(value is None for value in val.values()):
            raise ValueError("Label value cannot be None")
        self._pairs = {key: str(value) for key, value in val.items()}
        if self._family.store.journal is not None:
            self._family.store.journal.told(self, self._pairs)

    @property
    def pairs(self) -> dict[str, str]:
        """What it says."""
        return self._pairs

    def begin_anew(self) -> None:
        """Say what was said: it is no number that could count twice."""

    @property
    def _value(self) -> dict[str, str]:
        return self._pairs

    def points(self) -> Iterator[Point]:
        """Yield one sample with the pairs as labels."""
        yield Point("_info", self._pairs, 1.0)


class Enum(Metric):
    """Which of some states something is in: one series a state. Cells of a child: index of the state."""

    __slots__ = ("_states",)
    _type = "stateset"

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: CollectorRegistry | None = REGISTRY,
        states: Iterable[str] | None = None,
        *,
        store: CellStore = STORE,
    ) -> None:
        self._states = tuple(states or ())
        if not self._states:
            raise ValueError(f"No states provided for Enum metric: {name}")
        super().__init__(name, documentation, labelnames, namespace, subsystem, unit, registry, store=store)

    def _configure(self) -> None:
        if self._family.name in self._family.labelnames:
            raise ValueError(f"Overlapping labels for Enum metric: {self._family.name}")
        self._family.detail = self._states

    def _copy_configuration(self, child: Enum) -> None:
        child._states = self._states

    def _cells(self) -> int:
        return 1

    def state(self, state: str) -> None:
        """Set the state. Raises ValueError for one that was not declared."""
        self._ints[self._at] = self._states.index(state)

    @property
    def _value(self) -> int:
        return int(self._ints[self._at])

    def points(self) -> Iterator[Point]:
        """Yield one sample for each state, 1 for the one that holds."""
        current: int = self._ints[self._at]
        for index, state in enumerate(self._states):
            yield Point("", {self._family.name: state}, float(index == current))
