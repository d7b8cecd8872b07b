"""What a scrape gets of a whole run directory, whoever answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from runtime_exporter.prefork.alone import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric as CoreMetric

    from runtime_exporter.metrics.workers import Merged


class Workers:
    """The workers of a run directory as one collector: how many there are, in which state, and how those ended that are gone.

    As of when they were merged last. Not from cells, which are shared: each worker would say it for all.
    """

    def __init__(self, merged: Merged) -> None:
        self._merged = merged

    def collect(self) -> Iterable[CoreMetric]:
        """Yield both families."""
        family = GaugeMetricFamily(
            "runtime_exporter_workers", "Processes that this exposition speaks for.", labels=["state"]
        )
        for state, count in self._merged.states().items():
            family.add_metric([state], count)
        yield family
        name, documentation, labels = ENDED
        ended = CounterMetricFamily(name, documentation, labels=labels)
        for how, count in self._merged.ends().items():
            ended.add_metric([how], count)
        yield ended
