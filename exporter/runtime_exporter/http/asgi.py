"""ASGI middleware: counts each request until the last message of its body was handed to the server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from runtime_exporter.http.asgi_exchanges import ASGIExchange, SizedExchange, WebSocketExchange
from runtime_exporter.http.asgi_plain import BEGIN, never
from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.guard import report
from runtime_exporter.http.lifespan import noting_the_end
from runtime_exporter.http.middleware import Middleware
from runtime_exporter.http.routes import UNMATCHED
from runtime_exporter.http.sizes import Sizes
from runtime_exporter.http.starlette import Templates
from runtime_exporter.metrics.cells import FREE_THREADED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime_exporter.http.asgi_exchanges import Receive, Scope, Send
    from runtime_exporter.http.asgi_plain import Begin
    from runtime_exporter.http.metrics import HTTPMetrics
    from runtime_exporter.http.middleware import RouteFunction
    from runtime_exporter.http.series import Key

    ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

# Which loop a request runs in costs a call of the kernel (Python before 3.12 asks for the process's id): so it is asked once
# in so many seconds.
_LOOK_SECONDS: Final = 1.0

_DJANGO: Final = "django.core.handlers.base"


class ASGIMiddleware(Middleware):
    """An ASGI application that calls `app` and counts what its requests cost.

    `metrics` is where to (this process's `default_metrics()` if None). `route` names the route of a request from its scope,
    where Starlette, FastAPI and Django do not: it is called when the response starts, and None leaves the request unmatched.
    The number of routes is capped, so a bad function costs `other`, not memory. Constructing it does nothing; an application
    that is wrapped twice is counted once. Lifespan passes through.

    The duration of a request ends with the last message of its body: background tasks come after it. A WebSocket connection
    is an active request (GET) until it is closed, its exceptions are counted, and it has no duration. A client that goes
    away before its answer is complete makes a status of 499.
    """

    def __init__(
        self, app: ASGIApplication, metrics: HTTPMetrics | None = None, *, route: RouteFunction | None = None
    ) -> None:
        super().__init__(app, metrics, route)
        self.templates = Templates()
        self._next_look = float("-inf")
        self._exchange: type[ASGIExchange] = ASGIExchange
        self._begin: Begin = never

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection as `app` does.

        A plain request goes the way of `asgi_plain`, all else that of `_answer`.
        """
        begin = self._begin
        exchange = begin(self._methods, scope, receive, send)
        if exchange is None:
            await self._answer(scope, receive, send)
            return
        app = self.app
        try:
            await app(scope, exchange, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        if exchange.began is not None:  # its answer never will be complete
            exchange.finish()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        exchange: ASGIExchange | None = None
        try:
            kind = scope["type"]
            if kind != "http" and kind != "websocket":  # noqa: PLR1714 - twice as fast
                self._see_loop()
                receive = noting_the_end(receive)
            elif KEY not in scope or scope[KEY].finished:  # else another of our middlewares counts it
                try:
                    method = self._methods[scope["method"]]
                except KeyError:
                    method = self._prepared(scope.get("method", "GET"))
                begun = (self._exchange if kind == "http" else WebSocketExchange)()
                if self._sized:
                    begun.sizes = Sizes()
                begun.server_receive = receive
                begun.server_send = send
                begun.method = method
                begun.where = scope
                begun.told = begun.series = begun.ended_as = None
                begun.finished = False
                clock = method.clock
                begun.started = clock()
                self._look_at_loop(begun.started)
                scope[KEY] = begun
                # Nothing comes after this that could fail.
                if FREE_THREADED:
                    method.gauge.inc()
                else:
                    method.floats[method.at] += 1.0
                exchange = begun
        except Exception as error:  # noqa: BLE001 - never into the host
            report("beginning a request", error)
        if exchange is None:
            await app(scope, receive, send)
            return
        try:
            await app(scope, exchange, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        if not exchange.finished:  # and never will be
            exchange.finish()

    def name(self, where: Scope, key: Key) -> tuple[str, object]:
        """Return the name of a route, and the route itself if it has but one."""
        if isinstance(key, str):
            return key, key
        name, owner = self.templates.find(where)
        return name or UNMATCHED, owner

    def look(self, now: float, *, traced: bool) -> None:
        """Do what is not done for each request, but when a bucket wants an exemplar: see the event loop, and `traced`, by its side.

        Where there are spans, each request has to note its own.
        """
        if traced:
            self._begin = never
        self._look_at_loop(now)

    def _prepare(self) -> None:
        super()._prepare()
        self._exchange = SizedExchange if self._sized else ASGIExchange
        odd = FREE_THREADED or self._sized or self.route is not None or _DJANGO in sys.modules
        self._begin = never if odd else BEGIN

    def _look_at_loop(self, now: float) -> None:
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._see_loop()

    def _see_loop(self) -> None:
        """Announce the event loop of this request, unless it was announced; under trio there is none. Never raises."""
        asyncio = sys.modules.get("asyncio")  # whoever runs a loop has it
        if asyncio is None:
            return
        try:
            if not self._ready:
                self._prepare()
            assert self.metrics is not None  # noqa: S101 - _prepare() chose it
            self.metrics.see_loop(asyncio.get_running_loop())
        except RuntimeError:
            pass
        except Exception as error:  # noqa: BLE001 - never into the host
            report("seeing an event loop", error)
