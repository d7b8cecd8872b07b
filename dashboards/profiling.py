"""What the profilers see: which functions cost what, since when, what they wait for, and whether the profiles can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Column, Query, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

EACH = "job, instance"
CPU = 'profile="cpu"'
WALL = 'profile="wall"'
GOROUTINES = 'profile="goroutine"'
LEAKED = 'profile="goroutineleak"'
WEEK = " offset 7d"
ALL_IS_WELL = "nothing found"


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the dashboard about profiles."""
    scope = Scope.of(config)
    return panels.dashboard(
        config,
        "profiling",
        title="Profiling",
        description="Which functions the time and the memory go to, what has changed, and what to do about it. "
        "Only with profiling on; areas are the sum of all instances chosen.",
        subject="profile_total_seconds_total",
        rows=[
            panels.row("", *_now(scope, config)),
            panels.row("Functions", *_functions(scope)),
            panels.row("A week ago", *_week(scope)),
            panels.row("What to do", *_findings(scope)),
            panels.row("Waiting", *_waiting(scope)),
            panels.row("Memory", *_memory(scope)),
            panels.row("What grows", *_growth(scope)),
            panels.row("Can the profiles be trusted", *_trust(scope)),
        ],
    )


def _now(scope: Scope, config: Mapping[str, Any]) -> list[panels.Panel]:
    over = panels.ratio(
        scope.max_by(EACH, scope.select("runtime_exporter_overhead_ratio", 'part="profiling"')),
        scope.max_by(EACH, scope.select("runtime_exporter_overhead_budget_ratio")),
    )
    return [
        panels.stat(
            "Cores in profiles",
            "CPU that the profiles account for, in cores, of all instances chosen.",
            Query(f"sum({scope.rate('profile_total_seconds_total', CPU)})"),
            unit="none",
            decimals=2,
        ),
        panels.stat(
            "Regressions",
            "Functions whose share is confirmed to be larger than in the baseline. RuntimeProfileRegression tells of them.",
            Query(f"sum({scope.select('profile_regression_active')}) or vector(0)"),
            unit="none",
            decimals=0,
            thresholds=panels.steps("green", (1, "red")),
        ),
        panels.stat(
            "Smallest visible change",
            "The smallest relative rise of a function's share that the comparison by CPU could have seen, in the instance where it sees least. "
            "No regression below this says nothing.",
            Query(f"max({scope.select('profile_mde_ratio', CPU)})"),
            unit="percentunit",
            nothing="no baseline",
        ),
        panels.stat(
            "Advice",
            "Recommendations that hold now; the table below says which.",
            Query(f"count({scope.select('profile_recommendation')} == 1) or vector(0)"),
            unit="none",
            decimals=0,
            thresholds=panels.steps("green", (1, "yellow")),
        ),
        panels.stat(
            "Profiling of budget",
            "CPU that profiling itself uses, as a share of the exporter's budget, in the instance where it is worst.",
            Query(f"max({over})"),
            unit="percentunit",
            thresholds=panels.configured_steps(config, "green", (1, "yellow"), ("alerts.overBudget.ratio", "red")),
        ),
        panels.stat(
            "Bias",
            "The share of the CPU that the profiles may blame on the wrong function, in the worst instance. Above a tenth, trust the totals more than the names: "
            "install py-spy, or use Python 3.14.",
            Query(f"max({scope.select('runtime_exporter_profiler_bias_ratio')})"),
            unit="percentunit",
            thresholds=panels.steps("green", (0.1, "red")),
        ),
    ]


def _share(scope: Scope, metric: str, kind: str) -> str:
    """Return the share of each function in all that the profiles of a kind account for; nothing where that is zero."""
    total = f"(sum({scope.rate('profile_total_seconds_total', kind)}) > 0)"
    return f"sum by (function) ({scope.rate(metric, kind)}) / on () group_left () {total}"


