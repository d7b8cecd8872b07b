"""uWSGI: a server with Python in it, which says where it is only to who asks for its module, and forks unheard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runtime_exporter.forks import after_uwsgi_fork

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("uwsgi", "pyuwsgi")
"""What the program is called. The wheel `pyuwsgi` brings a script, the package `uwsgi` a binary, which Python takes for itself."""


class Moments(Protocol):
    """What is told of the process."""

    def arm(self) -> None:
        """Say that the process will serve requests in a moment."""

    def sharing(self) -> None:
        """Say that the process starts several that serve requests."""

    def unprivileged(self) -> None:
        """Say that the process may have been root before, and may be another user now."""


def is_program() -> bool:
    """Return whether this process is uWSGI's master, or its only process."""
    return Path(sys.executable or "").name in NAMES or Path(sys.argv[0] if sys.argv else "").name in NAMES


def follow(moments: Moments) -> None:
    """Have each worker say that it serves. The run directory is made now: with `lazy-apps` the master runs no Python later.

    It is made as root where uWSGI begins as root, also where it changes its user before the application is loaded.
    """
    moments.sharing()
    sys.meta_path.insert(0, _Watch(moments))


class _Watch:
    """A finder that finds nothing: by the first import after uWSGI's module has come, an application is being loaded."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> None:  # noqa: ARG002 - the protocol
        """Look for uWSGI's module, once it is there for the last time."""
        uwsgi = sys.modules.get("uwsgi")
        if uwsgi is not None and self in sys.meta_path:
            sys.meta_path.remove(self)
            self._moments.unprivileged()
            if uwsgi.worker_id():  # lazy-apps: each worker loads the application by itself
                self._moments.arm()
            else:
                after_uwsgi_fork(lambda: self._serve(uwsgi))

    def _serve(self, uwsgi: Any) -> None:
        if uwsgi.worker_id():  # a mule or a spooler has none
            self._moments.arm()
