"""What is compiled for WSGI does what the interpreted way does, whatever an application, a server and a clock do."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime_exporter.http import WSGIMiddleware, guard, trace, wsgi
from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.series import Method, Series
from runtime_exporter.http.wsgi_exchanges import WHOLE, WSGIExchange
from runtime_exporter.metrics import Histogram
from tools import require_compiled

TRACEPARENT = f"00-{7:032x}-{8:016x}-01"


class Text(str):
    """A text of another type, which has an opinion of its own on what equals it."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        raise TypeError


class Unhashed(type):
    """The type of a type that no set takes."""

    __hash__ = None


class Odd(list, metaclass=Unhashed):
    """A body of such a type."""


class Interrupts:
    """Something that ends a program when it is asked for its rule."""

    @property
    def url_rule(self):
        raise KeyboardInterrupt


class Fails:
    """Something that fails when it is asked for its rule."""

    @property
    def url_rule(self):
        raise ValueError


def parts(clock, *, fails):
    clock.sleep(0.5)
    yield b"a"
    if fails:
        raise ValueError
    yield b"b"


class Closed:
    """A body that is to be closed, as werkzeug's are, with whatever there is, and takes a moment to be read."""

    def __init__(self, clock, callbacks) -> None:
        self._clock, self._callbacks = clock, callbacks

    def __iter__(self):
        self._clock.sleep(0.001)
        return iter([b"a"])

    def close(self) -> None:
        for callback in self._callbacks:
            callback()


def _iter_encoded():
    yield b"a"


def _iter_otherwise():
    yield b"a"


class Response:
    """What a response of werkzeug's has to be closed."""

    def __init__(self, response) -> None:
        self.response = response

    def close(self) -> None:
        pass


def encoded(kind, encode=_iter_encoded):
    """Return what makes a body as a response of werkzeug's has it whose parts are of that kind, and encoded by that generator."""
    return lambda clock: Closed(clock, [encode().close, Response(kind((b"a",))).close])


BODIES = {
    "list": lambda _: [b"a"],
    "tuple": lambda _: (b"a",),
    "a list of another type": lambda _: type("Mine", (list,), {})([b"a"]),
    "of a type that no set takes": lambda _: Odd([b"a"]),
    "parts": lambda clock: parts(clock, fails=False),
    "parts that fail": lambda clock: parts(clock, fails=True),
    "nothing": lambda _: None,
    "encoded": encoded(list),
    "an encoded stream": encoded(iter),
    "encoded otherwise": encoded(list, _iter_otherwise),
    "closed with nothing": lambda clock: Closed(clock, []),
    "closed with two things": lambda clock: Closed(clock, [_iter_encoded, _iter_encoded]),
    "closed with what is no list": lambda clock: Closed(clock, ()),
}
REQUESTS = {
    "none": None,
    "unmatched": SimpleNamespace(url_rule=None),
    "one": SimpleNamespace(url_rule=SimpleNamespace(rule="/one/<id>")),
    "two": SimpleNamespace(url_rule=SimpleNamespace(rule=Text("/two"))),
    "no rule": SimpleNamespace(url_rule=7),
    "strange": SimpleNamespace(),
    "failing": Fails(),
    "interrupting": Interrupts(),
}


@dataclass(frozen=True)
class Asked:
    """One request, and what the application does then."""

    method: object = "GET"
    status: object = "200 OK"
    start: str = "positional"
    body: str = "list"
    request: str = "none"
    raises: type[BaseException] | None = None
    deed: str = "nothing"
    seconds: float = 0.001
    told: str | None = None
    traced: bool = False
    server_fails: bool = False
    exact: bool = True


