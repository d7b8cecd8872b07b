"""Profiles as series: what the profiler that is always on knows at the end of each of its intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Protocol

from runtime_exporter.collectors.collector import Collector, put_series
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Counter, Gauge
from runtime_exporter.profiling.bias import bias_risk
from runtime_exporter.profiling.naming import OTHER
from runtime_exporter.profiling.table import WAITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runtime_exporter.metrics import Metric
    from runtime_exporter.profiling.captures import Captures
    from runtime_exporter.profiling.continuous import Continuous
    from runtime_exporter.profiling.joint import Joint
    from runtime_exporter.profiling.pipeline import Report
    from runtime_exporter.profiling.summary import Account, Tally

    Values = Iterator[tuple[tuple[str, ...], float]]

# A tally counts time in whole nanoseconds.
_NANOSECONDS: Final = 1e9
_TIMES: Final = ("cpu", "wall")
# Those of `profiling.comparison` and `profiling.leaks`, which a process that is not profiled does not import.
STATES: Final = ("confirmed", "shift", "transient", "gone")
_BYTES: Final = "bytes"
_PROCESS: Final = "process"


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
        self._rows = tuple(_ROWS)
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


def _tallies(report: Report, *kinds: str) -> Iterator[Tally]:
    return (report.tallies[kind] for kind in kinds if kind in report.tallies)


def _parts(account: Account, profile: str, scale: float = 1.0) -> Values:
    """Yield the members' values and the rest's."""
    for name, value in account.members.items():
        yield (profile, name), value / scale
    yield (profile, OTHER), account.other / scale


def _self(report: Report) -> Values:
    for tally in _tallies(report, *_TIMES):
        yield from _parts(tally.self_, tally.kind, _NANOSECONDS)


def _cum(report: Report) -> Values:
    for tally in _tallies(report, *_TIMES):
        for name, value in tally.cum.items():
            yield (tally.kind, name), value / _NANOSECONDS


def _total(report: Report) -> Values:
    for tally in report.tallies.values():
        if tally.unit == "seconds":
            yield (tally.kind,), tally.self_.total / _NANOSECONDS


def _samples(report: Report) -> Values:
    for tally in _tallies(report, *_TIMES):
        yield (tally.kind,), tally.counts.total


def _wait(report: Report) -> Values:
    for tally in _tallies(report, *sorted(WAITS)):
        yield from _parts(tally.self_, tally.kind, _NANOSECONDS)


def _contentions(report: Report) -> Values:
    for tally in _tallies(report, *sorted(WAITS)):
        yield from _parts(tally.counts, tally.kind)


def _inuse(report: Report) -> Values:
    for tally in _tallies(report, "heap"):
        yield from _parts(tally.self_, "heap")


def _allocated(report: Report) -> Values:
    for tally in _tallies(report, "allocs"):
        yield from _parts(tally.self_, "heap")


def _goroutines(report: Report) -> Values:
    for tally in _tallies(report, "goroutine", "goroutineleak"):
        yield from _parts(tally.self_, tally.kind)


def _functions(report: Report) -> Values:
    known: dict[str, tuple[str, int]] = {}
    for tally in report.tallies.values():
        known.update(tally.info)
    for name, (file, line) in known.items():
        yield (name, file, str(line)), 1


def _finding(value: Callable[[Any], float]) -> Callable[[Report], Values]:
    def values(report: Report) -> Values:
        for kind, judgement in report.comparisons.items():
            for finding in judgement.comparison.findings:
                yield (kind, finding.function, finding.baseline), value(finding)

    return values


def _regressions(report: Report) -> Values:
    for kind, judgement in report.comparisons.items():
        for state in STATES:
            yield (kind, state), judgement.comparison.count(state)


def _comparison(value: Callable[[Any], float]) -> Callable[[Report], Values]:
    def values(report: Report) -> Values:
        for kind, judgement in report.comparisons.items():
            number = value(judgement)
            if math.isfinite(number):
                yield (kind,), number

    return values


def _recommendations(report: Report) -> Values:
    for recommendation in report.recommendations:
        yield (recommendation.rule, recommendation.severity, recommendation.target), 1


def _impacts(report: Report) -> Values:
    for recommendation in report.recommendations:
        if recommendation.gain_upper_bound is not None:
            yield (recommendation.rule, recommendation.severity, recommendation.target), recommendation.gain_upper_bound


def _suspects(report: Report) -> Values:
    for kind, suspects in report.suspects.items():
        yield (kind,), len(suspects)


def _slopes(*, of_bytes: bool) -> Callable[[Report], Values]:
    def values(report: Report) -> Values:
        for kind, suspects in report.suspects.items():
            for suspect in suspects[:_SITES]:
                if (suspect.unit == _BYTES) == of_bytes:
                    yield (kind, suspect.site or _PROCESS), suspect.slope

    return values


def _captures(report: Report) -> Values:
    yield from report.captures.items()


def _captured(report: Report) -> Values:
    yield from report.captured.items()


def _backend(report: Report) -> Values:
    ratio = report.interval.taken.bias_ratio if report.interval is not None else 0.0
    yield (report.backend, bias_risk(unbiased=report.unbiased, bias_ratio=ratio)), 1


_SITES = 10
"""Suspects of each kind that have a series, the steepest."""
_FUNCTION = ["profile", "function"]
_SITE = ["profile", "site"]
_FINDING = ["profile", "function", "baseline"]

# Type, how the values of several workers become one, name, help, label names, and the series that a report has.
_ROWS: Final[tuple[tuple[Any, str, str, str, list[str], Callable[[Report], Values]], ...]] = (
    (Counter, "sum", "profile_self_seconds_total", "Time spent in the function itself.", _FUNCTION, _self),
    (
        Counter,
        "sum",
        "profile_cum_seconds_total",
        "Time spent in the function and all that it called.",
        _FUNCTION,
        _cum,
    ),
    (
        Counter,
        "sum",
        "profile_total_seconds_total",
        "Time that the profiles account for; of a Go service's CPU within the seconds profiled in each interval.",
        ["profile"],
        _total,
    ),
    (Counter, "sum", "profile_samples_total", "Samples behind the profiles.", ["profile"], _samples),
    (Counter, "sum", "profile_wait_seconds_total", "Time that threads waited at the site.", _SITE, _wait),
    (Counter, "sum", "profile_contentions_total", "Waits that were seen at the site.", _SITE, _contentions),
    (Gauge, "livesum", "profile_inuse_bytes", "Memory in use that the function allocated.", _FUNCTION, _inuse),
    (Counter, "sum", "profile_allocated_bytes_total", "Memory that the function has allocated.", _FUNCTION, _allocated),
    (Gauge, "livesum", "profile_goroutines", "Goroutines that stand in the function.", _FUNCTION, _goroutines),
    (
        Gauge,
        "livemax",
        "profile_function_info",
        "Where a function of the profile series is defined.",
        ["function", "file", "line"],
        _functions,
    ),
    (
        Gauge,
        "livemax",
        "profile_regression_active",
        "1 while a function's share is confirmed to be larger than in the baseline, 0 while it is only suspected.",
        _FINDING,
        _finding(lambda finding: finding.state == "confirmed"),
    ),
    (
        Gauge,
        "livemax",
        "profile_regression_score",
        "Standard errors by which the function's share exceeds that in the baseline.",
        _FINDING,
        _finding(lambda finding: finding.z),
    ),
    (
        Gauge,
        "livemax",
        "profile_regression_delta_ratio",
        "Relative rise of the function's share over the baseline.",
        _FINDING,
        _finding(lambda finding: finding.delta_ratio),
    ),
    (
        Gauge,
        "livemax",
        "profile_regressions",
        "Functions whose share rose over the baseline, by state; shift: the share rose but not the cost, gone: it was confirmed and is over.",
        ["profile", "state"],
        _regressions,
    ),
    (
        Gauge,
        "livemax",
        "profile_divergence",
        "Jensen-Shannon distance of the profile's shape from the baseline, 0 to 1.",
        ["profile"],
        _comparison(lambda judgement: judgement.comparison.divergence),
    ),
    (
        Gauge,
        "livemax",
        "profile_mde_ratio",
        "Smallest relative rise that the comparison could have seen.",
        ["profile"],
        _comparison(lambda judgement: judgement.comparison.mde_ratio),
    ),
    (
        Gauge,
        "livemax",
        "profile_baseline_age_seconds",
        "Time since the newest profile of the baseline.",
        ["profile"],
        _comparison(lambda judgement: judgement.baseline_age),
    ),
    (
        Gauge,
        "livemax",
        "profile_recommendation",
        "1 while a recommendation holds; its evidence is in the API.",
        ["rule", "severity", "target"],
        _recommendations,
    ),
    (
        Gauge,
        "livemax",
        "profile_recommendation_impact_ratio",
        "Most that the recommendation can bring, as a part of what it is about; none where no bound is known.",
        ["rule", "severity", "target"],
        _impacts,
    ),
    (
        Gauge,
        "livemax",
        "profile_leak_suspects",
        "What has grown for so long that a leak is suspected: how many of the kind.",
        ["kind"],
        _suspects,
    ),
    (
        Gauge,
        "livesum",
        "profile_leak_slope_bytes_per_second",
        "Growth of a leak suspect that is measured in bytes.",
        ["kind", "site"],
        _slopes(of_bytes=True),
    ),
    (
        Gauge,
        "livesum",
        "profile_leak_slope_per_second",
        "Growth of a leak suspect that is counted: blocks, objects, threads, tasks, as the kind says.",
        ["kind", "site"],
        _slopes(of_bytes=False),
    ),
    (
        Counter,
        "sum",
        "profile_captures_total",
        "Profiles that were taken, by what became of them.",
        ["profile", "result"],
        _captures,
    ),
    (
        Gauge,
        "max",
        "profile_last_capture_timestamp_seconds",
        "When the last profile was taken, in seconds since the epoch.",
        ["profile", "result"],
        _captured,
    ),
    (
        Gauge,
        "livemax",
        "runtime_exporter_profiler_backend_info",
        "What takes the samples, and the risk that it blames the wrong function for CPU time.",
        ["backend", "bias"],
        _backend,
    ),
)
