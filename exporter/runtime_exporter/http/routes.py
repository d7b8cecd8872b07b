"""The route of a request: its template, such as `/users/<int:id>`, and never the path that a client chose."""

from __future__ import annotations

from typing import Any, Final

UNMATCHED: Final = "unmatched"
"""The route of a request that no template matched, or whose framework does not say which one did."""

_WRAPPED: Final = ("app", "wsgi_app", "application", "__wrapped__", "__self__")


def innermost(app: object, attribute: str, depth: int = 16) -> Any:
    """Return `attribute` of the first application from `app` inwards that has it, or None.

    Follows the names under which middlewares commonly keep what they wrap, at most `depth` times.
    """
    for _ in range(depth):
        found = getattr(app, attribute, None)
        if found is not None:
            return found
        app = next((inner for name in _WRAPPED if (inner := getattr(app, name, None)) is not None), None)
        if app is None:
            break
    return None
