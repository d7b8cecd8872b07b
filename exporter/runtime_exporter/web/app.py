"""The WSGI application of the exporter: finds the page of a path, and writes its reply as HTTP wants it."""

from __future__ import annotations

import gzip
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from runtime_exporter.metrics.encoding import accepts_gzip
from runtime_exporter.web.config_page import config_page
from runtime_exporter.web.health_page import healthy_page, make_health_page, make_ready_page
from runtime_exporter.web.landing import make_landing_page
from runtime_exporter.web.metrics_page import make_metrics_page
from runtime_exporter.web.page import BINARY, Reply, Route, ask_of, text
from runtime_exporter.web.runbooks import runbook_page
from runtime_exporter.web.shared import GZIP_LEVEL
from runtime_exporter.web.speaker import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication

    from runtime_exporter.settings import Settings
    from runtime_exporter.web.health import Health
    from runtime_exporter.web.metrics_page import Expose
    from runtime_exporter.web.shared import SharedExposition

_GZIP_BYTES = 1024  # below, what is saved is less than one packet


def make_app(
    settings: Settings,
    *,
    expose: Expose | SharedExposition,
    health: Health,
    routes: Iterable[Route] = (),
    speaker: Callable[[], str] = str,
) -> WSGIApplication:
    """Return the application: the standard pages and `routes`, which stand before them and are about this process.

    `expose` writes what /metrics serves; it is shared among those who ask at once in any case. `speaker` returns who
    answers, where several processes do at one address.
    """
    pages = [
        Route(settings.metrics_path, make_metrics_page(expose), title="Metrics, as Prometheus scrapes them"),
        Route("/health", make_health_page(health), title="Health: the named checks of this service"),
        Route("/-/healthy", healthy_page, title="Liveness: 200 while the process answers"),
        Route("/-/ready", make_ready_page(health), title="Readiness: 200 once started and no critical check fails"),
        Route("/runbooks", runbook_page, subtree=True, title="Runbooks: what to do about an alert"),
    ]
    if settings.debug_endpoints:
        pages.append(
            Route("/debug/config", config_page(settings), title="Settings in effect, and where they come from")
        )
    pages = [*spoken(routes, speaker), *spoken(pages, speaker, told=False)]
    pages.append(Route("/", make_landing_page(tuple(pages))))
    return application_of(pages)


def application_of(routes: Sequence[Route]) -> WSGIApplication:
    """Return the WSGI application of some routes; the first that fits a path answers."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        reply = _reply(routes, environ)
        zipped = (
            len(reply.body) >= _GZIP_BYTES
            and reply.content_type != BINARY  # a profile, which is gzipped in itself
            and accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
        )
        body = _compressed(reply) if zipped else reply.body
        headers = [
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(body))),
            ("Vary", "Accept, Accept-Encoding"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *reply.headers,
        ]
        if zipped:
            headers.append(("Content-Encoding", "gzip"))
        start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


def _compressed(reply: Reply) -> bytes:
    return reply.zipped() if reply.zipped is not None else gzip.compress(reply.body, GZIP_LEVEL, mtime=0)


def _reply(routes: Sequence[Route], environ: dict[str, Any]) -> Reply:
    path = "/" + environ.get("PATH_INFO", "").strip("/")
    found = next(((route, rest) for route in routes if (rest := _rest(route, path)) is not None), None)
    if found is None:
        return text("404 Not Found: / lists what there is\n", 404)
    route, rest = found
    if environ["REQUEST_METHOD"] not in route.methods:
        allowed = ", ".join(route.methods)
        body = f"405 Method Not Allowed: use {allowed}\n".encode()
        return Reply(body, status=405, headers=(("Allow", allowed),))
    try:
        ask = ask_of(environ, rest)
    except ValueError:
        return text("400 Bad Request: the query has too many fields\n", 400)
    return route.page(ask)


def _rest(route: Route, path: str) -> str | None:
    """Return what of `path` follows the route's, or None where it is another's."""
    if path == route.path:
        return ""
    return path[len(route.path) + 1 :] if route.subtree and path.startswith(route.path + "/") else None
