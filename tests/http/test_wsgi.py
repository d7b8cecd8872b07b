"""The WSGI middleware, driven as a server would: bodies, exceptions, sizes, and what an application may do wrong."""

from __future__ import annotations

import gc
import io
import threading
from functools import partial
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

import wsgi_app
from runtime_exporter.http import WSGIMiddleware
from runtime_exporter.http.exchange import KEY
from tools import together

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

pytestmark = pytest.mark.usefixtures("wsgi_way")


def environ(method="GET", path="/", **more):
    result = {"REQUEST_METHOD": method, "PATH_INFO": path, **more}
    setup_testing_defaults(result)
    return result


class Server:
    """The side of a WSGI server: what it was told, and what it sent."""

    def __init__(self) -> None:
        self.starts = []
        self.written = []

    def start_response(self, status, headers, exc_info=None):
        if exc_info and self.starts and self.written:
            raise exc_info[1].with_traceback(exc_info[2])
        self.starts.append((status, headers))
        return self.written.append

    def get(self, app, **request) -> bytes:
        body = app(environ(**request), self.start_response)
        try:
            return b"".join([*self.written, *body])
        finally:
            if hasattr(body, "close"):
                body.close()


class Body:
    """An application's iterable: takes a second for each chunk, and counts its closes."""

    def __init__(self, clock, *chunks: bytes, fails_at: int = -1) -> None:
        self.clock, self.chunks, self.fails_at = clock, chunks, fails_at
        self.closed = 0

    def __iter__(self):
        for number, chunk in enumerate(self.chunks):
            self.clock.sleep(1)
            if number == self.fails_at:
                raise RuntimeError("in the middle")
            yield chunk

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def wrap(measured):
    return lambda app, **options: WSGIMiddleware(app, measured.metrics, **options)


@pytest.fixture
def streaming(measured, wrap):
    def make(*chunks, **options):
        body = Body(measured.clock, *chunks, **options)

        def app(_environ, start_response):
            measured.clock.sleep(10)
            start_response("200 OK", [])
            return body

        return wrap(app), body

    return make


def plain(status="200 OK", body=(b"hello",), headers=()):
    def app(_environ, start_response):
        start_response(status, [*headers])
        return list(body)

    return app


def test_the_answer_is_the_applications(wrap):
    server = Server()
    assert server.get(wrap(plain("404 Not Found", [b"no", b"pe"], [("X-A", "b")]))) == b"nope"
    assert [("404 Not Found", [("X-A", "b")])] == server.starts


def test_a_list_reaches_the_server_as_it_is_so_that_it_still_knows_the_length(wrap):
    chunks = [b"one"]
    body = wrap(lambda _environ, start: (start("200 OK", []), chunks)[1])(environ(), Server().start_response)
    assert body is chunks


def test_a_request_is_active_until_its_body_is_exhausted_and_its_duration_ends_there(streaming, measured):
    app, _ = streaming(b"a", b"b", b"c")
    body = app(environ(), Server().start_response)
    assert (measured.active(), measured.requests()) == (1, {})
    assert [b"a", b"b", b"c"] == [*body]
    measured.clock.sleep(100)  # the server takes its time to close
    body.close()
    assert (measured.active(), measured.requests()) == (0, {("GET", "unmatched", "200"): 1})
    assert measured.seconds() == 13


def test_a_body_that_is_closed_early_ends_there(streaming, measured):
    app, inner = streaming(b"a", b"b", b"c")
    body = app(environ(), Server().start_response)
    assert next(iter(body)) == b"a"
    body.close()
    assert (measured.active(), measured.seconds(), inner.closed) == (0, 11, 1)
    assert measured.sizes("response") == 1


def test_a_body_that_is_its_own_iterator_is_closed_once_where_the_server_breaks_off(wrap, measured):
    class Iterator(Body):
        def __iter__(self):
            return self

        def __next__(self):
            return b"x"

    inner = Iterator(measured.clock)

    def app(_environ, start_response):
        start_response("200 OK", [])
        return inner

    body = wrap(app)(environ(), Server().start_response)
    for _ in body:
        break
    body.close()
    assert (inner.closed, measured.active()) == (1, 0)


