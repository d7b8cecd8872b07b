"""The ASGI middleware, driven as a server would: bodies, exceptions, disconnects, WebSockets, and what may go wrong."""

from __future__ import annotations

import asyncio

import pytest

from runtime_exporter.http import ASGIMiddleware
from runtime_exporter.http.exchange import KEY

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
START = {"type": "http.response.start", "status": 200, "headers": []}


def body(data=b"", *, more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


def scope(method="GET", path="/", kind="http", **more):
    return {"type": kind, "method": method, "path": path, "headers": [], **more}


class Server:
    """The side of an ASGI server: the messages that it has, and those that it got."""

    def __init__(self, *messages, send_fails_at: int = -1) -> None:
        self.messages = [*messages]
        self.sent = []
        self.send_fails_at = send_fails_at

    async def receive(self):
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}

    async def send(self, message):
        if len(self.sent) == self.send_fails_at:
            raise OSError("client is gone")
        self.sent.append(message)

    def call(self, app, request=None):
        asyncio.run(app(request or scope(), self.receive, self.send))
        return self.sent


@pytest.fixture
def wrap(measured):
    return lambda app, **options: ASGIMiddleware(app, measured.metrics, **options)


def answering(*messages):
    async def app(_scope, _receive, send):
        for message in messages:
            await send(message)

    return app


def test_messages_pass_through_unchanged(wrap, measured):
    messages = [START, body(b"hello")]
    assert messages == Server().call(wrap(answering(*messages)))
    assert ({("GET", "unmatched", "200"): 1}, 5, 0) == (
        measured.requests(),
        measured.sizes("response"),
        measured.active(),
    )


def test_the_duration_ends_with_the_last_message_of_the_body_and_not_with_background_tasks(wrap, measured):
    async def app(_scope, _receive, send):
        await send(START)
        for more in (True, True, False):
            measured.clock.sleep(1)
            assert measured.active() == 1
            await send(body(b"x", more=more))
        assert measured.active() == 0
        measured.clock.sleep(100)

    Server().call(wrap(app))
    assert ({("GET", "unmatched", "200"): 1}, 3, 3) == (
        measured.requests(),
        measured.seconds(),
        measured.sizes("response"),
    )


def test_an_exception_before_the_response_starts_is_a_500_and_reaches_the_server_unchanged(wrap, measured):
    raised = LookupError("no such order")

    async def app(_scope, _receive, _send):
        raise raised

    with pytest.raises(LookupError) as caught:
        Server().call(wrap(app))
    assert caught.value is raised
    assert ({("GET", "unmatched", "500"): 1}, 0) == (measured.requests(), measured.active())
    assert {("unmatched", "LookupError"): 1} == measured.exceptions()


def test_an_exception_in_the_middle_of_the_body_is_a_500(wrap, measured):
    async def app(_scope, _receive, send):
        await send(START)
        await send(body(b"x", more=True))
        raise ValueError

    with pytest.raises(ValueError):
        Server().call(wrap(app))
    assert {("GET", "unmatched", "500"): 1} == measured.requests()


def test_an_exception_in_a_background_task_is_counted_and_leaves_the_status(wrap, measured):
    async def app(scope, receive, send):
        await answering(START, body())(scope, receive, send)
        await receive()  # a server says "disconnect" to who listens after the end
        raise ValueError

    with pytest.raises(ValueError):
        Server().call(wrap(app))
    assert {("GET", "unmatched", "200"): 1} == measured.requests()
    assert {("unmatched", "ValueError"): 1} == measured.exceptions()


def test_a_client_that_goes_away_while_the_application_waits_is_a_499(wrap, measured):
    async def app(_scope, receive, _send):
        while (await receive())["type"] != "http.disconnect":
            pass

    Server({"type": "http.request", "body": b"abc", "more_body": True}).call(wrap(app))
    assert ({("GET", "unmatched", "499"): 1}, {}) == (measured.requests(), measured.exceptions())
    assert (measured.sizes("request"), measured.active()) == (3, 0)


