"""One request being measured: what WSGI and ASGI have in common."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http import trace
from runtime_exporter.http.guard import report
from runtime_exporter.http.routes import UNMATCHED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime_exporter.http.metrics import HTTPMetrics

    FindRoute = Callable[[dict[str, Any], str | None], str | None]

KEY: Final = "runtime_exporter.exchange"
"""Where the exchange lies in a WSGI environ or an ASGI scope: for the framework's hooks, and for a second middleware."""

SERVER_ERROR: Final = 500
CLIENT_CLOSED_REQUEST: Final = 499
"""nginx's status for a client that went away before its answer was complete."""

BODILESS: Final = frozenset({204, 304})
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


class Exchange:
    """One request from its arrival until the last byte of its answer was handed over; then `finish()` counts it, once."""

    __slots__ = (
        "_find",
        "_leave",
        "_started",
        "declared_bytes",
        "excepted",
        "exemplar",
        "finished",
        "method",
        "metrics",
        "request_bytes",
        "response_bytes",
        "route",
        "status",
        "where",
    )

    def __init__(self, metrics: HTTPMetrics, method: object, where: dict[str, Any], find: FindRoute) -> None:
        self.metrics = metrics
        self.where = where
        self.route: str | None = None
        self.status: Any = None
        self.exemplar: dict[str, str] | None = None
        self.finished = True  # until it is begun there is nothing to finish
        self.excepted = False
        self.request_bytes = 0
        self.response_bytes = 0
        self.declared_bytes: int | None = None
        self._find = find
        self.method, self._leave = metrics.begin(method)
        self._started = metrics.clock()
        self.finished = False

    def finish(self) -> None:
        """Count the request with what is known of it. Later calls do nothing. Never raises."""
        if self.finished:
            return
        self.finished = True
        try:
            elapsed = self.metrics.clock() - self._started
            self._leave()
            # It refers to us: the cycle would keep both until a garbage collection.
            where, self.where = self.where, {}
            where.pop(KEY, None)
            self._count(elapsed)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("counting a request", error)

    def learn(self, traceparent: str | None) -> None:
        """Find the route and the trace, while the application still knows them. Never raises."""
        if self.finished:
            return
        try:
            self.route = self._find(self.where, self.route)
            if traceparent is not None or trace.SDK in sys.modules:
                self.exemplar = trace.exemplar(traceparent)
        except Exception as error:  # noqa: BLE001 - never into the host
            report("finding a route", error)

    def excepted_by(self, error: BaseException | None) -> None:
        """Count an exception that the application did not handle: the first of a request, with the request's route."""
        if self.excepted:
            return
        self.excepted = True
        try:
            self.metrics.count_exception(self.route or UNMATCHED, error)
        except Exception as fault:  # noqa: BLE001 - never into the host
            report("counting an exception", fault)

    def _count(self, seconds: float) -> None:
        """Count a duration, and what else is measured."""
        metrics, route = self.metrics, self.route or UNMATCHED
        metrics.observe(self.method, route, self.status or SERVER_ERROR, seconds, self.exemplar)
        if metrics.body_sizes:
            metrics.observe_sizes(self.method, route, self.request_bytes, self._sent())

    def _sent(self) -> int:
        """Return the bytes of the response body: those that we saw, else (a file that the server sends) those declared.

        None are sent for HEAD and some statuses, whatever the application hands over (RFC 9110, section 6.4.1).
        """
        status = int(self.status or SERVER_ERROR)
        if self.method == "HEAD" or status < 200 or status in BODILESS:  # noqa: PLR2004 - 1xx: interim responses
            return 0
        return self.response_bytes or self.declared_bytes or 0


def declared_length(headers: Iterable[Any]) -> int | None:
    """Return what the Content-Length among `headers` says (names and values as text or bytes), or None.

    None also where it is malformed: the digits of RFC 9110, section 8.6, and below 10**18, or it counts as absent.
    """
    for name, value in headers:
        if _text(name).lower() == "content-length":
            digits = _text(value).strip(" \t")
            return int(digits) if _LENGTH.fullmatch(digits) else None
    return None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
