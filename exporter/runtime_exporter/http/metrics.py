"""The HTTP families: OpenTelemetry's names in Prometheus' spelling, and the short way from a finished request to its series."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter import forks
from runtime_exporter.http.guard import report
from runtime_exporter.http.routes import UNMATCHED
from runtime_exporter.http.series import OTHER, Series
from runtime_exporter.metrics import Counter, Gauge, Histogram
from runtime_exporter.metrics.bounded import BoundedLabel
from runtime_exporter.settings import OTEL_BUCKETS_SECONDS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.metrics import Metric

    Observer = Callable[..., None]

# The conventions advise no bounds for sizes: powers of four from 64 bytes to 64 MiB.
SIZE_BUCKETS: Final = tuple(float(4**power) for power in range(3, 14))
# RFC 9110 and RFC 5789; anything else a client makes up is "_OTHER" in the conventions. Methods are case-sensitive.
METHODS: Final = {
    method: method for method in ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
}
OTHER_METHOD: Final = "_OTHER"
# An application may answer with any three digits, but a series for each of them is not what a label is for.
STATUS_LIMIT: Final = 60


class HTTPMetrics:
    """The HTTP families of one process; what a middleware reports to. Thread-safe.

    `route_limit` and `error_limit` are hard caps on the values of http_route and error_type; `buckets` are upper bounds in
    seconds; `body_sizes` adds the two histograms of body sizes; `clock` returns seconds and never goes back.
    """

    def __init__(
        self,
        *,
        route_limit: int = 200,
        error_limit: int = 100,
        buckets: Sequence[float] = OTEL_BUCKETS_SECONDS,
        body_sizes: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.clock = clock
        self.body_sizes = body_sizes
        self._routes = BoundedLabel(route_limit)
        self._statuses = BoundedLabel(STATUS_LIMIT)
        self._errors = BoundedLabel(error_limit)
        self._duration, self._active, self._exceptions = _families(buckets)
        self._request_size, self._response_size = _size_families()
        self._series: dict[tuple[str, str, str], Series] = {}
        self._sizes: dict[tuple[str, str], tuple[Observer, Observer]] = {}
        self._loop_callbacks: list[Callable[[asyncio.AbstractEventLoop], None]] = []
        self._loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._lock = threading.Lock()

    def after_fork_in_child(self) -> None:
        """Make a new lock: another thread may have held the old one when this process was forked."""
        self._lock = threading.Lock()

    @property
    def families(self) -> Sequence[Metric]:
        """The metrics to expose; those of body sizes only where they are measured."""
        families: tuple[Metric, ...] = (self._duration, self._active, self._exceptions)
        return (*families, self._request_size, self._response_size) if self.body_sizes else families

    def folded(self) -> Mapping[str, int]:
        """Return how many look-ups of a label value were folded into "other", by the family that has the label."""
        return {
            "http_server_request_duration_seconds": self._routes.folded + self._statuses.folded,
            "http_server_exceptions_total": self._errors.folded,
        }

    # What a middleware asks once for each method, and once for each series, as long as it has room to remember them.

    def active(self, method: object) -> tuple[str, Gauge]:
        """Return the label of a method, and the gauge of its active requests."""
        label = METHODS.get(method, OTHER_METHOD)  # type: ignore[call-overload]
        return label, self._active.labels(label)

    def series(self, method: str, route: str, status: object) -> Series:
        """Return the series of requests with this method's label; `status` is a number, or text that begins with one."""
        labels = (method, self._route(route), self._statuses.fold(status_label(status)))
        series = self._series.get(labels)
        return series or self._series.setdefault(labels, Series(self._duration, labels))

    # What happens less often than a request, or is asked for.

    def observe(self, method: str, route: str, status: object, seconds: float) -> None:
        """Count a finished request, as a middleware does by its series."""
        self.series(method, route, status).tally(seconds)

    def observe_sizes(self, method: str, route: str, request_bytes: int, response_bytes: int) -> None:
        """Count the sizes of both bodies of a finished request, in bytes."""
        request, response = self._sizes.get((method, route)) or self._size_observers(method, route)
        request(request_bytes)
        response(response_bytes)

    def count_exception(self, route: str, error: BaseException | None) -> None:
        """Count an exception that the application let escape; None is one that it did not tell us."""
        kind = "unknown" if error is None else type(error).__qualname__
        self._exceptions.labels(self._route(route), self._errors.fold(kind)).inc()

    # Event loops.

    def on_loop(self, callback: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        """Call `callback` once for each running event loop that serves requests, those already seen included.

        For a loop that was seen before, the call happens here and in this thread; for a new one in the loop's own thread.
        """
        with self._lock:
            self._loop_callbacks.append(callback)
            seen = [*self._loops]
        for loop in seen:
            callback(loop)

    def off_loop(self, callback: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        """Call `callback`, as it was given to `on_loop`, no more."""
        with self._lock:
            self._loop_callbacks = [kept for kept in self._loop_callbacks if kept != callback]

    def see_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Announce `loop`, which is running, unless it was announced before."""
        with self._lock:
            if loop in self._loops:
                return
            self._loops.add(loop)
            callbacks = [*self._loop_callbacks]
        for callback in callbacks:
            _announce(loop, callback)

    # The slow way, taken once for each series.

    def _route(self, route: str) -> str:
        """Return the label of a route; "unmatched" takes no place among the routes."""
        return route if route == UNMATCHED else self._routes.fold(route)

    def _size_observers(self, method: str, route: str) -> tuple[Observer, Observer]:
        label = self._route(route)
        observers = (
            self._request_size.labels(method, label).observe,
            self._response_size.labels(method, label).observe,
        )
        if label == route:
            self._sizes[method, route] = observers
        return observers


def _families(buckets: Sequence[float]) -> tuple[Histogram, Gauge, Counter]:
    return (
        Histogram(
            "http_server_request_duration_seconds",
            "Duration of HTTP server requests, until the last byte of the response body was handed over.",
            ("http_request_method", "http_route", "http_response_status_code"),
            registry=None,
            buckets=tuple(buckets),
        ),
        Gauge(
            "http_server_active_requests",
            "HTTP requests, and WebSocket connections, that are being served now.",
            ("http_request_method",),
            registry=None,
            multiprocess_mode="livesum",
        ),
        Counter(
            "http_server_exceptions_total",
            "Exceptions that the application did not handle while it served a request.",
            ("http_route", "error_type"),
            registry=None,
        ),
    )


def _size_families() -> tuple[Histogram, Histogram]:
    labels = ("http_request_method", "http_route")
    return (
        Histogram(
            "http_server_request_body_size_bytes",
            "Bytes of the request body that the application read.",
            labels,
            registry=None,
            buckets=SIZE_BUCKETS,
        ),
        Histogram(
            "http_server_response_body_size_bytes",
            "Bytes of the response body that the application handed over, before transfer coding.",
            labels,
            registry=None,
            buckets=SIZE_BUCKETS,
        ),
    )


def _announce(loop: asyncio.AbstractEventLoop, callback: Callable[[asyncio.AbstractEventLoop], None]) -> None:
    try:
        callback(loop)
    except Exception as error:  # noqa: BLE001 - never into the host
        report("announcing an event loop", error)


def status_label(status: object) -> str:
    """Return the label of a status: three digits, or "other" for what no HTTP status is. Of text the first three count."""
    try:
        code = int(status[:3] if isinstance(status, (str, bytes)) else status)  # type: ignore[call-overload]
    except (OverflowError, TypeError, ValueError):
        return OTHER
    return str(code) if 100 <= code <= 599 else OTHER  # noqa: PLR2004 - RFC 9110, section 15


class _Default:
    """The process-wide HTTPMetrics that a middleware without one of its own reports to; made when first asked for."""

    lock = threading.Lock()
    metrics: HTTPMetrics | None = None

    @classmethod
    def after_fork_in_child(cls) -> None:
        cls.lock = threading.Lock()
        if cls.metrics is not None:
            cls.metrics.after_fork_in_child()


forks.after_in_child(_Default.after_fork_in_child)


def default_metrics(**options: Any) -> HTTPMetrics:
    """Return the HTTPMetrics of this process, made with `options` (those of HTTPMetrics) by the first call.

    The exporter calls it with the settings when it starts; a middleware calls it at its first request. Whoever comes first
    decides, since limits and buckets of a family cannot change later.
    """
    with _Default.lock:
        if _Default.metrics is None:
            _Default.metrics = HTTPMetrics(**options)
        return _Default.metrics
