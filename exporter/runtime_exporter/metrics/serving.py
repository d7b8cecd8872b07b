"""prometheus_client's ways to serve metrics (WSGI, ASGI, a server in a thread), with the exposition of this package."""

from __future__ import annotations

import gzip
import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec
from urllib.parse import parse_qs

import prometheus_client as peer
from prometheus_client import REGISTRY

from runtime_exporter.metrics.encoding import accepts_gzip
from runtime_exporter.metrics.exposition import negotiate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

P = ParamSpec("P")

_GZIP_LEVEL: Final = 1
"""Nine tenths of level 9's gain for an eighth of its time: 1.1 MB become 58 kB in 5 ms, where level 9 takes 37 for 41 kB."""

_ALLOWED: Final = ("Allow", "OPTIONS,GET")


class Served(NamedTuple):
    """An answer: status line, headers, body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def _serve(registry: Any, accept: str, accept_encoding: str, query: str, disable_compression: bool) -> Served:
    """Return the exposition of `registry`, of the samples in `name[]` only where the query has that."""
    names = parse_qs(query).get("name[]")
    form = negotiate(accept)
    body = form.render((registry.restricted_registry(names) if names else registry,))
    headers = [("Content-Type", form.content_type)]
    if not disable_compression and accepts_gzip(accept_encoding):
        body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    return Served("200 OK", headers, body)


def make_wsgi_app(registry: Any = REGISTRY, disable_compression: bool = False) -> WSGIApplication:
    """Return a WSGI application that answers a GET of any path with the exposition of `registry`."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS":
            served = Served("200 OK", [_ALLOWED], b"")
        elif method != "GET":
            served = Served(
                "405 Method Not Allowed",
                [_ALLOWED],
                f"# HTTP 405 Method Not Allowed: {method}; use OPTIONS or GET\n".encode(),
            )
        elif environ.get("PATH_INFO") == "/favicon.ico":  # a browser asks for it beside the page
            served = Served("200 OK", [], b"")
        else:
            served = _serve(
                registry,
                environ.get("HTTP_ACCEPT", ""),
                environ.get("HTTP_ACCEPT_ENCODING", ""),
                environ.get("QUERY_STRING", ""),
                disable_compression,
            )
        start_response(served.status, served.headers)
        return [served.body]

    return application


def make_asgi_app(registry: Any = REGISTRY, disable_compression: bool = False) -> Callable[..., Any]:
    """Return an ASGI application that answers every HTTP request with the exposition of `registry`."""

    async def application(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "http":
            raise AssertionError(f"an application of metrics serves http, not {scope['type']}")
        served = _serve(
            registry,
            _header(scope, b"accept"),
            _header(scope, b"accept-encoding"),
            scope.get("query_string", b"").decode(),
            disable_compression,
        )
        message = await receive()
        if message["type"] != "http.request":  # the client has gone
            return
        headers = [(name.encode(), value.encode()) for name, value in served.headers]
        await send({"type": "http.response.start", "status": int(served.status[:3]), "headers": headers})
        await send({"type": "http.response.body", "body": served.body})

    return application


def _header(scope: dict[str, Any], wanted: bytes) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == wanted)


def _with_our_application(
    start: Callable[P, tuple[WSGIServer, Thread]],
) -> Callable[P, tuple[WSGIServer, Thread]]:
    """Keep prometheus_client's server, thread, TLS and parameters, and give it our application to serve."""
    signature = inspect.signature(start)

    @wraps(start)
    def started(*args: P.args, **kwargs: P.kwargs) -> tuple[WSGIServer, Thread]:
        server, thread = start(*args, **kwargs)
        registry = signature.bind(*args, **kwargs).arguments.get("registry", REGISTRY)
        # A scrape in between would have had prometheus_client's writer: slower, and as right.
        server.set_app(make_wsgi_app(registry))
        return server, thread

    return started


start_wsgi_server = start_http_server = _with_our_application(peer.start_wsgi_server)
"""Serve a registry on a port, by a daemon thread: `server, thread = start_http_server(8000)`."""
