"""Objectives: how much of each budget is left, how fast it burns, and what has spent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Column, Query, Scope, Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS, BAD = "slo:events:rate{}", "slo:bad_events:rate{}"
OBJECTIVE, LEFT = "slo:objective:ratio", "slo:error_budget_remaining:ratio"
CHOSEN = 'slo=~"$slo"'
# Below nothing the objective is missed; below a quarter it is time to be careful.
BUDGET = panels.steps("red", (0.0001, "yellow"), (0.25, "green"))
NOT_YET = "no rule yet"


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the dashboard about service level objectives."""
    scope = Scope.of(config)
    return panels.dashboard(
        config,
        "slo",
        title="SLO",
        description="Service level objectives: the budget that is left, how fast it burns, and what has spent it.",
        subject="up",
        variables=[Variable("slo", OBJECTIVE, "slo", of_instance=False)],
        rows=[
            panels.row("", *_now(config, scope)),
            panels.row("Objectives", _objectives(config, scope)),
            panels.row("Budget", *_budget(config, scope)),
            panels.row("Events", *_events(config, scope)),
            panels.row("Service", *_service(config, scope)),
        ],
    )


def _legend(scope: Scope) -> str:
    return f"{{{{slo}}}} {scope.per_job}"


def _each(scope: Scope, metric: str) -> str:
    return scope.max_by("job, http_route, slo", scope.of_job(metric, CHOSEN))


def _shortest(config: Mapping[str, Any]) -> tuple[str, str]:
    return EVENTS.format(config["rateInterval"]), BAD.format(config["rateInterval"])


def _bad_ratio(config: Mapping[str, Any], scope: Scope, window: str) -> str:
    """Return the share of bad events over one of the burn rates' windows."""
    if panels.seconds(window) <= panels.seconds(config["rateInterval"]):
        events, bad = _shortest(config)
        return panels.ratio(_each(scope, bad), _each(scope, events))
    return _each(scope, f"slo:bad_events_per_events:ratio_rate{window}")


def _burn(config: Mapping[str, Any], scope: Scope, window: str) -> str:
    return f"{_bad_ratio(config, scope, window)} / (1 - {_each(scope, OBJECTIVE)})"