def test_a_client_that_goes_away_while_the_body_is_sent_is_a_499(wrap, measured):
    async def app(_scope, _receive, send):
        await send(START)
        for _ in range(10):
            await send(body(b"x", more=True))

    with pytest.raises(OSError, match="client is gone"):
        Server(send_fails_at=3).call(wrap(app))
    assert ({("GET", "unmatched", "499"): 1}, {}) == (measured.requests(), measured.exceptions())


def test_an_exception_that_has_nothing_to_do_with_the_clients_leaving_is_counted(wrap, measured):
    async def app(_scope, receive, _send):
        await receive()
        raise ValueError

    with pytest.raises(ValueError):
        Server().call(wrap(app))
    assert {("GET", "unmatched", "499"): 1} == measured.requests()
    assert {("unmatched", "ValueError"): 1} == measured.exceptions()


def test_a_cancelled_request_is_a_499_and_stays_cancelled(wrap, measured):
    async def app(_scope, _receive, _send):
        await asyncio.sleep(1000)

    async def main() -> None:
        server = Server()
        task = asyncio.create_task(wrap(app)(scope(), server.receive, server.send))
        await asyncio.sleep(0)
        assert measured.active() == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ({("GET", "unmatched", "499"): 1}, {}, 0) == (measured.requests(), measured.exceptions(), measured.active())


@pytest.mark.parametrize("messages", [[], [START], [START, body(b"x", more=True)]])
def test_an_application_that_returns_before_its_answer_is_complete_is_counted(wrap, measured, messages):
    Server().call(wrap(answering(*messages)))
    assert {("GET", "unmatched", "200" if messages else "500"): 1} == measured.requests()
    assert measured.active() == 0


def test_the_bytes_of_a_request_are_counted_as_they_are_read_whatever_its_header_says(wrap, measured):
    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await answering(START, body())(scope, receive, send)

    parts = [{"type": "http.request", "body": b"x" * 10, "more_body": True}] * 3 + [{"type": "http.request"}]
    Server(*parts).call(wrap(app), scope("POST", headers=[(b"content-length", b"banana")]))
    assert measured.sizes("request") == 30


def test_a_body_that_the_server_reads_from_a_file_has_its_declared_length(wrap, measured):
    start = {**START, "headers": [(b"Content-Length", b"1234")]}
    Server().call(wrap(answering(start, {"type": "http.response.pathsend", "path": "/x"})))
    assert ({("GET", "unmatched", "200"): 1}, 1234) == (measured.requests(), measured.sizes("response"))


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_has_no_body_by_the_protocol_has_a_size_of_zero(wrap, measured, method, status):
    Server().call(wrap(answering({**START, "status": status}, body(b"ignored"))), scope(method))
    assert ({(method, "unmatched", str(status)): 1}, 0) == (measured.requests(), measured.sizes("response"))


def test_early_hints_come_before_the_response_and_are_no_response(wrap, measured):
    hints = {"type": "http.response.early_hint", "links": []}
    Server().call(wrap(answering(hints, START, body())))
    assert {("GET", "unmatched", "200"): 1} == measured.requests()


def test_trailers_come_after_the_body(wrap, measured):
    trailers = {"type": "http.response.trailers", "headers": [], "more_trailers": False}
    assert trailers == Server().call(wrap(answering({**START, "trailers": True}, body(), trailers)))[-1]
    assert {("GET", "unmatched", "200"): 1} == measured.requests()


