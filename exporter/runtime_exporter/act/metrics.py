"""What `runtime-exporter act` says of itself at /metrics. Labels are the actions of the file and the reasons below, nothing that is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.act.policy import REASONS
from runtime_exporter.metrics import Counter, Gauge, Metric, Summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runtime_exporter.act.command import Outcome

UNREADABLE = "notification"
"""The reason of what was refused as a whole, since it is no notification."""
SECRET = "secret"  # noqa: S105 - the name of a reason
"""The reason of who did not show the secret."""
BUSY = "busy"
"""The reason of what found too many commands waiting."""
AUDIT = "audit"
"""The reason of what could not be written down."""


class ActMetrics:
    """The families of one receiver; every series is there from the start, so that the first event is an increase."""

    def __init__(self, actions: Iterable[str], *, dry_run: bool) -> None:
        names = tuple(actions)
        prefix = "runtime_exporter_act"
        self._runs = Counter(
            f"{prefix}_runs_total",
            "Commands that have ended, by result: ok or failed.",
            ["action", "result"],
            registry=None,
        )
        self._seconds = Summary(f"{prefix}_run_seconds", "How long commands ran.", ["action"], registry=None)
        self._last = Gauge(
            f"{prefix}_last_run_timestamp_seconds",
            "When the command last ended since the start; 0 if it never has.",
            ["action"],
            registry=None,
            multiprocess_mode="max",
        )
        self._refused = Counter(
            f"{prefix}_refused_total", "What was asked and not run, by reason.", ["reason"], registry=None
        )
        self._dry = Gauge(
            f"{prefix}_dry_run",
            "1 if nothing is run, and only said what would be.",
            registry=None,
            multiprocess_mode="livemax",
        )
        self._dry.set(dry_run)
        for name in names:
            for result in ("ok", "failed"):
                self._runs.labels(name, result)
            self._seconds.labels(name)
            self._last.labels(name)
        for reason in (*REASONS, UNREADABLE, SECRET, BUSY, AUDIT):
            self._refused.labels(reason)

    @property
    def families(self) -> Sequence[Metric]:
        """What is exposed."""
        return (self._runs, self._seconds, self._last, self._refused, self._dry)

    def ended(self, action: str, outcome: Outcome, at: float) -> None:
        """Count a command that ended at a time in seconds since the epoch."""
        self._runs.labels(action, "ok" if outcome.ok else "failed").inc()
        self._seconds.labels(action).observe(outcome.seconds)
        self._last.labels(action).set(at)

    def refused(self, reason: str) -> None:
        """Count what was refused for one of the reasons."""
        self._refused.labels(reason).inc()
