"""The agent as series: which targets it reaches, how long looking at them takes, and what all of it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.collectors.collector import Collector, put_series
from runtime_exporter.metrics import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime_exporter.agent.watcher import Watcher
    from runtime_exporter.metrics import Metric

_TARGET = ["target"]


class AgentCollector(Collector):
    """At each scrape, from what the watchers remember. Series of a target that is not watched any more are removed."""

    name = "agent"
    interval = None

    def __init__(self, watchers: Callable[[], Iterable[Watcher]]) -> None:
        self._watchers = watchers
        self._reload = (False, 0.0)
        self._up = Gauge(
            "agent_target_up",
            "1 if the last look at the target gave profiles, 0 if not.",
            _TARGET,
            registry=None,
            multiprocess_mode="livemin",
        )
        self._seconds = Gauge(
            "agent_target_take_duration_seconds",
            "Seconds that the last look at the target took, the time that is profiled included.",
            _TARGET,
            registry=None,
            multiprocess_mode="livemax",
        )
        self._last = Gauge(
            "agent_target_last_profile_timestamp_seconds",
            "When the target last gave profiles, in seconds since the epoch.",
            _TARGET,
            registry=None,
            multiprocess_mode="max",
        )
        self._interval = Gauge(
            "agent_target_interval_seconds",
            "Seconds from one look at the target to the next: more than was asked for where that would cost more than the budget.",
            _TARGET,
            registry=None,
            multiprocess_mode="livemax",
        )
        self._taken = Counter(
            "agent_target_takes_total", "Looks at the target, by result.", ["target", "result"], registry=None
        )
        self._helper = Counter(
            "agent_target_helper_cpu_seconds_total",
            "CPU time of the helper that looks into the process.",
            _TARGET,
            registry=None,
        )
        self._reloaded = Gauge(
            "agent_config_last_reload_successful",
            "1 if the targets file was right when it was read last.",
            registry=None,
            multiprocess_mode="livemin",
        )
        self._reloaded_at = Gauge(
            "agent_config_last_reload_success_timestamp_seconds",
            "When the targets file was last read and right, in seconds since the epoch.",
            registry=None,
            multiprocess_mode="max",
        )
        self.families: tuple[Metric, ...] = (
            *(self._up, self._seconds, self._last, self._interval, self._taken, self._helper),
            *(self._reloaded, self._reloaded_at),
        )

    def reloaded(self, *, successful: bool, at: float) -> None:
        """Take note of a reading of the targets file, `at` seconds since the epoch."""
        self._reload = successful, at if successful else self._reload[1]

    def update(self) -> None:
        """Show what is known of each target."""
        watchers = tuple(self._watchers())
        states = [(one.name, one.state, one.report) for one in watchers]
        put_series(self._up, {(name,): float(state.up) for name, state, _ in states if state.up is not None})
        put_series(self._seconds, {(name,): state.seconds for name, state, _ in states if state.up is not None})
        put_series(self._last, {(name,): state.last for name, state, _ in states if state.taken})
        put_series(self._interval, {(name,): state.interval for name, state, _ in states if state.taken})
        results = {}
        for name, state, _ in states:
            results[name, "ok"], results[name, "failed"] = state.taken, state.failures
        put_series(self._taken, results)
        put_series(
            self._helper,
            {(name,): report.helper_cpu_seconds for name, _, report in states if report.helper_cpu_seconds},
        )
        self._reloaded.set(self._reload[0])
        self._reloaded_at.set(self._reload[1])
