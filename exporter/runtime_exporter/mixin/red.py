"""HTTP requests in PromQL: rate, errors, duration, as every dashboard counts them and as the rules count them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin.duration import seconds
from runtime_exporter.mixin.fields import Step, steps
from runtime_exporter.mixin.scope import Scope, quantile, ratio

if TYPE_CHECKING:
    from collections.abc import Mapping

DURATION = "http_server_request_duration_seconds"


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
        """Return requests per second of each series."""
        return self.scope.rate(f"{DURATION}_count", *self._counted, *matchers)

    def seconds(self, labels: str) -> str:
        """Return seconds spent on requests, per second: how many requests are being answered on average."""
        return self.scope.sum_by(labels, self.scope.rate(f"{DURATION}_sum", *self._counted))

    def errors(self, labels: str) -> str:
        """Return failed requests per second: 0, not nothing, where none has failed."""
        return f"({self.rate(labels, self.error_selector)} or 0 * {self.rate(labels)})"

    def error_ratio(self, labels: str) -> str:
        """Return failed requests as a share of all; nothing where there was no request."""
        return ratio(self.errors(labels), self.rate(labels))

    def buckets(self, labels: str = "") -> str:
        """Return observations per second by upper bound."""
        rate = self.scope.rate(f"{DURATION}_bucket", *self._counted)
        return self.scope.sum_by(f"{labels}, le", rate) if labels else f"sum by (le) ({rate})"

    def quantile(self, level: float, labels: str = "") -> str:
        """Return a quantile of the duration in seconds; nothing where there was no request."""
        return quantile(level, self.buckets(labels))

    def total(self, *matchers: str) -> str:
        """Return requests per second of everything chosen, as one number."""
        return f"sum({self.raw_rate(*matchers)})"

    def total_error_ratio(self) -> str:
        """Return failed requests as a share of everything chosen."""
        return ratio(f"({self.total(self.error_selector)} or 0 * {self.total()})", self.total())

    @property
    def _counted(self) -> tuple[str, ...]:
        return (self.selector, *self.matchers) if self.selector else self.matchers


def error_budget_steps(config: Mapping[str, Any]) -> tuple[Step, ...]:
    """Colour an error ratio by how fast it burns the error budget: as planned, faster, and at the rate that pages someone."""
    budget = 1 - config["http"]["objective"]
    windows = config["alerts"]["httpErrorBudgetBurn"]["windows"].values()
    factors = [window["factor"] for window in windows if window]
    changes = [(budget, "yellow"), *([(budget * max(factors), "red")] if factors else [])]
    return steps(
        "green", *((float(f"{share:.6g}"), color) for share, color in changes)
    )  # 1 - 0.999 is 0.0010000000000000009


def latency_steps(config: Mapping[str, Any]) -> tuple[Step, ...]:
    """Colour a latency by the threshold of RuntimeHttpLatencyHigh: red from it, yellow from half of it."""
    threshold = seconds(config["alerts"]["httpLatencyHigh"]["threshold"])
    return steps("green", (threshold / 2, "yellow"), (threshold, "red"))


def budget_left(config: Mapping[str, Any]) -> str:
    """Return the share of each job's error budget that is left, which a rule records: its window is too long for a dashboard."""
    return Scope.of(config).of_job(f"job:http_server_error_budget_remaining:ratio{config['http']['budgetPeriod']}")
