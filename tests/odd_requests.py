"""Ask ASGIMiddleware what no server would, and print what it did: one line of JSON for each plan.

    python tests/odd_requests.py FIRST COUNT

Whether the compiled way counts is for the environment to say (RUNTIME_EXPORTER_COMPILED): both ways have to print the same.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType, SimpleNamespace

from odd_things import (
    BUCKETS,
    STRANGE,
    Clock,
    NoTruth,
    OddDict,
    OddInt,
    OddText,
    Sly,
    Token,
    chance,
    described,
    shown,
    tell,
)
from runtime_exporter.http import ASGIMiddleware, HTTPMetrics, guard
from runtime_exporter.http.exchange import KEY

TRACE = (b"traceparent", f"00-{7:032x}-{8:016x}-01".encode())


class Pause:
    """Awaited, it hands over to whoever drives the coroutine."""

    def __await__(self):
        return (yield self)


ROUTES = [SimpleNamespace(path=path, path_format=path) for path in ("/a", "/a/{b}", "/c", "/d", "/e/{f:path}")]
FUNCTIONS = [lambda: None, lambda: 1, asyncio.sleep]
ROUTER = SimpleNamespace(
    routes=[
        *ROUTES[:2],
        *[SimpleNamespace(path_format=f"/f{place}", endpoint=function) for place, function in enumerate(FUNCTIONS)],
    ]
)
SEVERAL = [SimpleNamespace(path=7, path_format=None), [], "text", 0, SimpleNamespace()]


def message(random, kind):
    """Return one of a kind, most likely a good one."""
    if kind == "start":
        made = {"type": "http.response.start", "status": random.choice((*[200] * 9, 404, 500)), "headers": []}
        if chance(random):
            made["status"] = random.choice(
                (200.0, OddInt(200), True, None, "200 OK", [], 10**30, -1, OddText("404"), Sly("200"))
            )
        if chance(random, 0.02):
            del made["status"]
    elif kind == "end":
        made = {"type": "http.response.body", "body": b"x"}
        if chance(random, 0.4):
            made["more_body"] = random.choice((False, False, False, None, 0, "", [], 0.0))
        if chance(random, 0.02):
            made["more_body"] = NoTruth()
    elif kind == "more":
        made = {"type": "http.response.body", "body": b"x", "more_body": random.choice((True, True, 1, "yes", [0]))}
    else:
        made = {"type": random.choice(OTHERS), "more_body": random.choice((True, False))}
    if chance(random, 0.04):
        made["type"] = random.choice((OddText, Sly, str.encode, list))(made["type"])
    if chance(random, 0.03):
        del made["type"]
    if chance(random, 0.04):
        made = random.choice((OddDict, MappingProxyType, lambda made: OddDict(made, told=404)))(made)
    if chance(random, 0.02):
        made = random.choice((None, 7, "text", [], ("type",)))
    return made


OTHERS = (
    "http.response.pathsend",
    "http.response.zerocopysend",
    "http.response.trailers",
    "http.response.push",
    "websocket.send",
    "",
    7,
)


def new_scope(random):
    scope = {
        "type": "http",
        "method": random.choice((*["GET"] * 9, "POST")),
        "headers": [],
        "path": "/a",
        "router": ROUTER,
        "token": Token(),
    }
    if chance(random):
        scope["headers"] = random.choice(([TRACE], [TRACE], [(b"a", b"b")], None, [7], "text"))
    if chance(random):
        scope["type"] = random.choice(
            ("websocket", "lifespan", None, OddText("http"), Sly("http"), "https"[:4], b"http", [])
        )
    if chance(random):
        scope["method"] = random.choice(("BREW", 7, None, [], OddText("GET"), Sly("GET"), "GETS"[:3], b"GET"))
    if chance(random, 0.3):
        scope["endpoint"] = random.choice([*FUNCTIONS, None, []] if chance(random, 0.3) else FUNCTIONS[:1])
    if chance(random, 0.3):
        scope["route"] = random.choice(ROUTES[:1] if not chance(random, 0.3) else [None, *ROUTES, *SEVERAL])
    if chance(random, 0.05):
        scope["fastapi"] = random.choice(({}, {"effective_route_context": None}))
    if chance(random, 0.05):
        scope[KEY] = random.choice((None, 7, SimpleNamespace(finished=True), SimpleNamespace(finished=False)))
    for key in ("type", "method", "headers", "router"):
        if chance(random, 0.015):
            del scope[key]
    return scope


STEPS = ("start", "end", "more", "other")
DEEDS = (
    *(
        "receive",
        "pause",
        "raise",
        "route",
        "endpoint",
        "forget",
        "spoil",
        "clear",
        "within",
        "copied",
        "later",
        "look",
        "end as",
    ),
    *("unawaited", "keyword", "wrongly", "thread", "collect", "sleep", "replace", "remove", "put off", "hold"),
)


def script(random):
    """Return what an application does, step by step."""
    steps = ["start", *["more"] * random.choice((0, 0, 0, 0, 1, 2)), "end"]
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        steps.insert(random.randrange(len(steps) + 1), random.choice(DEEDS + STEPS))
    while steps and chance(random, 0.1):
        steps.pop(random.randrange(len(steps)))
    return steps


class Plan:
    """What one number stands for: a few requests to a few middlewares, and what came of them."""

    def __init__(self, random):
        self.random = random
        self.told = []
        self.kept = []
        self.tokens = []
        self.clock = Clock(random, (*STRANGE, KeyboardInterrupt))
        limit = random.choice((200, 200, 2))
        self.metrics = [
            HTTPMetrics(clock=self.clock, buckets=BUCKETS, route_limit=limit, body_sizes=chance(random, 0.05))
            for _ in range(2)
        ]
        self.app = ASGIMiddleware(self.answer, self.metrics[0])
        self.inner = ASGIMiddleware(self.answer, self.metrics[random.choice((0, 0, 1))])
        if chance(random, 0.05):
            self.app.route = lambda scope: random.choice(("/named", None, scope["path"]))
        self.outer = ASGIMiddleware(self.app, self.metrics[0]) if chance(random) else self.app
        self.scripts = []

    def run(self):
        random = self.random
        for named in 3 * ({}, {"route": ROUTES[0]}, {"endpoint": FUNCTIONS[0]}):
            self.scripts = [["start", "end"]]
            self.drive(
                self.app(
                    {"type": "http", "method": "GET", "headers": [], "router": ROUTER, **named}, None, self.sending
                ),
                calmly=True,
            )
        scope = None
        for _ in range(random.randrange(1, 7)):
            if scope is None or not chance(random, 0.1):
                scope = new_scope(random)
            if (
                self.clock.odd is KeyboardInterrupt
            ):  # on which a request that is plain ends otherwise than one that is not
                scope.update(type="http", method="GET")
            elif chance(random, 0.05):
                scope = OddDict(scope)
            if "token" in scope:
                self.tokens.append(weakref.ref(scope["token"]))
            self.scripts = [script(random) for _ in range(2)]
            self.say("asked", sorted(scope), self.scripts)
            self.drive(self.outer(scope, self.receiving, self.sending))
            self.say("left", KEY in scope, str(getattr(dict.get(scope, KEY), "finished", "")))
        if chance(random, 0.3):
            self.fork() if chance(random, 0.05) else self.show()
        self.kept.clear()
        del scope
        gc.collect()
        self.say("alive", sum(token() is not None for token in self.tokens))
        self.show()
        self.say("faults", sorted(guard._logged))
        return self.told

    def say(self, *words):
        self.told.append(words)

    def drive(self, coroutine, *, calmly=False):
        """Be the event loop of one request, and not always a kind one."""
        random = self.random
        self.clock.tick()
        act = coroutine.send, None
        try:
            while True:
                call, value = act
                call(value)
                kind = 9 if calmly or not chance(random, 0.4) else random.randrange(8)
                if kind == 0:
                    coroutine.close()
                    return
                if kind == 1:
                    self.say("dropped")
                    return
                thrown = {2: asyncio.CancelledError, 3: OSError, 4: GeneratorExit, 5: KeyboardInterrupt}.get(kind)
                act = (coroutine.send, None) if thrown is None else (coroutine.throw, thrown("driven"))
        except StopIteration as stop:
            self.say("returned", repr(stop.value))
        except BaseException as error:
            self.say("raised", *described(error))

    async def answer(self, scope, receive, send):
        random = self.random
        steps = self.scripts.pop() if self.scripts else []
        for step in steps:
            self.clock.tick()
            try:
                await self.do(step, scope, receive, send)
            except Exception as error:
                self.say("caught", *described(error))
                if chance(random, 0.5):
                    raise

    async def do(self, step, scope, receive, send):
        random = self.random
        if step in STEPS:
            await send(message(random, step))
        elif step == "receive":
            self.say("received", repr(await receive()))
        elif step == "pause":
            await Pause()
        elif step == "raise":
            raise random.choice(
                (ValueError, OSError, LookupError, asyncio.CancelledError, KeyboardInterrupt, MemoryError)
            )(step)
        elif step == "route":
            scope["route"] = random.choice((*ROUTES, *[ROUTES[0]] * 9))
        elif step == "endpoint":
            scope["endpoint"] = random.choice(FUNCTIONS)
        elif step == "forget":
            scope.pop(KEY, None)
        elif step == "spoil":
            scope[KEY] = random.choice((None, SimpleNamespace(finished=True), "text"))
        elif step == "clear":
            scope.clear()
        elif step in {"within", "copied"}:
            await self.inner(scope if step == "within" else {**scope, "root_path": "/x"}, receive, send)
        elif step == "later":
            self.kept.append(lambda: send(message(random, "end")))
        elif step == "put off":
            for kept in self.kept[-2:]:
                await kept()
        elif step == "look":
            exchange = scope.get(KEY)
            self.say("looked", str(getattr(exchange, "finished", None)), callable(receive), callable(send))
        elif step == "end as":
            scope[KEY].end_as(418)
        elif step == "unawaited":
            send(message(random, random.choice(STEPS)))
        elif step == "keyword":
            await send(message=message(random, random.choice(STEPS)))
        elif step == "wrongly":
            function, wrong = random.choice(((send, ()), (send, (1, 2)), (receive, (1,)), (receive, (1, 2))))
            try:
                await function(*wrong)
            except TypeError:
                self.say("wrongly")
        elif step == "thread":
            await in_a_thread(lambda: send(message(random, "start")))
        elif step == "collect":
            gc.collect(0)
        elif step == "sleep":
            self.clock.said = self.clock.now = self.clock.now + 0.3
        elif step == "replace":
            self.app.metrics = random.choice(self.metrics)
        elif step == "remove":
            family = random.choice(self.metrics).families[random.randrange(3)]
            family.clear()
        elif step == "hold":
            self.kept.append(lambda held=(scope, receive, send): held[2](message(random, "more")))

    async def receiving(self):
        random = self.random
        if chance(random):
            await Pause()
        if chance(random):
            raise random.choice((OSError, ValueError, asyncio.CancelledError, KeyboardInterrupt))("receiving")
        gone = random.choice(({"type": "http.disconnect"}, {"type": "http.request", "body": b"x"}, {}, None))
        return OddDict(gone) if gone and chance(random) else gone

    def sending(self, said):
        """A server's `send`, which need not be a coroutine function."""
        if chance(self.random, 0.03):
            raise self.random.choice((OSError, ValueError, KeyboardInterrupt))("sending")
        if chance(self.random, 0.02):
            return None
        return self._send(said)

    async def _send(self, said):
        random = self.random
        if chance(random):
            await Pause()
        if chance(random, 0.05):
            raise random.choice((OSError, ValueError, asyncio.CancelledError, KeyboardInterrupt))("sent")
        self.say("sent", type(said).__name__, repr(said)[:80])
        return "what a server's send returns"

    def show(self):
        self.told.extend(shown(self.metrics))

    def fork(self):
        """Let a child say what it sees, and say it after it."""
        here, there = os.pipe()
        child = os.fork()
        if not child:
            try:
                self.told.clear()
                self.scripts = [["start", "more", "end"]]
                self.drive(self.app({"type": "http", "method": "GET", "headers": []}, None, self.sending), calmly=True)
                self.show()
                os.write(there, json.dumps(self.told, default=repr).encode()[:4000])
            finally:
                os._exit(0)
        os.close(there)
        with os.fdopen(here, "rb") as pipe:
            self.say("forked", pipe.read().decode())
        self.say("ended", os.waitpid(child, 0)[1])


def in_a_thread(function):
    """Return what `function` returns, called by another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


if __name__ == "__main__":
    tell(lambda random: Plan(random).run())
