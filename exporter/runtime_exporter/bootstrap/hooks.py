"""What is hooked in which module: the frameworks' applications, and the servers' moments of serving and supervising.

A hook gets the module, right after its import, and the Autostart of the process. What it needs of ours is imported then:
a program that has no web framework does not pay for one.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Final, Protocol

from runtime_exporter.bootstrap import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType


class Moments(Protocol):
    """What a hook tells of its process."""

    def serving(self) -> None:
        """Say that the process serves requests."""

    def supervising(self) -> None:
        """Say that the process starts the one that does."""

    def sharing(self, user: int = -1, group: int = -1) -> None:
        """Say that the process starts several that do, as a user and a group if not its own."""

    def ending(self, how: str) -> None:
        """Say that the process is about to end, and how: a word of `metrics/workers/ending.py`."""


def _applications(module: ModuleType, moments: Moments) -> None:
    from runtime_exporter.http import auto

    auto.instrument(module, moments.serving)


def _gunicorn_worker(module: ModuleType, moments: Moments) -> None:
    # After the application is loaded: it may start an exporter of its own.
    _after(module.Worker, "load_wsgi", moments.serving)
    # Of a worker that its arbiter found hanging, which then ends in order.
    _before(module.Worker, "handle_abort", lambda: moments.ending("died"))


def _gunicorn_arbiter(module: ModuleType, moments: Moments) -> None:
    construct = module.Arbiter.__init__

    @functools.wraps(construct)
    def __init__(self: Any, app: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - takes the place of one
        # Before: it may load the application already.
        moments.sharing(app.cfg.uid, app.cfg.gid)
        # On SIGUSR2 it starts another arbiter with the environment that it had: the workers of both are one service.
        app.cfg.env_orig.update({name: os.environ[name] for name in VARIABLES if name in os.environ})
        construct(self, app, *args, **kwargs)

    module.Arbiter.__init__ = __init__


def _uvicorn_server(module: ModuleType, moments: Moments) -> None:
    _before(module.Server, "startup", moments.serving)
    # Before: after it, it sends itself the signal that it got, and is gone.
    _before(module.Server, "shutdown", lambda: moments.ending("left"))


def _uvicorn_reload(module: ModuleType, moments: Moments) -> None:
    _before(module.BaseReload, "run", moments.supervising)


def _uvicorn_workers(module: ModuleType, moments: Moments) -> None:
    _before(module.Multiprocess, "run", moments.sharing)


def _werkzeug_server(module: ModuleType, moments: Moments) -> None:
    _before(module.BaseWSGIServer, "serve_forever", moments.serving)


def _werkzeug_reloader(module: ModuleType, moments: Moments) -> None:
    _before(module, "run_with_reloader", lambda: _reloading(moments, "WERKZEUG_RUN_MAIN"))


def _django_server(module: ModuleType, moments: Moments) -> None:
    _before(module, "run", moments.serving)


def _django_reloader(module: ModuleType, moments: Moments) -> None:
    _before(module, "run_with_reloader", lambda: _reloading(moments, "RUN_MAIN"))


def _reloading(moments: Moments, variable: str) -> None:
    """Tell a reloader from the process that it started, in which it set `variable`."""
    if os.environ.get(variable) != "true":
        moments.supervising()


def _before(owner: Any, name: str, call: Callable[[], None]) -> None:
    """Have `call()` happen before each call of the function `name` of a class or module."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call()
        return original(*args, **kwargs)

    setattr(owner, name, wrapper)


def _after(owner: Any, name: str, call: Callable[[], None]) -> None:
    """Have `call()` happen after each call of the function `name` of a class or module."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        call()
        return result

    setattr(owner, name, wrapper)


HOOKS: Final[Mapping[str, Callable[[ModuleType, Moments], None]]] = {
    "flask.app": _applications,
    "django.core.handlers.wsgi": _applications,
    "django.core.handlers.asgi": _applications,
    "starlette.applications": _applications,
    "fastapi.applications": _applications,
    "gunicorn.workers.base": _gunicorn_worker,
    "gunicorn.arbiter": _gunicorn_arbiter,
    "uvicorn.server": _uvicorn_server,
    "uvicorn.supervisors.basereload": _uvicorn_reload,
    "uvicorn.supervisors.multiprocess": _uvicorn_workers,
    "werkzeug.serving": _werkzeug_server,
    "werkzeug._reloader": _werkzeug_reloader,
    "django.core.servers.basehttp": _django_server,
    "django.utils.autoreload": _django_reloader,
}