def test_a_body_that_is_dropped_without_being_closed_is_not_active_for_ever(streaming, measured):
    app, _ = streaming(b"a", b"b")
    for _ in app(environ(), Server().start_response):
        break
    assert (measured.active(), measured.requests()) == (0, {("GET", "unmatched", "200"): 1})


def test_a_body_that_is_neither_read_nor_closed_is_not_active_for_ever(streaming, measured):
    app, _ = streaming()
    app(environ(), Server().start_response)
    gc.collect()
    assert ({("GET", "unmatched", "200"): 1}, 0) == (measured.requests(), measured.active())


def test_a_body_that_is_never_read_but_closed_is_counted(streaming, measured):
    app, inner = streaming(b"a")
    app(environ("HEAD"), Server().start_response).close()
    assert ({("HEAD", "unmatched", "200"): 1}, 1) == (measured.requests(), inner.closed)


def test_a_closed_body_is_closed_and_counted_once(streaming, measured):
    app, inner = streaming(b"a")
    body = app(environ(), Server().start_response)
    assert [b"a"] == [*body]
    body.close()
    body.close()
    assert (inner.closed, sum(measured.requests().values())) == (1, 1)


def test_an_application_that_is_a_generator_starts_its_response_late(wrap, measured):
    def app(_environ, start_response):
        start_response("201 Created", [])
        yield b"x"

    assert Server().get(wrap(app)) == b"x"
    assert {("GET", "unmatched", "201"): 1} == measured.requests()


def test_an_exception_before_the_response_starts_is_a_500_and_reaches_the_server_unchanged(wrap, measured):
    raised = LookupError("no such order")

    def app(_environ, _start_response):
        raise raised

    with pytest.raises(LookupError) as caught:
        Server().get(wrap(app))
    assert caught.value is raised
    assert ({("GET", "unmatched", "500"): 1}, 0) == (measured.requests(), measured.active())
    assert {("unmatched", "LookupError"): 1} == measured.exceptions()


def test_an_exception_in_the_middle_of_the_body_is_a_500_and_the_body_is_closed(streaming, measured):
    app, inner = streaming(b"a", b"b", fails_at=1)
    with pytest.raises(RuntimeError, match="in the middle"):
        Server().get(app)
    assert ({("GET", "unmatched", "500"): 1}, 1) == (measured.requests(), inner.closed)
    assert {("unmatched", "RuntimeError"): 1} == measured.exceptions()


def test_a_generator_that_raises_before_it_starts_the_response_is_a_500(wrap, measured):
    def app(_environ, _start_response):
        raise KeyError("x")
        yield b""

    with pytest.raises(KeyError):
        Server().get(wrap(app))
    assert {("GET", "unmatched", "500"): 1} == measured.requests()


def test_an_exception_in_close_is_counted_and_reaches_the_server(wrap, measured):
    class Broken(Body):
        def close(self):
            raise OSError("disk")

    def app(_environ, start_response):
        start_response("200 OK", [])
        return Broken(measured.clock, b"a")

    with pytest.raises(OSError, match="disk"):
        Server().get(wrap(app))
    assert ({("unmatched", "OSError"): 1}, 0) == (measured.exceptions(), measured.active())


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_worker_that_is_told_to_stop_in_a_request_leaves_it_counted(wrap, measured, error):
    def app(_environ, _start_response):
        raise error

    with pytest.raises(error):
        Server().get(wrap(app))
    assert ({("GET", "unmatched", "500"): 1}, 0) == (measured.requests(), measured.active())


def test_an_error_page_with_exc_info_replaces_the_status_and_counts_the_exception_once(wrap, measured):
    import sys

    def app(_environ, start_response):
        start_response("200 OK", [])
        try:
            raise ValueError("half way")
        except ValueError:
            start_response("503 Sorry", [], sys.exc_info())
        return [b"sorry"]

    server = Server()
    assert server.get(wrap(app)) == b"sorry"
    assert ["200 OK", "503 Sorry"] == [status for status, _ in server.starts]
    assert {("GET", "unmatched", "503"): 1} == measured.requests()
    assert {("unmatched", "ValueError"): 1} == measured.exceptions()


