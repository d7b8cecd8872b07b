"""Django's own handler, called by WSGI: what it returns leads to the request and its route, so nothing has to be noted meanwhile.

That takes no `start_response` of ours, no exchange and no hook in the one method that resolves: within Django each of them costs
what a whole observation does. Whatever is out of the ordinary makes an exchange of the request in the end, or when it fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http import django, django_handler
from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.guard import report
from runtime_exporter.http.series import OTHER, Method
from runtime_exporter.http.wsgi import WSGIMiddleware, fastest
from runtime_exporter.http.wsgi_exchanges import WHOLE, WSGIExchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime_exporter.http.series import Series

    Environ = dict[str, Any]

_ROUTES_LIMIT: Final = 2_000


class DjangoMethod(Method):
    """What is prepared for the requests of one method.

    It lies in their environ in the place of an exchange, for those that need none. `routes` leads from a route as Django has
    it and a status to a series, where `known` does by the template. `kind` is the type of a response that was there as a whole,
    as the next one's most likely is. What a hook tells it, `told`, nobody asks.
    """

    __slots__ = ("kind", "routes", "told")

    finished: Final = False

    def __init__(self, *prepared: Any) -> None:
        super().__init__(*prepared)
        self.kind: type | None = None
        self.told: str | None = None
        self.routes: dict[str | None, dict[object, Any]] = {}

    def in_full(self, environ: Environ) -> WSGIExchange:
        """Return the exchange of a request, which its environ leads to from now on."""
        exchange = WSGIExchange()
        exchange.method = self
        exchange.where = environ
        exchange.told = exchange.series = exchange.ended_as = None
        exchange.finished = False
        exchange.started = self.clock()
        environ[KEY] = exchange
        return exchange

    def remember(self, route: str | None, told: str | None, status: object, series: Series | None) -> None:
        """Find the series without the template from now on, if it is found with it."""
        if series is not None and self.known.get(told, {}).get(status) is series:
            if len(self.routes) >= _ROUTES_LIMIT:
                self.routes.clear()
            self.routes.setdefault(route, {})[status] = series


class DjangoMiddleware(WSGIMiddleware):
    """What a WSGIMiddleware is from its first request on where its application is Django's own handler, until something speaks against it.

    That may be while another thread's request is answered: what that needs of this class it gets from here, not from the object.
    """

    _method = DjangoMethod

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request as `app` does, and count it; as a WSGIMiddleware where it has to be so.

        `compiled/_wsgi.c` does the same.
        """
        method: Any = None
        try:
            if KEY not in environ:  # else another of our middlewares counts it
                try:
                    method = self._methods[environ["REQUEST_METHOD"]]
                except KeyError:
                    method = DjangoMiddleware._prepared_by(self, environ)
                if method is not None:
                    clock = method.clock
                    started = clock()
                    environ[KEY] = method
                    # Nothing comes after this that could fail.
                    method.floats[method.at] += 1.0
        except Exception as error:  # noqa: BLE001 - never into the host
            report("beginning a request", error)
            method = None
        if method is None:
            return WSGIMiddleware.__call__(self, environ, start_response)
        app = self.app
        try:
            body: Any = app(environ, start_response)
        except BaseException as error:
            _fail(method, environ, started, error)
            raise
        try:
            kind = type(body)
            if environ[KEY] is method and (kind is method.kind or kind in WHOLE):
                match = body._resource_closers[-1].__self__.resolver_match  # noqa: SLF001 - see django_handler
                series = method.routes[None if match is None else match.route][body.status_code]
                histogram = series.histogram
                now = clock()
                seconds = now - started
                if seconds <= histogram._first and now < series.quiet:  # noqa: SLF001
                    # Here, too, nothing after the first line could fail, and no other thread comes in between.
                    del environ[KEY]
                    method.floats[method.at] -= 1.0
                    # As Histogram.tally() counts in the first bucket.
                    floats = histogram._floats  # noqa: SLF001
                    to = histogram._to  # noqa: SLF001
                    valid = histogram._from  # noqa: SLF001
                    floats[to] = floats[valid] + seconds
                    histogram._ints[histogram._at] += 1  # noqa: SLF001
                    histogram._from = to  # noqa: SLF001
                    histogram._to = valid  # noqa: SLF001
                    return body  # type: ignore[no-any-return]
        except Exception:  # noqa: BLE001, S110 - whatever is out of the ordinary, as a route that none had before
            pass
        return DjangoMiddleware._take(self, method, environ, started, body)  # type: ignore[no-any-return]

    def _prepared_by(self, environ: Environ) -> Method | None:
        """Return what is prepared for the method of a request, or None where it has to go the other way."""
        if not self._ready and not self._becomes_direct(environ):
            return None
        return self._prepared(environ.get("REQUEST_METHOD"))

    def _take(self, method: DjangoMethod, environ: Environ, started: float, body: Any) -> Any:
        """Return what the server gets for `body`, such that its end counts the request."""
        exchange = _exchange(method, environ, started)
        response = django_handler.response_behind(body)
        if response is None:  # somebody has changed the handler since it was looked at
            self._leave()
            exchange.start(OTHER)
            return exchange.take(body)
        try:
            route = django_handler.route_of(response)
            exchange.told = django.told(route)
            exchange.start(response.status_code)
            method.remember(route, exchange.told, response.status_code, exchange.series)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("finding Django's route", error)
        taken = exchange.take(body)
        if type(body) in WHOLE:
            method.kind = type(body)
        if method.traced:  # each request has a span of its own, which is there only while its response starts
            self._leave()
        return taken


def _fail(method: DjangoMethod, environ: Environ, started: float, error: BaseException) -> None:
    """Count a request that an exception ended, with the route that it had come to. Never raises."""
    exchange = _exchange(method, environ, started)
    try:
        if exchange.told is None:
            exchange.told = django.told(django_handler.route_within(environ, error))
    except Exception as fault:  # noqa: BLE001 - never into the host
        report("finding Django's route", fault)
    exchange.fail(error)


def _exchange(method: DjangoMethod, environ: Environ, started: float) -> WSGIExchange:
    """Return the exchange of a request: the one that a hook has made, or a new one."""
    exchange = environ.get(KEY)
    if not isinstance(exchange, WSGIExchange):
        exchange = method.in_full(environ)
    exchange.started = started
    return exchange


FASTEST: Final = fastest(DjangoMiddleware, "django", DjangoMethod, DjangoMiddleware._take, _fail)  # noqa: SLF001
"""DjangoMiddleware, or the same compiled."""
