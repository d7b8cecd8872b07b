"""The same applications with instrumentation: ours, prometheus_client by hand, and the packages that people take instead.

Each function returns (bare, instrumented, drive) for so many routes: two applications of one process, so that what differs between
processes is no difference between the two. All measure durations by route, but for what is said of each.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks import floors, web_apps
from benchmarks.drives import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.drives import Drive

    Pair = tuple[Any, Any, Drive]

MAKERS: dict[str, Callable[[int], Any]] = {
    "wsgi": web_apps.wsgi,
    "asgi": web_apps.asgi,
    "starlette": web_apps.starlette,
    "fastapi": web_apps.fastapi,
    "flask": web_apps.flask,
    "django": web_apps.django,
    "django-asgi": lambda routes: web_apps.django(routes, asynchronous=True),
}
DRIVES: dict[str, Drive] = {"wsgi": drive_wsgi, "flask": drive_wsgi, "django": drive_wsgi}
LABELS = ["method", "route", "status"]


def pair(app: str, candidate: str, routes: int) -> Pair:
    """Return an application, bare and instrumented by a candidate, and what sends requests through either. Raises ImportError."""
    make, drive = MAKERS[app], DRIVES.get(app, drive_asgi)
    instrumented = CANDIDATES[candidate](app, make, routes)
    drive(instrumented, 1, routes)  # by then it has put into the framework's classes what it does
    return _bare(app, make(routes)), instrumented, drive


def _bare(app: str, made: Any) -> Any:
    """Return an application without what ours has put into the framework's classes: nothing where it is asked directly by WSGI."""
    original = getattr(type(made).resolve_request, "__wrapped__", None) if app.startswith("django") else None
    if original is not None:
        made.resolve_request = original.__get__(made)
    return made


def nothing(app: str, make: Any, routes: int) -> Any:
    """Return the same again: what is measured of it is the noise."""
    return _bare(app, make(routes))


def ours(app: str, make: Any, routes: int) -> Any:
    """Return an application with our middleware."""
    from runtime_exporter.http import ASGIMiddleware, HTTPMetrics, WSGIMiddleware

    made = make(routes)
    metrics = HTTPMetrics()
    if app == "flask":
        made.wsgi_app = WSGIMiddleware(made.wsgi_app, metrics)
        return made
    if app in ("starlette", "fastapi"):
        made.add_middleware(ASGIMiddleware, metrics=metrics)
        return made
    return WSGIMiddleware(made, metrics) if app in DRIVES else ASGIMiddleware(made, metrics)


def by_hand(app: str, make: Any, routes: int) -> Any:
    """Return an application with a histogram, a counter and a gauge of prometheus_client, as its users write it."""
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    registry = CollectorRegistry()
    families = (
        Histogram("duration_seconds", "D", LABELS, registry=registry),
        Counter("requests_total", "R", LABELS, registry=registry),
        Gauge("active", "A", ["method"], registry=registry),
    )
    if app.startswith("django"):
        DjangoByHand.families = families
        return web_apps.django(
            routes, middleware=["benchmarks.instrumented.DjangoByHand"], asynchronous=app == "django-asgi"
        )
    made = make(routes)
    if app == "flask":
        _flask_by_hand(made, families)
        return made
    if app in ("starlette", "fastapi"):
        made.add_middleware(ASGIByHand, families=families)
        return made
    return WSGIByHand(made, families) if app == "wsgi" else ASGIByHand(made, families)


class WSGIByHand:
    """A WSGI middleware of prometheus_client's metrics."""

    def __init__(self, app: Any, families: Any) -> None:
        self.app = app
        self.duration, self.requests, self.active = families

    def __call__(self, environ: Any, start_response: Any) -> Any:
        status = "500"

        def start(line: str, headers: Any, *rest: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, headers, *rest)

        method = environ["REQUEST_METHOD"]
        gauge = self.active.labels(method)
        gauge.inc()
        begin = time.perf_counter()
        try:
            return self.app(environ, start)
        finally:
            labels = (method, "/items/{id}", status)
            self.duration.labels(*labels).observe(time.perf_counter() - begin)
            self.requests.labels(*labels).inc()
            gauge.dec()


class ASGIByHand:
    """An ASGI middleware of prometheus_client's metrics, with the path of the route that Starlette tells."""

    def __init__(self, app: Any, families: Any) -> None:
        self.app = app
        self.duration, self.requests, self.active = families

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = "500"

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        gauge = self.active.labels(scope["method"])
        gauge.inc()
        begin = time.perf_counter()
        try:
            await self.app(scope, receive, sending)
        finally:
            route = scope.get("route")
            labels = (scope["method"], getattr(route, "path", "/items/{id}"), status)
            self.duration.labels(*labels).observe(time.perf_counter() - begin)
            self.requests.labels(*labels).inc()
            gauge.dec()


def floor(name: str, app: str, make: Any, routes: int) -> Any:
    """Return an application with a middleware that counts nothing."""
    return floors.around(name, app, make(routes))


