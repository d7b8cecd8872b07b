"""A plain WSGI application: no framework tells the route, so a function of two lines names it."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import make_server

import runtime_exporter


def route(environ: dict[str, Any]) -> str | None:
    """Name the route: the path with its numbers taken out; None for what is not ours."""
    path = environ["PATH_INFO"]
    return re.sub(r"/\d+", "/<id>", path) if path.startswith("/orders") else None


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer every order, and nothing else."""
    found = environ["PATH_INFO"].startswith("/orders")
    start_response("200 OK" if found else "404 Not Found", [("Content-Type", "text/plain")])
    return [b"an order\n" if found else b"not here\n"]


application = runtime_exporter.WSGIMiddleware(hello, route=route)

if __name__ == "__main__":
    print("metrics:", runtime_exporter.start().url)
    make_server("127.0.0.1", 8000, application).serve_forever()
