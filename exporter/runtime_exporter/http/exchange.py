"""One request being measured: what WSGI and ASGI have in common."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http import trace
from runtime_exporter.http.guard import report
from runtime_exporter.http.routes import UNMATCHED
from runtime_exporter.metrics.cells import FREE_THREADED

if TYPE_CHECKING:
    from runtime_exporter.http.series import Key, Method, Series, Where

KEY: Final = "runtime_exporter.exchange"
"""Where the exchange lies in a WSGI environ or an ASGI scope: for the framework's hooks, and for a second middleware."""

SERVER_ERROR: Final = 500
CLIENT_CLOSED_REQUEST: Final = 499
"""nginx's status for a client that went away before its answer was complete."""

_MODULES: Final = sys.modules


class Exchange:
    """One request from its arrival until the last byte of its answer was handed over; then `finish()` counts it, once.

    Made without a constructor, by the middleware that sets what has no value here: calling one costs more than all that it
    would do. Functions that are kept in an attribute are called by a name of their own, since Python 3.11 is slow to call
    what looks like a method and is none.
    """

    __slots__ = ("ended_as", "excepted", "finished", "method", "series", "span", "started", "told", "where")

    method: Method
    where: Where
    started: float
    finished: bool
    told: str | None
    """The route, where a framework's hook has told it."""
    series: Series | None
    """That of the response, once it has started."""
    ended_as: int | None
    """The status that counts instead of the response's."""
    span: Any
    """What was OpenTelemetry's current span when the response started. Not there where nobody looked."""
    excepted: bool
    """Not there before the first exception."""

    def key(self) -> Key:
        """Return what tells the route, which is known from when the response starts, from all others."""
        raise NotImplementedError

    def traceparent(self) -> str | None:
        """Return the W3C header of that name."""
        raise NotImplementedError

    def start(self, status: object) -> None:
        """Note the status of the response and find the route, while the application still knows it. Never raises."""
        method = self.method
        try:
            if method.traced:
                self.span = trace.current()
            key = self.key()
            try:
                self.series = method.known[key][status]
            except KeyError:
                self.series = method.learn(self.where, key, status)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("finding a route", error)
            self.series = self._unmatched(status)

    def finish(self) -> None:
        """Count the request with what is known of it. Later calls do nothing. Never raises."""
        if self.finished:
            return
        self.finished = True
        try:
            method = self.method
            clock = method.clock
            now = clock()
            if FREE_THREADED:
                method.gauge.dec()
            else:
                method.floats[method.at] -= 1.0
            series = self.series
            if series is None or self.ended_as is not None:
                series = self._otherwise()
            seconds = now - self.started
            tally = series.tally
            bucket = tally(seconds)
            if now >= series.due[bucket]:
                self._exemplify(series, bucket, seconds, now)
            # It refers to us: the cycle would keep both until a garbage collection.
            self.where.pop(KEY, None)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("counting a request", error)

    def excepted_by(self, error: BaseException | None) -> None:
        """Count an exception that the application did not handle: the first of a request, with the request's route."""
        if getattr(self, "excepted", False):
            return
        self.excepted = True
        try:
            self.method.metrics.count_exception(self._route(), error)
        except Exception as fault:  # noqa: BLE001 - never into the host
            report("counting an exception", fault)

    def _unmatched(self, status: object) -> Series | None:
        try:
            return self.method.metrics.series(self.method.label, UNMATCHED, status)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("counting a request", error)
            return None

    def _otherwise(self) -> Series:
        """Return the series of a request that did not end as its response began, or had none."""
        status = self.ended_as or SERVER_ERROR
        if self.series is None:
            self.start(status)
        else:
            method = self.method
            self.series = method.metrics.series(method.label, self.series.route, status)
        if self.series is None:
            raise RuntimeError("there is no series to count it in")
        return self.series

    def _exemplify(self, series: Series, bucket: int, seconds: float, now: float) -> None:
        """Give the request's trace to a bucket that wants an exemplar."""
        self.method.traced = trace.SDK in sys.modules
        span = getattr(self, "span", None)
        labels = None if span is None else trace.labels(span)
        if labels is None:
            traceparent = self.traceparent()
            labels = None if traceparent is None else trace.parse(traceparent)
        series.exemplify(bucket, seconds, labels, now)

    def _route(self) -> str:
        """Return the name of the route as far as it is known now."""
        if self.series is not None:
            return self.series.route
        try:
            return self.method.middleware.name(self.where, self.key())[0]
        except Exception as error:  # noqa: BLE001 - never into the host
            report("finding a route", error)
            return UNMATCHED