def _flask_by_hand(app: Any, families: Any) -> None:
    from flask import g, request

    duration, requests, active = families

    def begin() -> None:
        active.labels(request.method).inc()
        g.begin = time.perf_counter()

    def end(response: Any) -> Any:
        labels = (request.method, str(request.url_rule), str(response.status_code))
        duration.labels(*labels).observe(time.perf_counter() - g.begin)
        requests.labels(*labels).inc()
        active.labels(request.method).dec()
        return response

    app.before_request(begin)
    app.after_request(end)


class DjangoByHand:
    """A Django middleware of prometheus_client's metrics, for both kinds of handlers."""

    sync_capable = async_capable = True
    families: Any = None

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        self.duration, self.requests, self.active = self.families
        self.asynchronous = asyncio.iscoroutinefunction(get_response)
        if self.asynchronous:
            from asgiref.sync import markcoroutinefunction

            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if self.asynchronous:
            return self.later(request)
        begin = self.begin(request)
        return self.end(request, self.get_response(request), begin)

    async def later(self, request: Any) -> Any:
        begin = self.begin(request)
        return self.end(request, await self.get_response(request), begin)

    def begin(self, request: Any) -> float:
        self.active.labels(request.method).inc()
        return time.perf_counter()

    def end(self, request: Any, response: Any, begin: float) -> Any:
        labels = (request.method, request.resolver_match.route, str(response.status_code))
        self.duration.labels(*labels).observe(time.perf_counter() - begin)
        self.requests.labels(*labels).inc()
        self.active.labels(request.method).dec()
        return response


def pfi(app: str, make: Any, routes: int) -> Any:
    """Return an application with prometheus-fastapi-instrumentator as its README has it."""
    from prometheus_client import CollectorRegistry

    made = make(routes)
    import_module("prometheus_fastapi_instrumentator").Instrumentator(registry=CollectorRegistry()).instrument(made)
    return made


def starlette_exporter(app: str, make: Any, routes: int) -> Any:
    """Return an application with starlette_exporter, with templates in the place of paths."""
    made = make(routes)
    made.add_middleware(import_module("starlette_exporter").PrometheusMiddleware, group_paths=True)
    return made


def aioprometheus(app: str, make: Any, routes: int) -> Any:
    """Return an application with aioprometheus: it counts requests, and measures no durations."""
    package = import_module("aioprometheus")
    made = make(routes)
    if app == "asgi":
        return package.MetricsMiddleware(made, registry=package.Registry(), use_template_urls=False)
    made.add_middleware(package.MetricsMiddleware, registry=package.Registry())
    return made


def flask_exporter(app: str, make: Any, routes: int) -> Any:
    """Return an application with prometheus_flask_exporter, by rule instead of by path, so that its series are bounded."""
    from prometheus_client import CollectorRegistry

    made = make(routes)
    package = import_module("prometheus_flask_exporter")
    package.PrometheusMetrics(made, path=None, group_by="url_rule", registry=CollectorRegistry())
    return made


def django_prometheus(app: str, make: Any, routes: int) -> Any:
    """Return an application with the two middlewares of django-prometheus."""
    import_module("django_prometheus")  # says that it is not there
    middleware = [f"django_prometheus.middleware.Prometheus{which}Middleware" for which in ("Before", "After")]
    return web_apps.django(routes, middleware=middleware, asynchronous=app == "django-asgi")


def opentelemetry(app: str, make: Any, routes: int) -> Any:
    """Return an application with OpenTelemetry's instrumentation, metrics only, read by its exporter for Prometheus."""
    reader = import_module("opentelemetry.exporter.prometheus").PrometheusMetricReader()
    provider = import_module("opentelemetry.sdk.metrics").MeterProvider([reader])
    made = make(routes)
    package = import_module(f"opentelemetry.instrumentation.{'asgi' if app == 'starlette' else app}")
    if app == "flask":
        package.FlaskInstrumentor().instrument_app(made, meter_provider=provider)
        return made
    if app == "fastapi":
        package.FastAPIInstrumentor.instrument_app(made, meter_provider=provider)
        return made
    return package.OpenTelemetryMiddleware(made, meter_provider=provider)


OURS, AGAIN, BY_HAND = "runtime_exporter", "runtime_exporter again", "prometheus_client by hand"
INTERPRETED = "runtime_exporter, not compiled"
PFI, STARLETTE_EXPORTER, AIOPROMETHEUS = "prometheus-fastapi-instrumentator", "starlette_exporter", "aioprometheus"
FLASK_EXPORTER, DJANGO_PROMETHEUS, OPENTELEMETRY = "prometheus_flask_exporter", "django-prometheus", "OpenTelemetry"
CANDIDATES: dict[str, Callable[[str, Any, int], Any]] = {
    "bare": nothing,
    OURS: ours,
    AGAIN: ours,
    INTERPRETED: ours,
    BY_HAND: by_hand,
    PFI: pfi,
    STARLETTE_EXPORTER: starlette_exporter,
    AIOPROMETHEUS: aioprometheus,
    FLASK_EXPORTER: flask_exporter,
    DJANGO_PROMETHEUS: django_prometheus,
    OPENTELEMETRY: opentelemetry,
    **{name: partial(floor, name) for name in (*floors.FLOORS, *floors.WSGI_FLOORS)},
}
