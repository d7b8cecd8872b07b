"""What has to happen in the child of a fork, also where Python is not told of one: uWSGI forks its workers behind its back."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class _Children:
    """Calls what is to be called once in each child, whoever tells of it first."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []
        self._pid = os.getpid()
        self._asked = False

    def add(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)
        if "uwsgi" in sys.modules:
            self.ask()

    def ask(self) -> None:
        if not self._asked:
            self._asked = True
            _ask(self.begin)

    def begin(self) -> None:
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        for callback in self._callbacks:
            with contextlib.suppress(Exception):
                callback()


_CHILDREN = _Children()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_CHILDREN.begin)


def after_in_child(callback: Callable[[], None]) -> None:
    """Have `callback` called after every fork from now on, in the child, which has one thread then. What it raises is lost."""
    _CHILDREN.add(callback)


def is_before_uwsgi_fork() -> bool:
    """Return whether uWSGI is going to fork this process. It does so with no regard to threads.

    A child is stuck for ever if a thread had the interpreter's lock in that moment: nothing that starts threads is to be done now.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    return uwsgi is not None and not uwsgi.worker_id() and uwsgi.masterpid() in (0, os.getpid())


def after_uwsgi_fork(callback: Callable[[], None]) -> None:
    """Have uWSGI call `callback` in each worker, mule and spooler, after what every child calls; without a master process here."""
    _CHILDREN.ask()
    _ask(callback)


def _ask(callback: Callable[[], None]) -> None:
    try:
        # The list of functions that everybody uses: a `post_fork_hook` of ours would be gone when this module is imported later.
        importlib.import_module("uwsgidecorators").postfork(callback)
    except Exception:  # noqa: BLE001 - it is not installed, or there is no master process
        uwsgi: Any = sys.modules["uwsgi"]
        before = getattr(uwsgi, "post_fork_hook", None)

        def hook() -> None:
            callback()
            if before is not None:
                before()

        uwsgi.post_fork_hook = hook
