"""What becomes of one HTTP request or WebSocket connection under ASGI: its `send` and its `receive`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http.exchange import CLIENT_CLOSED_REQUEST, KEY, SERVER_ERROR, Exchange
from runtime_exporter.http.guard import report
from runtime_exporter.http.sizes import Sizes, declared_length

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runtime_exporter.http.series import Key, Series

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

# How servers and Starlette tell an application that its client went away; matched by name, to import neither.
# "Cancelled" is trio's word for asyncio's CancelledError.
_DISCONNECTED: Final = frozenset({"Cancelled", "ClientDisconnect", "ClientDisconnected", "RequestAborted"})
_WEBSOCKET_CLOSED: Final = _DISCONNECTED | {"WebSocketDisconnect"}


class ASGIExchange(Exchange):
    """One HTTP request: its `send`, and itself its `receive`, which is one method less to bind for each request."""

    __slots__ = ("began", "server_receive", "server_send", "sizes")

    began: Any
    """Only PlainExchange's: when the request began, None once it was counted, something else where this is no longer one."""
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
                self.end_as(CLIENT_CLOSED_REQUEST)
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
        middleware: Any = self.method.middleware
        return middleware.templates.key(scope)  # type: ignore[no-any-return]

    def fail(self, error: BaseException) -> None:
        """Note an exception that left the application, and end."""
        if _is_given_up(error) or type(error).__name__ in _DISCONNECTED:
            self.ended_as = CLIENT_CLOSED_REQUEST
        elif self.ended_as is None or not isinstance(error, OSError):
            self.ended_as = self.ended_as or SERVER_ERROR
            self.excepted_by(error)
        self.finish()

    def end_as(self, status: int) -> None:
        """Let the request count as one with this status, whatever its response says."""
        self.ended_as = status

    def settle(self) -> None:
        """Be what this is: see PlainExchange."""

    def traceparent(self) -> str | None:
        """Return the W3C header of that name."""
        try:
            for name, value in self.where.get("headers", ()):
                if name == b"traceparent":
                    return value.decode("latin-1")  # type: ignore[no-any-return]
        except Exception as error:  # noqa: BLE001 - never into the host
            report("reading a request's headers", error)
        return None

    def _exemplify(self, series: Series, bucket: int, seconds: float, now: float) -> None:
        super()._exemplify(series, bucket, seconds, now)
        middleware: Any = self.method.middleware
        middleware.look(now, traced=self.method.traced)

    async def _send_more(self, message: Any) -> None:
        """Send a part of a body; servers raise OSError where the client went away."""
        try:
            await self.server_send(message)
        except OSError:
            self.end_as(CLIENT_CLOSED_REQUEST)
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
        closed = isinstance(error, OSError) or type(error).__name__ in _WEBSOCKET_CLOSED
        if not closed and not _is_given_up(error):
            self.excepted_by(error)
        self.finish()

    def finish(self) -> None:
        """Count no duration: how long a connection stays open is no latency."""
        if not self.finished:
            self.finished = True
            self.method.gauge.dec()
            self.where.pop(KEY, None)


def _is_given_up(error: BaseException) -> bool:
    """Return whether it says that nobody waits for the answer any more: GeneratorExit is for a coroutine whose loop ended before it.

    asyncio is not imported here, for it takes longer than all else that is: whoever raises its CancelledError has it.
    """
    asyncio = sys.modules.get("asyncio")
    return isinstance(error, GeneratorExit) or (asyncio is not None and isinstance(error, asyncio.CancelledError))
