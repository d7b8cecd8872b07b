"""Django's own handler goes a way of its own by WSGI: it must count what the other way counts, and leave it where it is not plain."""

from __future__ import annotations

import io
import sys
from types import ModuleType
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse, HttpResponseNotFound, JsonResponse, StreamingHttpResponse
from django.urls import clear_url_caches, include, path, re_path
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import django_app  # noqa: F401 - whose settings are this process's
from runtime_exporter.http import WSGIMiddleware, trace, wsgi, wsgi_django
from runtime_exporter.http.auto import _announcing
from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.wsgi_exchanges import WSGIExchange
from tools import together

pytestmark = [
    pytest.mark.skipif(wsgi.FREE_THREADED, reason="without a GIL no request goes this way"),
    pytest.mark.usefixtures("wsgi_way"),
]

here = ModuleType("here")  # what the views of the test that runs have to know


def answers(_request, **_):
    return HttpResponse("ok")


def takes(seconds):
    def view(_request):
        here.clock.sleep(seconds)
        return HttpResponse("ok")

    return view


def fails(_request):
    raise LookupError("no such order")


def exits(_request):
    raise SystemExit(3)


def streams(_request):
    def parts():
        yield b"a"
        here.clock.sleep(0.001)
        yield b"b"

    return StreamingHttpResponse(parts())


def fails_half_way(_request):
    def parts():
        yield b"a"
        raise ValueError

    return StreamingHttpResponse(parts())


def sends_a_file(_request):
    return FileResponse(io.BytesIO(b"abc"), filename="a.txt")


def says_what_is_no_status(_request):
    response = HttpResponse("ok")
    response.status_code = 999
    return response


def forgets_what_is_ours(request):
    request.META.pop(KEY, None)
    return HttpResponse("ok")


def asks_another_application(request):
    def app(_environ, start_response):
        start_response("418 Teapot", [])
        return [b"tea"]

    return HttpResponse(b"".join(WSGIMiddleware(app, here.metrics)(request.META, lambda *_: None)))


def is_closed_with_a_fault(_request):
    response = HttpResponse("ok")
    response._resource_closers.append(lambda: 1 / 0)
    return response


async def answers_later(_request):
    return HttpResponse("ok")


def turns_away(get_response):
    """A middleware, whose answer has no route."""
    return lambda request: HttpResponse(status=403) if request.path == "/away" else get_response(request)


VIEWS = {
    "own/<int:number>": answers,
    "json": lambda _: JsonResponse({}),
    "moment": takes(0.001),
    "edge": takes(0.005),
    "slow": takes(0.3),
    "missing": lambda _: HttpResponseNotFound(),
    "none": lambda _: None,
    **{
        view.__name__: view
        for view in (
            fails,
            exits,
            streams,
            fails_half_way,
            sends_a_file,
            says_what_is_no_status,
            forgets_what_is_ours,
            asks_another_application,
            is_closed_with_a_fault,
            answers_later,
        )
    },
}
urlpatterns = [
    *(path(route, view) for route, view in VIEWS.items()),
    path("shop/", include([re_path(r"^(?P<year>[0-9]{4})/$", answers)])),
]
PATHS = ["own/7", *(route for route in VIEWS if "<" not in route), "shop/2026/", "away", "etc/passwd"]


class Name(str):
    """The name of a method, of another type."""

    __slots__ = ()


class Proxying:
    """bjoern's: whatever is asked of it is the file's."""

    def __init__(self, file, _size):
        self._kept = file

    def __getattr__(self, name):
        return getattr(self._kept, name)

    def __iter__(self):
        return iter(self._kept)


class Keeping:
    """waitress': closes the file, which it keeps, by a method of its own."""

    def __init__(self, file, _size):
        self.file = file

    def __iter__(self):
        return iter(self.file)

    def close(self):
        self.file.close()


class Hiding:
    """One behind which no response is found."""

    def __init__(self, file, _size):
        def close():
            file.close()

        self._parts, self.close = iter(file), close

    def __iter__(self):
        return self._parts


def noting(file, _size):
    """Return the file, as uWSGI's does, which is no class."""
    return file


WRAPPERS = {"none": None, "wsgiref": FileWrapper, "proxying": Proxying, "keeping": Keeping}