def _functions(scope: Scope) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "CPU in functions",
            "What the CPU is spent on, by the function itself and not what it calls: the areas add up to everything. "
            "A function is shown while it is among the largest; the others are `other`.",
            Query(_share(scope, "profile_self_seconds_total", CPU), "{{function}}"),
            unit="percentunit",
            maximum=1,
            stacked=True,
            width=12,
            height=10,
        ),
        panels.timeseries(
            "CPU with what is called",
            "The share of the CPU of each function with all that it calls: lines contain each other, so they do not add up.",
            Query(_share(scope, "profile_cum_seconds_total", CPU), "{{function}}"),
            unit="percentunit",
            width=12,
            height=10,
        ),
        panels.timeseries(
            "Cores in functions",
            "Cores that each function uses itself. A share that rises while these cores stay the same is somebody else's saving.",
            Query(f"sum by (function) ({scope.rate('profile_self_seconds_total', CPU)})", "{{function}}"),
            unit="none",
            axis="cores",
            stacked=True,
            width=12,
            height=10,
        ),
        panels.timeseries(
            "Wall time in functions",
            "Where threads are, whether they run or wait, by the function itself. What waits for work is here, too: compare with the CPU.",
            Query(_share(scope, "profile_self_seconds_total", WALL), "{{function}}"),
            unit="percentunit",
            maximum=1,
            stacked=True,
            width=12,
            height=10,
        ),
    ]


def _week(scope: Scope) -> list[panels.Panel]:
    now, before = _over_range(scope, ""), _over_range(scope, WEEK)
    # A function that had no series a week ago had next to nothing.
    change = f"({now}) - (({before}) or 0 * ({now}))"
    return [
        panels.table(
            "Functions against a week ago",
            "The share of the CPU that each function uses itself over the time range, the same a week before, and the difference. "
            "A function that is missing on one side was not among the largest there.",
            Column("Function", label="function"),
            Column("Share", now, unit="percentunit", decimals=1, width=140),
            Column("A week ago", before, unit="percentunit", decimals=1, width=140),
            Column(
                "Change",
                change,
                unit="percentunit",
                decimals=1,
                width=140,
                thresholds=panels.steps("green", (0.05, "yellow"), (0.1, "red")),
            ),
            sort="Share",
            width=16,
            nothing="no profiles",
        ),
        panels.timeseries(
            "CPU against a week ago",
            "Cores that the profiles account for now, and a week before.",
            Query(f"sum({scope.rate('profile_total_seconds_total', CPU)})", "now"),
            Query(
                f"sum(rate({scope.select('profile_total_seconds_total', CPU)}[$__rate_interval]{WEEK}))", "a week ago"
            ),
            unit="none",
            axis="cores",
            height=9,
            overrides=[panels.line("^a week ago$", "text")],
        ),
    ]


def _over_range(scope: Scope, offset: str) -> str:
    """Return the share of each function in the CPU of the whole time range."""

    def increase(metric: str) -> str:
        return f"increase({scope.select(metric, CPU)}[$__range]{offset})"

    total = f"(sum({increase('profile_total_seconds_total')}) > 0)"
    return f"sum by (function) ({increase('profile_self_seconds_total')}) / on () group_left () {total}"


