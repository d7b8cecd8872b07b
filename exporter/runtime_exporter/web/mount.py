"""Several applications under one: each below a prefix and a name, told by WSGI's own SCRIPT_NAME where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication


def mounted(prefix: str, find: Callable[[str], WSGIApplication | None], otherwise: WSGIApplication) -> WSGIApplication:
    """Return the application that gives `prefix`/NAME/… to the one that is found for the name, and all else to `otherwise`.

    PREFIX/NAME without a slash behind it is its landing page, too.
    """

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        name, _, rest = path.removeprefix(prefix + "/").partition("/")
        app = find(name) if path.startswith(prefix + "/") else None
        if app is None:
            return otherwise(environ, start_response)
        root = f"{environ.get('SCRIPT_NAME', '')}{prefix}/{name}"
        return app({**environ, "SCRIPT_NAME": root, "PATH_INFO": f"/{rest}"}, start_response)

    return application
