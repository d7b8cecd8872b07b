"""Profiles as series: what the profiler that is always on knows at the end of each of its intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runtime_exporter.collectors.collector import Collector, put_series
from runtime_exporter.collectors.profiled.families import FAMILIES
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.metrics import Metric
    from runtime_exporter.profiling.captures import Captures
    from runtime_exporter.profiling.continuous import Continuous
    from runtime_exporter.profiling.joint import Joint
    from runtime_exporter.profiling.pipeline import Report


class Reporting(Protocol):
    """What knows what profiles come to: the profiler of this process, or an agent's look at another one."""

    @property
    def report(self) -> Report:
        """What is known as of the last profiles."""


class ReportCollector(Collector):
    """At each scrape, from the last interval's report: nothing is computed here. None: there is no report.

    Series of a function that is no member any more are removed. Functions are at most the members of both lists of each kind
    (see `profiling.membership`), findings and recommendations as many as their makers bound them to.
    """

    name = "profiles"
    interval = None

    def __init__(self, source: Reporting | None = None) -> None:
        self._source = source
        self.captures: Captures | None = None
        """What takes profiles for alerts: they are counted with those of the intervals, and alone where there are none."""
        self._shown: Report | None = None
        self._rows = FAMILIES
        self._metrics = [
            kind(name, documentation, labels, registry=None, multiprocess_mode=mode)
            for kind, mode, name, documentation, labels, _ in self._rows
        ]
        self._bias = Gauge(
            "runtime_exporter_profiler_bias_ratio",
            "Share of the CPU time of the last profile that may be attributed to the wrong function.",
            registry=None,
            multiprocess_mode="livemax",
        )
        self._pauses = Counter(
            "runtime_exporter_profiler_pauses_total",
            "How often sampling has paused because even its lowest rate cost more than its budget.",
            registry=None,
        )
        self.families: tuple[Metric, ...] = (*self._metrics, self._bias, self._pauses)

    def forked(self) -> None:
        """Forget what the parent saw."""
        self._shown = None

    def update(self) -> None:
        """Show the last report, unless it is shown already, and what was taken for alerts."""
        report = self._report()
        interval = report.interval if report is not None else None
        counts, times = self.captures.counted() if self.captures is not None else ({}, {})
        self._bias.hidden = self._pauses.hidden = interval is None
        if report is not None and interval is not None and report is not self._shown:
            for metric, (*_, values) in zip(self._metrics, self._rows, strict=True):
                put_series(metric, dict(values(report)))
            self._bias.set(interval.taken.bias_ratio)
            self._pauses.set_total(report.pauses)
            self._shown = report
        elif interval is None and not counts:
            raise NoData(
                "profiling is switched off" if report is None else "the first interval of profiling is not over"
            )
        if counts:
            captures, captured = (report.captures, report.captured) if report is not None else ({}, {})
            put_series(self._named("profile_captures_total"), _added(captures, counts))
            put_series(self._named("profile_last_capture_timestamp_seconds"), _latest(captured, times))

    def _named(self, name: str) -> Any:
        return next(metric for metric, row in zip(self._metrics, self._rows, strict=True) if row[2] == name)

    def _report(self) -> Report | None:
        return self._source.report if self._source is not None else None


class ProfilesCollector(ReportCollector):
    """Runs the profiler of this process, and shows what it reports. None: profiling is switched off."""

    def __init__(self, continuous: Continuous | None) -> None:
        super().__init__()
        self.continuous = continuous
        self.joint: Joint | None = None
        """What puts the intervals of this and other workers together: of comparisons and advice only one worker tells."""

    def start(self) -> None:
        """Start to profile. Raises ProfileError where that cannot work, for the supervisor to tell."""
        if self.continuous is not None:
            self.continuous.start()

    def close(self) -> None:
        """Stop to profile."""
        if self.continuous is not None:
            self.continuous.close()

    def forked(self) -> None:
        """Forget what the parent saw."""
        super().forked()
        if self.continuous is not None:
            self.continuous.forked()

    def _report(self) -> Report | None:
        report = self.continuous.report if self.continuous is not None else None
        return report if report is None or self.joint is None else self.joint.series(report)


def _added(one: Mapping[tuple[str, str], int], other: Mapping[tuple[str, str], int]) -> dict[tuple[str, ...], float]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}


def _latest(*parts: Mapping[tuple[str, str], float]) -> dict[tuple[str, ...], float]:
    return {key: max(part.get(key, 0.0) for part in parts) for part in parts for key in part}
