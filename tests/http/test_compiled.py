"""What is compiled of plain requests does what is interpreted does, whatever an application says and a server answers."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import logging
import os
import subprocess
import sys
from collections import UserDict
from functools import partial
from types import SimpleNamespace, coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime_exporter.http import ASGIMiddleware, asgi, asgi_plain, guard
from runtime_exporter.http.asgi_exchanges import ASGIExchange
from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.series import Method, Series
from runtime_exporter.metrics import Histogram
from tools import require_compiled

pytestmark = pytest.mark.skipif(asgi.FREE_THREADED, reason="without a GIL no request is plain")

START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"x"}
MORE = {"type": "http.response.body", "body": b"x", "more_body": True}


class Text(str):
    __slots__ = ()


class Message(dict):
    pass


class Awkward:
    """A key that is in the place of another, and does something when it is compared with that while a request is answered."""

    awake = False

    def __init__(self, name, does) -> None:
        self._hash = hash(name)
        self._does = does

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        if Awkward.awake:
            self._does()
        return False


class Status:
    """One that takes a route from the dict in which it is looked for."""

    def __hash__(self):
        return hash(200)

    def __eq__(self, other):
        gc.collect()
        return True


def fails():
    raise LookupError


def page():
    pass


ROUTES = [SimpleNamespace(path=path, path_format=path) for path in ("/a", "/b/{c}")]

MESSAGES = {
    "start": START,
    "start with another status": {**START, "status": 404},
    "start with text": {**START, "status": "200 OK"},
    "start with a float": {**START, "status": 200.0},
    "start with no status": {"type": "http.response.start"},
    "start with what has no hash": {**START, "status": []},
    "start with an object": {**START, "status": Status()},
    "end": END,
    "end that says so": {**END, "more_body": False},
    "end with a number": {**END, "more_body": 0},
    "more": MORE,
    "more with a number": {**END, "more_body": 2},
    "text of another kind": {**END, "type": Text(END["type"])},
    "text that is not ASCII": {"type": "http.response.bödy"},
    "longer text": {"type": "http.response.body."},
    "what is no text": {"type": 7},
    "nothing": None,
    "an empty message": {},
    "a subclass": Message(END),
    "another mapping": UserDict(START),
    "an awkward key": {Awkward("type", fails): 1, **END},
    "an awkward key of the rest": {**END, Awkward("more_body", fails): 1},
    "file": {"type": "http.response.pathsend", "path": "/x"},
    "part of a file": {"type": "http.response.zerocopysend", "more_body": True},
    "last part of a file": {"type": "http.response.zerocopysend"},
    "trailers": {"type": "http.response.trailers", "headers": []},
    "debug": {"type": "http.response.debug", "info": {}},
}

# What an application, its server, its clock or somebody between them does next.
STEPS = st.one_of(
    st.tuples(st.just("send"), st.sampled_from([*MESSAGES])),
    st.sampled_from(
        [
            *[("send", "start"), ("send", "end")] * 3,
            ("send by name", "start"),
            ("send by name", "end"),
            ("send nothing", ""),
            ("send two", ""),
            ("receive", ""),
            ("forget", ""),
            ("forget all", ""),
            ("mark", ""),
            ("mount", ""),
            ("wrap", ""),
            ("hook", ""),
            ("server fails", ""),
            ("server works", ""),
            ("suspend", ""),
            ("keep", ""),
            ("awkward scope", ""),
        ]
    ),
    st.tuples(st.just("route"), st.sampled_from([*ROUTES, None])),
    st.tuples(st.just("endpoint"), st.sampled_from([page, None])),
    st.tuples(st.just("sleep"), st.sampled_from([0.0, 0.001, 0.005, 0.3, 2.0])),
    st.tuples(st.just("clock"), st.sampled_from(["fails", "is interrupted", "says an int", "works"])),
    st.tuples(
        st.just("raise"),
        st.sampled_from([ValueError, OSError, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit]),
    ),
)
REQUESTS = st.lists(
    st.fixed_dictionaries(
        {
            "scope": st.sampled_from(["new", "new", "new", "the last", "of a made-up method", "empty"]),
            "ended": st.sampled_from([None, asyncio.CancelledError, OSError]),
            "steps": st.lists(STEPS, max_size=6),
        }
    ),
    min_size=1,
    max_size=6,
)


@coroutine
def suspended():
    yield


class World:
    """One middleware, with a server and a clock that do as they are told, and all that either gets to see."""

    def __init__(self, measured, begin) -> None:
        self.measured = measured
        self.clock = "works"
        self.server_fails = False
        self.seen: list[Any] = []
        self.kept: list[Any] = []
        self.scope: dict[str, Any] = {}
        measured.metrics.clock = self._clock
        self.app, self.inner = (ASGIMiddleware(self._app, measured.metrics) for _ in range(2))
        for app in (self.inner, self.app):
            self._asked = app
            for _ in range(2):
                self.ask({"scope": "new", "ended": None, "steps": [("send", "start"), ("send", "end")]})
            app._begin = begin

    def ask(self, request) -> None:
        """Have a request answered, and note how that ended."""
        self._steps = iter(request["steps"])
        call = self._asked(self._scope(request["scope"]), self._receive, self._send)
        Awkward.awake = True
        try:
            call.send(None)
            if request["ended"] is None:
                call.close()
            else:
                call.throw(request["ended"]())
        except BaseException as error:
            self.seen.append(type(error))
        finally:
            Awkward.awake = False
        self.seen.append(([key for key in self.scope if isinstance(key, str)], self.measured.active()))

    def told(self):
        shown = self.measured
        counted = [
            (sample.name, sample.labels, sample.value)
            for sample in shown.samples("http_server_request_duration_seconds_bucket")
        ]
        return (self.seen, counted, shown.seconds(), shown.active(), shown.exceptions(), {*guard._logged})

    def _clock(self):
        if self.clock == "fails":
            raise ArithmeticError
        if self.clock == "is interrupted":
            raise KeyboardInterrupt
        return int(self.measured.clock()) if self.clock == "says an int" else self.measured.clock()

    def _scope(self, which):
        if which != "the last":
            scope = {"type": "http", "method": "GET", "headers": [], "path": "/"}
            if which == "of a made-up method":
                scope["method"] = "BREW"
            self.scope = {"new": scope, "empty": {"type": "http"}}.get(which, scope)
        return self.scope

    async def _receive(self):
        return {"type": "http.disconnect"}

    def _send(self, message):
        self.seen.append(message)
        if self.server_fails:
            raise OSError("client is gone")
        return asyncio.sleep(0) if message is MORE else self._sent()

    async def _sent(self):
        pass

    async def _app(self, scope, receive, send):
        for what, detail in self._steps:
            if what == "send":
                await send(MESSAGES[detail])
            elif what == "send by name":
                await send(message=MESSAGES[detail])
            elif what == "send nothing":
                await send()
            elif what == "send two":
                await send(START, END)
            elif what == "receive":
                self.seen.append(await receive())
            elif what == "forget":
                scope.pop(KEY, None)
            elif what == "forget all":
                scope.clear()
            elif what == "mark":
                scope[KEY] = SimpleNamespace(finished=True)
            elif what == "mount":
                scope = {**scope, "root_path": "/x"}
            elif what == "wrap":
                await self.inner(scope, receive, send)
            elif what == "hook" and hasattr(scope.get(KEY), "excepted_by"):
                self.seen.append(scope[KEY].finished)
                scope[KEY].excepted_by(ValueError())
            elif what == "server fails":
                self.server_fails = True
            elif what == "server works":
                self.server_fails = False
            elif what == "suspend":
                await suspended()
            elif what == "keep":
                self.kept.append(send)
                if len(self.kept) > 1:
                    await self.kept[0](END)
            elif what == "awkward scope":
                # It looks as if nothing were to be found there.
                scope[Awkward("route", partial(scope.pop, "endpoint", None))] = 1
            elif what in ("route", "endpoint"):
                scope[what] = detail
            elif what == "sleep":
                self.measured.clock.sleep(detail)
            elif what == "clock":
                self.clock = detail
            elif what == "raise":
                raise detail


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS)
def test_both_do_the_same_whatever_happens(make_measured, caplog, requests):
    caplog.set_level(logging.CRITICAL, guard.LOGGER.name)  # its clock fails, and so do we
    told = []
    for begin in (asgi_plain.begin, require_compiled("asgi").begin):
        guard._logged.clear()
        world = World(make_measured(body_sizes=False), begin)
        for request in requests:
            world.ask(request)
        told.append(world.told())
    assert told[0] == told[1]


def another(classes=(asgi_plain.PlainExchange, Method, Series, Histogram, KEY)):
    """Return the extension module once more, as another interpreter has it, having learnt these classes."""
    spec = require_compiled("asgi").__spec__
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if classes:
        module.prepare(*classes)
    return module


class Prepared:
    """What a middleware has after its first requests, and one more that has begun."""

    def __init__(self, measured) -> None:
        metrics = measured.metrics
        self.begin = another().begin
        self.method = Method(ASGIMiddleware(None, metrics), metrics, "GET")
        self.series = metrics.series("GET", "/", 200)
        self.series.tally(0.001)
        self.series.quiet = float("inf")
        self.method.known[None] = {200: self.series}
        self.scope = {"type": "http", "method": "GET", "headers": []}
        self.sent = []

    def exchange(self, begin=None):
        return (begin or self.begin)({"GET": self.method}, self.scope, None, self.sent.append)


@pytest.fixture
def prepared(make_measured):
    return Prepared(make_measured(body_sizes=False))


ODD_SCOPES = {
    "a subclass": Message({"type": "http", "method": "GET"}),
    "another mapping": UserDict({"type": "http", "method": "GET"}),
    "a lifespan": {"type": "lifespan"},
    "no type": {"method": "GET"},
    "no method": {"type": "http"},
    "a made-up method": {"type": "http", "method": "BREW"},
    "a method that is no text": {"type": "http", "method": []},
    "a mark": {"type": "http", "method": "GET", KEY: None},
    "nothing": None,
}


@pytest.mark.parametrize("name", ODD_SCOPES)
def test_a_request_with_an_odd_scope_is_not_begun(prepared, name):
    prepared.scope = ODD_SCOPES[name]
    before = repr(prepared.scope)
    assert (None, before) == (prepared.exchange(), repr(prepared.scope))
    assert prepared.method.floats[prepared.method.at] == 0


def test_begin_takes_what_it_is_documented_to_take(prepared):
    with pytest.raises(TypeError, match="takes 4 arguments, not 0"):
        prepared.begin()
    assert prepared.begin(None, prepared.scope, None, None) is None
    assert prepared.begin({"GET": "Method"}, prepared.scope, None, None) is None


class WithoutSlots:
    floats = at = known = None
    clock = property(fails)


class Narrow(asgi_plain.PlainExchange):
    __slots__ = ()
    began = None


CLASSES = {
    "no class": (asgi_plain.PlainExchange, "Method", Series, Histogram, KEY),
    "no slots": (asgi_plain.PlainExchange, WithoutSlots, Series, Histogram, KEY),
    "a slot that is hidden": (Narrow, Method, Series, Histogram, KEY),
    "no exchange": (object, Method, Series, Histogram, KEY),
    "no key": (asgi_plain.PlainExchange, Method, Series, Histogram, None),
    "too few": (asgi_plain.PlainExchange,),
}


@pytest.mark.parametrize("which", CLASSES)
def test_classes_of_another_shape_are_refused_and_then_no_request_is_begun(prepared, which):
    module = another(())
    with pytest.raises((TypeError, AttributeError)):
        module.prepare(*CLASSES[which])
    assert prepared.exchange(module.begin) is None
    assert type(prepared.exchange()).__name__ == "CompiledExchange"


def test_where_what_is_compiled_does_not_fit_the_interpreted_way_is_taken_and_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setattr(asgi_plain, "Method", WithoutSlots)
    monkeypatch.setattr(asgi_plain.compiled, "asgi", another(()))
    monkeypatch.setattr(asgi_plain.compiled, "absent", {})
    assert asgi_plain._quickest() is asgi_plain.begin
    assert {"asgi": False, "wsgi": True} == asgi_plain.compiled.used()
    assert "WithoutSlots.clock is not a slot" in caplog.text
    caplog.expected_faults = 1


def released():
    view = memoryview(bytearray(8)).cast("d")
    view.release()
    return view


VIEWS = {
    "no view": [0.0],
    "integers": memoryview(bytearray(64)).cast("q"),
    "small floats": memoryview(bytearray(64)).cast("f"),
    "bytes": memoryview(bytearray(64)),
    "not to be written": memoryview(bytes(64)).cast("d"),
    "two dimensions": memoryview(bytearray(64)).cast("B").cast("d", (2, 4)),
    "every other": memoryview(bytearray(64)).cast("d")[::2],
    "too short": memoryview(bytearray(8)).cast("d"),
    "none at all": memoryview(bytearray(0)).cast("d"),
    "released": released(),
}
PLACES = [-1, 8192, 2**70, -(2**70), 0.0, None, True]


@pytest.mark.parametrize("name", VIEWS)
def test_what_is_no_view_of_cells_is_never_written_to(prepared, name):
    prepared.method.floats, prepared.method.at = VIEWS[name], 7
    assert prepared.exchange() is None
    assert KEY not in prepared.scope


@pytest.mark.parametrize("place", PLACES)
def test_no_cell_is_where_none_can_be(prepared, place):
    prepared.method.at = place
    assert prepared.exchange() is None
    assert KEY not in prepared.scope


@pytest.mark.parametrize("slot", ["_floats", "_ints", "_from", "_to", "_at"])
@pytest.mark.parametrize("value", [*VIEWS.values(), *PLACES, "missing"], ids=[*VIEWS, *map(str, PLACES), "missing"])
def test_a_request_whose_histogram_is_not_what_it_was_is_left_to_the_interpreted_way(
    prepared, monkeypatch, caplog, slot, value
):
    histogram = prepared.series.histogram
    exchange = prepared.exchange()
    exchange.send(START)
    active = prepared.method.floats[prepared.method.at]
    # Where Python counts at -1 or at True, it is in cells that are nobody else's.
    cells = memoryview(bytearray(histogram._ints.obj))
    with monkeypatch.context() as patch:
        patch.setattr(histogram, "_floats", cells.cast("d"))
        patch.setattr(histogram, "_ints", cells.cast("q"))
        if value == "missing":
            patch.delattr(histogram, slot)
        else:
            patch.setattr(histogram, slot, value)
        exchange.send(END)
    assert (type(exchange), [START, END]) == (ASGIExchange, prepared.sent)
    assert active - 1 == prepared.method.floats[prepared.method.at]
    caplog.expected_faults = len(caplog.records)  # nor could it be counted there


def test_an_exchange_that_was_never_begun_sends_nothing_and_crashes_nothing(prepared):
    kind = type(prepared.exchange())
    for message in (START, END, None):
        with pytest.raises(AttributeError):
            kind().send(message)
    with pytest.raises(TypeError):
        kind.send()


def test_nothing_is_left_of_a_request_neither_memory_nor_references(prepared):
    held = (prepared.method, prepared.series, START, END, type(prepared.exchange()))

    def ask():
        prepared.scope = {"type": "http", "method": "GET"}
        exchange = prepared.exchange()
        exchange.send(START)
        exchange.send(END)
        prepared.sent.clear()

    def after(requests):
        for _ in range(requests):
            ask()
        return [sys.getrefcount(one) for one in held], sys.getallocatedblocks()

    gc.disable()  # nothing is left for it either
    try:
        after(1000)
        before, blocks = after(1000)
        references, more_blocks = after(20_000)
    finally:
        gc.enable()
    assert before == references
    assert more_blocks - blocks < 200


def test_a_process_that_does_not_want_it_does_without():
    code = "from runtime_exporter.http import asgi_plain, compiled; print(asgi_plain.BEGIN is asgi_plain.begin, compiled.absent)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RUNTIME_EXPORTER_COMPILED": "false"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    why = "RUNTIME_EXPORTER_COMPILED says no"
    assert f"True { ({'_asgi': why, '_wsgi': why}) }\n" == done.stdout