VALUES = {
    "method": ["GET", "POST", "BREW", None, 7, [], Text("GET")],
    "status": ["200 OK", "404 Not Found", "999", 204, "", [], Text("200 OK"), None],
    "start": ["positional", "keywords", "error", "no error", "twice", "never", "too few", "too late"],
    "body": sorted(BODIES),
    "request": sorted(REQUESTS),
    "raises": [None, ValueError, SystemExit, GeneratorExit],
    "deed": [
        "nothing",
        "forgets",
        "replaces",
        "clears",
        "copies",
        "asks again",
        "asks another",
        "leaves",
        "other metrics",
    ],
    "seconds": [0.001, 0.0, 0.005, 0.0051, 3.0, -1.0],
    "told": [None, "/told"],
    "traced": [False, True],
    "server_fails": [False, True],
    "exact": [True, False],
}
ODD = [Asked(**{name: value}) for name, values in VALUES.items() for value in values]
ASKED = st.one_of(
    st.sampled_from(ODD),  # in one thing, as most that are asked shall be
    st.builds(Asked, **{name: st.sampled_from(values) for name, values in VALUES.items()}),
)


class Dict(dict):
    """An environ that is no dict of Python's own."""


class Caller:
    """A server and an application that does as it is asked; keeps what either was told."""

    def __init__(self, make_measured) -> None:
        self.measured, self.others = make_measured(body_sizes=False), make_measured(body_sizes=False)
        self.clock, self.seen, self.marked = self.measured.clock, [], []
        self.app = WSGIMiddleware(self.answer, self.measured.metrics)
        self.another = WSGIMiddleware(self.answer, self.measured.metrics)
        for app in (self.app, self.another):
            app._prepare()
            app._werkzeug = Closed

    def ask(self, asked: Asked) -> None:
        environ = {"asked": asked, "REQUEST_METHOD": asked.method, "werkzeug.request": REQUESTS[asked.request]}
        if asked.method is None:
            del environ["REQUEST_METHOD"]
        if asked.request == "none":
            del environ["werkzeug.request"]
        if asked.traced:
            environ["HTTP_TRACEPARENT"] = TRACEPARENT
        self.copy = None
        self._ask(self.app, environ if asked.exact else Dict(environ), self.start)
        if self.copy is not None:
            self._ask(self.app, self.copy, self.start)
        self.clock.sleep(0.002)

    def _ask(self, app, environ, start):
        try:
            body = app(environ, start)
            self.seen.append(type(body).__name__)
            try:
                self.seen.append([*body])
            finally:
                getattr(body, "close", lambda: None)()
        except BaseException as error:  # also SystemExit
            self.seen.append((type(error), str(error)))
        self.marked.append(KEY in environ)

    def start(self, status, headers, exc_info=None):
        self.seen.append((repr(status), headers, exc_info and type(exc_info[1])))
        if self.fails:
            raise OSError
        return self.seen.append

    def answer(self, environ, start_response):
        asked = environ["asked"]
        exchange = environ.get(KEY)
        self.fails = asked.server_fails
        if asked.told and exchange is not None:
            exchange.told = asked.told
        write = None
        if asked.start in ("positional", "twice", "error"):
            write = start_response(asked.status, [])
        if asked.start == "keywords":
            write = start_response(status=asked.status, headers=[])
        if asked.start == "no error":
            write = start_response(asked.status, [], None)
        if asked.start == "error":
            write = start_response("500 Oh", [], (ValueError, ValueError(), None))
        if asked.start == "twice":
            write = start_response("404 Not Found", [])
        if asked.start == "too few":
            start_response(asked.status)
        self.seen.append(write == self.seen.append)
        self.clock.sleep(asked.seconds)
        self.do(asked.deed, environ, exchange)
        if asked.raises is not None:
            raise asked.raises("as asked")
        if asked.start == "too late":
            return self.late(start_response, asked)
        return BODIES[asked.body](self.clock)

    def late(self, start_response, asked):
        start_response(asked.status, [])
        yield b"late"

    def do(self, deed, environ, exchange):
        if deed == "forgets":
            environ.pop(KEY, None)
        if deed == "replaces":
            environ[KEY] = exchange and WSGIExchange()
        if deed == "clears":
            environ.clear()
        if deed == "copies":
            self.copy = {**environ, "asked": Asked(status="202 Accepted")}
        if deed in ("asks again", "asks another"):
            environ["asked"] = Asked(status="202 Accepted")
            self._ask(self.app if deed == "asks again" else self.another, environ, self.start)
        if deed == "leaves":
            self.app._leave()
        if deed == "other metrics":
            self.app.metrics = self.others.metrics

    def told(self):
        return self.marked, [
            (
                shown.requests(),
                shown.exceptions(),
                shown.active(),
                [
                    (sample.name, sample.labels, sample.value, sample.exemplar and sample.exemplar.labels)
                    for name in ("bucket", "sum")
                    for sample in shown.samples(f"http_server_request_duration_seconds_{name}")
                ],
            )
            for shown in (self.measured, self.others)
        ]


