"""The families of metrics that show what profiles come to, each with what gives its series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.collectors.profiled import values
from runtime_exporter.metrics import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.collectors.profiled.values import Values
    from runtime_exporter.profiling.pipeline import Report

_FUNCTION = ["profile", "function"]
_SITE = ["profile", "site"]
_FINDING = ["profile", "function", "baseline"]

# Type, how the values of several workers become one, name, help, label names, and the series that a report has.
FAMILIES: Final[tuple[tuple[Any, str, str, str, list[str], Callable[[Report], Values]], ...]] = (
    (Counter, "sum", "profile_self_seconds_total", "Time spent in the function itself.", _FUNCTION, values.self_),
    (
        Counter,
        "sum",
        "profile_cum_seconds_total",
        "Time spent in the function and all that it called.",
        _FUNCTION,
        values.cum,
    ),
    (
        Counter,
        "sum",
        "profile_total_seconds_total",
        "Time that the profiles account for; of a Go service's CPU within the seconds profiled in each interval.",
        ["profile"],
        values.total,
    ),
    (Counter, "sum", "profile_samples_total", "Samples behind the profiles.", ["profile"], values.samples),
    (Counter, "sum", "profile_wait_seconds_total", "Time that threads waited at the site.", _SITE, values.wait),
    (Counter, "sum", "profile_contentions_total", "Waits that were seen at the site.", _SITE, values.contentions),
    (Gauge, "livesum", "profile_inuse_bytes", "Memory in use that the function allocated.", _FUNCTION, values.inuse),
    (
        Counter,
        "sum",
        "profile_allocated_bytes_total",
        "Memory that the function has allocated.",
        _FUNCTION,
        values.allocated,
    ),
    (Gauge, "livesum", "profile_goroutines", "Goroutines that stand in the function.", _FUNCTION, values.goroutines),
    (
        Gauge,
        "livemax",
        "profile_function_info",
        "Where a function of the profile series is defined.",
        ["function", "file", "line"],
        values.functions,
    ),
    (
        Gauge,
        "livemax",
        "profile_regression_active",
        "1 while a function's share is confirmed to be larger than in the baseline, 0 while it is only suspected.",
        _FINDING,
        values.finding(lambda finding: finding.state == "confirmed"),
    ),
    (
        Gauge,
        "livemax",
        "profile_regression_score",
        "Standard errors by which the function's share exceeds that in the baseline.",
        _FINDING,
        values.finding(lambda finding: finding.z),
    ),
    (
        Gauge,
        "livemax",
        "profile_regression_delta_ratio",
        "Relative rise of the function's share over the baseline.",
        _FINDING,
        values.finding(lambda finding: finding.delta_ratio),
    ),
    (
        Gauge,
        "livemax",
        "profile_regressions",
        "Functions whose share rose over the baseline, by state; shift: the share rose but not the cost, gone: it was confirmed and is over.",
        ["profile", "state"],
        values.regressions,
    ),
    (
        Gauge,
        "livemax",
        "profile_divergence",
        "Jensen-Shannon distance of the profile's shape from the baseline, 0 to 1.",
        ["profile"],
        values.comparison(lambda judgement: judgement.comparison.divergence),
    ),
    (
        Gauge,
        "livemax",
        "profile_mde_ratio",
        "Smallest relative rise that the comparison could have seen.",
        ["profile"],
        values.comparison(lambda judgement: judgement.comparison.mde_ratio),
    ),
    (
        Gauge,
        "livemax",
        "profile_baseline_age_seconds",
        "Time since the newest profile of the baseline.",
        ["profile"],
        values.comparison(lambda judgement: judgement.baseline_age),
    ),
    (
        Gauge,
        "livemax",
        "profile_recommendation",
        "1 while a recommendation holds; its evidence is in the API.",
        ["rule", "severity", "target"],
        values.recommendations,
    ),
    (
        Gauge,
        "livemax",
        "profile_recommendation_impact_ratio",
        "Most that the recommendation can bring, as a part of what it is about; none where no bound is known.",
        ["rule", "severity", "target"],
        values.impacts,
    ),
    (
        Gauge,
        "livemax",
        "profile_leak_suspects",
        "What has grown for so long that a leak is suspected: how many of the kind.",
        ["kind"],
        values.suspects,
    ),
    (
        Gauge,
        "livesum",
        "profile_leak_slope_bytes_per_second",
        "Growth of a leak suspect that is measured in bytes.",
        ["kind", "site"],
        values.slopes(of_bytes=True),
    ),
    (
        Gauge,
        "livesum",
        "profile_leak_slope_per_second",
        "Growth of a leak suspect that is counted: blocks, objects, threads, tasks, as the kind says.",
        ["kind", "site"],
        values.slopes(of_bytes=False),
    ),
    (
        Counter,
        "sum",
        "profile_captures_total",
        "Profiles that were taken, by what became of them.",
        ["profile", "result"],
        values.captures,
    ),
    (
        Gauge,
        "max",
        "profile_last_capture_timestamp_seconds",
        "When the last profile was taken, in seconds since the epoch.",
        ["profile", "result"],
        values.captured,
    ),
    (
        Gauge,
        "livemax",
        "runtime_exporter_profiler_backend_info",
        "What takes the samples, and the risk that it blames the wrong function for CPU time.",
        ["backend", "bias"],
        values.backend,
    ),
)
