"""A plain request by ASGI, one of which nothing is out of the ordinary: what nearly all are, spelt out.

Within a large framework neither arithmetic nor memory is what counting costs, but the processor, which finds little of our code
in its cache. So each step of the interpreter counts, and each function, object and dict that is looked at. `compiled/_asgi.c` is
the same without an interpreter; where it was not built, this is what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http import compiled
from runtime_exporter.http.asgi_exchanges import ASGIExchange
from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.guard import report
from runtime_exporter.http.series import Method, Series
from runtime_exporter.metrics import Histogram

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from runtime_exporter.http.asgi_exchanges import Receive, Scope, Send
    from runtime_exporter.http.series import Key

    Begin = Callable[[Mapping[str, Method], Scope, Receive, Send], "PlainExchange | None"]


def never(_methods: Mapping[str, Method], _scope: Scope, _receive: Receive, _send: Send) -> PlainExchange | None:
    """Begin no request as a plain one."""
    return None


def begin(methods: Mapping[str, Method], scope: Scope, receive: Receive, send: Send) -> PlainExchange | None:
    """Begin a request, by what is prepared for its method, and return its exchange; None where it is not plain."""
    try:
        if scope["type"] != "http" or KEY in scope:
            return None
        method = methods[scope["method"]]
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
    except Exception:  # noqa: BLE001 - whatever is not plain, as a method that none had before
        return None
    return exchange


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

    def excepted_by(self, error: BaseException | None) -> None:
        """Count an exception that the application did not handle."""
        self.settle()
        self.excepted_by(error)

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


def _quickest() -> Begin:
    if compiled.asgi is None:
        return begin
    try:
        compiled.asgi.prepare(PlainExchange, Method, Series, Histogram, KEY)
    except Exception as error:  # noqa: BLE001 - never into the host
        compiled.absent["_asgi"] = str(error)
        report("preparing what is compiled", error)
        return begin
    return compiled.asgi.begin  # type: ignore[no-any-return]


BEGIN: Final = _quickest()
"""The quickest `begin` that there is: the compiled one, else that of this module."""