def told_of(make_measured, caplog, requests):
    """Return what either way told of the same requests and said to who asked, the compiled one's last."""
    told = []
    for way in (WSGIMiddleware, require_compiled("wsgi") and wsgi.FASTEST):
        guard._logged.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wsgi, "FASTEST", way)
            caller = Caller(make_measured)
            for asked in (Asked(), Asked(), *requests, Asked(), Asked()):
                caller.ask(asked)
        assert type(caller.app) is way
        told.append((caller.told(), caller.seen, [record.getMessage() for record in caplog.records]))
        caplog.clear()
    return told


@pytest.mark.parametrize("asked", ODD, ids=repr)
def test_a_request_that_is_odd_in_one_thing_is_counted_as_it_always_was(make_measured, caplog, asked):
    expected, told = told_of(make_measured, caplog, [asked, asked])
    assert expected == told


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(requests=st.lists(ASKED, min_size=2, max_size=6))
def test_requests_that_are_odd_in_many_things_are_counted_as_they_always_were(make_measured, caplog, requests):
    expected, told = told_of(make_measured, caplog, requests)
    assert expected == told


def test_an_ordinary_request_does_not_come_to_the_interpreted_way(make_measured, monkeypatch):
    require_compiled("wsgi")
    caller = Caller(make_measured)
    caller.ask(Asked())
    caller.ask(Asked())
    monkeypatch.setattr(WSGIExchange, "take", None)
    for _ in range(3):
        caller.clock.now -= 0.003  # no time goes by: nobody wants an exemplar
        caller.ask(Asked())
    assert {("GET", "unmatched", "200"): 5} == caller.measured.requests()


def test_where_there_are_spans_each_request_has_one_of_its_own(make_measured, monkeypatch):
    require_compiled("wsgi")
    otel = pytest.importorskip("opentelemetry.trace")
    caller = Caller(make_measured)
    caller.ask(Asked())
    monkeypatch.setitem(sys.modules, trace.SDK, ModuleType(trace.SDK))
    span = otel.NonRecordingSpan(otel.SpanContext(7, 8, is_remote=False, trace_flags=otel.TraceFlags(1)))
    with otel.use_span(span):
        for _ in range(3):
            caller.clock.sleep(0.01)
            caller.ask(Asked())
    samples = caller.measured.samples("http_server_request_duration_seconds_bucket")
    assert [f"{7:032x}"] == [sample.exemplar.labels["trace_id"] for sample in samples if sample.exemplar]


def released():
    view = memoryview(bytearray(80)).cast("d")
    view.release()
    return view


def says(*answers):
    """Return a clock that says these in turn, or raises them."""
    left = [*answers]

    def clock():
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return clock


CHANGED = {
    "the clock says whole seconds": ("method", "clock", lambda: says(1000, 1000, 1000)),
    "the clock fails at once": ("method", "clock", lambda: says(ValueError(), ValueError())),
    "the clock fails at the end": ("method", "clock", lambda: says(1000.0, ValueError(), ValueError())),
    "the clock is interrupted at once": ("method", "clock", lambda: says(KeyboardInterrupt())),
    "the clock is interrupted at the end": ("method", "clock", lambda: says(1000.0, KeyboardInterrupt())),
    "the gauge is beyond its cells": ("method", "at", lambda: 1 << 20),
    "the gauge is nowhere": ("method", "at", lambda: 1 << 70),
    "the gauge is no number": ("method", "at", lambda: "1"),
    "the gauge counts from the end": ("method", "at", None),
    "the gauge's cells are gone": ("method", "floats", released),
    "the gauge's cells are no cells": ("method", "floats", lambda: None),
    "the gauge's cells are others": ("method", "floats", lambda: memoryview(bytearray(1 << 20)).cast("q")),
    "the gauge's cells are small": ("method", "floats", lambda: memoryview(bytearray(1 << 20)).cast("f")),
    "the gauge's cells are to be read": ("method", "floats", lambda: memoryview(bytes(1 << 20)).cast("d")),
    "the gauge's cells are of two dimensions": (
        "method",
        "floats",
        lambda: memoryview(bytearray(1 << 10)).cast("d", [2, 64]),
    ),
    "the gauge's cells are every other": ("method", "floats", lambda: memoryview(bytearray(1 << 20)).cast("d")[::2]),
    "nobody says how spans are": ("method", "traced", lambda: 0),
    "the table of series is none": ("method", "known", list),
    "the series is quiet for whole seconds": ("series", "quiet", lambda: 10_000_000),
    "the series has no histogram": ("series", "histogram", lambda: None),
    "the first bucket is a whole number": ("histogram", "_first", lambda: 1),
    "the counts are others": ("histogram", "_ints", lambda: memoryview(bytearray(1 << 20)).cast("d")),
}
# Neither way can count where these are so; but a request is answered all the same.
BROKEN = {
    "the next sum is beyond its cells": ("histogram", "_to", lambda: 1 << 20),
    "the sum's cells are gone": ("histogram", "_floats", released),
    "the counts are gone": ("histogram", "_ints", released),
}