@pytest.fixture(autouse=True)
def _with_these_views(monkeypatch):
    monkeypatch.setattr(settings, "ROOT_URLCONF", __name__)
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["*"])
    monkeypatch.setattr(settings, "MIDDLEWARE", [f"{__name__}.turns_away", f"{__name__}.notes_the_way"])
    clear_url_caches()
    yield
    clear_url_caches()


def notes_the_way(get_response):
    def middleware(request):
        mark = request.META.get(KEY)
        here.ways.append("WSGIExchange" if isinstance(mark, WSGIExchange) else type(mark).__name__)
        return get_response(request)

    return middleware


class Caller:
    """A server of one handler: keeps what it was told, and which way each request went."""

    def __init__(self, measured, *, wrapper=None, make=WSGIMiddleware, handler=WSGIHandler, **environ) -> None:
        self.measured, self.environ = measured, environ
        if wrapper is not None:
            self.environ["wsgi.file_wrapper"] = wrapper
        self.app = make(handler(), measured.metrics)
        here.clock, here.metrics, here.ways = measured.clock, measured.metrics, []
        self.seen = []

    def ask(self, where, method="GET", start=None, **more):
        environ = {"PATH_INFO": f"/{where}", "REQUEST_METHOD": method, "HTTP_HOST": "shop", **self.environ, **more}
        setup_testing_defaults(environ)
        body = ()
        try:
            body = self.app(environ, start or (lambda status, _, *__: self.seen.append(status)))
            self.seen.append(type(body).__name__ in ("HttpResponse", "JsonResponse"))
            self.seen.append(b"".join(body))
        except BaseException as error:  # also SystemExit
            self.seen.append(type(error))
        finally:
            if hasattr(body, "close"):
                body.close()
        assert KEY not in environ

    def told(self):
        shown = self.measured
        buckets = [
            (sample.labels, sample.value, sample.exemplar and sample.exemplar.value)
            for sample in shown.samples("http_server_request_duration_seconds_bucket")
        ]
        return (shown.requests(), shown.seconds(), shown.exceptions(), shown.active(), buckets)


def both(make_measured, act, **options):
    """Return what either way told of the same requests, the direct one's last, and its caller."""
    callers = [Caller(make_measured(body_sizes=sized), **options) for sized in (True, False)]
    for caller in callers:
        here.clock, here.metrics, here.ways = caller.measured.clock, caller.measured.metrics, []
        act(caller)
        caller.ways = here.ways
    assert callers[0].seen == callers[1].seen
    return [caller.told() for caller in callers], callers[1]


@pytest.mark.filterwarnings("ignore:Caught:UserWarning")
@pytest.mark.parametrize("headers", [{}, {"HTTP_TRACEPARENT": f"00-{7:032x}-{8:016x}-01"}], ids=["", "traced"])
@pytest.mark.parametrize("where", PATHS)
def test_both_ways_count_the_same_and_say_the_same(make_measured, where, headers):
    def act(caller):
        for _ in range(3):
            caller.ask(where, **headers)
            caller.ask("own/1")
            caller.measured.clock.sleep(0.002)

    (expected, told), direct = both(make_measured, act)
    assert sum(expected[0].values()) == 6  # what a view asks with its own environ is a part of the request
    assert expected == told
    assert {"DjangoMethod"} == {*direct.ways}


ASKED = st.tuples(
    st.sampled_from(["own/7", "own/7", *PATHS]),
    st.sampled_from(["GET", "GET", "POST", "BREW", "", Name("GET")]),
    st.sampled_from([{}, {"HTTP_TRACEPARENT": f"00-{7:032x}-{8:016x}-01"}]),
    st.sampled_from([0.0, 0.002, 1.5]),
)


@pytest.mark.filterwarnings("ignore:Caught:UserWarning")
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(requests=st.lists(ASKED, min_size=1, max_size=6))
def test_it_is_the_same_whatever_is_asked_in_whatever_order(make_measured, requests):
    def act(caller):
        for where, method, headers, seconds in [("own/1", "GET", {}, 0.0), *requests, ("own/1", "GET", {}, 0.0)]:
            caller.ask(where, method=method, **headers)
            caller.measured.clock.sleep(seconds)

    (expected, told), direct = both(make_measured, act)
    assert expected == told
    assert "DjangoMethod" == direct.ways[0]


