"""Starlette and FastAPI: the template of the route in an ASGI scope, prefixes of mounts and routers included.

A Starlette route knows only its own part of the path: the prefix belongs to the mount, or (FastAPI) to the inclusion of its
router. So the tree of routes is walked once, from the outermost router, and each route is looked up by identity: routes
compare equal to each other and are not hashable, and one router may be included twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.http.routes import innermost

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ENTRIES_LIMIT: Final = 10_000
_DEPTH_LIMIT: Final = 20
_MOUNTED: Final = "/{path}"


class Templates:
    """Finds the templates of one application's routes, remembering each route that it met."""

    def __init__(self) -> None:
        # id -> (the object, so that its id stays its own; its templates, several where it stands in several places)
        self._known: dict[int, tuple[object, tuple[str, ...]]] = {}

    def find(self, scope: Mapping[str, Any]) -> tuple[str | None, object]:
        """Return the template of the route that was taken, or None where none was; and the route, unless it has other templates."""
        route = self._identity(scope)
        if route is None:
            return None, ()
        templates = self._of(route, scope)
        return (templates[0], route) if len(templates) == 1 else (_fitting(templates, scope), None)

    def key(self, scope: Mapping[str, Any]) -> int | None:
        """Return the identity of the object by which `scope` names its route, or None where it names none."""
        route = self._identity(scope)
        return None if route is None else id(route)

    def _identity(self, scope: Mapping[str, Any]) -> object:
        route = scope["route"] if "route" in scope else None  # noqa: SIM401 - no call: this is done for each request
        if "fastapi" in scope:
            # FastAPI shares one route between the inclusions of a router; what belongs to one of them is the context. Where
            # there is but one, the route says as much, and is what others look for first.
            context = scope["fastapi"].get("effective_route_context")
            if context is not None and (route is None or context.original_route is route):
                alone = route is not None and self._of(route, scope) == self._of(context, scope)
                return route if alone else context
        if route is None and "endpoint" in scope:
            return scope["endpoint"]  # all that Starlette before 1.0 says, and FastAPI of a plain route
        return route

    def _of(self, route: object, scope: Mapping[str, Any]) -> tuple[str, ...]:
        known = self._known.get(id(route))
        return self._learn(route, scope) if known is None else known[1]

    def _learn(self, route: object, scope: Mapping[str, Any]) -> tuple[str, ...]:
        if len(self._known) > _ENTRIES_LIMIT:  # an application that makes routes as it runs
            self._known.clear()
        found: dict[int, tuple[object, tuple[str, ...]]] = {}
        for key, path in _walk(getattr(scope.get("router"), "routes", ())):
            templates = found.get(id(key), (key, ()))[1]
            found[id(key)] = (key, templates if path in templates else (*templates, path))
        own = getattr(route, "path_format", None) or getattr(route, "path", None)
        found.setdefault(id(route), (route, (own,) if isinstance(own, str) else ()))
        self._known.update(found)
        return found[id(route)][1]


def _walk(routes: Iterable[Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[object, str]]:
    """Yield each object by which a scope may name a route, with the route's whole template."""
    if depth > _DEPTH_LIMIT:
        return
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield from _route(route, prefix, depth)
        else:
            for context in contexts():
                yield from _context(context, prefix, depth)


def _context(context: Any, prefix: str, depth: int) -> Iterator[tuple[object, str]]:
    """Yield the names of a route within one inclusion of a FastAPI router."""
    inner = context.starlette_route
    path = prefix + (getattr(inner, "path_format", None) or context.path_format)
    yield context, path
    yield context.original_route, path
    if inner is not None:
        yield from _route(inner, prefix, depth)


def _route(route: Any, prefix: str, depth: int) -> Iterator[tuple[object, str]]:
    path = prefix + getattr(route, "path_format", "")
    yield route, path
    inner = getattr(route, "endpoint", None) or getattr(route, "app", None)
    if inner is not None:
        yield inner, path
    nested = getattr(route, "routes", None) or innermost(getattr(route, "app", None), "routes")
    if nested and getattr(route, "endpoint", None) is None:  # a Mount or a Host; the latter has no path
        yield from _walk(nested, path.removesuffix(_MOUNTED), depth + 1)


def _fitting(templates: tuple[str, ...], scope: Mapping[str, Any]) -> str | None:
    """Return the one of `templates` that the path of `scope` fits: of several the longest, as "/a" also ends "/mount/a".

    Of equally long ones the first: the router took the first, too.
    """
    fitting = [template for template in templates if _pattern(template).search(scope["path"])]
    return max(fitting, key=lambda template: template.count("/"), default=None)


def _pattern(template: str) -> re.Pattern[str]:
    """Return a pattern for the end of a path; the server's own root_path may stand before it."""
    literals = re.split(r"\{[^{}]*\}", template)
    return re.compile(".+".join(re.escape(literal) for literal in literals) + r"\Z")
