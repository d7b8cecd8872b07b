"""What the two middlewares have in common: where they count, and what they have prepared for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.http import django
from runtime_exporter.http.metrics import default_metrics
from runtime_exporter.http.series import Method

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime_exporter.http.metrics import HTTPMetrics
    from runtime_exporter.http.series import Key, Where

    RouteFunction = Callable[[Where], str | None]


class Middleware:
    """An application that calls `app`, reports to `metrics` and asks `route` for the routes of its requests."""

    _method: type[Method] = Method

    def __init__(self, app: Any, metrics: HTTPMetrics | None, route: RouteFunction | None) -> None:
        self.app = app
        self.route = route
        self.prefixes: Sequence[str] = ()
        self.serving: Callable[[], object] | None = None
        """Called at the first request, before anything else: it may make the metrics of this process."""
        self._metrics = metrics
        self._methods: dict[str, Method] = {}
        self._sized = False
        self._ready = False

    @property
    def metrics(self) -> HTTPMetrics | None:
        """Where the requests are counted; None until the first one where none was given."""
        return self._metrics

    @metrics.setter
    def metrics(self, metrics: HTTPMetrics | None) -> None:
        self._metrics = metrics
        self._ready = False
        self._methods = {}

    def _prepared(self, method: object) -> Method:
        """Return what is prepared for a method. The slow way: made-up methods, as many as a client likes, go it each time."""
        if not self._ready:
            self._prepare()
        assert self._metrics is not None  # noqa: S101 - _prepare() chose it
        made = self._method(self, self._metrics, method)
        return self._methods.setdefault(made.label, made)

    def _prepare(self) -> None:
        """Do at the first request what a constructor must not: choose the metrics, hook the frameworks that are loaded."""
        if self.serving is not None:
            self.serving()
        if self._metrics is None:
            self._metrics = default_metrics()
        self._sized = self._metrics.body_sizes
        self._attach()
        self._ready = True

    def _attach(self) -> None:
        """Hook the frameworks that both interfaces have."""
        django.attach()

    def name(self, where: Where, key: Key) -> tuple[str, object]:
        """Return the name of the route with this key, and what has to be kept so that the key stays its own.

        None where that does not help: another request with this key may have another name.
        """
        raise NotImplementedError