@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize("where", ["fails", "exits", "none", "fails_half_way", "nowhere"])
def test_what_fails_has_its_route_and_its_exception_once(make_measured, monkeypatch, where, propagate):
    monkeypatch.setattr(settings, "DEBUG_PROPAGATE_EXCEPTIONS", propagate)
    (expected, told), direct = both(make_measured, lambda caller: caller.ask(where))
    assert expected == told
    route = "unmatched" if where == "nowhere" else f"/{where}"
    assert {route} == {labels[1] for labels in told[0]}
    assert len(told[2]) == (where != "nowhere")
    assert ["DjangoMethod"] == direct.ways


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_file_is_counted_when_the_server_closes_it_whatever_wraps_it(make_measured, name):
    def act(caller):
        caller.ask("own/1")
        for _ in range(2):
            caller.ask("sends_a_file")

    (expected, told), direct = both(make_measured, act, wrapper=WRAPPERS[name])
    assert {("GET", "/own/<int:number>", "200"): 1, ("GET", "/sends_a_file", "200"): 2} == told[0]
    assert expected == told
    assert ["DjangoMethod"] * 3 == direct.ways


@pytest.mark.parametrize("wrapper", [Hiding, noting])
def test_where_a_response_is_not_found_behind_its_file_all_requests_go_the_other_way(make_measured, wrapper):
    caller = Caller(make_measured(body_sizes=False), wrapper=wrapper)
    caller.ask("sends_a_file")
    caller.ask("own/1")
    assert ["WSGIExchange"] * 2 == here.ways
    assert {("GET", "/sends_a_file", "200"): 1, ("GET", "/own/<int:number>", "200"): 1} == caller.measured.requests()


def test_uwsgi_wraps_by_a_function_which_returns_the_file(make_measured, monkeypatch):
    monkeypatch.setitem(sys.modules, "uwsgi", ModuleType("uwsgi"))
    caller = Caller(make_measured(body_sizes=False), wrapper=noting)
    caller.ask("sends_a_file")
    assert ["DjangoMethod"] == here.ways
    assert ({("GET", "/sends_a_file", "200"): 1}, 0) == (caller.measured.requests(), caller.measured.active())


def test_a_server_that_fails_to_start_a_response_makes_a_500(make_measured):
    def start(*_):
        raise OSError

    (expected, told), _ = both(make_measured, lambda caller: caller.ask("own/1", start=start))
    assert expected == told
    assert {("GET", "/own/<int:number>", "500"): 1} == told[0]


@pytest.mark.parametrize("method", ["HEAD", "POST", "BREW", "_OTHER"])
def test_each_method_has_its_own_series(make_measured, method):
    def act(caller):
        for _ in range(3):
            caller.ask("own/1", method=method)

    (expected, told), direct = both(make_measured, act)
    assert expected == told
    assert {(method if method in ("HEAD", "POST") else "_OTHER", "/own/<int:number>", "200"): 3} == told[0]
    assert ["DjangoMethod"] * 3 == direct.ways


class Changed(WSGIHandler):
    """Answers as it likes."""

    def __call__(self, environ, start_response):
        return [*super().__call__(environ, start_response)]


@pytest.mark.parametrize("why", ["route", "free-threaded", "sizes", "changed", "wrapped", "twice", "other"])
def test_where_something_else_is_asked_for_requests_go_the_other_way(make_measured, monkeypatch, why):
    if why == "free-threaded":
        monkeypatch.setattr(wsgi, "FREE_THREADED", True)
    if why == "wrapped":
        monkeypatch.setattr(WSGIHandler, "get_response", lambda self, request: self._middleware_chain(request))
    caller = Caller(make_measured(body_sizes=why == "sizes"), handler=Changed if why == "changed" else WSGIHandler)
    if why == "route":
        caller.app.route = lambda _environ: "/told"
    if why == "twice":
        caller.app = WSGIMiddleware(caller.app, caller.measured.metrics)
    if why == "other":
        handler = caller.app.app
        caller.app.app = lambda environ, start_response: handler(environ, start_response)
    for _ in range(2):
        caller.ask("own/1")
    assert "DjangoMethod" not in here.ways
    route = "/told" if why == "route" else "/own/<int:number>"
    assert ({("GET", route, "200"): 2}, 0) == (caller.measured.requests(), caller.measured.active())


