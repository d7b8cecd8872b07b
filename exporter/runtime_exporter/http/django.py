"""Django: the route of a request, and the exceptions that Django turns into a 500 before any middleware sees them.

Django keeps what it resolved on its request object, which neither the WSGI environ nor the ASGI scope leads to. So the one
method that resolves is wrapped, once in a process; it looks for our exchange, which the request does lead to. Where Django's own
handler is asked directly by WSGI, its response leads to the request (`wsgi_django`), and nothing is wrapped.
"""

from __future__ import annotations

import functools
import re
import sys
from typing import Any, Final

from runtime_exporter.http.exchange import KEY
from runtime_exporter.http.guard import report
from runtime_exporter.http.series import Method

_REGEX_ROUTE: Final = re.compile(r"[\^$\\(]")
# The beginning of a group: named, (?:, another that matches no text of its own, or plain.
_GROUP: Final = re.compile(r"\(\?P<(?P<name>\w+)>|(?P<inline>\(\?:)|(?P<silent>\(\?)|\(")
_OPERATORS: Final = re.compile(r"\\[AZbBz]|[\^$?*+]|\\(?=.)")


def attach() -> None:
    """Learn routes and unhandled exceptions from now on, if Django's handlers are loaded. Calling it again changes nothing."""
    hear()
    handlers = sys.modules.get("django.core.handlers.base")
    if handlers is None or getattr(handlers.BaseHandler.resolve_request, "__wrapped__", None):
        return
    resolve = handlers.BaseHandler.resolve_request

    @functools.wraps(resolve)
    def resolve_request(self: Any, request: Any) -> Any:
        match = resolve(self, request)
        try:
            environ = request.META
            # As `_exchange`, spelt out for WSGI.
            exchange = environ[KEY] if KEY in environ else _exchange(request)
            if exchange is not None:
                exchange.told = _TEMPLATES[match.route]
        except Exception as error:  # noqa: BLE001 - never into the host
            report("finding Django's route", error)
        return match

    handlers.BaseHandler.resolve_request = resolve_request


def hear() -> None:
    """Learn of unhandled exceptions from now on, if Django is loaded. Calling it again changes nothing."""
    signals = sys.modules.get("django.core.signals")
    if signals is not None:
        signals.got_request_exception.connect(_on_exception, dispatch_uid=KEY)


def told(route: str | None) -> str | None:
    """Return the name of a route that Django has as `route`."""
    return None if route is None else _TEMPLATES[route]


class _Templates(dict[str, str]):
    """Routes as Django has them, and as one path: a dict, since it is found in one without a call."""

    def __missing__(self, route: str) -> str:
        if len(self) >= _TEMPLATES_LIMIT:
            self.clear()
        made = self[route] = template(route)
        return made


_TEMPLATES_LIMIT: Final = 4096
_TEMPLATES: Final = _Templates()


def is_whole(kind: type) -> bool:
    """Return whether a type of bodies is one of Django's responses that have their content already."""
    return getattr(kind, "streaming", True) is False


def template(route: str) -> str:
    """Return `route` as one path: with a leading slash, and a regular expression reduced to the names of its groups.

    >>> template("orders/<int:id>/"), template("^orders/(?P<year>[0-9]{4})/$")
    ('/orders/<int:id>/', '/orders/<year>/')
    """
    return "/" + (_without_regex(route) if _REGEX_ROUTE.search(route) else route).lstrip("/")


def _without_regex(route: str) -> str:
    """Return a route that has regular expressions in it with `<name>` for each group, and without operators."""
    parts, at = [], 0
    while match := _GROUP.search(route, at):
        end = _closing(route, match.end())
        parts.append(_OPERATORS.sub("", route[at : match.start()]))
        if match["inline"]:
            parts.append(_without_regex(route[match.end() : end - 1]))
        elif not match["silent"]:
            parts.append(f"<{match['name'] or 'var'}>")
        at = end
    parts.append(_OPERATORS.sub("", route[at:]))
    return "".join(parts)


def _closing(route: str, at: int) -> int:
    """Return the position after the parenthesis that closes the group whose inside begins at `at`."""
    depth, in_class = 1, False
    while at < len(route) and depth:
        character = route[at]
        if character == "\\":
            at += 1
        elif in_class:
            in_class = character != "]"
        else:
            in_class = character == "["
            depth += (character == "(") - (character == ")")
        at += 1
    return at


def _exchange(request: Any) -> Any:
    environ = request.META
    if KEY in environ:
        return environ[KEY]
    scope = getattr(request, "scope", None)
    return None if scope is None else scope.get(KEY)


def _on_exception(request: Any = None, **_: object) -> None:
    try:
        exchange: Any = None if request is None else _exchange(request)
        if exchange is not None:
            if isinstance(exchange, Method):  # the request needed no exchange of its own until now: see wsgi_django
                exchange = exchange.in_full(request.META)  # type: ignore[attr-defined]
                match = request.resolver_match
                exchange.told = told(None if match is None else match.route)
            exchange.excepted_by(sys.exc_info()[1])
    except Exception as error:  # noqa: BLE001 - never into the host
        report("hearing of Django's exception", error)
