"""A plain request goes a way of its own, spelt out or compiled: it must count what the long way counts, and leave it where it is not plain."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType, SimpleNamespace

import pytest

from runtime_exporter.http import ASGIMiddleware, asgi, asgi_plain, trace
from runtime_exporter.http.exchange import KEY
from tools import require_compiled, together

pytestmark = pytest.mark.skipif(asgi.FREE_THREADED, reason="without a GIL no request is plain")

START = {"type": "http.response.start", "status": 200, "headers": []}
MORE = {"type": "http.response.body", "body": b"x", "more_body": True}
END = {"type": "http.response.body", "body": b"x"}
GONE = {"type": "http.disconnect"}


@pytest.fixture(autouse=True, params=["PlainExchange", "CompiledExchange"])
def plain(request, monkeypatch):
    """The name of the class of plain exchanges, for each of the ways that there are."""
    if request.param == "CompiledExchange":
        monkeypatch.setattr(asgi, "BEGIN", require_compiled("asgi").begin)
    else:
        monkeypatch.setattr(asgi, "BEGIN", asgi_plain.begin)
    return request.param


@pytest.fixture(autouse=True)
def _without_django(monkeypatch):
    """Other tests of the process have loaded it."""
    monkeypatch.delitem(sys.modules, asgi._DJANGO, raising=False)


def says(*messages, takes=0.0, then=None):
    async def app(_scope, _receive, send, clock):
        for message in messages:
            clock.sleep(takes)
            await send(message)
        if then is not None:
            raise then

    return app


async def waits_for_the_client_to_go(_scope, receive, _send, _clock):
    while (await receive())["type"] != "http.disconnect":
        pass


async def answers_a_client_that_is_gone(_scope, receive, send, _clock):
    await receive()
    await send(START)
    await send(END)


async def listens_after_its_answer(_scope, receive, send, _clock):
    await send(START)
    await send(END)
    await receive()


async def does_something_after_a_file(_scope, _receive, send, clock):
    await send(START)
    await send({"type": "http.response.pathsend", "path": "/x"})
    clock.sleep(5.0)


async def is_cancelled(_scope, _receive, send, _clock):
    await send(START)
    raise asyncio.CancelledError


async def forgets_what_is_ours(scope, _receive, send, _clock):
    scope.pop(KEY, None)
    await send(START)
    await send(END)


async def forgets_all(scope, _receive, send, _clock):
    scope.clear()
    await send(START)
    await send(END)


async def ends_another_exchange_within(scope, receive, send, clock):
    async def inner(scope, receive, send):
        await says(START, END)(scope, receive, send, clock)

    await ASGIMiddleware(inner)(scope, receive, send)


def has(**names):
    async def app(scope, _receive, send, _clock):
        scope.update(names)
        await send(START)
        await send(END)

    return app


def page():
    pass


def a_route(path):
    return SimpleNamespace(path=path, path_format=path)


APPLICATIONS = {
    "answers": says(START, END),
    "answers after a moment": says(START, END, takes=0.001),
    "answers slowly": says(START, END, takes=0.3),
    "answers in the last moment of the first bucket": says(END, START, takes=0.005),
    "streams": says(START, MORE, MORE, END, takes=0.1),
    "says nothing": says(),
    "only starts": says(START),
    "stops half-way": says(START, MORE),
    "ends before it starts": says(END),
    "ends twice": says(START, END, END, takes=1.0),
    "answers with a file": says(START, {"type": "http.response.pathsend", "path": "/x"}),
    "answers with a part of a file": says(
        START, {"type": "http.response.zerocopysend", "more_body": True}, {"type": "http.response.zerocopysend"}
    ),
    "has trailers": says(START, END, {"type": "http.response.trailers", "headers": []}),
    "has hints": says({"type": "http.response.early_hint"}, START, END),
    "answers as it never did": says({**START, "status": 404}, END),
    "answers what is no status": says({**START, "status": []}, END),
    "says what is no message": says(None, {}, START, END),
    "fails at once": says(then=ValueError()),
    "fails after its start": says(START, then=ValueError()),
    "fails half-way": says(START, MORE, then=ValueError()),
    "fails after its answer": says(START, END, then=ValueError()),
    "is interrupted": says(START, then=KeyboardInterrupt()),
    "has a route": has(route=a_route("/a/{b}"), endpoint=page),
    "has an endpoint": has(endpoint=page),
    "has an endpoint and no route": has(route=None, endpoint=page),
    "has the context of a router": has(fastapi={}, route=a_route("/a")),
    "has what is no context": has(fastapi=7, route=a_route("/a")),
    **{
        app.__name__.replace("_", " "): app
        for app in (
            waits_for_the_client_to_go,
            answers_a_client_that_is_gone,
            listens_after_its_answer,
            does_something_after_a_file,
            is_cancelled,
            forgets_what_is_ours,
            forgets_all,
            ends_another_exchange_within,
        )
    },
}


class Caller:
    """Asks an application whose plain answer is known, and keeps what it and the server were told."""

    def __init__(self, measured, app, *, server_fails=False, headers=()) -> None:
        self.measured = measured
        self.headers = headers
        self.ways, self.seen = [], []
        self.server_fails = False  # what is known must be

        async def known(scope, receive, send):
            self.ways.append(type(scope[KEY]).__name__)
            await (app if scope["odd"] else says(START, END))(scope, receive, send, measured.clock)

        self.app = ASGIMiddleware(known, measured.metrics)
        self.ask(odd=False)
        self.ask(odd=False)
        self.server_fails = server_fails

    def ask(self, *, odd=True, **more):
        try:
            asyncio.run(
                self._ask({"type": "http", "method": "GET", "headers": self.headers, "odd": odd, "path": "/", **more})
            )
        except BaseException as error:  # also KeyboardInterrupt
            self.seen.append(type(error))

    async def _ask(self, scope):
        await self.app(scope, self._receive, self._send)

    async def _receive(self):
        return GONE

    async def _send(self, message):
        if self.server_fails and message is MORE:
            raise OSError("client is gone")
        self.seen.append(message)

    def told(self):
        shown = self.measured
        buckets = [
            (sample.labels, sample.value, sample.exemplar and sample.exemplar.value)
            for sample in shown.samples("http_server_request_duration_seconds_bucket")
        ]
        return (shown.requests(), shown.seconds(), shown.exceptions(), shown.active(), buckets, self.seen)


@pytest.mark.parametrize("headers", [[], [(b"traceparent", f"00-{7:032x}-{8:016x}-01".encode())]], ids=["", "traced"])
@pytest.mark.parametrize("server_fails", [False, True])
@pytest.mark.parametrize("name", APPLICATIONS)
def test_both_ways_count_the_same_and_say_the_same(make_measured, caplog, plain, name, server_fails, headers):
    told = []
    for body_sizes in (True, False):
        measured = make_measured(body_sizes=body_sizes)
        caller = Caller(measured, APPLICATIONS[name], server_fails=server_fails, headers=headers)
        for _ in range(3):
            caller.ask()
            caller.ask(odd=False)
            caller.measured.clock.sleep(0.002)
        told.append(caller.told())
        if not body_sizes:
            assert ["ASGIExchange", plain, plain] == caller.ways[:3]
            assert 4 <= caller.ways.count(plain)
    assert told[0][0][("GET", "unmatched", "200")] >= 5
    assert told[0] == told[1]
    caplog.expected_faults = len({record.getMessage() for record in caplog.records})


def test_a_plain_request_is_active_until_its_last_message(make_measured):
    measured = make_measured(body_sizes=False)
    active = []

    async def app(_scope, _receive, send, _clock):
        for message in (START, MORE, END):
            active.append(measured.active())
            await send(message)
        active.append(measured.active())

    Caller(measured, app).ask()
    assert [1, 1, 1, 0] == active


@pytest.mark.parametrize("why", ["sizes", "route", "free-threaded", "django"])
def test_where_something_else_is_asked_for_no_request_is_plain(make_measured, monkeypatch, plain, why):
    if why == "free-threaded":
        monkeypatch.setattr(asgi, "FREE_THREADED", True)
    if why == "django":
        monkeypatch.setattr(asgi, "_DJANGO", "asyncio")  # a module that is there
    caller = Caller(make_measured(body_sizes=why == "sizes"), says(START, END))
    if why == "route":
        caller.app.route = lambda _scope: "/told"
        caller.app.metrics = caller.measured.metrics
        caller.ask()
    before = len(caller.ways)
    for _ in range(3):
        caller.ask()
    assert {plain}.isdisjoint(caller.ways[before:])
    if why == "route":
        assert caller.measured.requests()["GET", "/told", "200"] == 4


def test_where_there_are_spans_no_request_is_plain_since_each_has_one_of_its_own(make_measured, monkeypatch, plain):
    otel = pytest.importorskip("opentelemetry.trace")
    caller = Caller(make_measured(body_sizes=False), says(START, END))
    monkeypatch.setitem(sys.modules, trace.SDK, ModuleType(trace.SDK))
    span = otel.NonRecordingSpan(otel.SpanContext(7, 8, is_remote=False, trace_flags=otel.TraceFlags(1)))
    with otel.use_span(span):
        for _ in range(3):
            caller.measured.clock.sleep(0.01)
            caller.ask()
    assert [plain, "ASGIExchange", "ASGIExchange"] == caller.ways[-3:]
    samples = caller.measured.samples("http_server_request_duration_seconds_bucket")
    assert [f"{7:032x}"] == [sample.exemplar.labels["trace_id"] for sample in samples if sample.exemplar]


def test_of_a_made_up_method_no_request_is_plain(make_measured):
    caller = Caller(make_measured(body_sizes=False), says(START, END))
    for _ in range(2):
        caller.ask(method="BREW")
    assert ["ASGIExchange"] * 2 == caller.ways[-2:]
    assert caller.measured.requests()["_OTHER", "unmatched", "200"] == 2


@pytest.mark.usefixtures("rapid_switches")
def test_no_plain_request_is_lost_between_threads(make_measured):
    measured = make_measured(body_sizes=False, clock=lambda: 0.0)

    async def app(_scope, _receive, send):
        await send(START)
        await send(END)

    async def send(_message):
        pass

    middleware = ASGIMiddleware(app, measured.metrics)

    def work():
        for _ in range(5_000):
            call = middleware({"type": "http", "method": "GET", "headers": []}, None, send)
            with pytest.raises(StopIteration):
                call.send(None)

    together(*[work] * 4)
    assert ({("GET", "unmatched", "200"): 20_000}, 0) == (measured.requests(), measured.active())
