"""The same rules and dashboards watch what others instrument: `source: WORD` in the configuration, and they have data."""

from __future__ import annotations

import json
from functools import cache

import pytest

import tools
from runtime_exporter.mixin import contract, dashboards, generate, sources
from source_fleet import PYTHON, overrides

# What each source calls the three routes; django-prometheus names the views.
ROUTES = {
    **dict.fromkeys(PYTHON, ("/items/{number}", "/broken", "/slow")),
    **dict.fromkeys(
        ("prometheus_flask_exporter", "opentelemetry", "opentelemetry_milliseconds"),
        ("/items/<number>", "/broken", "/slow"),
    ),
    "django_prometheus": ("items", "broken", "slow"),
    "go": ("/items/{id}", "/broken", "/slow"),
}
# client_golang has the first by default since 1.20; the other is one of Go's own metrics that a service asks for.
ONLY_NEWER = {"go_gc_gomemlimit_bytes", "go_sched_latencies_seconds_bucket"}
PATIENCE = 120
pytestmark = pytest.mark.slow
TABLES = {"Services", "Instances"}
VALUES = {**dashboards.GRAFANA_VARIABLES, "__rate_interval": "10s", "__interval": "1s"}


def soon(condition, *, what, seconds=PATIENCE):
    return tools.wait_for(condition, seconds=seconds, what=what, pause=0.5)


@cache
def generated(source):
    """Return the files of the configuration for a source."""
    return generate.generate(overrides(source))


@pytest.fixture(params=[*PYTHON, "go"])
def watched(request):
    """A source, and a function that asks Prometheus about it."""
    fleet = request.getfixturevalue("go_fleet" if request.param == "go" else "python_fleet")
    return request.param, fleet.ask


def test_every_word_is_tried_here():
    assert set(sources.known()) - {"native"} == {*PYTHON, "go"}


def test_requests_are_recorded_by_route(watched):
    source, ask = watched

    def routes():
        found = {
            each["metric"]["http_route"] for each in ask(f'job_route:http_server_requests:rate5s{{job="{source}"}} > 0')
        }
        return found >= set(ROUTES[source])

    soon(routes, what="requests of every route")


def test_a_share_of_the_requests_has_failed(watched):
    """One of five calls is broken, whatever else is asked for; Prometheus' own scrapes may count as requests.

    At first some counters are younger than the window, so the share is awaited rather than taken as it first shows.
    """
    source, ask = watched
    ratio = f'job:http_server_errors_per_requests:ratio_rate12s{{job="{source}"}}'
    assert soon(lambda: ask(f"{ratio} > 0.05 < 0.3"), what="a share of failed requests near one of five")


def test_the_slow_route_is_slow_and_the_others_are_not(watched):
    source, ask = watched
    _, quick, slow = ROUTES[source]
    buckets = "job_route:http_server_request_duration_seconds_bucket:rate5s"

    def median(route):
        found = ask(f'histogram_quantile(0.5, {buckets}{{job="{source}", http_route="{route}"}}) >= 0')
        return float(found[0]["value"][1]) if found else float("nan")

    soon(lambda: 0.4 < median(slow) <= 1, what="a slow route that takes half a second")
    soon(lambda: median(quick) <= 0.1, what="a quick route that takes no tenth of one")


@pytest.mark.parametrize(
    "recorded", ["instance:process_cpu_seconds:rate5s", "instance:process_resident_memory_bytes:min2s"]
)
def test_what_the_process_uses_is_recorded(watched, recorded):
    source, ask = watched
    assert soon(lambda: ask(f'{recorded}{{job="{source}"}}'), what=recorded)


@pytest.mark.parametrize("alert", ["RuntimeHttpErrorBudgetBurn", "RuntimeHttpLatencyHigh"])
def test_faults_are_told(watched, alert):
    source, ask = watched
    firing = f'ALERTS{{alertname="{alert}", alertstate="firing", job="{source}"}}'
    found = soon(lambda: ask(firing), what=alert)
    if alert == "RuntimeHttpLatencyHigh":
        assert {each["metric"]["http_route"] for each in found} == {ROUTES[source][2]}


def test_the_goroutines_of_a_go_service_are_its_threads(go_fleet):
    assert soon(lambda: go_fleet.ask('instance:go_goroutines:min2s{job="go"} > 0'), what="goroutines")
    assert soon(lambda: go_fleet.ask('instance:go_gc_duration_seconds:rate5s{job="go"} >= 0'), what="pauses")


def test_every_metric_of_a_source_is_exposed_by_it(watched):
    """But those about profiles, which an agent would have to take, and those of Prometheus itself and of `act`."""
    source, ask = watched
    names = {name for name in sources.known()[source].names.values() if not name.startswith("profile_")}
    names -= contract.OF_SERVERS | contract.OF_ACT

    def lacking():
        return names - {each["metric"]["__name__"] for each in ask(f'group by (__name__) ({{job="{source}"}})')}

    soon(lambda: not lacking(), what=f"{lacking()} of {source}")


@pytest.mark.parametrize("name", ["http", "runtime"])
def test_every_panel_of_a_dashboard_has_data(watched, name):
    source, ask = watched
    board = json.loads(generated(source)[f"dashboards/{name}.json"])
    for title, query in dashboards.queries(board, VALUES):
        if contract.names_of(query) & ONLY_NEWER:
            continue
        assert soon(lambda query=query: ask(query), what=f"data of {title}: {query}")


def test_a_table_keeps_its_columns_and_those_that_the_source_lacks_are_empty(watched):
    source, ask = watched
    board = json.loads(generated(source)["dashboards/overview.json"])
    queries = [query for title, query in dashboards.queries(board, VALUES) if title in TABLES and "ALERTS" not in query]
    absent = [query for query in queries if source != "go" and "process_num_threads" in query]

    def lacking():
        return [query for query in queries if query not in absent and not ask(query)]

    soon(lambda: not lacking(), what=f"data of {lacking()}")
    assert not [query for query in absent if ask(query)]
