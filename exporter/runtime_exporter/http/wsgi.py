"""WSGI middleware: counts each request until the last byte of its body was handed to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http import compiled, django, django_handler, flask
from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.guard import report
from runtime_exporter.http.middleware import Middleware
from runtime_exporter.http.routes import UNMATCHED
from runtime_exporter.http.series import Method, Series
from runtime_exporter.http.wsgi_exchanges import WHOLE, NamedExchange, SizedExchange, WSGIExchange
from runtime_exporter.metrics import Histogram
from runtime_exporter.metrics.cells import FREE_THREADED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from runtime_exporter.http.metrics import HTTPMetrics
    from runtime_exporter.http.middleware import RouteFunction
    from runtime_exporter.http.series import Key

    Environ = dict[str, Any]
    WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WSGIMiddleware(Middleware):
    """A WSGI application that calls `app` and counts what its requests cost.

    `metrics` is where to (this process's `default_metrics()` if None). `route` names the route of a request from its environ,
    where Flask and Django do not: it is called when the response starts, and None leaves the request unmatched. The number
    of routes is capped, so a bad function costs `other`, not memory. Constructing it does nothing; an application that is
    wrapped twice is counted once.
    """

    def __init__(
        self, app: WSGIApplication, metrics: HTTPMetrics | None = None, *, route: RouteFunction | None = None
    ) -> None:
        super().__init__(app, metrics, route)
        self._exchange: type[WSGIExchange] = WSGIExchange
        self._whole: AbstractSet[type] = frozenset()
        self._werkzeug: type | None = None

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:  # noqa: C901, PLR0912, PLR0915
        """Answer one request as `app` does.

        How most requests end is spelt out here: with a body that is there as a whole, within the first bucket. Within a large
        framework neither arithmetic nor memory is what counting costs, but a processor that finds little of our code in its
        cache; so each step of the interpreter counts. All else goes by `take`, and Django's own handler a way of its own.
        `compiled/_wsgi.c` does the same where neither routes are named by somebody nor bodies measured.
        """
        if not self._ready and self._becomes_direct(environ):
            return self(environ, start_response)
        app = self.app
        exchange: WSGIExchange | None = None
        try:
            if KEY not in environ or environ[KEY].finished:  # else another of our middlewares counts it
                try:
                    method = self._methods[environ["REQUEST_METHOD"]]
                except KeyError:
                    method = self._prepared(environ.get("REQUEST_METHOD"))
                make = self._exchange
                begun = make()
                if self._sized:
                    begun.measure(environ)
                begun.server_start = start_response
                begun.method = method
                begun.where = environ
                begun.told = begun.series = begun.ended_as = None
                begun.finished = False
                clock = method.clock
                begun.started = started = clock()
                environ[KEY] = begun
                # Nothing comes after this that could fail.
                if FREE_THREADED:
                    method.gauge.inc()
                else:
                    method.floats[method.at] += 1.0
                exchange = begun
        except Exception as error:  # noqa: BLE001 - never into the host
            report("beginning a request", error)
        if exchange is None:
            return app(environ, start_response)  # type: ignore[no-any-return]
        try:
            body = app(environ, exchange.start_response)
        except BaseException as error:
            exchange.fail(error)
            raise
        try:
            kind = type(body)
            if (kind is self._werkzeug and flask.is_whole(body)) or kind in self._whole:
                series: Any = exchange.series
                histogram = series.histogram
                now = clock()
                seconds = now - started
                if seconds <= histogram._first:  # noqa: SLF001
                    # Here, too, nothing after the first line could fail, and no other thread comes in between.
                    del environ[KEY]
                    exchange.finished = True
                    method.floats[method.at] -= 1.0
                    # As Histogram.tally() counts in the first bucket.
                    floats = histogram._floats  # noqa: SLF001
                    to = histogram._to  # noqa: SLF001
                    valid = histogram._from  # noqa: SLF001
                    floats[to] = floats[valid] + seconds
                    histogram._ints[histogram._at] += 1  # noqa: SLF001
                    histogram._from = to  # noqa: SLF001
                    histogram._to = valid  # noqa: SLF001
                    if now >= series.quiet:
                        exchange._exemplify(series, 0, seconds, now)  # noqa: SLF001
                    return body  # type: ignore[no-any-return]
        except Exception:  # noqa: BLE001, S110 - whatever is out of the ordinary, as a response that never started
            pass
        return exchange.take(body)  # type: ignore[no-any-return]

    def _becomes_direct(self, environ: Environ) -> bool:
        """Do what is done at the first request, and return whether this is a DjangoMiddleware then. Never raises."""
        try:
            self._prepare()
            if self._is_direct() and not django_handler.leads_back(environ.get("wsgi.file_wrapper")):
                self._leave()
        except Exception as error:  # noqa: BLE001 - never into the host
            report("beginning a request", error)
            return False
        return self._is_direct()

    def name(self, where: Environ, key: Key) -> tuple[str, object]:  # noqa: ARG002 - the other middleware needs it
        """Return the name of a route, which is its key."""
        return (UNMATCHED if key is None else str(key)), ()

    def _prepare(self) -> None:
        super()._prepare()
        self.prefixes = flask.mounts(self.app)
        named = self.route is not None or self.prefixes
        self._exchange = SizedExchange if self._sized else NamedExchange if named else WSGIExchange
        flask.attach()
        odd = FREE_THREADED or self._sized
        self._whole, self._werkzeug = (frozenset(), None) if odd else (WHOLE, flask.closing_type())
        self._hasten()

    def _attach(self) -> None:
        # Only where nothing is asked for that is gone when a handler has returned, and where nobody has made a class of their own.
        plain = not (FREE_THREADED or self._sized or self.route is not None)
        if plain and (type(self) in (WSGIMiddleware, FASTEST) or self._is_direct()) and django_handler.is_own(self.app):
            from runtime_exporter.http import wsgi_django  # whose class is one of this, and for Django alone

            self.__class__ = wsgi_django.FASTEST
            django.hear()
        else:
            self._leave()

    def _leave(self) -> None:
        """Ask Django by a hook from now on, and be no DjangoMiddleware."""
        super()._attach()
        if self._is_direct():
            self.__class__ = WSGIMiddleware
            self._hasten()

    def _hasten(self) -> None:
        """Be of the compiled class where there is one, and what it does is all that is asked for."""
        if type(self) in (WSGIMiddleware, FASTEST):
            plain = self._exchange is WSGIExchange and not FREE_THREADED
            self.__class__ = FASTEST if plain else WSGIMiddleware

    def _is_direct(self) -> bool:
        return self._method is not Method


def fastest(middleware: type[WSGIMiddleware], name: str, method: type[Method], *needed: object) -> type[WSGIMiddleware]:
    """Return the compiled class of that name, which counts as `middleware` does; `middleware` where there is none, or it does not fit."""
    if compiled.wsgi is None:
        return middleware
    try:
        common = (method, Series, Histogram, KEY, WHOLE)
        return getattr(compiled.wsgi, name)(middleware, common, *needed)  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001 - never into the host
        compiled.absent["_wsgi"] = str(error)
        report("preparing what is compiled", error)
        return middleware


FASTEST: Final = fastest(WSGIMiddleware, "plain", Method, WSGIExchange)
"""WSGIMiddleware, or the same compiled."""
