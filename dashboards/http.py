"""Rate, errors and duration of HTTP requests: which route, since when, and how many users notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Column, Query, Requests, Scope, Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUTE = 'http_route=~"$route"'
NOBODY_ASKED = "no requests"
STATUS_COLORS = {"2xx": "green", "3xx": "blue", "4xx": "orange", "5xx": "red"}


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the dashboard about HTTP requests."""
    scope, requests = Scope.of(config), Requests.of(config, ROUTE)
    return panels.dashboard(
        config,
        "http",
        title="HTTP",
        description="Rate, errors and duration of HTTP requests, by route.",
        subject=requests.route[0],
        # OpenTelemetry leaves the label out where no route matched; All includes those requests.
        variables=[Variable("route", *requests.route, everything=".*")],
        rows=[
            panels.row("", *_now(config, requests)),
            panels.row("Rate, errors, duration", *_red(config, requests)),
            panels.row("Routes", _routes(config, requests), *_by_route(config, requests)),
            panels.row("Exceptions and load", *_load(scope, requests)),
            panels.row("Body sizes (with http_body_sizes on)", *_bodies(scope), collapsed=True),
        ],
    )


def _now(config: Mapping[str, Any], requests: Requests) -> list[panels.Panel]:
    in_flight = f"sum({requests.active()})"
    latency = panels.latency_steps(config)
    return [
        panels.stat(
            "Requests",
            "Requests per second, all routes chosen.",
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
        *(
            panels.stat(
                f"p{level:.0%}".removesuffix("%"),
                f"{level:.0%} of the requests are faster. Red from the threshold of RuntimeHttpLatencyHigh, yellow from half of it.",
                Query(requests.quantile(level)),
                unit="s",
                thresholds=latency,
                nothing=NOBODY_ASKED,
            )
            for level in (0.5, 0.95, 0.99)
        ),
        panels.stat(
            "In flight",
            "Requests that are being answered right now, of all routes.",
            Query(in_flight),
            unit="none",
            decimals=0,
        ),
    ]


def _red(config: Mapping[str, Any], requests: Requests) -> list[panels.Panel]:
    by_status = f"sum by (http_response_status_code) ({requests.raw_rate()})"
    labelled = f'label_replace({by_status}, "class", "${{1}}", "http_response_status_code", "(.*)")'
    by_class = (
        f'sum by (class) (label_replace({labelled}, "class", "${{1}}xx", "http_response_status_code", "([1-5]).."))'
    )
    return [
        panels.timeseries(
            "Requests by status class",
            "Requests per second by class of the answer's status. 4xx are the caller's mistakes, 5xx ours.",
            Query(by_class, "{{class}}"),
            unit="reqps",
            stacked=True,
            overrides=[panels.colored(f"^{name}$", color) for name, color in STATUS_COLORS.items()],
        ),
        panels.timeseries(
            "Errors by service",
            "The share of requests that failed. The lines: the error budget is spent faster than planned, and at the rate that pages someone.",
            Query(requests.error_ratio("job"), requests.scope.per_job),
            unit="percentunit",
            thresholds=panels.error_budget_steps(config),
        ),
        panels.timeseries(
            "Duration",
            "How long requests take. p50 rises: everything is slower. Only p99 rises: some requests wait for something. Dots are traces.",
            *(Query(requests.quantile(level), f"p{level * 100:.0f}", exemplar=True) for level in (0.99, 0.95, 0.5)),
            unit="s",
            thresholds=panels.latency_steps(config),
        ),
        panels.heatmap(
            "Distribution of durations",
            "How many requests took how long. Two bands are two kinds of requests: a cache that hits and one that misses, one slow route among fast ones.",
            Query(requests.buckets(), "{{le}}", exemplar=True),
            unit="s",
            width=24,
        ),
    ]


def _routes(config: Mapping[str, Any], requests: Requests) -> panels.Panel:
    each = "job, http_request_method, http_route"
    here = f"/d/{config['dashboardUids']['http']}?${{datasource:queryparam}}&${{__url_time_range}}"
    return panels.table(
        "Routes by traffic",
        "One line a route: where the traffic, the errors and the time are (at a time: the mean number being answered). Click a route to see only that one.",
        Column("Service", label="job"),
        Column("Method", label="http_request_method", width=90),
        Column(
            "Route",
            label="http_route",
            link=("Only this route", f"{here}&var-job=${{__data.fields.Service}}&var-route=${{__data.fields.Route}}"),
        ),
        Column("Requests", requests.rate(each), unit="reqps"),
        Column(
            "Errors",
            requests.error_ratio(each),
            unit="percentunit",
            decimals=2,
            thresholds=panels.error_budget_steps(config),
        ),
        Column("p50", requests.quantile(0.5, each), unit="s"),
        Column("p95", requests.quantile(0.95, each), unit="s", thresholds=panels.latency_steps(config)),
        Column("At a time", requests.seconds(each), decimals=2),
        sort="Requests",
    )


def _by_route(config: Mapping[str, Any], requests: Requests) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "Requests by route",
            "Requests per second of each route, all services chosen.",
            Query(f"sum by (http_route) ({requests.raw_rate()})", "{{http_route}}"),
            unit="reqps",
            stacked=True,
        ),
        panels.timeseries(
            "Errors by route",
            "Failed requests per second of each route. Empty is healthy.",
            Query(
                f"sum by (http_route, http_response_status_code) ({requests.raw_rate(requests.error_selector)})",
                "{{http_route}} {{http_response_status_code}}",
            ),
            unit="reqps",
        ),
        panels.timeseries(
            "p95 by route",
            "19 of 20 requests of the route are faster. The upper line is the threshold of RuntimeHttpLatencyHigh.",
            Query(requests.quantile(0.95, "http_route"), "{{http_route}}", exemplar=True),
            unit="s",
            thresholds=panels.latency_steps(config),
        ),
    ]


def _load(scope: Scope, requests: Requests) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "Requests in flight",
            "Requests being answered at a time, by method. Up while the rate is not: something behind the service is slow.",
            Query(
                f"sum by (http_request_method) ({requests.active()})",
                "{{http_request_method}}",
            ),
            unit="short",
            axis="requests",
            stacked=True,
            width=12,
        ),
        panels.timeseries(
            "Exceptions by type",
            "Exceptions that left the application's handler, by type and route. Empty is healthy.",
            Query(
                f"sum by (error_type, http_route) ({scope.rate('http_server_exceptions_total', ROUTE)})",
                "{{error_type}} in {{http_route}}",
            ),
            unit="cps",
            width=12,
        ),
    ]


def _bodies(scope: Scope) -> list[panels.Panel]:
    def sizes(direction: str) -> list[Query]:
        buckets = f"sum by (le) ({scope.rate(f'http_server_{direction}_body_size_bytes_bucket', ROUTE)})"
        return [Query(panels.quantile(level, buckets), f"{direction} p{level * 100:.0f}") for level in (0.5, 0.95)]

    def volume(direction: str) -> Query:
        return Query(f"sum({scope.rate(f'http_server_{direction}_body_size_bytes_sum', ROUTE)})", direction)

    return [
        panels.timeseries(
            "Body sizes",
            "Sizes of the bodies of requests and responses, the median and the largest of 20.",
            *sizes("request"),
            *sizes("response"),
            unit="bytes",
            width=12,
        ),
        panels.timeseries(
            "Traffic",
            "Bytes per second in the bodies of requests and responses.",
            volume("request"),
            volume("response"),
            unit="binBps",
            width=12,
        ),
    ]