def _windows(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    windows = config["alerts"]["sloBudgetBurn"]["windows"].values()
    return sorted((each for each in windows if each), key=lambda each: panels.seconds(each["long"]))


def _now(config: Mapping[str, Any], scope: Scope) -> list[panels.Panel]:
    events, bad = _shortest(config)
    return [
        panels.stat(
            "Goals",
            "Objectives that are watched: each of each service, or of each route.",
            Query(f"count({scope.of_job(OBJECTIVE, CHOSEN)})"),
            unit="none",
            nothing="no requests",
        ),
        panels.stat(
            "Objectives missed",
            "Objectives whose budget is spent. The table below names them.",
            Query(f"count({scope.of_job(LEFT, CHOSEN)} < 0) or vector(0)"),
            unit="none",
            thresholds=panels.steps("green", (1, "red")),
        ),
        panels.stat(
            "Least budget left",
            "What remains of the budget of the objective that has spent most of its own. Below 0 it is missed.",
            Query(f"min({scope.of_job(LEFT, CHOSEN)})"),
            unit="percentunit",
            decimals=1,
            thresholds=BUDGET,
            nothing=NOT_YET,
        ),
        panels.stat(
            "Fastest burn",
            "How many times faster than it may the fastest budget burns right now. 1 spends it exactly within its period.",
            Query(
                f"max({panels.ratio(scope.of_job(bad, CHOSEN), scope.of_job(events, CHOSEN))} / (1 - {scope.of_job(OBJECTIVE, CHOSEN)}))"
            ),
            unit="none",
            decimals=1,
            thresholds=panels.steps("green", (1, "yellow"), (14.4, "red")),
            nothing="no requests",
        ),
        panels.stat(
            "Events",
            "Events per second that the objectives chosen count: requests, mostly. One that several objectives count is counted by each.",
            Query(f"sum({scope.of_job(events, CHOSEN)})"),
            unit="cps",
            nothing="no requests",
        ),
        panels.stat(
            "Bad events",
            "Bad events per second: failed, too slow, or whatever a custom objective counts.",
            Query(f"sum({scope.of_job(bad, CHOSEN)})"),
            unit="cps",
            nothing="no requests",
        ),
    ]


def _objectives(config: Mapping[str, Any], scope: Scope) -> panels.Panel:
    longest = _windows(config)[-1:]
    over = [
        Column(f"Bad in {each['long']}", _bad_ratio(config, scope, each["long"]), unit="percentunit", decimals=2)
        for each in longest
    ]
    by_route = any((spec or {}).get("by") == "route" for spec in config["slos"].values())
    route = [Column("Route", label="http_route")] if by_route else []
    return panels.table(
        "Objectives and their budgets",
        "One line an objective of a service, or of a route. Burning: how many times faster than it may, right now.",
        Column("Objective", label="slo"),
        Column("Service", label="job"),
        *route,
        Column("Goal", _each(scope, OBJECTIVE), unit="percentunit", decimals=2, width=100),
        Column("Budget left", _each(scope, LEFT), unit="percentunit", decimals=1, thresholds=BUDGET),
        Column("Burning", _burn(config, scope, config["rateInterval"]), decimals=2),
        *over,
        Column("Events per second", _each(scope, _shortest(config)[0]), unit="cps"),
        sort="Budget left",
        descending=False,
    )


def _budget(config: Mapping[str, Any], scope: Scope) -> list[panels.Panel]:
    windows = _windows(config)
    burns = [
        panels.timeseries(
            f"Burn rate over {each['long']}",
            f"How many times faster than it may each budget burns, over {each['long']}. From the line on, with {each['short']} too, an objective of 30 days is told ({each['severity']}).",
            Query(_burn(config, scope, each["long"]), _legend(scope)),
            unit="none",
            width=6,
            thresholds=panels.steps(
                "green", (_factor(each), "red"), unless=panels.differing(config, "alerts.sloBudgetBurn.windows")
            ),
        )
        for each in windows
    ]
    return [
        panels.timeseries(
            "Budget left",
            "What remains of each budget over its own period. A cliff is an incident, a slope is a habit; below 0 the objective is missed.",
            Query(scope.of_job(LEFT, CHOSEN), _legend(scope)),
            unit="percentunit",
            width=12,
            minimum=None,
            thresholds=BUDGET,
        ),
        panels.timeseries(
            "Burn rate now",
            "How many times faster than it may each budget burns right now; 1 spends it exactly within its period.",
            Query(_burn(config, scope, config["rateInterval"]), _legend(scope)),
            unit="none",
            width=12,
            thresholds=panels.steps("green", (1, "yellow")),
        ),
        *burns,
    ]


def _factor(window: Mapping[str, Any]) -> float:
    return round(window["budget"] * panels.seconds("30d") / panels.seconds(window["long"]), 6)


def _events(config: Mapping[str, Any], scope: Scope) -> list[panels.Panel]:
    events, bad = _shortest(config)
    return [
        panels.timeseries(
            "Bad events of each objective",
            "Bad events per second. What the budget is spent on, as it happens.",
            Query(_each(scope, bad), _legend(scope)),
            unit="cps",
            width=12,
        ),
        panels.timeseries(
            "Traffic of each objective",
            "Events per second: in a quiet hour a few bad events are a large share and little of the budget.",
            Query(_each(scope, events), _legend(scope)),
            unit="cps",
            width=12,
        ),
    ]


def _service(config: Mapping[str, Any], scope: Scope) -> list[panels.Panel]:
    rate = config["rateInterval"]
    requests = scope.of_job(f"job:http_server_requests:rate{rate}")
    errors = scope.of_job(f"job:http_server_errors:rate{rate}")
    buckets = scope.of_job(f"job:http_server_request_duration_seconds_bucket:rate{rate}")
    return [
        panels.timeseries(
            "Errors of the service",
            "The share of requests that failed, as the availability objective counts them.",
            Query(panels.ratio(scope.max_by("job", errors), scope.max_by("job", requests)), scope.per_job),
            unit="percentunit",
            width=12,
        ),
        panels.timeseries(
            "Latency of the service",
            "19 of 20 requests are faster; as recorded by the rules, over all routes.",
            Query(panels.quantile(0.95, scope.max_by("job, le", buckets)), scope.per_job),
            unit="s",
            width=12,
        ),
    ]
