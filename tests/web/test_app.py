"""The pages that the exporter serves, as an HTTP client sees them."""

from __future__ import annotations

import gzip
import io
import json
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
import requests
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as PeerCounter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runtime_exporter.metrics.encoding import accepts_gzip
from runtime_exporter.settings import Settings, load
from runtime_exporter.web.app import application_of, make_app
from runtime_exporter.web.health import Health
from runtime_exporter.web.page import Route, text

PROMETHEUS_ACCEPT = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    PeerCounter("shop_orders", "Orders.", ["status"], registry=registry).labels('pa"id\n').inc(3)
    for number in range(40):
        PeerCounter(f"shop_thing_{number}", "Things.", registry=registry)
    return registry


@pytest.fixture
def health():
    health = Health(keep=0)
    health.started = True
    return health


@pytest.fixture
def app(registry, health):
    return make_app(Settings(), expose=lambda form, names=None: form.render([registry], names), health=health)


def get(app, path, method="GET", **headers):
    """Call an application through wsgiref's validator; return status, headers and body."""
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    environ["PATH_INFO"], _, environ["QUERY_STRING"] = path.partition("?")
    setup_testing_defaults(environ)
    answered = []
    body = validator(app)(
        environ, lambda status, heads, exc_info=None: answered.append((status, heads)) or io.BytesIO().write
    )
    try:
        content = b"".join(body)
    finally:
        body.close()
    ((status, heads),) = answered
    return int(status[:3]), dict(heads), content


def test_metrics_are_text_unless_openmetrics_is_asked_for_and_both_are_read_back(app):
    _, plain_headers, plain = get(app, "/metrics")
    _, open_headers, openmetrics = get(app, "/metrics", accept=PROMETHEUS_ACCEPT)

    assert "text/plain; version=0.0.4; charset=utf-8" == plain_headers["Content-Type"]
    assert "application/openmetrics-text; version=1.0.0; charset=utf-8" == open_headers["Content-Type"]
    values = [
        [
            s.value
            for family in parse(content.decode())
            for s in family.samples
            if s.labels == {"status": 'pa"id\n'} and s.name == "shop_orders_total"
        ]
        for parse, content in ((parse_text, plain), (parse_openmetrics, openmetrics))
    ]
    assert [[3.0], [3.0]] == values


def test_metrics_are_restricted_to_names_as_with_the_peer(app):
    _, _, content = get(app, "/metrics?name[]=shop_orders_total&name[]=shop_thing_7_total")

    assert {"shop_orders", "shop_thing_7"} == {family.name for family in parse_text(content.decode())}


def test_a_large_answer_is_gzipped_for_who_takes_it(app):
    _, plain_headers, plain = get(app, "/metrics")
    _, headers, content = get(app, "/metrics", accept_encoding="gzip, deflate")
    _, small, _ = get(app, "/-/healthy", accept_encoding="gzip")

    assert ("gzip", str(len(content)), plain) == (
        headers["Content-Encoding"],
        headers["Content-Length"],
        gzip.decompress(content),
    )
    assert len(content) < len(plain) / 3
    assert "Content-Encoding" not in {**plain_headers, **small}


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=many", False),
        (",;,", False),
    ],
)
def test_gzip_is_used_only_where_the_client_takes_it(header, accepted):
    assert accepted == accepts_gzip(header)


@pytest.mark.parametrize("path", ["/", "/metrics", "/health", "/-/healthy", "/-/ready", "/debug/config", "/runbooks"])
def test_head_says_what_get_would_and_sends_no_body(app, path):
    status, headers, body = get(app, path)
    assert (200, True) == (status, len(body) > 0)
    head_status, head_headers, head_body = get(app, path, method="HEAD")

    if path != "/health":  # its seconds differ
        assert headers["Content-Length"] == head_headers["Content-Length"]
    assert (200, b"", headers.keys()) == (head_status, head_body, head_headers.keys())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_with_those_that_work(app, method):
    status, headers, body = get(app, "/metrics", method=method)

    assert (405, "GET, HEAD", 1) == (status, headers["Allow"], body.count(b"\n"))


@pytest.mark.parametrize("path", ["/nope", "/metrics/x", "/health/../x", "//evil.example/x", "/debug", "/%00", "/\x00"])
def test_what_is_not_there_is_said_in_one_line(app, path):
    assert (404, b"404 Not Found: / lists what there is\n") == get(app, path)[::2]


def test_a_slash_at_the_end_makes_no_difference(app):
    assert get(app, "/-/healthy")[2] == get(app, "/-/healthy/")[2]


