"""Django's own handler for WSGI: whether nobody has changed it, and what leads from its response to the request.

A response keeps what has to be closed with it, the request last, for as long as there is `get_response` (Django 3.1 and later). Nothing
public says so: so it is looked at, before anybody relies on it, whether the code is what it was when this was written.
"""

from __future__ import annotations

import inspect
import io
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CLOSERS: Final = "_resource_closers"
_CALLS: Final = {"get_response", "file_to_stream"}
_KEEPS: Final = {_CLOSERS, "append", "close"}


def is_own(app: Any) -> bool:
    """Return whether `app` is a handler of Django's, or its `__call__`, as Django has it: its responses lead to their requests."""
    if "django.core.handlers.wsgi" not in sys.modules:
        return False
    call = app if inspect.ismethod(app) else getattr(app, "__call__", None)  # noqa: B004 - the method itself is looked at
    # A wrapper that pretends to be what it wraps is an instance of its own class.
    if not (inspect.ismethod(call) and inspect.isfunction(call.__func__)):
        return False
    get_response = getattr(call.__self__, "get_response", None)
    return _names(call).issuperset(_CALLS) and _names(get_response).issuperset(_KEEPS)


def _names(function: Any) -> set[str]:
    return {*getattr(getattr(function, "__code__", None), "co_names", ())}


def leads_back(wrapper: Callable[..., Any] | None) -> bool:
    """Return whether a response is found behind what the server's `wsgi.file_wrapper` makes of its file."""
    if wrapper is None or not isinstance(wrapper, type):
        # uWSGI's is a function that notes the file and returns it. Another might note it, too: it cannot be tried.
        return wrapper is None or "uwsgi" in sys.modules
    response = _Response()
    file: Any = _File()
    file.close = response.close  # as the handler does
    try:
        return response_behind(wrapper(file, 8192)) is response
    except Exception:  # noqa: BLE001 - a wrapper of which nothing is known
        return False


class _File(io.BytesIO):
    """A file that takes attributes."""


class _Response:
    """What a response has of which we make use."""

    _resource_closers: tuple[Any, ...] = ()

    def close(self) -> None:
        """Do nothing."""


def response_behind(body: Any) -> Any:
    """Return the response that a handler has returned as `body`: that itself, or behind its file in a server's wrapper; or None.

    Wrappers have the file's `close`, or keep the file by a name of their own.
    """
    for holder in (body, getattr(body, "filelike", None), getattr(body, "file", None)):
        for found in (holder, getattr(getattr(holder, "close", None), "__self__", None)):
            if hasattr(found, _CLOSERS):
                return found
    return None


def route_of(response: Any) -> str | None:
    """Return the route, as Django has it, of the request that a response answers."""
    match = response._resource_closers[-1].__self__.resolver_match  # noqa: SLF001
    return None if match is None else match.route


def route_within(environ: Mapping[str, Any], error: BaseException) -> str | None:
    """Return the route, as Django has it, of the request that an exception has left: it lies in the handler's frame."""
    traceback = error.__traceback__
    while traceback is not None:
        request = traceback.tb_frame.f_locals.get("request")
        if getattr(request, "META", None) is environ:
            match = getattr(request, "resolver_match", None)
            return None if match is None else match.route
        traceback = traceback.tb_next
    return None
