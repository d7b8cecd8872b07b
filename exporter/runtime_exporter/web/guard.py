"""What a web configuration puts before an application: basic authentication, and headers on every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication

    from runtime_exporter.web.webconfig import WebConfig

_CHALLENGE = ("WWW-Authenticate", 'Basic realm="runtime_exporter", charset="UTF-8"')


def guarded(app: WSGIApplication, config: WebConfig) -> WSGIApplication:
    """Return `app`, answering only those whom `config` lets in, with the headers that it wants."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        respond = _with_headers(start_response, config.headers)
        if config.auth and not config.auth.allows(environ.get("HTTP_AUTHORIZATION", "")):
            return _refuse(environ, respond)
        return app(environ, respond)

    return application


def _refuse(environ: dict[str, Any], respond: Callable[..., Any]) -> list[bytes]:
    body = b"401 Unauthorized\n"
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), _CHALLENGE]
    respond("401 Unauthorized", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _with_headers(start_response: StartResponse, extra: tuple[tuple[str, str], ...]) -> StartResponse:
    if not extra:
        return start_response

    def respond(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
        own = {name.lower() for name, _ in extra}
        kept = [(name, value) for name, value in headers if name.lower() not in own]
        return start_response(status, [*kept, *extra], *exc_info)

    return respond