def test_a_query_of_too_many_fields_is_refused(app):
    assert 400 == get(app, "/metrics?" + "&".join(["a=1"] * 2000))[0]


def test_the_path_of_the_metrics_is_a_setting(registry, health):
    app = make_app(Settings(metrics_path="/internal/m"), expose=lambda form, names=None: b"x\n", health=health)

    assert (200, 404) == (get(app, "/internal/m")[0], get(app, "/metrics")[0])
    assert b'href="/internal/m"' in get(app, "/")[2]


def test_health_is_200_while_degraded_and_503_when_unhealthy(app, health):
    health.add("database", lambda: True)
    assert (200, {"status": "healthy", "checks": {"database": "healthy"}}) == _json(get(app, "/health"))
    health.add("cache", lambda: ("degraded", "slow"))
    assert (200, {"status": "degraded", "checks": {"database": "healthy", "cache": "degraded"}}) == _json(
        get(app, "/health")
    )
    health.add("database", lambda: False)
    status, content = _json(get(app, "/health?verbose"))
    assert (503, "unhealthy", "slow") == (status, content["status"], content["checks"]["cache"]["reason"])


def _json(answer):
    return answer[0], json.loads(answer[2])


def test_readiness_follows_the_start_and_critical_checks_but_liveness_does_not(app, health):
    health.started = False
    assert (503, b"not ready: starting\n") == get(app, "/-/ready")[::2]
    health.started = True
    health.add("cache", lambda: False, critical=False)
    assert 200 == get(app, "/-/ready")[0]
    health.add("database", lambda: 1 / 0)
    assert (503, b"not ready: database\n") == get(app, "/-/ready")[::2]
    assert (200, b"healthy\n") == get(app, "/-/healthy")[::2]


def test_the_settings_in_effect_are_shown_with_their_sources_and_without_secrets(health):
    settings = load({"address": "http://bob:hunter2@x"}, {"HOME": "/nonexistent", "RUNTIME_EXPORTER_PORT": "1"})
    app = make_app(settings, expose=lambda form, names=None: b"", health=health)

    _, _, table = get(app, "/debug/config")
    _, headers, as_json = get(app, "/debug/config", accept="application/json")
    content = json.loads(as_json)["settings"]

    assert as_json == get(app, "/debug/config?format=json")[2]
    assert "application/json" == headers["Content-Type"]
    assert {"value": 1, "source": "environment RUNTIME_EXPORTER_PORT", "default": 9464} == content["port"]
    assert b"environment RUNTIME_EXPORTER_PORT" in table
    assert "http://bob:********@x" == content["address"]["value"]
    assert b"hunter2" not in table + as_json


def test_the_debug_page_can_be_closed(health):
    app = make_app(Settings(debug_endpoints=False), expose=lambda form, names=None: b"", health=health)

    assert 404 == get(app, "/debug/config")[0]
    assert b"/debug/config" not in get(app, "/")[2]


def test_the_landing_page_leads_to_every_page_and_loads_nothing(app):
    status, headers, body = get(app, "/")

    assert (200, "text/html; charset=utf-8") == (status, headers["Content-Type"])
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    for path in ("/metrics", "/health", "/-/ready", "/-/healthy", "/debug/config", "/runbooks"):
        assert f'href="{path}"'.encode() in body
        assert 200 == get(app, path)[0]
    assert b"src=" not in body


def test_own_routes_stand_before_the_standard_ones(health):
    route = Route("/health", lambda ask: text("mine\n"), methods=("POST",))
    app = make_app(Settings(), expose=lambda form, names=None: b"", health=health, routes=[route])

    assert (200, b"mine\n") == get(app, "/health", method="POST")[::2]


def test_a_route_with_a_subtree_gets_the_rest_of_the_path():
    app = application_of([Route("/a", lambda ask: text(f"<{ask.rest}>"), subtree=True)])

    assert [b"<>", b"<>", b"<b/c>"] == [get(app, path)[2] for path in ("/a", "/a/", "/a/b/c")]
    assert 404 == get(app, "/ab")[0]


def test_a_real_client_over_the_real_server_reads_the_gzipped_openmetrics(app, serve):
    answer = requests.get(f"{serve(app).url}/metrics", headers={"Accept": PROMETHEUS_ACCEPT}, timeout=10)

    assert "gzip" == answer.headers["Content-Encoding"]
    assert any(family.name == "shop_orders" for family in parse_openmetrics(answer.text))