@pytest.mark.parametrize("how", [*CHANGED, *BROKEN])
def test_what_is_not_as_it_is_known_is_left_to_the_interpreted_way(make_measured, caplog, monkeypatch, how):
    told = []
    for way in (WSGIMiddleware, require_compiled("wsgi") and wsgi.FASTEST):
        guard._logged.clear()
        caplog.clear()
        monkeypatch.setattr(wsgi, "FASTEST", way)
        caller = Caller(make_measured)
        for _ in range(3):
            caller.ask(Asked())
        (method,) = caller.app._methods.values()
        (series,) = (one for one in method.known[None].values() if isinstance(one, Series))
        which, name, make = {**CHANGED, **BROKEN}[how]
        changed = {"method": method, "series": series, "histogram": series.histogram}[which]
        kept = getattr(changed, name)
        # From the end its place is the same, to Python: another would be some other metric's.
        setattr(changed, name, make() if make is not None else kept - len(method.floats))
        for _ in range(1 if name == "clock" else 3):
            caller.ask(Asked())
        setattr(changed, name, kept)
        caller.ask(Asked())
        assert type(caller.app) is way
        shown = None if how in BROKEN else (caller.told(), [record.getMessage() for record in caplog.records])
        told.append((caller.seen, shown))
        caplog.clear()
    assert told[0] == told[1]


@pytest.mark.parametrize("asked", [Asked(), Asked(seconds=3.0), Asked(start="error"), Asked(raises=ValueError)])
def test_a_request_leaves_nothing_to_the_garbage_collector(make_measured, asked):
    require_compiled("wsgi")
    caller = Caller(make_measured)
    for _ in range(3):
        caller.ask(Asked())
    caller.ask(asked)
    caller.seen.clear()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(10):
            caller.ask(asked)
        caller.seen.clear()
        assert 0 == gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.parametrize(
    "changed",
    [
        {"method": type("Slotless", (), {})},
        {"series": type("Computed", (Series,), {"histogram": property(lambda _: None)})},
        {"method": 7},
        {"key": 7},
        {"whole": frozenset()},
        {"exchange": type("Bare", (), {"start_response": None})},
        {"middleware": 7},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_classes_that_are_not_as_they_are_known_get_nothing_compiled(changed):
    require_compiled("wsgi")
    names = {
        "middleware": WSGIMiddleware,
        "method": Method,
        "series": Series,
        "histogram": Histogram,
        "key": KEY,
        "whole": WHOLE,
        "exchange": WSGIExchange,
        **changed,
    }
    fresh = _another_module()
    common = tuple(names[name] for name in ("method", "series", "histogram", "key", "whole"))
    with pytest.raises((TypeError, AttributeError)):
        fresh.plain(names["middleware"], common, names["exchange"])


def _another_module():
    """Return the extension module, made once more: it keeps all that it knows for itself."""
    from importlib.util import module_from_spec, spec_from_file_location

    name = "runtime_exporter.http.compiled._wsgi"
    spec = spec_from_file_location(name, sys.modules[name].__file__)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