def test_exc_info_after_the_headers_were_sent_is_raised_by_the_server_and_counted_once(wrap, measured):
    import sys

    def app(_environ, start_response):
        start_response("200 OK", [])(b"sent")
        try:
            raise ValueError("too late")
        except ValueError:
            start_response("500 Sorry", [], sys.exc_info())

    with pytest.raises(ValueError, match="too late"):
        Server().get(wrap(app))
    assert ({("unmatched", "ValueError"): 1}, {("GET", "unmatched", "500"): 1}) == (
        measured.exceptions(),
        measured.requests(),
    )


def test_an_application_that_never_starts_its_response_is_a_500(wrap, measured):
    assert Server().get(wrap(lambda _environ, _start: [b"x"])) == b"x"
    assert {("GET", "unmatched", "500"): 1} == measured.requests()


def test_the_write_callable_works_and_its_bytes_count(wrap, measured):
    def app(_environ, start_response):
        write = start_response("200 OK", [])
        write(b"12345")
        return [b"67"]

    assert Server().get(wrap(app)) == b"1234567"
    assert measured.sizes("response") == 7


@pytest.mark.parametrize("status", [b"200 OK", 200, None, "", "banana", object()])
def test_a_status_that_is_none_costs_the_application_nothing(wrap, measured, caplog, status):
    server = Server()
    assert server.get(wrap(plain(status))) == b"hello"
    assert status == server.starts[0][0]
    assert (sum(measured.requests().values()), measured.active()) == (1, 0)
    caplog.expected_faults = len({record.getMessage() for record in caplog.records})
    assert caplog.expected_faults <= 2


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified"), ("GET", "101 Switching")],
)
def test_what_has_no_body_by_the_protocol_has_a_size_of_zero(wrap, measured, method, status):
    Server().get(wrap(plain(status, [b"ignored by servers"])), method=method)
    assert measured.sizes("response") == 0
    assert {(method, "unmatched", status[:3]): 1} == measured.requests()


@pytest.mark.parametrize(
    "read",
    [
        lambda f: f.read(),
        lambda f: f.read(7),
        lambda f: b"".join(f),
        lambda f: f.readlines(),
        lambda f: f.readline() + f.read(),
        lambda f: f.read1(3) + f.read1(),
        lambda f: f.readinto(bytearray(100)),
    ],
)
def test_the_bytes_of_a_request_are_counted_as_they_are_read(wrap, measured, read):
    def app(request, start_response):
        read(request["wsgi.input"])
        start_response("200 OK", [])
        return []

    Server().get(wrap(app), method="POST", **{"wsgi.input": io.BytesIO(b"one\ntwo"), "CONTENT_LENGTH": "7"})
    assert measured.sizes("request") == 7


@pytest.mark.parametrize("length", ["banana", "-5", "1e9", "", "9" * 400, "٣"])
def test_a_made_up_content_length_of_a_request_counts_for_nothing(wrap, measured, length):
    Server().get(wrap(plain()), method="POST", CONTENT_LENGTH=length)
    assert measured.sizes("request") == 0


def test_an_input_keeps_what_else_the_server_gave_it(wrap):
    seen = {}

    def app(request, start_response):
        seen["tell"] = request["wsgi.input"].tell()
        start_response("200 OK", [])
        return []

    Server().get(wrap(app), **{"wsgi.input": io.BytesIO(b"abc")})
    assert seen["tell"] == 0


class File(io.BytesIO):
    """A file that counts its closes."""

    closes = 0

    def close(self) -> None:
        self.closes += 1
        super().close()


@pytest.mark.parametrize(("length", "counted"), [("5", 5), ("banana", 0), ("9" * 400, 0), (b"5", 5)])
def test_a_file_stays_the_servers_own_wrapper_and_its_declared_length_counts(wrap, measured, length, counted):
    file = File(b"12345")

    def app(request, start_response):
        start_response("200 OK", [("Content-Type", "x"), ("content-LENGTH", length)])
        return request["wsgi.file_wrapper"](file)

    body = wrap(app)(environ(**{"wsgi.file_wrapper": FileWrapper}), Server().start_response)
    assert type(body) is FileWrapper
    assert measured.active() == 1
    body.close()
    assert (measured.active(), measured.sizes("response"), file.closes) == (0, counted, 1)


