"""Flask: the URL rule of a request, and the exceptions that Flask turns into a 500 before any middleware sees them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.guard import report
from runtime_exporter.http.routes import innermost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def find(environ: Mapping[str, Any]) -> str | None:
    """Return the rule that matched, blueprint prefixes included, or None.

    Flask takes the request out of the environ when its context ends: ask while `start_response` is called.
    """
    if "werkzeug.request" not in environ:
        return None
    rule = getattr(environ["werkzeug.request"], "url_rule", None)
    return None if rule is None else rule.rule


def closing_type() -> type | None:
    """Return the type of what werkzeug's responses give to the server, if werkzeug is loaded."""
    return getattr(sys.modules.get("werkzeug.wsgi"), "ClosingIterator", None)


def is_whole(body: Any) -> bool:
    """Return whether `body` is what a response of werkzeug's gives to the server that had all its parts before it began.

    Asked of the two that are to be closed with it, as `Response.get_app_iter` makes it: the generator that encodes the parts,
    and the response, whose parts are a list. What looks different, as in another version of werkzeug, may be a stream.
    """
    try:
        encoder, response = body._callbacks  # noqa: SLF001 - nothing public says so
        return encoder.__self__.gi_code.co_name == "_iter_encoded" and type(response.__self__.response) is list
    except (AttributeError, TypeError, ValueError):
        return False


def attach() -> None:
    """Hear of unhandled exceptions from now on, if Flask is loaded. Calling it again changes nothing."""
    module = sys.modules.get("flask.signals")
    if module is not None:
        module.got_request_exception.connect(_on_exception)


def mounts(app: object) -> Sequence[str]:
    """Return the prefixes under which werkzeug's DispatcherMiddleware, if there is one in `app`, mounts applications."""
    prefixes = innermost(app, "mounts")
    return tuple(sorted(prefixes, key=len, reverse=True)) if isinstance(prefixes, dict) else ()


def prefix(environ: Mapping[str, Any], prefixes: Sequence[str]) -> str:
    """Return the one of `prefixes` that the dispatcher took from the path, or "". SCRIPT_NAME itself is never a label."""
    script_name = environ.get("SCRIPT_NAME", "")
    return next((prefix for prefix in prefixes if script_name.endswith(prefix)), "")


def _on_exception(_sender: object, exception: BaseException, **_: object) -> None:
    try:
        request = sys.modules["flask"].request
        if not request:  # sent by the application itself, outside a request
            return
        exchange = request.environ.get(KEY)
        if exchange is not None:
            exchange.told = exchange.told or find(request.environ)
            exchange.excepted_by(exception)
    except Exception as error:  # noqa: BLE001 - never into the host
        report("hearing of Flask's exception", error)
