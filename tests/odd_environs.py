"""Ask WSGIMiddleware what no server would, and print what it did: one line of JSON for each plan.

    python tests/odd_environs.py FIRST COUNT

Whether the compiled way counts is for the environment to say (RUNTIME_EXPORTER_COMPILED): both ways have to print the same.
"""

from __future__ import annotations

import gc
import io
import weakref
from types import SimpleNamespace

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

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
from runtime_exporter.http import HTTPMetrics, WSGIMiddleware, guard
from runtime_exporter.http.exchange import KEY

TRACEPARENT = f"00-{7:032x}-{8:016x}-01"
PATHS = ("/a", "/b/7", "/none")
STATUSES = (OddInt(200), 200.0, True, None, "200", "200 OK", [], 10**30, 999, -1)
DEEDS = (
    *(
        "status",
        "closers",
        "no closers",
        "strange closer",
        "match",
        "route",
        "forget",
        "spoil",
        "copied",
        "within",
        "raise",
        "exit",
    ),
    *(
        "stream",
        "file",
        "kind",
        "told",
        "collect",
        "sleep",
        "replace",
        "remove",
        "nothing",
        "close early",
        "attribute",
        "hold",
    ),
)
here = SimpleNamespace(plan=None)


class OddResponse(HttpResponse):
    """A type of a response that the application has made."""


class SecretResponse(HttpResponse):
    """One that does not say its status twice."""

    def __getattribute__(self, name):
        if name == "status_code" and here.plan.secret:
            raise LookupError("no status")
        return super().__getattribute__(name)


class Closing:
    """What is to be closed with a response and is no request."""

    def __init__(self, match):
        self.resolver_match = match

    def close(self):
        here.plan.say("closed")


class Unmatched:
    """What does not say what it matched."""

    def __init__(self, error):
        self.error = error

    @property
    def resolver_match(self):
        raise self.error("no match")

    def close(self):
        here.plan.say("closed")


class Parts:
    """An application's own iterable."""

    def __init__(self, random):
        self.random = random

    def __iter__(self):
        for part in (b"a", b"", b"b"):
            if chance(self.random):
                raise ValueError("half-way")
            yield part

    def close(self):
        if chance(self.random):
            raise OSError("closing")
        here.plan.say("closed")


def view(request, **_):
    return here.plan.view(request)


urlpatterns = [path("a", view), path("b/<int:number>", view)]