def test_a_handler_that_is_changed_later_is_found_out_by_the_next_request(make_measured, monkeypatch):
    caller = Caller(make_measured(body_sizes=False))
    caller.ask("own/1")
    call = WSGIHandler.__call__
    monkeypatch.setattr(WSGIHandler, "__call__", lambda self, *given: [*call(self, *given)])
    for _ in range(2):
        caller.ask("own/1")
    route = "/own/<int:number>"
    assert {("GET", route, "200"): 2, ("GET", "unmatched", "other"): 1} == caller.measured.requests()
    assert ["DjangoMethod", "DjangoMethod", "WSGIExchange"] == here.ways


def test_a_handler_that_the_exporter_has_found_by_itself_goes_this_way_too(make_measured):
    measured, served = make_measured(body_sizes=False), []

    def make(handler, metrics):
        app = _announcing(WSGIMiddleware(type(handler).__call__.__get__(handler)), lambda: served.append(handler))
        app.metrics = metrics
        return app

    caller = Caller(measured, make=make)
    caller.ask("own/1")
    caller.ask("own/1")
    assert ["DjangoMethod"] * 2 == here.ways
    assert ({("GET", "/own/<int:number>", "200"): 2}, 1) == (measured.requests(), len(served))


def test_other_metrics_count_from_the_next_request_on(make_measured):
    first, second = make_measured(body_sizes=False), make_measured(body_sizes=False)
    caller = Caller(first)
    caller.ask("own/1")
    caller.app.metrics = second.metrics
    caller.ask("own/1")
    expected = {("GET", "/own/<int:number>", "200"): 1}
    assert (expected, expected) == (first.requests(), second.requests())


def test_where_there_are_spans_each_request_has_one_of_its_own(make_measured, monkeypatch):
    otel = pytest.importorskip("opentelemetry.trace")
    caller = Caller(make_measured(body_sizes=False))
    caller.ask("own/1")
    monkeypatch.setitem(sys.modules, trace.SDK, ModuleType(trace.SDK))
    span = otel.NonRecordingSpan(otel.SpanContext(7, 8, is_remote=False, trace_flags=otel.TraceFlags(1)))
    with otel.use_span(span):
        for _ in range(3):
            caller.measured.clock.sleep(0.01)
            caller.ask("own/1")
    assert ["DjangoMethod", "DjangoMethod", "WSGIExchange", "WSGIExchange"] == here.ways
    samples = caller.measured.samples("http_server_request_duration_seconds_bucket")
    assert [f"{7:032x}"] == [sample.exemplar.labels["trace_id"] for sample in samples if sample.exemplar]


def test_a_request_that_is_answered_while_another_thread_s_ends_this_way_for_all_is_counted(make_measured):
    caller = Caller(make_measured(body_sizes=False))
    caller.ask("own/1")
    here.clock = type("Leaving", (), {"sleep": lambda _self, _seconds: caller.app._leave()})()
    caller.ask("moment")
    caller.ask("own/1")
    assert [True, b"ok"] == caller.seen[-2:]
    assert ["DjangoMethod", "DjangoMethod", "WSGIExchange"] == here.ways
    assert {("GET", "/own/<int:number>", "200"): 2, ("GET", "/moment", "200"): 1} == caller.measured.requests()


def test_requests_are_active_while_they_are_answered(make_measured, monkeypatch):
    measured, active = make_measured(body_sizes=False), []
    monkeypatch.setattr(here, "clock", None, raising=False)
    caller = Caller(measured)
    here.clock = type("Looking", (), {"sleep": lambda _self, _seconds: active.append(measured.active())})()
    for _ in range(2):
        caller.ask("moment")
    assert ([1, 1], 0) == (active, measured.active())


@pytest.mark.usefixtures("rapid_switches")
def test_no_request_is_lost_between_threads(make_measured):
    measured = make_measured(body_sizes=False)
    caller = Caller(measured)
    caller.ask("own/1")
    environ = {"PATH_INFO": "/own/1", "REQUEST_METHOD": "GET", "HTTP_HOST": "shop"}
    setup_testing_defaults(environ)

    def work():
        for _ in range(500):
            caller.app({**environ}, lambda *_: None).close()

    together(*[work] * 4)
    assert ({("GET", "/own/<int:number>", "200"): 2_001}, 0) == (measured.requests(), measured.active())
    assert type(caller.app) is wsgi_django.FASTEST
