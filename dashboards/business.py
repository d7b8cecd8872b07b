"""What the services count of their own: a row for each of `businessMetrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Query, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = {"second": 1, "minute": 60, "hour": 3600}
WEEK = " offset 7d"


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the dashboard about the user's business metrics; without any it has no panels."""
    scope = Scope.of(config)
    measured = config["businessMetrics"]
    return panels.dashboard(
        config,
        "business",
        title="Business",
        description="What the services do for the business: the metrics of businessMetrics in the configuration.",
        subject="up",
        exposed=frozenset(name for metric in measured for name in _series(metric)),
        rows=[panels.row(metric["title"], *_panels(metric, scope, config["rateInterval"])) for metric in measured],
    )


def _series(metric: Mapping[str, Any]) -> tuple[str, ...]:
    return metric["metric"], f"{metric['metric']}_bucket"


def _panels(metric: Mapping[str, Any], scope: Scope, rate: str) -> list[panels.Panel]:
    return {"counter": _counter, "gauge": _gauge, "histogram": _histogram}[metric["kind"]](metric, scope, rate)


def _counter(metric: Mapping[str, Any], scope: Scope, rate: str) -> list[panels.Panel]:
    selector, title, per = _matchers(metric), metric["title"], metric["per"]
    increase = f"sum(increase({scope.select(metric['metric'], *selector)}[$__range]))"
    return [
        panels.stat(
            f"{title} in the time range",
            _said(metric, "How much there was in the time range of the dashboard, of everything chosen."),
            Query(increase),
            unit=metric["unit"],
            height=8,
            sparkline=False,
        ),
        _course(
            metric,
            f"{title} per {per}",
            "How fast it goes.",
            Query(_times(per, _by(metric, scope, scope.rate(metric["metric"], *selector))), _legend(metric, scope)),
        ),
        _against_last_week(metric, _times(per, f"sum({scope.of_job(metric['recorded'] + ':rate' + rate)}%s)")),
    ]


def _gauge(metric: Mapping[str, Any], scope: Scope, _rate: str) -> list[panels.Panel]:
    selected, title, over = scope.select(metric["metric"], *_matchers(metric)), metric["title"], metric["aggregation"]
    recorded = scope.of_job(f"{metric['recorded']}:{over}")
    return [
        panels.stat(
            f"{title} now",
            _said(metric, "The value now, of everything chosen."),
            Query(f"{over}({selected})"),
            unit=metric["unit"],
            height=8,
            thresholds=_steps(metric),
        ),
        _course(metric, title, "How it goes.", Query(_by(metric, scope, selected, over), _legend(metric, scope))),
        _against_last_week(metric, f"{over}({recorded}%s)"),
    ]


def _histogram(metric: Mapping[str, Any], scope: Scope, rate: str) -> list[panels.Panel]:
    title, level = metric["title"], metric["quantile"]
    name = f"p{100 * level:g}"
    buckets = scope.rate(f"{metric['metric']}_bucket", *_matchers(metric))
    each = _by({**metric, "by": [*metric["by"], "le"]}, scope, buckets)
    recorded = scope.of_job(f"{metric['recorded']}:rate{rate}")
    return [
        panels.stat(
            f"{title}: median",
            _said(metric, "Half of them are below, of everything chosen."),
            Query(panels.quantile(0.5, f"sum by (le) ({buckets})")),
            unit=metric["unit"],
            height=8,
            nothing="none lately",
        ),
        _course(
            metric,
            f"{title}: median and {name}",
            f"Half of them, and {100 * level:g} of 100, are below.",
            Query(panels.quantile(0.5, each), f"p50 {_legend(metric, scope)}"),
            Query(panels.quantile(level, each), f"{name} {_legend(metric, scope)}"),
        ),
        _against_last_week(metric, panels.quantile(level, f"sum by (le) ({recorded}%s)"), f" ({name})"),
    ]


def _course(metric: Mapping[str, Any], title: str, says: str, *queries: Query) -> panels.Panel:
    told = " The lines are where its alerts begin." if metric["alert"] else ""
    return panels.timeseries(
        title,
        _said(metric, says + told),
        *queries,
        unit=metric["unit"],
        width=12,
        minimum=None,
        thresholds=_steps(metric),
    )


def _against_last_week(metric: Mapping[str, Any], expression: str, what: str = "") -> panels.Panel:
    """Return the panel of everything chosen now and a week before; %s in the expression is where the offset stands."""
    return panels.timeseries(
        f"{metric['title']} against last week",
        _said(metric, f"Everything chosen{what}, and the same a week before. As the rules have recorded it."),
        Query(expression.replace("%s", ""), "now"),
        Query(expression.replace("%s", WEEK), "a week ago"),
        unit=metric["unit"],
        minimum=None,
        overrides=[panels.line("^a week ago$", "text")],
    )


def _said(metric: Mapping[str, Any], says: str) -> str:
    meaning = metric["description"].rstrip(".")
    return f"{meaning}. {says}" if meaning else says


def _matchers(metric: Mapping[str, Any]) -> tuple[str, ...]:
    return (metric["selector"],) if metric["selector"] else ()


def _by(metric: Mapping[str, Any], scope: Scope, expression: str, over: str = "sum") -> str:
    labels = ", ".join([scope.cluster_label, scope.namespace_label, "job", *metric["by"]])
    return f"{over} by ({labels}) ({expression})"


def _legend(metric: Mapping[str, Any], scope: Scope) -> str:
    return " ".join([*(f"{{{{{label}}}}}" for label in metric["by"]), scope.per_job])


def _times(per: str, expression: str) -> str:
    return expression if per == "second" else f"{SECONDS[per]} * {expression}"


def _steps(metric: Mapping[str, Any]) -> tuple[panels.Step, ...]:
    """Return the bounds of the metric's alerts as thresholds; without any the value is neither good nor bad."""
    alert = metric["alert"] or {}
    below, above = alert.get("below"), alert.get("above")
    if below is None and above is None:
        return panels.NEUTRAL
    ends = [] if above is None else [(above, "red")]
    return panels.steps("green", *ends) if below is None else panels.steps("red", (below, "green"), *ends)
