"""PromQL under a dashboard's variables: which series a panel selects, and by which labels it adds them up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import bundles, sources

if TYPE_CHECKING:
    from collections.abc import Mapping

CHOICES = ("cluster", "namespace", "job")


@dataclass(frozen=True)
class Scope:
    """The series that the user chose in a dashboard: the mixin's selector and the variables cluster, namespace, job, instance.

    Every aggregation by job or instance keeps the cluster and the namespace: two clusters may run a job of one name.
    """

    selector: str
    cluster_label: str
    namespace_label: str
    multi_cluster: bool
    namespaces: bool
    source: sources.Source = field(default_factory=lambda: sources.of({}))
    """Whose metrics: they are given by runtime_exporter's names, and read by the source's."""
    recorded: str = ""
    """The matchers of the selector that recorded series, and alerts, can be chosen by."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Scope:
        """Read the scope from the mixin's evaluated `_config`."""
        return cls(
            selector=config["selector"],
            cluster_label=config["clusterLabel"],
            namespace_label=config["namespaceLabel"],
            multi_cluster=config["showMultiCluster"],
            namespaces=config["showNamespace"],
            source=sources.of(config),
            recorded=bundles.recorded_matchers(config),
        )

    @property
    def per_job(self) -> str:
        """A legend that tells jobs apart."""
        return f"{self._place}{{{{job}}}}"

    @property
    def per_instance(self) -> str:
        """A legend that tells instances apart."""
        return f"{self._place}{{{{instance}}}}"

    @property
    def _place(self) -> str:
        shown = [(self.cluster_label, self.multi_cluster), (self.namespace_label, self.namespaces)]
        return "".join(f"{{{{{label}}}}} " for label, is_shown in shown if is_shown)

    def _own(self, metric: str) -> list[str]:
        """Return the selector as far as the series of a metric have its labels; `job=~"$job"` implies the default."""
        own = self.recorded if bundles.is_recorded(metric) else self.selector
        return [] if own in {"", bundles.EVERY_JOB} else [own]

    @property
    def _chosen(self) -> list[str]:
        labels = (self.cluster_label, self.namespace_label, "job")
        return [f'{label}=~"${choice}"' for label, choice in zip(labels, CHOICES, strict=True)]

    def select(self, metric: str, *matchers: str) -> str:
        """Return the selector of a metric's chosen series; `matchers` are further ones, as 'mode="user"'."""
        return self._series(metric, 'instance=~"$instance"', *matchers)

    def narrowed(self, metric: str, depth: int) -> str:
        """Return the selector of a metric by the first `depth` choices (cluster, namespace, job): what the next one can be."""
        return f"{self.source.name(metric)}{{{', '.join([*self._own(metric), *self._chosen[:depth]])}}}"

    def alerts(self, *matchers: str, metric: str = "ALERTS") -> str:
        """Return the selector of ALERTS for the chosen instances, and for their jobs as a whole: those alerts have no instance."""
        return self._series(metric, 'instance=~"$instance|"', *matchers)

    def of_job(self, metric: str, *matchers: str) -> str:
        """Return the selector of a recorded series that is kept for a job as a whole, without an instance."""
        return self._series(metric, *matchers)

    def _series(self, metric: str, *matchers: str) -> str:
        return f"{self.source.name(metric)}{{{', '.join([*self._own(metric), *self._chosen, *matchers])}}}"

    def rate(self, counter: str, *matchers: str) -> str:
        """Return the per-second rate of a counter's chosen series."""
        return f"rate({self.select(counter, *matchers)}[$__rate_interval])"

    def sum_by(self, labels: str, expression: str) -> str:
        """Add up by `labels` ("job", "job, instance", "job, le"), keeping cluster and namespace."""
        return f"sum by ({self.cluster_label}, {self.namespace_label}, {labels}) ({expression})"

    def max_by(self, labels: str, expression: str) -> str:
        """Take the largest by `labels`, keeping cluster and namespace."""
        return f"max by ({self.cluster_label}, {self.namespace_label}, {labels}) ({expression})"


def ratio(numerator: str, denominator: str) -> str:
    """Divide, leaving out what would be divided by zero instead of drawing NaN."""
    return f"{numerator} / ({denominator} > 0)"


def quantile(level: float, buckets: str) -> str:
    """Estimate a quantile in the histogram's unit from rates of buckets, summed by le; without observations nothing comes out."""
    return f"histogram_quantile({level}, {buckets}) >= 0"  # the comparison drops NaN
