"""The fleet at a glance: which service, which instance is unhealthy, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Column, Query, Requests, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRING = ('alertstate="firing"', 'severity=~"critical|warning"')
NOBODY_ASKED = "no requests"
SEVERITIES = {"critical": ("critical", "red"), "warning": ("warning", "orange"), "info": ("info", "blue")}


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the overview of all services and their instances."""
    return panels.dashboard(
        config,
        "overview",
        title="Overview",
        description="The fleet: which service or instance is unhealthy, and where to look next.",
        subject="up",
        rows=[
            panels.row("", *_now(config)),
            panels.row("Services and instances", _services(config), _instances(config)),
            panels.row("Alerts", *_alerts(Scope.of(config))),
            panels.row("Traffic", *_traffic(config)),
            panels.row("Resources", *_resources(Scope.of(config))),
        ],
    )


def _now(config: Mapping[str, Any]) -> list[panels.Panel]:
    scope, requests = Scope.of(config), Requests.of(config)
    return [
        panels.stat(
            "Instances down",
            "Targets that Prometheus could not scrape just now. The table below names them.",
            Query(f"sum(1 - {scope.select('up')})"),
            unit="none",
            thresholds=panels.steps("green", (1, "red")),
        ),
        panels.stat(
            "Alerts firing",
            "Critical and warning alerts of the services chosen. 0 is the normal state.",
            Query(f"count({scope.alerts(*FIRING)}) or vector(0)"),
            unit="none",
            thresholds=panels.steps("green", (1, "red")),
        ),
        panels.stat(
            "Requests",
            "HTTP requests per second, all services chosen. A sudden fall is as telling as a rise.",
            Query(requests.total()),
            unit="reqps",
            nothing=NOBODY_ASKED,
        ),
        panels.stat(
            "Error ratio",
            "The share of requests that failed. Yellow: the error budget is spent faster than its period allows; red: at the rate that pages someone.",
            Query(requests.total_error_ratio()),
            unit="percentunit",
            decimals=2,
            thresholds=panels.error_budget_steps(config),
            nothing=NOBODY_ASKED,
        ),
        panels.stat(
            "p95 latency",
            "19 of 20 requests are faster. Red from the threshold of RuntimeHttpLatencyHigh, yellow from half of it.",
            Query(requests.quantile(0.95)),
            unit="s",
            thresholds=panels.latency_steps(config),
            nothing=NOBODY_ASKED,
        ),
        panels.stat(
            "Least error budget left",
            "What remains of the error budget of the service that has spent most of its own. Below 0 the objective is missed.",
            Query(f"min({panels.budget_left(config)})"),
            unit="percentunit",
            decimals=1,
            thresholds=panels.steps("red", (0.0001, "yellow"), (0.25, "green")),
            nothing="no rule yet",
        ),
    ]


def _link(config: Mapping[str, Any], name: str, text: str, **choices: str) -> tuple[str, str]:
    """Return a link to another dashboard about the line that was clicked; `choices`: which column's value each variable takes."""
    places = {column.title.lower(): column.title for column in _place_columns(config)}
    chosen = "".join(f"&var-{variable}=${{__data.fields.{title}}}" for variable, title in {**places, **choices}.items())
    return text, f"/d/{config['dashboardUids'][name]}?${{datasource:queryparam}}&${{__url_time_range}}{chosen}"


def _place_columns(config: Mapping[str, Any]) -> list[Column]:
    scope = Scope.of(config)
    cluster = [Column("Cluster", label=scope.cluster_label)] if scope.multi_cluster else []
    return cluster + ([Column("Namespace", label=scope.namespace_label)] if scope.namespaces else [])


def _services(config: Mapping[str, Any]) -> panels.Panel:
    scope, requests = Scope.of(config), Requests.of(config)
    return panels.table(
        "Services",
        "One line a service. Click its name for its HTTP dashboard, its CPU for its functions. An empty cell has no data: a service without HTTP has no requests.",
        *_place_columns(config),
        Column("Service", label="job", link=_link(config, "http", "HTTP of this service", job="Service")),
        Column("Up", scope.sum_by("job", scope.select("up")), width=80),
        Column(
            "Down",
            scope.sum_by("job", f"1 - {scope.select('up')}"),
            thresholds=panels.steps("text", (1, "red")),
            width=80,
        ),
        Column(
            "Alerts", scope.sum_by("job", scope.alerts(*FIRING)), thresholds=panels.steps("text", (1, "red")), width=80
        ),
        Column("Requests", requests.rate("job"), unit="reqps"),
        Column(
            "Errors",
            requests.error_ratio("job"),
            unit="percentunit",
            decimals=2,
            thresholds=panels.error_budget_steps(config),
        ),
        Column("p95", requests.quantile(0.95, "job"), unit="s", thresholds=panels.latency_steps(config)),
        Column("Budget left", scope.sum_by("job", panels.budget_left(config)), unit="percentunit", decimals=1),
        Column(
            "CPU cores",
            scope.sum_by("job", scope.rate("process_cpu_seconds_total")),
            decimals=2,
            link=_link(config, "profiling", "Functions of this service", job="Service"),
        ),
        Column("Memory", scope.sum_by("job", scope.select("process_resident_memory_bytes")), unit="bytes"),
        Column(
            "Restarts",
            scope.sum_by("job", f"changes({scope.select('process_start_time_seconds')}[$__range])"),
            decimals=0,
        ),
        sort="Alerts",
        height=7,
    )