def test_a_file_wrapper_that_is_a_function_is_measured_as_any_body(wrap, measured):
    def app(request, start_response):
        start_response("200 OK", [])
        return request["wsgi.file_wrapper"](io.BytesIO(b"12345"))

    assert Server().get(wrap(app), **{"wsgi.file_wrapper": lambda file: iter([file.read()])}) == b"12345"
    assert measured.sizes("response") == 5


def test_an_application_that_is_wrapped_twice_is_counted_once(wrap, measured):
    assert Server().get(wrap(wrap(plain()))) == b"hello"
    assert {("GET", "unmatched", "200"): 1} == measured.requests()


def test_an_environ_that_is_used_again_is_another_request(wrap, measured):
    app, request = wrap(plain()), environ()
    for _ in range(2):
        assert [b"hello"] == app(request, Server().start_response)
    assert {("GET", "unmatched", "200"): 2} == measured.requests()
    assert KEY not in request


def test_a_user_names_the_routes(wrap, measured):
    app = wrap(plain(), route=lambda request: "/orders/<id>" if request["PATH_INFO"] != "/x" else None)
    for path in ("/orders/1", "/orders/2", "/x"):
        Server().get(app, path=path)
    assert {("GET", "/orders/<id>", "200"): 2, ("GET", "unmatched", "200"): 1} == measured.requests()


def test_a_route_function_that_raises_costs_its_label_and_one_log_line(wrap, measured, caplog):
    caplog.expected_faults = 1
    app = wrap(plain(), route=lambda _: 1 / 0)
    assert [b"hello"] * 3 == [Server().get(app) for _ in range(3)]
    assert {("GET", "unmatched", "200"): 3} == measured.requests()
    assert "finding a route failed: ZeroDivisionError" in caplog.text


def test_100_000_paths_of_an_unknown_application_are_one_route(make_measured):
    measured = make_measured(body_sizes=False)
    app, request, server = WSGIMiddleware(plain(), measured.metrics), environ(), Server()
    for number in range(100_000):
        request["PATH_INFO"] = f"/product-{number}"
        app(request, server.start_response)
        server.starts.clear()
    assert {("GET", "unmatched", "200"): 100_000} == measured.requests()


def test_a_sampled_trace_is_the_exemplar_of_the_duration(wrap, measured):
    Server().get(wrap(plain()), HTTP_TRACEPARENT=TRACEPARENT)
    exemplars = [
        sample.exemplar for sample in measured.samples("http_server_request_duration_seconds_bucket") if sample.exemplar
    ]
    assert [{"trace_id": TRACEPARENT[3:35], "span_id": TRACEPARENT[36:52]}] == [item.labels for item in exemplars]


def test_requests_at_the_same_time_share_nothing(wrap, measured):
    barrier = threading.Barrier(8)

    def app(request, start_response):
        barrier.wait(10)
        start_response(f"{request['PATH_INFO'][1:]} X", [])
        barrier.wait(10)
        return iter([b"x" * 10])

    wrapped = wrap(app, route=lambda request: request["PATH_INFO"])
    together(*(partial(Server().get, wrapped, path=f"/{status}") for status in range(400, 408)))
    assert {("GET", f"/{status}", str(status)): 1 for status in range(400, 408)} == measured.requests()
    assert (measured.active(), measured.sizes("response")) == (0, 80)


def test_broken_metrics_cost_the_application_nothing_but_its_metrics(caplog, measured):
    caplog.expected_faults = 3  # the route's series at the start, the count at the end, the exception

    def broken(*_):
        raise OSError("full")

    measured.metrics.series = broken
    measured.metrics.count_exception = broken
    app = WSGIMiddleware(plain(), measured.metrics)
    assert [b"hello"] * 3 == [Server().get(app) for _ in range(3)]

    def failing(_environ, _start):
        raise KeyError

    with pytest.raises(KeyError):
        Server().get(WSGIMiddleware(failing, measured.metrics))
    assert measured.active() == 0


