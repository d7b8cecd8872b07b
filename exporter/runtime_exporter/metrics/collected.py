"""How a registry of prometheus_client's reads a metric of ours: its Collector protocol, in its own objects.

What this package writes itself it makes of the cells instead, see `cellsource.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.metrics_core import Metric as CoreMetric
from prometheus_client.samples import Sample

from runtime_exporter.metrics.peer_attributes import PeerAttributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.samples import Exemplar


class Point(NamedTuple):
    """One sample of a child, without the labels that all samples of the child share."""

    suffix: str
    labels: dict[str, str]
    value: float
    exemplar: Exemplar | None = None


class Collected(PeerAttributes):
    """What a registry calls."""

    __slots__ = ()

    def points(self) -> Iterator[Point]:
        """Yield the samples of this child."""
        raise NotImplementedError

    def describe(self) -> list[CoreMetric]:
        """Return the family without samples: what a registry needs to find duplicates."""
        family = self._family
        return [CoreMetric(family.name, family.documentation, family.type, family.unit)]

    def collect(self) -> list[CoreMetric]:
        """Return the family with its samples, as prometheus_client's own objects."""
        (metric,) = self.describe()
        if not self._family.hidden:
            for suffix, labels, value, _, exemplar, *_ in self._samples():
                metric.samples.append(Sample(metric.name + suffix, labels, value, None, exemplar))
        return [metric]

    # By the names that prometheus_client gives them: its users override these two, and call all three.

    def _samples(self) -> Iterable[Sample]:
        return self._multi_samples() if self._is_parent() else self._child_samples()

    def _multi_samples(self) -> Iterator[Sample]:
        names = self._family.labelnames
        for values, child in [*self._family.children.items()]:
            shared = dict(zip(names, values, strict=True))
            for suffix, own, *rest in child._child_samples():  # noqa: SLF001 - of the same class
                yield Sample(suffix, {**shared, **own}, *rest)

    def _child_samples(self) -> Iterable[Sample]:
        return tuple(Sample(suffix, own, value, None, exemplar) for suffix, own, value, exemplar in self.points())
