"""HTTP requests in PromQL: rate, errors, duration, as every dashboard counts them and as the rules count them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin.differing import differing
from runtime_exporter.mixin.duration import seconds
from runtime_exporter.mixin.fields import Step, steps
from runtime_exporter.mixin.scope import Scope, quantile, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.mixin.sources import Source


@dataclass(frozen=True)
class Requests:
    """The requests that count, by the mixin's `http.selector`, and which of them have failed, by its `http.errorSelector`.

    `matchers` narrow both, as 'http_route=~"$route"'. `labels` are those to add up by, as "job, http_route".
    """

    scope: Scope
    selector: str
    error_selector: str
    matchers: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any], *matchers: str) -> Requests:
        """Read what counts from the mixin's evaluated `_config`."""
        http = config["http"]
        return cls(Scope.of(config), http["selector"], http["errorSelector"], matchers)

    def rate(self, labels: str, *matchers: str) -> str:
        """Return requests per second."""
        return self.scope.sum_by(labels, self.raw_rate(*matchers))

    def raw_rate(self, *matchers: str) -> str:
        """Return requests per second of each series, under OpenTelemetry's labels."""
        return self._source.labelled(self._rate(self._source.requests, *matchers))

    def seconds(self, labels: str) -> str:
        """Return seconds spent on requests, per second: how many requests are being answered on average."""
        total = self.scope.sum_by(labels, self._source.labelled(self._rate(f"{self._source.durations}_sum")))
        return f"{total} / 1000" if self._source.milliseconds else total

    def errors(self, labels: str) -> str:
        """Return failed requests per second: 0, not nothing, where none has failed."""
        return f"({self.rate(labels, self.error_selector)} or 0 * {self.rate(labels)})"

    def error_ratio(self, labels: str) -> str:
        """Return failed requests as a share of all; nothing where there was no request."""
        return ratio(self.errors(labels), self.rate(labels))

    def buckets(self, labels: str = "") -> str:
        """Return observations per second by upper bound."""
        source = self._source
        rate = source.bounds(source.labelled(self._rate(f"{source.durations}_bucket")))
        return self.scope.sum_by(f"{labels}, le", rate) if labels else f"sum by (le) ({rate})"

    def quantile(self, level: float, labels: str = "") -> str:
        """Return a quantile of the duration in seconds; nothing where there was no request."""
        return quantile(level, self.buckets(labels))

    def total(self, *matchers: str) -> str:
        """Return requests per second of everything chosen, as one number."""
        return f"sum({self._rate(self._source.requests, *matchers)})"

    def total_error_ratio(self) -> str:
        """Return failed requests as a share of everything chosen."""
        return ratio(f"({self.total(self.error_selector)} or 0 * {self.total()})", self.total())

    def active(self) -> str:
        """Return the requests that are being answered, of each series, under OpenTelemetry's labels."""
        return self._source.labelled(self.scope.select("http_server_active_requests"))

    @property
    def route(self) -> tuple[str, str]:
        """The metric and the label that say which routes there are."""
        return self._source.requests, self._source.labels["http_route"]

    @property
    def _source(self) -> Source:
        return self.scope.source

    def _rate(self, counter: str, *matchers: str) -> str:
        return self.scope.rate(counter, *(self._source.matcher(each) for each in (*self._counted, *matchers)))

    @property
    def _counted(self) -> tuple[str, ...]:
        return (self.selector, *self.matchers) if self.selector else self.matchers


def error_budget_steps(config: Mapping[str, Any]) -> tuple[Step, ...]:
    """Colour an error ratio by how fast it burns the error budget: as planned, faster, and at the rate that pages someone."""
    budget = 1 - config["http"]["objective"]
    windows = config["alerts"]["httpErrorBudgetBurn"]["windows"].values()
    factors = [window["factor"] for window in windows if window]
    changes = [(budget, "yellow"), *([(budget * max(factors), "red")] if factors else [])]
    unless = differing(config, "http.objective", "alerts.httpErrorBudgetBurn.windows")
    return steps(
        "green", *((float(f"{share:.6g}"), color) for share, color in changes), unless=unless
    )  # 1 - 0.999 is 0.0010000000000000009


def latency_steps(config: Mapping[str, Any]) -> tuple[Step, ...]:
    """Colour a latency by the threshold of RuntimeHttpLatencyHigh: red from it, yellow from half of it."""
    threshold = seconds(config["alerts"]["httpLatencyHigh"]["threshold"])
    unless = differing(config, "alerts.httpLatencyHigh.threshold")
    return steps("green", (threshold / 2, "yellow"), (threshold, "red"), unless=unless)


def budget_left(config: Mapping[str, Any]) -> str:
    """Return the share of each job's error budget that is left, which a rule records: its window is too long for a dashboard."""
    return Scope.of(config).of_job(f"job:http_server_error_budget_remaining:ratio{config['http']['budgetPeriod']}")
