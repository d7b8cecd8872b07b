"""ASGI middleware: counts each request until the last message of its body was handed to the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http.exchange import CLIENT_CLOSED_REQUEST, KEY, SERVER_ERROR, Exchange
from runtime_exporter.http.guard import report
from runtime_exporter.http.middleware import Middleware
from runtime_exporter.http.routes import UNMATCHED
from runtime_exporter.http.sizes import Sizes, declared_length
from runtime_exporter.http.starlette import Templates, identity
from runtime_exporter.metrics.cells import FREE_THREADED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime_exporter.http.metrics import HTTPMetrics
    from runtime_exporter.http.middleware import RouteFunction
    from runtime_exporter.http.series import Key

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

# How servers and Starlette tell an application that its client went away; matched by name, to import neither.
# "Cancelled" is trio's word for asyncio's CancelledError.
_DISCONNECTED: Final = frozenset({"Cancelled", "ClientDisconnect", "ClientDisconnected", "RequestAborted"})

# Whoever waited for the answer does no more: GeneratorExit is what a coroutine gets whose loop ended before it.
_GIVEN_UP: Final = (asyncio.CancelledError, GeneratorExit)

# Which loop a request runs in costs a call of the kernel (Python before 3.12 asks for the process's id): so it is asked once
# in so many seconds.
_LOOK_SECONDS: Final = 1.0


class ASGIMiddleware(Middleware):
    """An ASGI application that calls `app` and counts what its requests cost.

    `metrics` is where to (this process's `default_metrics()` if None). `route` names the route of a request from its scope,
    where Starlette, FastAPI and Django do not: it is called when the response starts, and None leaves the request unmatched.
    The number of routes is capped, so a bad function costs `other`, not memory. Constructing it does nothing; an application
    that is wrapped twice is counted once. Lifespan passes through untouched.

    The duration of a request ends with the last message of its body: background tasks come after it. A WebSocket connection
    is an active request (GET) until it is closed, its exceptions are counted, and it has no duration. A client that goes
    away before its answer is complete makes a status of 499.
    """

    def __init__(
        self, app: ASGIApplication, metrics: HTTPMetrics | None = None, *, route: RouteFunction | None = None
    ) -> None:
        super().__init__(app, metrics, route)
        self._templates = Templates()
        self._next_look = float("-inf")
        self._exchange: type[ASGIExchange] = ASGIExchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901 - calls cost too much
        """Answer one connection as `app` does."""
        app = self.app
        exchange: ASGIExchange | None = None
        try:
            kind = scope["type"]
            if kind != "http" and kind != "websocket":  # noqa: PLR1714 - twice as fast
                self._see_loop()
            elif KEY not in scope or scope[KEY].finished:  # else another of our middlewares counts it
                try:
                    method = self._methods[scope["method"]]
                except KeyError:
                    method = self._prepared(scope.get("method", "GET"))
                make = self._exchange if kind == "http" else WebSocketExchange
                begun = make()
                if self._sized:
                    begun.sizes = Sizes()
                begun.server_receive = receive
                begun.server_send = send
                begun.method = method
                begun.where = scope
                begun.told = begun.series = begun.ended_as = None
                begun.finished = False
                clock = method.clock
                begun.started = started = clock()
                if started >= self._next_look:
                    self._next_look = started + _LOOK_SECONDS
                    self._see_loop()
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
        name, owner = self._templates.find(where)
        return name or UNMATCHED, owner

    def _prepare(self) -> None:
        super()._prepare()
        self._exchange = SizedExchange if self._sized else ASGIExchange

    def _see_loop(self) -> None:
        """Announce the event loop of this request, unless it was announced; under trio there is none. Never raises."""
        try:
            if not self._ready:
                self._prepare()
            assert self.metrics is not None  # noqa: S101 - _prepare() chose it
            self.metrics.see_loop(asyncio.get_running_loop())
        except RuntimeError:
            pass
        except Exception as error:  # noqa: BLE001 - never into the host
            report("seeing an event loop", error)


class ASGIExchange(Exchange):
    """One HTTP request: its `send`, and itself its `receive`, which is one method less to bind for each request."""

    __slots__ = ("server_receive", "server_send", "sizes")

    server_receive: Receive
    server_send: Send
    sizes: Sizes
    """Only where bodies are measured."""

    async def __call__(self) -> Any:
        """Return the server's next message, noting that the client is gone."""
        receive = self.server_receive
        message = await receive()
        try:
            # After the answer is complete every server says so to whoever still listens.
            if message["type"] == "http.disconnect" and not self.finished:
                # Also where an answer will be given: there is nobody to read it.
                self.ended_as = CLIENT_CLOSED_REQUEST
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a request's message", error)
        return message

    def send(self, message: Any) -> Awaitable[None]:
        """Hand a message to the server, noting what it says. Not a coroutine itself: one less for each message."""
        try:
            kind = message["type"]
            if kind == "http.response.body":
                if "more_body" in message and message["more_body"]:  # noqa: RUF019 - get() is a call
                    return self._send_more(message)
                self.finish()
            elif kind == "http.response.start":
                self.start(message["status"])
            elif kind == "http.response.pathsend" or (
                kind == "http.response.zerocopysend" and not message.get("more_body")
            ):
                self.finish()
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a response's message", error)
        send = self.server_send
        return send(message)

    def key(self) -> Key:
        """Return the route's name where a user or Django told it, else the identity of what the framework calls a route."""
        scope = self.where
        route = self.method.route
        if route is not None:
            name = route(scope)
            if name is not None:
                return str(name)
        told = self.told
        if told is not None:
            return told
        if "fastapi" in scope:
            return id(identity(scope))
        if "route" in scope and scope["route"] is not None:
            return id(scope["route"])
        return id(scope["endpoint"]) if "endpoint" in scope else None

    def fail(self, error: BaseException) -> None:
        """Note an exception that left the application, and end."""
        if isinstance(error, _GIVEN_UP) or type(error).__name__ in _DISCONNECTED:
            self.ended_as = CLIENT_CLOSED_REQUEST
        elif self.ended_as is None or not isinstance(error, OSError):
            self.ended_as = self.ended_as or SERVER_ERROR
            self.excepted_by(error)
        self.finish()

    def traceparent(self) -> str | None:
        """Return the W3C header of that name."""
        try:
            for name, value in self.where.get("headers", ()):
                if name == b"traceparent":
                    return value.decode("latin-1")  # type: ignore[no-any-return]
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a request's headers", error)
        return None

    async def _send_more(self, message: Any) -> None:
        """Send a part of a body; servers raise OSError where the client went away."""
        try:
            await self.server_send(message)
        except OSError:
            self.ended_as = CLIENT_CLOSED_REQUEST
            raise


class SizedExchange(ASGIExchange):
    """One HTTP request whose bodies are measured."""

    __slots__ = ()

    async def __call__(self) -> Any:
        """Return the server's next message, counting what it brings."""
        message = await super().__call__()
        try:
            if message["type"] == "http.request":
                self.sizes.received += len(message.get("body", b""))
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a request's message", error)
        return message

    def send(self, message: Any) -> Awaitable[None]:
        """Hand a message to the server, counting what it brings."""
        try:
            if not self.finished:
                kind = message["type"]
                if kind == "http.response.body":
                    self.sizes.sent += len(message.get("body", b""))
                elif kind == "http.response.start":
                    self.sizes.declared = declared_length(message.get("headers", ()))
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a response's message", error)
        return super().send(message)

    def finish(self) -> None:
        """Count the request, and then its bodies."""
        if self.finished:
            return
        super().finish()
        self.sizes.count(self.method, self.series)


class WebSocketExchange(ASGIExchange):
    """One WebSocket connection: an active request with a route, but without a duration."""

    __slots__ = ()

    async def __call__(self) -> Any:
        """Return the server's next message."""
        return await self.server_receive()

    def send(self, message: Any) -> Awaitable[None]:
        """Hand a message to the server."""
        return self.server_send(message)

    def fail(self, error: BaseException) -> None:
        """Note an exception that left the application, unless it only says that the client went away."""
        if not isinstance(error, (*_GIVEN_UP, OSError)) and type(error).__name__ not in _WEBSOCKET_CLOSED:
            self.excepted_by(error)
        self.finish()

    def finish(self) -> None:
        """Count no duration: how long a connection stays open is no latency."""
        if not self.finished:
            self.finished = True
            self.method.gauge.dec()
            self.where.pop(KEY, None)


_WEBSOCKET_CLOSED: Final = _DISCONNECTED | {"WebSocketDisconnect"}