def _findings(scope: Scope) -> list[panels.Panel]:
    by = "job, instance, profile, function, baseline"
    return [
        panels.table(
            "Regressions now",
            "Functions whose share is larger than in the baseline: confirmed, or suspected so far. Score: by how many standard errors.",
            Column("Job", label="job"),
            Column("Instance", label="instance"),
            Column("Profile", label="profile", width=80),
            Column("Function", label="function"),
            Column("Baseline", label="baseline"),
            Column(
                "State",
                scope.max_by(by, scope.select("profile_regression_active")),
                states={"0": ("suspected", "yellow"), "1": ("confirmed", "red")},
                width=110,
            ),
            Column(
                "Rise",
                scope.max_by(by, scope.select("profile_regression_delta_ratio")),
                unit="percentunit",
                decimals=0,
                width=90,
            ),
            Column("Score", scope.max_by(by, scope.select("profile_regression_score")), decimals=1, width=90),
            sort="Score",
            nothing=ALL_IS_WELL,
        ),
        panels.table(
            "Recommendations now",
            "What the advice rules say of the last profiles, and the most that each can bring. The evidence, what to do and when it is wrong are in /api/v1/recommendations of the instance.",
            Column("Job", label="job"),
            Column("Rule", label="rule"),
            Column("Severity", label="severity"),
            Column("About", label="target"),
            Column(
                "Instances",
                scope.sum_by("job, rule, severity, target", scope.select("profile_recommendation")),
                decimals=0,
                width=110,
            ),
            Column(
                "At most",
                scope.max_by("job, rule, severity, target", scope.select("profile_recommendation_impact_ratio")),
                unit="percentunit",
                decimals=0,
                width=110,
            ),
            sort="At most",
            nothing=ALL_IS_WELL,
        ),
        panels.timeseries(
            "Regression scores",
            "By how many standard errors each suspected function exceeds its baseline. Since when, and will it stay: a curve that falls is transient.",
            Query(
                f"max by (profile, function) ({scope.select('profile_regression_score')})", "{{profile}} {{function}}"
            ),
            unit="none",
        ),
        panels.timeseries(
            "Findings by state",
            "Functions whose share rose: confirmed is a regression, shift rose in share but not in cost, transient is not (yet) there often enough, "
            "gone was confirmed and is over.",
            Query(f"sum by (state) ({scope.select('profile_regressions')})", "{{state}}"),
            unit="none",
            axis="functions",
        ),
        panels.timeseries(
            "Change of shape",
            "How far the whole profile is from its baseline: 0 is the same, 1 has nothing in common (Jensen-Shannon distance). "
            "A step with a release is a change of everything a little.",
            Query(f"max by (profile) ({scope.select('profile_divergence')})", "{{profile}}"),
            unit="none",
            maximum=1,
        ),
    ]


def _waiting(scope: Scope) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "Waiting by site",
            "How many threads wait at each place on average, for locks (mutex), or blocked at all (block).",
            Query(
                f"sum by (profile, site) ({scope.rate('profile_wait_seconds_total')})",
                "{{profile}} {{site}}",
            ),
            unit="none",
            axis="threads",
            width=12,
        ),
        panels.timeseries(
            "Waits by site",
            "How often threads had to wait. Many short waits: the lock is taken too often; few long ones: something slow is done under it.",
            Query(
                f"sum by (profile, site) ({scope.rate('profile_contentions_total')})",
                "{{profile}} {{site}}",
            ),
            unit="cps",
            width=12,
        ),
    ]


def _memory(scope: Scope) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "Memory in use by function",
            "Memory in use by the function that allocated it. Go always; Python while a heap profile is taken.",
            Query(f"sum by (function) ({scope.select('profile_inuse_bytes')})", "{{function}}"),
            unit="bytes",
            stacked=True,
            width=12,
        ),
        panels.timeseries(
            "Allocated by function",
            "Memory that each function allocates a second. Much of it and little in use: work for the garbage collector.",
            Query(f"sum by (function) ({scope.rate('profile_allocated_bytes_total')})", "{{function}}"),
            unit="binBps",
            stacked=True,
            width=12,
        ),
    ]


