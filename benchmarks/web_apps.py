"""Applications that do as little as an application of their framework can, and what sends requests through them.

Each has so many routes, of which the last is asked for: "/items99/{id}" of 100. Requests have the headers of a browser.
"""

from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Drive = Callable[[Any, int, int], None]
    """Sends so many requests through an application that has so many routes."""

HEADERS = (
    ("host", "shop.example"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("connection", "keep-alive"),
    ("cookie", "session=0123456789abcdef0123456789abcdef"),
    ("x-request-id", "7f3b0a2c-9a60-4a0e-8d0f-0d8c6b7f1a11"),
)


def wsgi(routes: int) -> Any:
    """Return a WSGI application without a framework."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    return app


def asgi(routes: int) -> Any:
    """Return an ASGI application without a framework."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


def starlette(routes: int) -> Any:
    """Return a Starlette application."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def item(request: Any) -> Any:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route(f"/items{number}/{{item}}", item) for number in range(routes)])


def fastapi(routes: int) -> Any:
    """Return a FastAPI application."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI()

    async def item(item: str) -> Any:
        return PlainTextResponse("ok")

    for number in range(routes):
        app.add_api_route(f"/items{number}/{{item}}", item, response_class=PlainTextResponse)
    return app


def flask(routes: int) -> Any:
    """Return a Flask application."""
    from flask import Flask

    app = Flask("shop")
    for number in range(routes):
        app.add_url_rule(f"/items{number}/<item>", f"item{number}", lambda item: "ok")  # noqa: ARG005
    return app


def django(routes: int, *, middleware: Iterable[str] = (), asynchronous: bool = False) -> Any:
    """Return a new handler of Django's. Its settings are those of the process, but each handler keeps its own middleware."""
    import sys
    import types

    import django as framework
    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import path

    def item(request: Any, item: str) -> Any:
        return HttpResponse("ok")

    async def later(request: Any, item: str) -> Any:
        return HttpResponse("ok")

    if not settings.configured:
        urls: Any = types.ModuleType("benchmark_urls")
        view = later if asynchronous else item
        urls.urlpatterns = [path(f"items{number}/<item>", view) for number in range(routes)]
        sys.modules["benchmark_urls"] = urls
        settings.configure(ROOT_URLCONF="benchmark_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x", USE_TZ=True)
        framework.setup()
    settings.MIDDLEWARE = [*middleware]
    if asynchronous:
        from django.core.handlers.asgi import ASGIHandler

        return ASGIHandler()
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def drive_wsgi(app: Any, requests: int, routes: int) -> None:
    """Send requests through a WSGI application, as a server would."""

    def start(*_: Any) -> Callable[[bytes], object]:
        return lambda _: None

    path = f"/items{routes - 1}/1"
    named = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in HEADERS}
    for _ in range(requests):
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **named,
        }
        body = app(environ, start)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()


def drive_asgi(app: Any, requests: int, routes: int) -> None:
    """Send requests through an ASGI application, one after the other in a loop of their own."""
    path = f"/items{routes - 1}/1"
    headers = [(name.encode(), value.encode()) for name, value in HEADERS]

    async def run() -> None:
        messages: list[Any] = []
        loop = asyncio.get_running_loop()

        async def receive() -> Any:
            # After its request a client says nothing: it stays as long as it takes.
            return messages.pop() if messages else await loop.create_future()

        async def send(_: Any) -> None:
            pass

        for _ in range(requests):
            messages[:] = [{"type": "http.request", "body": b"", "more_body": False}]
            scope = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "server": ("127.0.0.1", 80),
                "client": ("127.0.0.1", 50000),
                "scheme": "http",
                "method": "GET",
                "root_path": "",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "headers": [*headers],
                "state": {},
            }
            await app(scope, receive, send)

    asyncio.run(run())


def in_threads(drive: Drive, threads: int) -> Drive:
    """Return `drive` with its requests spread over so many threads."""
    if threads == 1:
        return drive

    def together(app: Any, requests: int, routes: int) -> None:
        workers = [threading.Thread(target=drive, args=(app, requests // threads, routes)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return together
