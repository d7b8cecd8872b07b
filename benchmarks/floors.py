"""What no middleware can cost less than: middlewares that do a part of what measuring a request takes, and count nothing.

As little as Python lets them: an ASGI middleware is one more coroutine around the application (PASSES_ON); it sees a status and the end
of a body only by a `send` of its own, called once for each message (WRAPS_SEND); a duration needs two looks at a clock (READS_CLOCK). All
that comes on top of the last one is what finding the route, and counting, costs. A WSGI middleware is one more function (PASSES_ON); it
sees a status only by a `start_response` of its own, the end of a body that it cannot know for complete only by one of its own.
"""

from __future__ import annotations

import time
from typing import Any

PASSES_ON = "nothing, passing a request on"
WRAPS_SEND = "nothing, and a wrapped send"
READS_CLOCK = "nothing, a wrapped send and a clock"
WRAPS_START = "nothing, and a wrapped start_response"
WRAPS_BODY = "nothing, a wrapped start_response and a wrapped body"
READS_CLOCK_WSGI = "nothing, a wrapped start_response and a clock"


class PassesOn:
    """Calls the application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class WrapsSend:
    """Looks at each message for the status and the end."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.last: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status: Any = None

        # No coroutine itself: one less for each message.
        def sending(message: Any) -> Any:
            nonlocal status
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
            elif kind == "http.response.body" and not ("more_body" in message and message["more_body"]):  # noqa: RUF019 - get() is a call
                self.last = status
            return send(message)

        await self.app(scope, receive, sending)


class ReadsClock:
    """Looks at each message, and knows how long the request took."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.last: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status: Any = None
        clock = time.perf_counter
        began = clock()

        def sending(message: Any) -> Any:
            nonlocal status
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
            elif kind == "http.response.body" and not ("more_body" in message and message["more_body"]):  # noqa: RUF019 - get() is a call
                self.last = status, clock() - began
            return send(message)

        await self.app(scope, receive, sending)


class PassesOnWSGI:
    """Calls the application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


class WrapsStart:
    """Looks at the status."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.last: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        def starting(status: Any, headers: Any, *rest: Any) -> Any:
            self.last = status
            return start_response(status, headers, *rest)

        return self.app(environ, starting)


class ReadsClockWSGI(WrapsStart):
    """Looks at the status, and knows how long the application took."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        clock = time.perf_counter
        began = clock()
        said: Any = None

        def starting(status: Any, headers: Any, *rest: Any) -> Any:
            nonlocal said
            said = status
            return start_response(status, headers, *rest)

        body = self.app(environ, starting)
        self.last = said, clock() - began
        return body


class WrapsBody(WrapsStart):
    """Looks at the status, and hears of the end of a body as the server closes it."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return Body(super().__call__(environ, start_response))


class Body:
    """What the server reads and closes."""

    __slots__ = ("body",)

    def __init__(self, body: Any) -> None:
        self.body = body

    def __iter__(self) -> Any:
        return iter(self.body)

    def close(self) -> None:
        if hasattr(self.body, "close"):
            self.body.close()


FLOORS: dict[str, Any] = {PASSES_ON: PassesOn, WRAPS_SEND: WrapsSend, READS_CLOCK: ReadsClock}
WSGI_FLOORS: dict[str, Any] = {
    PASSES_ON: PassesOnWSGI,
    WRAPS_START: WrapsStart,
    READS_CLOCK_WSGI: ReadsClockWSGI,
    WRAPS_BODY: WrapsBody,
}
_WSGI = frozenset({"wsgi", "flask", "django"})


def around(floor: str, app: str, made: Any) -> Any:
    """Return an application with one of the floors of its interface, put where its framework puts a middleware."""
    middleware = (WSGI_FLOORS if app in _WSGI else FLOORS)[floor]
    if app in ("starlette", "fastapi"):
        made.add_middleware(middleware)
        return made
    if app == "flask":
        made.wsgi_app = middleware(made.wsgi_app)
        return made
    return middleware(made)
