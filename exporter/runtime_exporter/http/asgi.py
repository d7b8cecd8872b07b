"""ASGI middleware: counts each request until the last message of its body was handed to the server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http.asgi_exchanges import ASGIExchange, SizedExchange, WebSocketExchange
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

    from runtime_exporter.http.asgi_exchanges import Receive, Send
    from runtime_exporter.http.metrics import HTTPMetrics
    from runtime_exporter.http.middleware import RouteFunction
    from runtime_exporter.http.series import Key

    Scope = dict[str, Any]
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
        self._plain = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection as `app` does.

        A plain request is begun here and ends in `PlainExchange.send`, both spelt out: within a large framework neither
        arithmetic nor memory is what counting costs, but the processor, which finds little of our code in its cache. So each
        step of the interpreter counts, and each function, object and dict that is looked at. All else goes by `_answer`.
        """
        app = self.app
        try:
            if scope["type"] == self._plain and KEY not in scope:
                method = self._methods[scope["method"]]
                exchange = PlainExchange()
                exchange.server_receive = receive
                exchange.server_send = send
                exchange.method = method
                exchange.where = scope
                clock = method.clock
                exchange.began = clock()
                scope[KEY] = exchange
                # Nothing comes after this that could fail.
                method.floats[method.at] += 1.0
            else:
                exchange = None
        except Exception:  # noqa: BLE001 - whatever is not plain, as a method that none had before
            exchange = None
        if exchange is None:
            await self._answer(scope, receive, send)
            return
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
            self._plain = ""
        self._look_at_loop(now)

    def _prepare(self) -> None:
        super()._prepare()
        self._exchange = SizedExchange if self._sized else ASGIExchange
        odd = FREE_THREADED or self._sized or self.route is not None or _DJANGO in sys.modules
        self._plain = "" if odd else "http"

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


class PlainExchange(ASGIExchange):
    """One HTTP request of which nothing is known that is out of the ordinary, in a process that has a GIL.

    As soon as something is, it becomes an ASGIExchange (`settle`) and goes on as that. Until then only these are set:
    `server_receive`, `server_send`, `method`, `where`, `began`, and `series` once the response has started.
    """

    __slots__ = ()

    def send(self, message: Any) -> Awaitable[None]:
        """Hand a message to the server, noting what it says: what ASGIExchange does in several functions, spelt out as one.

        What the exchange has become an ASGIExchange for shows in `began`, from which nothing can be subtracted then.
        """
        try:
            kind = message["type"]
            if kind == "http.response.body":
                if "more_body" in message and message["more_body"]:  # noqa: RUF019 - get() is a call
                    return self._send_more(message)
                method = self.method
                clock = method.clock
                now = clock()
                seconds = now - self.began
                series: Any = self.series
                histogram = series.histogram
                if seconds > histogram._first or now >= series.quiet:  # noqa: SLF001
                    self.settle()
                    self.finish()
                else:
                    # Here, too, nothing after the first line could fail, and no other thread comes in between.
                    del self.where[KEY]
                    self.began = None
                    method.floats[method.at] -= 1.0
                    # As Histogram.tally() counts in the first bucket.
                    floats = histogram._floats  # noqa: SLF001
                    to = histogram._to  # noqa: SLF001
                    valid = histogram._from  # noqa: SLF001
                    floats[to] = floats[valid] + seconds
                    histogram._ints[histogram._at] += 1  # noqa: SLF001
                    histogram._from = to  # noqa: SLF001
                    histogram._to = valid  # noqa: SLF001
            elif kind == "http.response.start":
                scope = self.where
                if "route" in scope:
                    key: Key = id(scope["route"])
                elif "endpoint" in scope:
                    key = id(scope["endpoint"])
                else:
                    key = None
                self.series = self.method.known[key][message["status"]]
            elif kind in _FILES:
                raise ValueError(kind)  # noqa: TRY301 - so that only what is rare pays for it
        except Exception:  # noqa: BLE001 - the other way says what it is
            self.settle()
        else:
            send = self.server_send
            return send(message)
        return self.send(message)

    @property
    def finished(self) -> bool:  # type: ignore[override]
        """Whether it was counted."""
        return self.began is None

    def fail(self, error: BaseException) -> None:
        """Note an exception that left the application, and end."""
        self.settle()
        self.fail(error)

    def finish(self) -> None:
        """Count the request, as one that does not end as most do."""
        self.settle()
        self.finish()

    def end_as(self, status: int) -> None:
        """Let the request count as one with this status, whatever its response says."""
        self.settle()
        self.end_as(status)

    def settle(self) -> None:
        """Become an ASGIExchange, with all that it keeps: from now on every call but that of a bound `send` is its."""
        began = self.began
        self.__class__ = ASGIExchange  # type: ignore[assignment]
        settled: ASGIExchange = self
        settled.told = settled.ended_as = None
        settled.finished = began is None
        if not hasattr(self, "series"):
            settled.series = None
        if began is not None:
            settled.started = began
            settled.began = _SETTLED


_SETTLED: Final = object()
# Messages that end a response without one of its body.
_FILES: Final = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
