"""Applications that do as little as an application of their framework can. Each has so many routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


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
