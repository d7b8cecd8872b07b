"""ASGI middleware: counts each request until the last message of its body was handed to the server."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http import django
from runtime_exporter.http.exchange import CLIENT_CLOSED_REQUEST, KEY, SERVER_ERROR, Exchange, declared_length
from runtime_exporter.http.guard import report
from runtime_exporter.http.metrics import default_metrics
from runtime_exporter.http.starlette import Templates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime_exporter.http.exchange import FindRoute
    from runtime_exporter.http.metrics import HTTPMetrics

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
    RouteFunction = Callable[[Scope], str | None]

# How servers and Starlette tell an application that its client went away; matched by name, to import neither.
# "Cancelled" is trio's word for asyncio's CancelledError.
_DISCONNECTED: Final = frozenset({"Cancelled", "ClientDisconnect", "ClientDisconnected", "RequestAborted"})

# Whoever waited for the answer does no more: GeneratorExit is what a coroutine gets whose loop ended before it.
_GIVEN_UP: Final = (asyncio.CancelledError, GeneratorExit)


class ASGIMiddleware:
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
        self.app = app
        self.metrics = metrics
        self.route = route
        self._templates = Templates()
        self._loop: Callable[[], object] = _no_loop
        self._ready = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection as `app` does."""
        exchange = self._begin(scope, receive, send)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        exchange.end()

    def find(self, scope: Scope, known: str | None) -> str | None:
        """Return the route of a request whose response starts now; `known` is what a framework's hook has told."""
        if self.route is not None:
            name = self.route(scope)
            if name is not None:
                return str(name)
        return known or self._templates.find(scope)

    def _begin(self, scope: Scope, receive: Receive, send: Send) -> ASGIExchange | None:
        """Return the exchange of a new request, or None where there is none, or another of our middlewares counts it."""
        try:
            if not self._ready:
                self._prepare()
            self._see_loop()
            kind = scope["type"]
            if kind not in _EXCHANGES:
                return None
            outer = scope.get(KEY)
            if outer is not None and not outer.finished:
                return None
            assert self.metrics is not None  # noqa: S101 - _prepare() chose it
            exchange = _EXCHANGES[kind](self.metrics, scope, self.find, receive, send)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("beginning a request", error)
            return None
        scope[KEY] = exchange
        return exchange

    def _prepare(self) -> None:
        """Do at the first request what a constructor must not: choose the metrics, hook the frameworks that are loaded."""
        if self.metrics is None:
            self.metrics = default_metrics()
        django.attach()
        self._ready = True

    def _see_loop(self) -> None:
        """Announce the event loop of this request, if it is another one than that of the last; under trio there is none."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._loop() is not loop:
            assert self.metrics is not None  # noqa: S101 - _prepare() chose it
            self._loop = weakref.ref(loop)
            self.metrics.see_loop(loop)


def _no_loop() -> None:
    """Stand for a reference to a loop where none was seen yet."""


class ASGIExchange(Exchange):
    """One HTTP request: its `receive` and its `send`."""

    __slots__ = ("_disconnected", "_server_receive", "_server_send")

    def __init__(self, metrics: HTTPMetrics, scope: Scope, find: FindRoute, receive: Receive, send: Send) -> None:
        super().__init__(metrics, scope.get("method", "GET"), scope, find)
        self._disconnected = False
        self._server_receive = receive
        self._server_send = send

    async def receive(self) -> Any:
        """Return the server's next message, noting what it says."""
        message = await self._server_receive()
        try:
            kind = message["type"]
            if kind == "http.request":
                self.request_bytes += len(message.get("body", b""))
            elif kind == "http.disconnect" and not self.finished:
                # After the answer is complete every server says so to whoever still listens.
                self._disconnected = True
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a request's message", error)
        return message

    def send(self, message: Any) -> Awaitable[None]:
        """Hand a message to the server, noting what it says. Not a coroutine itself: one less for each message."""
        try:
            kind = message["type"]
            if kind == "http.response.start":
                self._start(message)
            elif kind == "http.response.body":
                self.response_bytes += len(message.get("body", b""))
                if message.get("more_body"):
                    return self._send_more(message)
                self.finish()
            elif kind == "http.response.pathsend" or (
                kind == "http.response.zerocopysend" and not message.get("more_body")
            ):
                self.finish()
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a response's message", error)
        return self._server_send(message)

    def fail(self, error: BaseException) -> None:
        """Note an exception that left the application, and end."""
        self.learn(_traceparent(self.where))
        if isinstance(error, _GIVEN_UP) or type(error).__name__ in _DISCONNECTED:
            self._disconnected = True
        elif not (self._disconnected and isinstance(error, OSError)):
            self.status = SERVER_ERROR
            self.excepted_by(error)
        self.finish()

    def end(self) -> None:
        """End with the application's return: a request that is not complete by now will never be."""
        if not self.finished:
            self.learn(_traceparent(self.where))
            self.finish()

    def _count(self, seconds: float) -> None:
        if self._disconnected:
            # Also where an answer was given: there was nobody to read it.
            self.status = CLIENT_CLOSED_REQUEST
        super()._count(seconds)

    async def _send_more(self, message: Any) -> None:
        """Send a part of a body; servers raise OSError where the client went away."""
        try:
            await self._server_send(message)
        except OSError:
            self._disconnected = True
            raise

    def _start(self, message: Any) -> None:
        self.status = message["status"]
        self.learn(_traceparent(self.where))
        if self.metrics.body_sizes:
            self.declared_bytes = declared_length(message.get("headers", ()))


class WebSocketExchange(ASGIExchange):
    """One WebSocket connection: an active request with a route, but without a duration."""

    __slots__ = ()

    async def receive(self) -> Any:
        """Return the server's next message."""
        return await self._server_receive()

    def send(self, message: Any) -> Awaitable[None]:
        """Hand a message to the server."""
        return self._server_send(message)

    def fail(self, error: BaseException) -> None:
        """Note an exception that left the application, unless it only says that the client went away."""
        if not isinstance(error, (*_GIVEN_UP, OSError)) and type(error).__name__ not in _WEBSOCKET_CLOSED:
            self.learn(_traceparent(self.where))
            self.excepted_by(error)
        self.finish()

    def _count(self, seconds: float) -> None:
        """Count nothing: how long a connection stays open is no latency."""


_WEBSOCKET_CLOSED: Final = _DISCONNECTED | {"WebSocketDisconnect"}
_EXCHANGES: Final = {"http": ASGIExchange, "websocket": WebSocketExchange}


def _traceparent(scope: Scope) -> str | None:
    try:
        for name, value in scope.get("headers", ()):
            if name == b"traceparent":
                return value.decode("latin-1")  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001 - never into the host
        report("reading a request's headers", error)
    return None
