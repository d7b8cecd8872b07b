"""What is prepared once for a method, a route and a status, so that a request has little left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.http.metrics import HTTPMetrics
    from runtime_exporter.http.middleware import Middleware
    from runtime_exporter.metrics import Histogram

    Key = str | int | None
    """What tells a route from all others of an application: its name, or the identity of what the framework calls a route."""
    Where = dict[str, Any]
    """A WSGI environ or an ASGI scope."""

OTHER: Final = "other"

EXEMPLAR_SECONDS: Final = 1.0
"""How long an exemplar stays before another takes its place. No scrape comes so often that it would miss one."""

LOOK_SECONDS: Final = 0.01
"""How long a bucket whose request had no trace asks none, at first. Who traces one request in a hundred gets exemplars."""

LOOK_LONGEST_SECONDS: Final = 0.3
"""And at most. Whoever asks finds out whether there are spans by now, and a new event loop, too."""

_PATIENCE: Final = 100
"""What asks has waited so many times as long for the last trace as it waits for the next request. A request that is asked costs
twice what others do, so a service that traces nothing pays for ever fewer."""

_KEYS_LIMIT: Final = 2_000
_STATUSES_LIMIT: Final = 64
_OWNER: Final = object()


class Series:
    """One series of the durations: there from its first request on, not from when a response with its status starts.

    `tally(seconds)` counts a request and returns its bucket. `due` is the time, by the clock of the metrics, from when a
    bucket wants an exemplar. `histogram`, where the first request was, is what `tally` writes to, and `quiet` the time until
    which its first bucket, that of nearly all requests, wants none.
    """

    __slots__ = ("_durations", "_labels", "_traced", "due", "histogram", "quiet", "route", "status", "tally")

    histogram: Histogram

    def __init__(self, durations: Histogram, labels: tuple[str, str, str]) -> None:
        self._durations = durations
        self._labels = labels
        _, self.route, self.status = labels
        self.tally: Callable[[float], int] = self._first
        self.quiet = float("-inf")
        self.due = [self.quiet] * len(durations.le)
        self._traced = float("inf")

    def _first(self, seconds: float) -> int:
        self.histogram = self._durations.labels(*self._labels)
        self.tally = self.histogram.tally
        return self.tally(seconds)

    def exemplify(self, bucket: int, seconds: float, labels: dict[str, str] | None, now: float) -> None:
        """Keep the trace of a request that was counted in `bucket` just now, if it has one, and say when to ask again."""
        # When there was a trace, or nobody had looked for one yet.
        self._traced = now if labels else min(self._traced, now)
        waited = (now - self._traced) / _PATIENCE
        self.due[bucket] = now + (EXEMPLAR_SECONDS if labels else min(max(waited, LOOK_SECONDS), LOOK_LONGEST_SECONDS))
        self.quiet = self.due[0]
        if labels:
            self._durations.labels(*self._labels).exemplify(bucket, seconds, labels)


class Method:
    """What one middleware has prepared for the requests of one method.

    `floats[at]` is the gauge of active requests. `known` leads from the key of a route and a status as the application says
    it (200, "200 OK") to a series, for as many as there is room for, and only where the labels are the route's own: what is
    folded into "other" is folded, and counted as folded, anew each time. `traced`: there are spans of OpenTelemetry.
    """

    __slots__ = ("at", "clock", "floats", "gauge", "known", "label", "metrics", "middleware", "route", "traced")

    def __init__(self, middleware: Middleware, metrics: HTTPMetrics, method: object) -> None:
        self.middleware = middleware
        self.metrics = metrics
        self.label, self.gauge = metrics.active(method)
        self.floats: Any  # a memoryview of floats, which typeshed does not know
        self.floats, self.at = self.gauge.cell
        self.clock = metrics.clock
        self.route = middleware.route
        self.traced = False
        self.known: dict[Key, dict[object, Any]] = {}

    def learn(self, where: Where, key: Key, status: object) -> Series:
        """Return the series that is not in `known`, and put it there if it may be."""
        name, owner = self.middleware.name(where, key)
        series = self.metrics.series(self.label, name, status)
        if owner is not None and series.route == name and series.status != OTHER:
            self._remember(key, owner, status, series)
        return series

    def _remember(self, key: Key, owner: object, status: object, series: Series) -> None:
        if len(self.known) >= _KEYS_LIMIT:  # an application that makes routes as it runs
            self.known.clear()
        # The owner is kept beside them, so that its identity stays its own.
        statuses = self.known.setdefault(key, {_OWNER: owner})
        if len(statuses) < _STATUSES_LIMIT:
            statuses[status] = series