def test_a_websocket_is_active_until_it_closes_and_has_no_duration(wrap, measured):
    async def app(_scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        assert measured.value("http_server_active_requests", http_request_method="GET") == 1
        await send({"type": "websocket.close"})

    request = {"type": "websocket", "path": "/", "headers": []}
    sent = Server({"type": "websocket.connect"}).call(wrap(app), request)
    assert ["websocket.accept", "websocket.close"] == [message["type"] for message in sent]
    assert (0, {}) == (measured.active(), measured.requests())
    assert KEY not in request


def test_an_exception_in_a_websocket_is_counted(wrap, measured):
    async def app(_scope, _receive, _send):
        raise ValueError

    with pytest.raises(ValueError):
        Server().call(wrap(app), scope(kind="websocket"))
    assert ({("unmatched", "ValueError"): 1}, 0, {}) == (measured.exceptions(), measured.active(), measured.requests())


def test_a_websocket_that_ends_because_its_client_left_is_no_exception(wrap, measured):
    class WebSocketDisconnect(Exception):
        pass

    async def app(_scope, _receive, _send):
        raise WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect):
        Server().call(wrap(app), scope(kind="websocket"))
    assert ({}, 0) == (measured.exceptions(), measured.active())


def test_lifespan_passes_through_and_its_loop_is_announced(wrap, measured):
    loops, seen, told = [], [], []
    measured.metrics.on_loop(loops.append)

    async def app(scope, receive, send):
        seen.extend([scope, receive, send])
        told.extend([await receive(), await receive()])

    request, send = {"type": "lifespan", "state": {}}, Server().send
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    waiting = iter(messages)

    async def receive():
        return next(waiting)

    asyncio.run(wrap(app)(request, receive, send))
    assert (request, {"type": "lifespan", "state": {}}) == (seen[0], request)
    assert messages == told
    assert send is seen[2]
    assert len(loops) == 1
    assert ({}, 0) == (measured.requests(), measured.active())


def test_every_loop_is_announced_once(wrap, measured):
    loops = []
    measured.metrics.on_loop(lambda loop: loops.append(id(loop)))
    app = wrap(answering(START, body()))

    async def twice() -> None:
        for _ in range(2):
            await app(scope(), Server().receive, Server().send)

    asyncio.run(twice())
    assert len(loops) == 1
    measured.clock.sleep(1)  # loops are looked at once a second
    asyncio.run(twice())
    assert len(loops) == 2


class Cancelled(BaseException):
    """As trio raises it."""


@pytest.mark.parametrize(("error", "status"), [(None, "200"), (ValueError, "500"), (Cancelled, "499")])
def test_requests_are_counted_also_where_the_server_runs_without_asyncio(wrap, measured, error, status):
    async def app(_scope, _receive, send):
        if error:
            raise error
        for message in (START, body()):
            await send(message)

    call = wrap(app)(scope(), Server().receive, Server().send)
    with pytest.raises(error or StopIteration):
        call.send(None)  # what trio does with a task that never waits
    assert ({("GET", "unmatched", status): 1}, 0) == (measured.requests(), measured.active())
    assert ([("unmatched", "ValueError")] if error is ValueError else []) == list(measured.exceptions())


@pytest.mark.parametrize(("kind", "counted"), [("http", {("GET", "unmatched", "499"): 1}), ("websocket", {})])
def test_a_request_whose_loop_ended_before_it_is_no_exception_of_the_application(wrap, measured, kind, counted):
    class Forever:
        def __await__(self):
            yield

    async def app(_scope, _receive, _send):
        await Forever()

    call = wrap(app)(scope(kind=kind), Server().receive, Server().send)
    call.send(None)
    call.close()
    assert (counted, {}, 0) == (measured.requests(), measured.exceptions(), measured.active())