def test_an_environ_without_a_method_is_answered(wrap, measured):
    assert [b"hello"] == wrap(plain())({}, Server().start_response)
    assert {("_OTHER", "unmatched", "200"): 1} == measured.requests()


def test_an_unhashable_method_is_answered_and_not_measured(wrap, measured, caplog):
    caplog.expected_faults = 1
    assert [b"hello"] == wrap(plain())({"REQUEST_METHOD": []}, Server().start_response)
    assert ({}, 0) == (measured.requests(), measured.active())


def test_the_validator_of_wsgiref_finds_nothing_to_complain_of(wrap):
    app = validator(wrap(validator(plain(headers=[("Content-Type", "text/plain")]))))
    assert Server().get(app, SCRIPT_NAME="", QUERY_STRING="") == b"hello"


def test_nothing_of_a_request_is_left_when_it_is_over(streaming):
    import gc
    import weakref

    app, _ = streaming(b"a")

    class Environ(dict):
        """A dict that can be weakly referred to."""

    request = Environ(environ())
    gone = weakref.ref(request)
    gc.collect()
    gc.disable()
    try:
        body = app(request, Server().start_response)
        assert [b"a"] == [*body]
        body.close()
        del body, request
        assert gone() is None
    finally:
        gc.enable()


def test_metrics_that_measure_bodies_do_so_from_the_next_request_on(make_measured):
    plain, sized = make_measured(body_sizes=False), make_measured(body_sizes=True)

    def answer(_environ, start_response):
        start_response("200 OK", [])
        return [b"abc"]

    app = WSGIMiddleware(answer, plain.metrics)
    for measured in (plain, plain, sized, sized, plain, plain):
        app.metrics = measured.metrics
        Server().get(app)
    expected = {("GET", "unmatched", "200"): 2}
    assert ({("GET", "unmatched", "200"): 4}, expected, 6) == (
        plain.requests(),
        sized.requests(),
        sized.sizes("response"),
    )


def test_the_example_works(measured):
    app = wsgi_app.application
    app.metrics = measured.metrics
    for path in ("/orders/1", "/orders/2/items/3", "/etc/passwd"):
        Server().get(app, path=path)
    assert {
        ("GET", "/orders/<id>", "200"): 1,
        ("GET", "/orders/<id>/items/<id>", "200"): 1,
        ("GET", "unmatched", "404"): 1,
    } == measured.requests()


@pytest.mark.parametrize("seconds", [0.001, 0.3, 100.0])
def test_a_request_without_measured_bodies_is_counted_once_in_its_bucket_however_long_it_takes(make_measured, seconds):
    measured = make_measured(body_sizes=False)

    def answer(_environ, start_response):
        measured.clock.sleep(seconds)
        start_response("200 OK", [])
        return [b"x"]

    app = WSGIMiddleware(answer, measured.metrics)
    for _ in range(3):
        request = environ()
        assert app(request, Server().start_response) == [b"x"]
        assert KEY not in request
    assert ({("GET", "unmatched", "200"): 3}, 0) == (measured.requests(), measured.active())
    assert measured.seconds() == pytest.approx(3 * seconds)
    below = [
        sample.labels["le"]
        for sample in measured.samples("http_server_request_duration_seconds_bucket")
        if sample.value == 3
    ]
    assert seconds <= float(below[0])


def test_a_status_that_is_replaced_is_that_of_the_last_start_of_the_response(make_measured):
    measured = make_measured(body_sizes=False)

    def app(_environ, start_response):
        start_response("200 OK", [])
        start_response("503 Sorry", [], (ValueError, ValueError("x"), None))
        return [b"sorry"]

    wrapped = WSGIMiddleware(app, measured.metrics)
    for _ in range(2):
        assert Server().get(wrapped) == b"sorry"
    assert ({("GET", "unmatched", "503"): 2}, {("unmatched", "ValueError"): 2}) == (
        measured.requests(),
        measured.exceptions(),
    )
