"""What is prepared for requests: which exemplar a bucket keeps, when one is looked for, and what threads and odd routes do to it."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType

import pytest
from starlette.routing import Route

from counting_modes import MODES, count_as
from runtime_exporter.http import ASGIMiddleware, WSGIMiddleware, series, trace
from tools import together

SPAN = "00f067aa0ba902b7"


def traceparent(number):
    return f"00-{number:032x}-{SPAN}-01"


class Headers(list):
    """Headers that know how often somebody went through them."""

    looks = 0

    def __iter__(self):
        self.looks += 1
        return super().__iter__()


@pytest.fixture
def ask(measured):
    """Sends a request whose answer takes a time, and whose headers name a trace."""

    async def answer(scope, _receive, send):
        measured.clock.sleep(scope["takes"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(_message):
        pass

    app = ASGIMiddleware(answer, measured.metrics)

    def ask(headers=(), takes=0.0):
        asyncio.run(app({"type": "http", "method": "GET", "headers": headers, "takes": takes}, None, send))

    return ask


@pytest.fixture
def exemplars(measured):
    """The numbers of the traces that are shown, by the bound of their bucket."""
    return lambda: {
        sample.labels["le"]: int(sample.exemplar.labels["trace_id"], 16)
        for sample in measured.samples("http_server_request_duration_seconds_bucket")
        if sample.exemplar
    }


def traced(number):
    return [(b"host", b"x"), (b"traceparent", traceparent(number).encode())]


def test_a_bucket_keeps_its_exemplar_for_a_second_and_then_takes_the_next(ask, exemplars, measured):
    for number in (1, 2, 3):
        ask(traced(number))
    assert {"0.005": 1} == exemplars()
    measured.clock.sleep(1)
    ask(traced(4))
    assert {"0.005": 4} == exemplars()


def test_each_bucket_has_an_exemplar_of_its_own_so_that_the_slow_request_is_found_among_many_fast_ones(ask, exemplars):
    for number in range(1, 100):
        ask(traced(number))
    ask(traced(100), takes=0.7)
    assert {"0.005": 1, "0.75": 100} == exemplars()


def test_headers_without_a_trace_are_not_searched_for_each_request(ask, exemplars, measured):
    headers = Headers([(b"host", b"x")])
    for _ in range(100):
        ask(headers)
    assert headers.looks == 1
    measured.clock.sleep(0.01)
    ask(headers)
    ask(traced(1))
    assert (headers.looks, exemplars()) == (2, {})
    measured.clock.sleep(0.01)
    ask(traced(2))
    assert {"0.005": 2} == exemplars()


def test_headers_are_searched_ever_less_often_where_there_is_no_trace_until_there_is_one(ask, exemplars, measured):
    headers = Headers([(b"host", b"x")])

    def looks(seconds):
        """Return how many of the requests of so many seconds are searched, of five hundred a second."""
        before = headers.looks
        for _ in range(int(seconds * 500)):
            measured.clock.sleep(0.002)
            ask(headers)
        return headers.looks - before

    first = looks(1)
    assert first in range(80, 102)
    assert looks(1) < 0.9 * first
    measured.clock.sleep(60)
    assert looks(1) in range(3, 6)
    measured.clock.sleep(0.3)
    ask(traced(1))
    assert {"0.005": 1} == exemplars()
    measured.clock.sleep(1)
    assert looks(0.5) in range(30, 52)


def test_spans_count_from_when_opentelemetry_is_loaded(ask, exemplars, measured, monkeypatch):
    otel = pytest.importorskip("opentelemetry.trace")
    monkeypatch.delitem(sys.modules, trace.SDK, raising=False)
    span = otel.NonRecordingSpan(otel.SpanContext(7, 8, is_remote=False, trace_flags=otel.TraceFlags(1)))
    with otel.use_span(span):
        ask()
        assert {} == exemplars()
        monkeypatch.setitem(sys.modules, trace.SDK, ModuleType(trace.SDK))
        for _ in range(2):
            measured.clock.sleep(0.01)
            ask(traced(1))
    assert {"0.005": 1} == exemplars()  # the first that asked, by its header
    measured.clock.sleep(1)
    with otel.use_span(span):
        ask(traced(1))
    assert {"0.005": 7} == exemplars()


def test_a_route_that_takes_the_place_of_one_that_is_gone_keeps_its_own_name(measured):
    async def page(_request):
        pass

    async def app(scope, _receive, send):
        scope["route"] = Route(f"/orders/{scope['number'] % 7}/{{item}}", page)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(_message):
        pass

    async def main():
        for number in range(700):
            await middleware({"type": "http", "method": "GET", "headers": [], "number": number}, None, send)

    middleware = ASGIMiddleware(app, measured.metrics)
    asyncio.run(main())
    assert {("GET", f"/orders/{number}/{{item}}", "200"): 100 for number in range(7)} == measured.requests()


def test_routes_and_statuses_without_number_are_counted_but_not_remembered_without_end(make_measured, monkeypatch):
    monkeypatch.setattr(series, "_KEYS_LIMIT", 100)
    measured = make_measured(route_limit=1_000, body_sizes=False)

    def app(environ, start_response):
        start_response(f"200 {environ['PATH_INFO']}", [])
        return []

    named = WSGIMiddleware(app, measured.metrics, route=lambda environ: environ["PATH_INFO"])
    unnamed = WSGIMiddleware(app, measured.metrics)
    for number in range(300):
        for middleware in (named, unnamed):
            middleware({"REQUEST_METHOD": "GET", "PATH_INFO": f"/{number}"}, lambda *_: None)
    assert len(named._methods["GET"].known) <= 100
    assert max(len(statuses) for statuses in unnamed._methods["GET"].known.values()) <= 64
    assert measured.requests() == {
        ("GET", "unmatched", "200"): 300,
        **{("GET", f"/{number}", "200"): 1 for number in range(300)},
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("rapid_switches")
def test_no_request_is_lost_between_threads(make_measured, monkeypatch, mode):
    count_as(mode, monkeypatch)
    measured = make_measured(body_sizes=False, clock=iter(range(10**9)).__next__)

    def app(environ, start_response):
        start_response("200 OK", [])
        return [b""] if environ["PATH_INFO"] == "/" else iter([b"x"])

    middleware = WSGIMiddleware(app, measured.metrics)

    def work():
        for number in range(1_000):
            path = "/" if number % 2 else "/stream"
            for _ in middleware({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda *_: None):
                pass

    together(*[work] * 4)
    assert ({("GET", "unmatched", "200"): 4_000}, 0) == (measured.requests(), measured.active())
