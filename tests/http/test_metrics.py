"""The HTTP families: names, bounds, and the hard caps on labels."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import pytest

from runtime_exporter.http import HTTPMetrics
from runtime_exporter.metrics import generate_latest

DURATION = "http_server_request_duration_seconds"


def test_names_and_labels_are_those_of_opentelemetry_in_prometheus_spelling(measured):
    label, active = measured.metrics.active("GET")
    active.inc()
    measured.metrics.observe("GET", "/a", 200, 0.2)
    measured.metrics.count_exception("/a", ValueError())
    labels = {"http_request_method": "GET", "http_route": "/a", "http_response_status_code": "200"}
    assert measured.value(f"{DURATION}_count", **labels) == 1
    assert measured.value(f"{DURATION}_sum", **labels) == 0.2
    assert measured.value("http_server_active_requests", http_request_method="GET") == 1
    assert measured.value("http_server_exceptions_total", http_route="/a", error_type="ValueError") == 1
    assert label == "GET"


def test_the_bounds_are_the_fourteen_of_opentelemetry(measured):
    measured.metrics.observe("GET", "/a", 200, 0.2)
    bounds = [sample.labels["le"] for sample in measured.samples(f"{DURATION}_bucket")]
    expected = [
        "0.005",
        "0.01",
        "0.025",
        "0.05",
        "0.075",
        "0.1",
        "0.25",
        "0.5",
        "0.75",
        "1.0",
        "2.5",
        "5.0",
        "7.5",
        "10.0",
        "+Inf",
    ]
    assert expected == bounds


def test_other_bounds_are_the_users_choice(make_measured):
    measured = make_measured(buckets=(0.5, 1))
    measured.metrics.observe("GET", "/a", 200, 0.2)
    assert ["0.5", "1.0", "+Inf"] == [sample.labels["le"] for sample in measured.samples(f"{DURATION}_bucket")]


def test_body_sizes_are_families_only_where_they_are_measured():
    names = {family.describe()[0].name for family in HTTPMetrics().families}
    assert {DURATION, "http_server_active_requests", "http_server_exceptions"} == names
    assert len(HTTPMetrics(body_sizes=True).families) == 5


@pytest.mark.parametrize("method", ["get", "BREW", "", "G\nET", "x" * 10_000, None])
def test_a_method_that_a_client_made_up_is_other(measured, method):
    assert measured.metrics.active(method)[0] == "_OTHER"


def test_made_up_methods_leave_nothing_behind(measured):
    for number in range(10_000):
        measured.metrics.active(f"METHOD{number}")[1].inc()
    assert len(measured.samples("http_server_active_requests")) == 1
    assert measured.active() == 10_000


def test_100_000_distinct_routes_are_200_series_and_other(make_measured):
    measured = make_measured(route_limit=200)
    for number in range(100_000):
        measured.metrics.observe("GET", f"/product-{number}", 200, 0.001)
        measured.metrics.observe_sizes("GET", f"/product-{number}", 1, 1)
    counts = measured.requests()
    assert len(counts) == 201
    assert counts["GET", "other", "200"] == 99_800
    assert sum(counts.values()) == 100_000
    assert len(measured.metrics._series) == 201
    assert len(measured.metrics._sizes) == 200
    assert measured.metrics.folded()[DURATION] >= 99_800


def test_a_route_that_was_once_itself_stays_itself(make_measured):
    measured = make_measured(route_limit=1)
    for route in ("/first", "/second", "/first"):
        measured.metrics.observe("GET", route, 200, 0.001)
    assert {("GET", "/first", "200"): 2, ("GET", "other", "200"): 1} == measured.requests()


def test_unmatched_takes_no_place_among_the_routes_and_is_never_folded(make_measured):
    measured = make_measured(route_limit=1)
    for route in ("/first", "/second", "unmatched"):
        measured.metrics.observe("GET", route, 200, 0.001)
    assert measured.requests()["GET", "unmatched", "200"] == 1


@pytest.mark.parametrize(
    ("status", "label"),
    [(200, "200"), ("404", "404"), (b"503", "503"), (HTTPStatus.CREATED, "201")]
    + [(status, "other") for status in (0, 99, 600, -200, 10**30, "abc", "", None, "2x0")],
)
def test_a_status_is_three_digits_or_other(measured, status, label):
    measured.metrics.observe("GET", "/a", status, 0.1)
    assert {("GET", "/a", label): 1} == measured.requests()


def test_an_application_that_answers_with_every_number_has_a_bounded_number_of_series(measured):
    for status in range(100, 600):
        measured.metrics.observe("GET", "/a", status, 0.1)
    assert len(measured.requests()) == 61
    assert sum(measured.requests().values()) == 500


def test_types_of_exceptions_are_capped(make_measured):
    measured = make_measured(error_limit=3)
    for number in range(1000):
        measured.metrics.count_exception("/a", type(f"Error{number}", (Exception,), {})())
    counts = measured.exceptions()
    assert counts["/a", "other"] == 997
    assert len(counts) == 4
    assert measured.metrics.folded()["http_server_exceptions_total"] == 997


@pytest.mark.parametrize("route", ['/"quoted"', "/line\nbreak", "/back\\slash", "/😀", "/" + "x" * 10_000])
def test_a_wild_route_leaves_the_exposition_readable(measured, route):
    from prometheus_client.parser import text_string_to_metric_families

    measured.metrics.observe("GET", route, 200, 0.1)
    text = generate_latest(measured.registry).decode()
    routes = {
        sample.labels["http_route"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{DURATION}_count"
    }
    assert {route[:200]} == routes


def test_each_loop_is_announced_once_also_to_who_comes_late(measured):
    early, late = [], []
    measured.metrics.on_loop(early.append)

    async def see() -> None:
        measured.metrics.see_loop(asyncio.get_running_loop())
        measured.metrics.see_loop(asyncio.get_running_loop())
        measured.metrics.on_loop(late.append)
        assert [asyncio.get_running_loop()] == early == late

    asyncio.run(see())
    assert len(early) == 1


def test_a_callback_that_raises_costs_the_others_nothing(measured, caplog):
    caplog.expected_faults = 1
    seen = []
    measured.metrics.on_loop(lambda _: 1 / 0)
    measured.metrics.on_loop(seen.append)
    loop = asyncio.new_event_loop()
    measured.metrics.see_loop(loop)
    loop.close()
    assert [loop] == seen
    assert "announcing an event loop" in caplog.text


def test_a_loop_that_is_gone_is_not_kept(measured):
    import gc
    import weakref

    loop = asyncio.new_event_loop()
    measured.metrics.see_loop(loop)
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None