@pytest.mark.parametrize(
    "request_scope",
    [
        {},
        {"type": None},
        {"type": "http"},
        {"type": "http", "method": "GET", "path": 5, "headers": None},
        {"type": "http", "method": "GET", "headers": [(1, 2)]},
        {"type": "http", "method": "GET", "headers": [b"x"]},
        {"type": "http", "method": {}, "headers": []},
        {"type": "http", "method": "GET", "route": object(), "endpoint": 5, "fastapi": 7},
        {"type": "http", "method": "GET", "route": object(), "router": 5},
        {"type": "websocket"},
    ],
)
@pytest.mark.parametrize(
    "messages",
    [
        [START, body(b"x")],
        [{}],
        ["text"],
        [{"type": "http.response.start"}],
        [{**START, "status": []}, body(5)],
        [None],
    ],
)
def test_whatever_a_scope_or_a_message_is_the_application_gets_its_call_and_the_server_its_messages(
    wrap, measured, caplog, request_scope, messages
):
    assert messages == Server().call(wrap(answering(*messages)), {"extra": 1, **request_scope})
    assert measured.active() == 0
    caplog.expected_faults = len({record.getMessage() for record in caplog.records})


def test_an_application_that_is_wrapped_twice_is_counted_once(wrap, measured):
    Server().call(wrap(wrap(answering(START, body()))))
    assert {("GET", "unmatched", "200"): 1} == measured.requests()


def test_a_scope_that_is_used_again_is_another_request(wrap, measured):
    app, request = wrap(answering(START, body())), scope()
    for _ in range(2):
        Server().call(app, request)
    assert {("GET", "unmatched", "200"): 2} == measured.requests()


def test_a_user_names_the_routes(wrap, measured):
    app = wrap(answering(START, body()), route=lambda request: "/orders/{id}" if request["path"] != "/x" else None)
    for path in ("/orders/1", "/orders/2", "/x"):
        Server().call(app, scope(path=path))
    assert {("GET", "/orders/{id}", "200"): 2, ("GET", "unmatched", "200"): 1} == measured.requests()


def test_100_000_paths_of_an_unknown_application_are_one_route(make_measured):
    measured = make_measured(body_sizes=False)
    app = ASGIMiddleware(answering(START, body()), measured.metrics)

    async def main() -> None:
        server = Server()
        for number in range(100_000):
            await app(scope(path=f"/product-{number}"), server.receive, server.send)
            server.sent.clear()

    asyncio.run(main())
    assert {("GET", "unmatched", "200"): 100_000} == measured.requests()


@pytest.mark.parametrize(
    ("header", "expected"),
    [(f"00-{TRACE}-{SPAN}-01".encode(), [{"trace_id": TRACE, "span_id": SPAN}]), (b"00-\xff\xfe", []), (b"", [])],
)
def test_a_sampled_trace_is_the_exemplar_of_the_duration(wrap, measured, header, expected):
    Server().call(wrap(answering(START, body())), scope(headers=[(b"host", b"a"), (b"traceparent", header)]))
    samples = measured.samples("http_server_request_duration_seconds_bucket")
    assert expected == [sample.exemplar.labels for sample in samples if sample.exemplar]


def test_requests_at_the_same_time_share_nothing(wrap, measured):
    async def app(scope, _receive, send):
        await asyncio.sleep(0)
        await send({**START, "status": int(scope["path"][1:])})
        for more in (True, False):
            await asyncio.sleep(0)
            await send(body(b"x" * 5, more=more))

    wrapped = wrap(app, route=lambda scope: scope["path"])

    async def main() -> None:
        server = Server()
        requests = (wrapped(scope(path=f"/{status}"), server.receive, server.send) for status in range(400, 420))
        await asyncio.gather(*requests)

    asyncio.run(main())
    assert {("GET", f"/{status}", str(status)): 1 for status in range(400, 420)} == measured.requests()
    assert (0, 200) == (measured.active(), measured.sizes("response"))


def test_nothing_of_a_request_is_left_when_it_is_over(wrap):
    import gc
    import weakref

    class Scope(dict):
        """A dict that can be weakly referred to."""

    app = wrap(answering(START, body(b"x")))

    async def main():
        server = Server()
        request = Scope(scope())
        gone = weakref.ref(request)
        await app(request, server.receive, server.send)
        return gone

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(main())() is None
    finally:
        gc.enable()
