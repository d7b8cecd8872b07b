"""Gives the applications of an unchanged program the middleware: each one that a framework's class makes from now on."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http.asgi import ASGIMiddleware
from runtime_exporter.http.guard import report
from runtime_exporter.http.wsgi import WSGIMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from runtime_exporter.http.middleware import Middleware

    Serving = Callable[[], None]

_ATTRIBUTE: Final = "_runtime_exporter_middleware"


def instrument(module: ModuleType, serving: Serving) -> None:
    """Change the application class of `module`, a framework's that was just imported; KeyError for any other module.

    `serving()` is called when such an application gets its first request, or learns that its server starts.
    """
    name, change = _CHANGES[module.__name__]
    change(getattr(module, name), serving)


def _announcing(middleware: Middleware, serving: Serving) -> Any:
    """Return a middleware that says when it is first used, before it asks for metrics: they are made as the settings say."""
    middleware.serving = serving
    return middleware


def _flask(application: Any, serving: Serving) -> None:
    """Wrap `wsgi_app`, the place that Flask has for middleware, of each new application."""
    construct = application.__init__

    @functools.wraps(construct)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - takes the place of one
        construct(self, *args, **kwargs)
        try:
            self.wsgi_app = _announcing(WSGIMiddleware(self.wsgi_app), serving)
        except Exception as error:  # noqa: BLE001 - a subclass that lets nobody set it
            report("wrapping a Flask application", error)

    application.__init__ = __init__


def _django_wsgi(handler: Any, serving: Serving) -> None:
    """Wrap a handler's call; the handler stays what the program gets from get_wsgi_application()."""
    call = handler.__call__

    @functools.wraps(call)
    def __call__(self: Any, environ: Any, start_response: Any) -> Any:  # noqa: N807 - takes the place of one
        return _kept(self, lambda: _announcing(WSGIMiddleware(call.__get__(self)), serving))(environ, start_response)

    handler.__call__ = __call__


def _django_asgi(handler: Any, serving: Serving) -> None:
    """Wrap a handler's call. A coroutine function again: by that servers tell ASGI 3 from ASGI 2."""
    call = handler.__call__

    @functools.wraps(call)
    async def __call__(self: Any, scope: Any, receive: Any, send: Any) -> None:  # noqa: N807 - takes the place of one
        await _kept(self, lambda: _announcing(ASGIMiddleware(call.__get__(self)), serving))(scope, receive, send)

    handler.__call__ = __call__


def _kept(handler: Any, make: Callable[[], Any]) -> Any:
    """Return the middleware of `handler`, made at its first call."""
    middleware = handler.__dict__.get(_ATTRIBUTE)
    return middleware or handler.__dict__.setdefault(_ATTRIBUTE, make())


def _starlette(application: Any, serving: Serving) -> None:
    """Put the middleware outside everything else that the application wraps around its router."""
    build = application.build_middleware_stack

    @functools.wraps(build)
    def build_middleware_stack(self: Any) -> Any:
        stack = build(self)
        return stack if isinstance(stack, ASGIMiddleware) else _announcing(ASGIMiddleware(stack), serving)

    application.build_middleware_stack = build_middleware_stack


_CHANGES: Final[Mapping[str, tuple[str, Callable[[Any, Serving], None]]]] = {
    "flask.app": ("Flask", _flask),
    "django.core.handlers.wsgi": ("WSGIHandler", _django_wsgi),
    "django.core.handlers.asgi": ("ASGIHandler", _django_asgi),
    "starlette.applications": ("Starlette", _starlette),
    "fastapi.applications": ("FastAPI", _starlette),
}