def _instances(config: Mapping[str, Any]) -> panels.Panel:
    scope, requests, each = Scope.of(config), Requests.of(config), "job, instance"
    uptime = f"time() - {scope.select('process_start_time_seconds')}"
    return panels.table(
        "Instances",
        "One line an instance: the one that differs from its siblings is the one to look at. Click its name for its runtime dashboard, its CPU for its functions.",
        *_place_columns(config),
        Column("Service", label="job"),
        Column(
            "Instance",
            label="instance",
            link=_link(config, "runtime", "Runtime of this instance", job="Service", instance="Instance"),
        ),
        Column(
            "State",
            scope.sum_by(each, scope.select("up")),
            states={"0": ("down", "red"), "1": ("up", "green")},
            width=80,
        ),
        Column(
            "Alerts",
            scope.sum_by(each, scope.select("ALERTS", *FIRING)),
            thresholds=panels.steps("text", (1, "red")),
            width=80,
        ),
        Column("Requests", requests.rate(each), unit="reqps"),
        Column(
            "Errors",
            requests.error_ratio(each),
            unit="percentunit",
            decimals=2,
            thresholds=panels.error_budget_steps(config),
        ),
        Column("p95", requests.quantile(0.95, each), unit="s", thresholds=panels.latency_steps(config)),
        Column(
            "CPU cores",
            scope.sum_by(each, scope.rate("process_cpu_seconds_total")),
            decimals=2,
            link=_link(config, "profiling", "Functions of this instance", job="Service", instance="Instance"),
        ),
        Column("Memory", scope.sum_by(each, scope.select("process_resident_memory_bytes")), unit="bytes"),
        Column("Threads", scope.sum_by(each, scope.select("process_num_threads")), decimals=0),
        Column(
            "Restarts",
            scope.sum_by(each, f"changes({scope.select('process_start_time_seconds')}[$__range])"),
            decimals=0,
        ),
        Column("Uptime", scope.sum_by(each, uptime), unit="s"),
        sort="Alerts",
        height=9,
    )


def _firing_for(scope: Scope) -> str:
    """Return how many seconds ago the condition of each alert that fires now came true."""
    each = "alertname, severity, job, instance"
    since, firing = scope.alerts(metric="ALERTS_FOR_STATE"), scope.alerts(FIRING[0])
    return f"{scope.max_by(each, f'time() - {since}')} and {scope.max_by(each, firing)}"


def _alerts(scope: Scope) -> list[panels.Panel]:
    return [
        panels.table(
            "Firing alerts",
            "Every alert that fires now for the services chosen, the informational ones too. Nothing here is the normal state.",
            Column("Alert", label="alertname"),
            Column("Severity", label="severity", states=SEVERITIES, width=100),
            Column("Service", label="job"),
            Column("Instance", label="instance"),
            Column("Since", _firing_for(scope), unit="s", width=120),
            sort="Severity",
            descending=False,
            width=12,
            height=8,
            nothing="none",
        ),
        panels.state_timeline(
            "Alerts over time",
            "When each alert fired: what came first is nearer to the cause.",
            Query(scope.max_by("alertname, job", scope.alerts(*FIRING)), f"{{{{alertname}}}} {scope.per_job}"),
            states={"1": ("firing", "red")},
            nothing="none",
        ),
    ]


def _traffic(config: Mapping[str, Any]) -> list[panels.Panel]:
    scope, requests = Scope.of(config), Requests.of(config)
    return [
        panels.timeseries(
            "Request rate",
            "HTTP requests per second of each service.",
            Query(requests.rate("job"), scope.per_job),
            unit="reqps",
            width=6,
        ),
        panels.timeseries(
            "Error ratio by service",
            "The share of each service's requests that failed. The lines: the error budget is spent faster than planned, and at the rate that pages someone.",
            Query(requests.error_ratio("job"), scope.per_job),
            unit="percentunit",
            width=6,
            thresholds=panels.error_budget_steps(config),
        ),
        panels.timeseries(
            "p95 latency by service",
            "19 of 20 requests are faster. The upper line is the threshold of RuntimeHttpLatencyHigh.",
            Query(requests.quantile(0.95, "job"), scope.per_job, exemplar=True),
            unit="s",
            width=6,
            thresholds=panels.latency_steps(config),
        ),
        panels.timeseries(
            "Error budget left",
            "What remains of each service's error budget over its period; below 0 the objective is missed.",
            Query(panels.budget_left(config), scope.per_job),
            unit="percentunit",
            width=6,
            minimum=None,
            thresholds=panels.steps("red", (0.0001, "yellow"), (0.25, "green")),
        ),
    ]


def _resources(scope: Scope) -> list[panels.Panel]:
    each = "job, instance"
    return [
        panels.timeseries(
            "CPU by instance",
            "Cores that each instance uses; 1 is one core, which is all that one Python interpreter's byte code can use.",
            Query(scope.sum_by(each, scope.rate("process_cpu_seconds_total")), scope.per_instance),
            unit="short",
            axis="cores",
        ),
        panels.timeseries(
            "Memory by instance",
            "Resident memory of each instance. A floor that rises for hours, and does not follow the traffic, is a leak.",
            Query(scope.sum_by(each, scope.select("process_resident_memory_bytes")), scope.per_instance),
            unit="bytes",
        ),
        panels.timeseries(
            "Restarts by instance",
            "How often each instance's process began anew around that moment. 0 is the normal state.",
            Query(
                scope.sum_by(each, f"changes({scope.select('process_start_time_seconds')}[$__rate_interval])"),
                scope.per_instance,
            ),
            unit="short",
            axis="restarts",
        ),
    ]
