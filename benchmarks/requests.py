"""What a request pays: our middleware beside the bare application and beside prometheus_client by hand."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import prometheus_client as peer

from benchmarks.figures import Goal
from benchmarks.harness import figure, rounds
from runtime_exporter.http import ASGIMiddleware, HTTPMetrics, WSGIMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.figures import Item

BY_HAND = "prometheus_client by hand"
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


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what WSGI and ASGI requests pay over the bare application, beside prometheus_client by hand."""
    requests, count = (2_000, 9) if quick else (10_000, 21)
    kinds: tuple[tuple[str, Any, Any, Any, Any, int], ...] = (
        ("WSGI", drive_wsgi, wsgi_app, WSGIMiddleware, wsgi_by_hand, 3),
        ("ASGI", drive_asgi, asgi_app, ASGIMiddleware, asgi_by_hand, 4),
    )
    for kind, drive, app, middleware, by_hand, least in kinds:
        timings = rounds(
            {
                "bare": partial(drive, app, requests),
                "ours": partial(drive, middleware(app, metrics=HTTPMetrics()), requests),
                "A/A": partial(drive, middleware(app, metrics=HTTPMetrics()), requests),
                BY_HAND: partial(drive, by_hand(app), requests),
            },
            count=count,
        )
        name = f"{kind}, over the bare application"
        yield figure(name, timings, peer=BY_HAND, over="bare", unit="µs", per=requests)
        yield Goal(
            f"{kind}: at most 1/{least} of what prometheus_client by hand costs", name, BY_HAND, at_most=1 / least
        )
