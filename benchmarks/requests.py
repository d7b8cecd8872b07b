"""What a request pays: our middleware beside the bare application and beside prometheus_client by hand."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import prometheus_client as peer

from benchmarks.harness import ratio, rounds
from runtime_exporter.http import ASGIMiddleware, HTTPMetrics, WSGIMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LABELS = ["method", "route", "status"]


def wsgi_app(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answer 200, as little as an application can do."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def wsgi_by_hand(app: Any) -> Any:
    """Instrument a WSGI application with prometheus_client as its documentation would: histogram, counter, gauge."""
    registry = peer.CollectorRegistry()
    duration = peer.Histogram("duration_seconds", "D", LABELS, registry=registry)
    requests = peer.Counter("requests_total", "R", LABELS, registry=registry)
    active = peer.Gauge("active", "A", ["method"], registry=registry)

    def instrumented(environ: Any, start_response: Any) -> Any:
        status = []

        def start(line: str, headers: Any, *rest: Any) -> Any:
            status.append(line[:3])
            return start_response(line, headers, *rest)

        method = environ["REQUEST_METHOD"]
        gauge = active.labels(method)
        gauge.inc()
        begin = time.perf_counter()
        try:
            return app(environ, start)
        finally:
            labels = (method, "/items/{id}", status[0] if status else "500")
            duration.labels(*labels).observe(time.perf_counter() - begin)
            requests.labels(*labels).inc()
            gauge.dec()

    return instrumented


def drive_wsgi(app: Any, requests: int) -> None:
    """Send `requests` requests through a WSGI application."""

    def start(*_: Any) -> Callable[[bytes], object]:
        return lambda _: None

    for _ in range(requests):
        body = app({"REQUEST_METHOD": "GET", "PATH_INFO": "/items/1", "SCRIPT_NAME": ""}, start)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer 200, as little as an application can do."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def asgi_by_hand(app: Any) -> Any:
    """Instrument an ASGI application with prometheus_client by hand."""
    registry = peer.CollectorRegistry()
    duration = peer.Histogram("duration_seconds", "D", LABELS, registry=registry)
    requests = peer.Counter("requests_total", "R", LABELS, registry=registry)
    active = peer.Gauge("active", "A", ["method"], registry=registry)

    async def instrumented(scope: Any, receive: Any, send: Any) -> None:
        status = ["500"]

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                status[0] = str(message["status"])
            await send(message)

        gauge = active.labels(scope["method"])
        gauge.inc()
        begin = time.perf_counter()
        try:
            await app(scope, receive, sending)
        finally:
            labels = (scope["method"], "/items/{id}", status[0])
            duration.labels(*labels).observe(time.perf_counter() - begin)
            requests.labels(*labels).inc()
            gauge.dec()

    return instrumented


def drive_asgi(app: Any, requests: int) -> None:
    """Send `requests` requests through an ASGI application."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        pass

    async def run() -> None:
        for _ in range(requests):
            await app({"type": "http", "method": "GET", "path": "/items/1", "headers": []}, receive, send)

    asyncio.run(run())


def report(*, quick: bool) -> Iterator[str]:
    """Yield a line each for WSGI and ASGI: microseconds a request over the bare application."""
    requests, count = (2_000, 9) if quick else (10_000, 21)
    kinds: tuple[tuple[str, Any, Any, Any, Any], ...] = (
        ("WSGI", drive_wsgi, wsgi_app, WSGIMiddleware, wsgi_by_hand),
        ("ASGI", drive_asgi, asgi_app, ASGIMiddleware, asgi_by_hand),
    )
    for kind, drive, app, middleware, by_hand in kinds:
        timings = rounds(
            {
                "bare": partial(drive, app, requests),
                "A/A": partial(drive, app, requests),
                "runtime_exporter": partial(drive, middleware(app, metrics=HTTPMetrics()), requests),
                "by hand": partial(drive, by_hand(app), requests),
            },
            count=count,
        )
        bare = timings["bare"].median
        added = {name: (timing.median - bare) / requests * 1e6 for name, timing in timings.items()}
        yield (
            f"{kind}: bare {bare / requests * 1e6:.2f} us a request; runtime_exporter adds {added['runtime_exporter']:.2f} us"
            f" (x{ratio(timings, 'runtime_exporter', 'bare')}), prometheus_client by hand {added['by hand']:.2f} us"
            f" (x{ratio(timings, 'by hand', 'bare')}); A/A {added['A/A']:+.2f} us (x{ratio(timings, 'A/A', 'bare')})"
        )