class Plan:
    """What one number stands for: a few requests to a few middlewares, and what came of them."""

    def __init__(self, random):
        here.plan = self
        self.random = random
        self.secret = False
        self.told, self.kept, self.tokens, self.deeds = [], [], [], []
        self.clock = Clock(random, STRANGE)
        limit = random.choice((200, 200, 2))
        self.metrics = [
            HTTPMetrics(clock=self.clock, buckets=BUCKETS, route_limit=limit, body_sizes=chance(random, 0.05))
            for _ in range(2)
        ]
        self.django = chance(random, 0.6)
        self.app = WSGIMiddleware(WSGIHandler() if self.django else self.answer, self.metrics[0])
        self.inner = WSGIMiddleware(self.answer, self.metrics[random.choice((0, 0, 1))])
        if chance(random, 0.05):
            self.app.route = lambda environ: random.choice(("/named", None, environ["PATH_INFO"]))
        self.outer = WSGIMiddleware(self.app, self.metrics[0]) if chance(random) else self.app

    def run(self):
        random = self.random
        for place in (*PATHS, *PATHS, *PATHS):
            self.ask(self.app, self.environ(place), calmly=True)
        environ = None
        for _ in range(random.randrange(1, 8)):
            if environ is None or not chance(random, 0.1):
                environ = self.odd(self.environ(random.choice((*PATHS, PATHS[0]))))
            self.deeds = [random.choice(DEEDS) for _ in range(random.choice((0, 0, 1, 1, 2)))]
            self.say("asked", self.deeds)
            self.secret = False
            self.ask(self.outer, environ)
            self.say("left", KEY in environ, str(getattr(dict.get(environ, KEY), "finished", "")))
        if chance(random, 0.3):
            self.say(*shown(self.metrics))
        del environ
        self.kept.clear()
        gc.collect()
        self.say("alive", sum(token() is not None for token in self.tokens))
        self.say(*shown(self.metrics))
        self.say("faults", sorted(guard._logged))
        return self.told

    def say(self, *words):
        self.told.append(words)

    def environ(self, place):
        made = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": place,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
        }
        made.update(
            {"wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http", "token": Token()}
        )
        self.tokens.append(weakref.ref(made["token"]))
        return made

    def odd(self, environ):
        random = self.random
        if chance(random):
            environ["HTTP_TRACEPARENT"] = random.choice((TRACEPARENT, TRACEPARENT, "text", ""))
        if chance(random):
            odd = ("POST", "BREW", 7, None, [], OddText("GET"), Sly("GET"), "GETS"[:3], b"GET")
            environ["REQUEST_METHOD"] = random.choice(odd)
        if chance(random, 0.06):
            others = (
                None,
                7,
                SimpleNamespace(finished=True),
                SimpleNamespace(finished=False),
                *self.app._methods.values(),
            )
            environ[KEY] = random.choice(others)
        if chance(random, 0.05):
            environ["wsgi.file_wrapper"] = random.choice((None, 7, list, lambda file, size=1: file, Closing))
        for key in ("REQUEST_METHOD", "PATH_INFO", "wsgi.input"):
            if chance(random, 0.015):
                del environ[key]
        return OddDict(environ) if chance(random, 0.05) else environ

    def ask(self, app, environ, *, calmly=False):
        """Be the server of one request, and not always a kind one."""
        random = self.random
        self.clock.tick()
        try:
            body = app(environ, self.start_calmly if calmly else self.start)
            kind = 9 if calmly or not chance(random, 0.3) else random.randrange(5)
            self.say("body", type(body).__name__)
            if kind == 0:
                self.say("dropped")
            elif kind == 1:
                self.kept.append(body)
            elif kind == 2:
                self.say("first", repr(next(iter(body), None)))
                getattr(body, "close", int)()
            else:
                self.say("parts", repr([*body]))
                for _ in range(2 if kind == 3 else 1):
                    getattr(body, "close", int)()
        except BaseException as error:
            self.say("raised", *described(error))

    def start_calmly(self, status, headers, exc_info=None):
        return io.BytesIO().write

    def start(self, status, headers, exc_info=None):
        if chance(self.random, 0.03):
            raise self.random.choice((OSError, ValueError, KeyboardInterrupt))("starting")
        self.say("started", repr(status), bool(exc_info))
        return io.BytesIO().write

    def answer(self, environ, start_response):
        """Answer without a framework."""
        random = self.random
        self.clock.tick()
        response = SimpleNamespace(status_code=200)
        start_response(random.choice((*["200 OK"] * 9, "404 Gone", *STATUSES)) if self.deeds else "200 OK", [])
        for deed in [*self.deeds]:
            self.do(deed, environ, response)
        if not self.deeds:
            return [b"ok"]
        return random.choice(
            ([b"ok"], (b"ok",), [], Parts(random), iter([b"a"]), OddResponse("ok"), None, b"ok", "text", 7)
        )

    def view(self, request):
        """Answer as a view of Django's."""
        random = self.random
        self.clock.tick()
        response = random.choice((*[HttpResponse] * 6, OddResponse, SecretResponse))("ok")
        for deed in [*self.deeds]:
            response = self.do(deed, request.META, response, request) or response
        return response

    def do(self, deed, environ, response, request=None):
        random = self.random
        if deed == "status":
            response.status_code = random.choice((*STATUSES, 404, 404, 500))
        elif deed == "closers" and request is not None:
            response._resource_closers.append(random.choice((Closing(None).close, lambda: None, int, Closing(7).close)))
        elif deed == "no closers":
            response.close = lambda: None
            response._resource_closers = random.choice(([], None, (), 7))
        elif deed == "strange closer" and request is not None:
            after(
                response,
                random.choice(
                    (
                        Closing(None).close,
                        Closing(SimpleNamespace(route=[])).close,
                        Unmatched(random.choice((LookupError, LookupError, KeyboardInterrupt))).close,
                        7,
                    )
                ),
            )
        elif deed == "match" and request is not None:
            request.resolver_match = random.choice(
                (None, 7, SimpleNamespace(), SimpleNamespace(route=None), Closing(None))
            )
        elif deed == "route" and request is not None:
            request.resolver_match.route = random.choice(
                (None, 7, [], "b", "", OddText("a"), Sly("a"), "c/<x>", NoTruth())
            )
        elif deed == "forget":
            environ.pop(KEY, None)
        elif deed == "spoil":
            environ[KEY] = random.choice((None, SimpleNamespace(finished=True), "text"))
        elif deed in {"within", "copied"}:
            inner = self.inner(environ if deed == "within" else {**environ}, self.start)
            self.kept.append(inner) if chance(random) else self.say("inner", repr([*inner]))
        elif deed == "raise":
            raise random.choice((ValueError, OSError, LookupError, MemoryError))(deed)
        elif deed == "exit":
            raise random.choice((SystemExit, KeyboardInterrupt, GeneratorExit))(deed)
        elif deed == "stream" and request is not None:
            return StreamingHttpResponse(Parts(random))
        elif deed == "file" and request is not None:
            return FileResponse(io.BytesIO(b"abc"))
        elif deed == "kind":
            self.secret = True
        elif deed == "told":
            environ[KEY].told = "/told"
        elif deed == "collect":
            gc.collect(0)
        elif deed == "sleep":
            self.clock.said = self.clock.now = self.clock.now + 0.3
        elif deed == "replace":
            self.app.metrics = random.choice(self.metrics)
        elif deed == "remove":
            random.choice(self.metrics).families[random.randrange(3)].clear()
        elif deed == "nothing" and request is not None:
            return random.choice((None, 7, "text"))
        elif deed == "close early" and request is not None:
            response.close()
        elif deed == "attribute":
            del response.status_code
        elif deed == "hold":
            self.kept.append((environ, response))
        return None


def after(response, closer):
    """Let `closer` be what a response closes last, after the request that Django adds."""

    class Closers(list):
        def append(self, item):
            super().append(item)
            super().append(closer)

    response._resource_closers = Closers(response._resource_closers)


if __name__ == "__main__":
    settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=[], ROOT_URLCONF=__name__, SECRET_KEY="odd", LOGGING_CONFIG=None)
    django.setup()
    tell(lambda random: Plan(random).run())