def _growth(scope: Scope) -> list[panels.Panel]:
    by = "job, instance, kind, site"
    slopes = [
        f"3600 * {scope.max_by(by, scope.select(metric))}"
        for metric in ("profile_leak_slope_bytes_per_second", "profile_leak_slope_per_second")
    ]
    return [
        panels.timeseries(
            "Leak suspects",
            "What has grown so steadily that a leak is suspected, by kind. RuntimeProfileLeakSuspect tells of it.",
            Query(f"sum by (kind) ({scope.select('profile_leak_suspects')})", "{{kind}}"),
            unit="none",
            axis="suspects",
            height=9,
        ),
        panels.table(
            "Growth of suspects",
            "What grows, and how fast: memory in bytes an hour, blocks, objects, threads and tasks in numbers an hour.",
            Column("Job", label="job"),
            Column("Instance", label="instance"),
            Column("Kind", label="kind", width=90),
            Column("What", label="site"),
            Column("Bytes an hour", slopes[0], unit="bytes", decimals=1, width=130),
            Column("An hour", slopes[1], unit="short", decimals=1, width=110),
            sort="Kind",
            descending=False,
            width=16,
            nothing=ALL_IS_WELL,
        ),
        panels.timeseries(
            "Goroutines by function",
            "How many goroutines of Go services stand in each function. An area that only grows is a leak: what it waits for never comes.",
            Query(f"sum by (function) ({scope.select('profile_goroutines', GOROUTINES)})", "{{function}}"),
            unit="none",
            axis="goroutines",
            stacked=True,
            width=12,
        ),
        panels.timeseries(
            "Leaked goroutines",
            "Goroutines that can never run again, by the function in which they stand: proven by Go's own search (1.27), which the agent asks for every ten minutes.",
            Query(f"sum by (function) ({scope.select('profile_goroutines', LEAKED)})", "{{function}}"),
            unit="none",
            axis="goroutines",
            stacked=True,
            width=12,
        ),
    ]


def _trust(scope: Scope) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "Cost of profiling",
            "CPU that profiling uses, as a share of one core; the dashed line is the budget of all that the exporter does by itself.",
            Query(scope.select("runtime_exporter_overhead_ratio", 'part="profiling"'), scope.per_instance),
            Query(f"min({scope.select('runtime_exporter_overhead_budget_ratio')})", "budget"),
            unit="percentunit",
            overrides=[panels.line("^budget$", "red")],
        ),
        panels.timeseries(
            "Samples",
            "Samples a second behind the profiles, by kind. Few samples make names uncertain and small regressions invisible.",
            Query(f"sum by (profile) ({scope.rate('profile_samples_total')})", "{{profile}}"),
            unit="cps",
        ),
        panels.timeseries(
            "Visible change",
            "The smallest relative rise that each comparison could have seen. It falls as the baseline grows.",
            Query(f"max by (profile) ({scope.select('profile_mde_ratio')})", "{{profile}}"),
            unit="percentunit",
        ),
        panels.table(
            "What takes the samples",
            "The sampler of each instance, and the risk that it blames the wrong function for CPU time.",
            Column("Job", label="job"),
            Column("Instance", label="instance"),
            Column("Sampler", label="backend"),
            Column("Bias", label="bias"),
            Column(
                "Instances",
                scope.max_by(f"{EACH}, backend, bias", scope.select("runtime_exporter_profiler_backend_info")),
                decimals=0,
                width=110,
            ),
            sort="Bias",
            width=12,
            nothing="no profiles",
        ),
        panels.timeseries(
            "Captures",
            "Profiles that were taken, by kind and by what became of them: at every interval, on demand, and by alerts.",
            Query(
                f"sum by (profile, result) ({scope.rate('profile_captures_total')})",
                "{{profile}} {{result}}",
            ),
            unit="cps",
            width=12,
            height=9,
        ),
        panels.timeseries(
            "Age of the last profile",
            "Time since the last profile of each kind, in the instance where it is oldest. It should not exceed the interval for long.",
            Query(
                f"time() - min by (profile) ({scope.select('profile_last_capture_timestamp_seconds')})", "{{profile}}"
            ),
            unit="s",
            width=12,
        ),
        panels.timeseries(
            "Age of the baseline",
            "Time since the newest profile of what is compared with. A frozen baseline grows old: it is the version before.",
            Query(f"max by (profile) ({scope.select('profile_baseline_age_seconds')})", "{{profile}}"),
            unit="s",
            width=12,
        ),
    ]
