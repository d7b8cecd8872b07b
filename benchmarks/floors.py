"""What no middleware can cost less than: middlewares that do a part of what measuring a request takes, and count nothing.

As little as Python lets them: an ASGI middleware is one more coroutine around the application (PASSES_ON); it sees a status and the end
of a body only by a `send` of its own, called once for each message (WRAPS_SEND); a duration needs two looks at a clock (READS_CLOCK). All
that comes on top of the last one is what finding the route, and counting, costs.
"""

from __future__ import annotations

import time
from typing import Any

PASSES_ON = "nothing, passing a request on"
WRAPS_SEND = "nothing, and a wrapped send"
READS_CLOCK = "nothing, a wrapped send and a clock"


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


FLOORS: dict[str, Any] = {PASSES_ON: PassesOn, WRAPS_SEND: WrapsSend, READS_CLOCK: ReadsClock}


def around(floor: str, app: str, made: Any) -> Any:
    """Return an application of ASGI with one of FLOORS, put where its framework puts a middleware."""
    if app in ("starlette", "fastapi"):
        made.add_middleware(FLOORS[floor])
        return made
    return FLOORS[floor](made)
