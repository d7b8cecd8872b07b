"""When and where the exporter starts in a program that knows nothing of it.

It has to be in the process that serves the requests, which is often not the first one: gunicorn's arbiter forks workers, a
reloader spawns the program again. So the first process starts it after a moment, unless it turns out to be a supervisor; any
other starts it when it is about to serve. Who started it takes the mark out of its environment: its own children do not.
A supervisor of several workers makes the directory in which they share their numbers.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter import forks
from runtime_exporter.bootstrap import MARK, RUN_DIRECTORY, RUN_DIRECTORY_MADE, VARIABLES, environment, uwsgi, without
from runtime_exporter.bootstrap.hooks import HOOKS
from runtime_exporter.bootstrap.imports import ImportHooks
from runtime_exporter.errors import AlreadyStartedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime_exporter.bootstrap.rundirectory import RunDirectory

DELAY_SECONDS: Final = 0.5
"""How long the first process may take to become a supervisor before it starts the exporter; later, it closes it again."""


class Autostart:
    """Starts the exporter of this process at most once, at `serving()` or some time after `arm()`. Thread-safe.

    `start` returns a handle with `close()`; what it raises is one line for `complain`, and ends the matter for the children, too.
    """

    def __init__(
        self, start: Callable[[], Any], complain: Callable[[str], None], *, delay: float = DELAY_SECONDS
    ) -> None:
        self._start = start
        self._complain = complain
        self._delay = delay
        self._lock = threading.RLock()
        self._tried = False
        self._handle: Any = None
        self._disarm = threading.Event()
        self._thread: threading.Thread | None = None

    def arm(self) -> None:
        """Start in a moment, unless `supervising()` is called before."""
        self._disarm.clear()
        self._thread = threading.Thread(target=self._wait, name="runtime-exporter-start", daemon=True)
        self._thread.start()

    def serving(self) -> None:
        """Start now: this process serves requests."""
        with self._lock:
            if self._tried:
                return
            self._tried = True
            self._disarm.set()
            try:
                self._handle = self._start()
            except AlreadyStartedError:
                pass  # the program does it by itself
            except Exception as error:  # noqa: BLE001 - the program runs in any case
                self._complain(str(error) or type(error).__name__)
            _replace_environment(without(os.environ))

    def supervising(self) -> None:
        """Leave it to the children: this process starts those that serve requests. A started exporter is closed."""
        self._disarm.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            # A fork with a thread running would have Python 3.12 warn in somebody else's program.
            self._thread.join()
        with self._lock:
            handle, self._handle, self._tried = self._handle, None, False
            if handle is not None:
                handle.close()
                _replace_environment(environment(os.environ, os.getpid()))

    def sharing(self, user: int = -1, group: int = -1) -> None:
        """Do as `supervising()`, for several workers, which run as `user` and `group`: share a directory among them.

        One that is in the environment, even empty, is the user's wish and stays.
        """
        self.supervising()
        made = os.environ.get(RUN_DIRECTORY_MADE)
        if not made and RUN_DIRECTORY in os.environ:
            return
        try:
            # Imported now: it needs fcntl, which Windows has not, and few programs have workers.
            from runtime_exporter.bootstrap.rundirectory import RunDirectory, none
        except ImportError as error:
            self._complain(f"no run directory, so each worker is alone: {error}")
            return
        try:
            # uWSGI executes itself again to reload: then it is there already, as for the second arbiter of gunicorn.
            path = Path(made) if made and os.path.isdir(made) else None  # noqa: PTH112 - made may be None
            directory = RunDirectory.kept(path) if path else RunDirectory.made(user, group)
        except OSError as error:
            self._complain(f"no run directory, so each worker is alone: {error}")
            os.environ[RUN_DIRECTORY] = os.environ[RUN_DIRECTORY_MADE] = str(none(os.getpid()))
            return
        os.environ[RUN_DIRECTORY] = os.environ[RUN_DIRECTORY_MADE] = str(directory.path)
        atexit.register(_end, directory)

    def unprivileged(self) -> None:
        """Share a directory of this user's, where the one that was made is root's, which this process was and gave up since."""
        made = os.environ.get(RUN_DIRECTORY_MADE)
        if not made or os.access(made, os.W_OK):
            return
        try:
            from runtime_exporter.bootstrap.rundirectory import RunDirectory

            # By the same name, since each worker may come here by itself. It stays: who is replaced must not remove it.
            directory = RunDirectory.made(name=os.path.basename(made))  # noqa: PTH119 - as above
        except (ImportError, OSError) as error:
            self._complain(f"no run directory, so each worker is alone: {error}")
            return
        os.environ[RUN_DIRECTORY] = os.environ[RUN_DIRECTORY_MADE] = str(directory.path)

    def ending(self, how: str) -> None:
        """Have whoever reads the numbers of this process know how it ends, before it does."""
        worker = _worker()
        if worker is not None:
            worker.ends(how)

    def forked(self) -> None:
        """Begin anew in a child process: it has neither the exporter's threads nor the moment's."""
        self._lock = threading.RLock()
        self._disarm = threading.Event()
        self._tried = False
        self._handle = None
        self._thread = None

    def _wait(self) -> None:
        if not self._disarm.wait(self._delay):
            self.serving()


def begin() -> None:
    """Do what the environment asks for: hook imports, and start the exporter when it is time."""
    mark = os.environ.get(MARK)
    if not mark:
        return
    autostart = Autostart(_start, _complain)
    hooks = {name: (lambda module, hook=hook: hook(module, autostart)) for name, hook in HOOKS.items()}
    ImportHooks(
        hooks, lambda name, error: _complain(f"{name} is not measured: {type(error).__name__}: {error}")
    ).install()
    forks.after_in_child(autostart.forked)
    if uwsgi.is_program():
        uwsgi.follow(autostart)
    elif mark == str(os.getpid()) and not _is_gunicorn():
        autostart.arm()


def _is_gunicorn(words: Sequence[str] = sys.orig_argv) -> bool:
    """Return whether this program is gunicorn, whose first process never serves, however long it takes to become a supervisor.

    An exporter that was started in it meanwhile would have counted beside the workers what is loaded before they are forked.
    """
    program = words[2:3] if words[1:2] == ["-m"] else words[1:2]
    return [os.path.basename(word) for word in program] == ["gunicorn"]  # noqa: PTH119 - of programs that know nothing of us


def _start() -> Any:
    # Imported now: a supervisor never needs it.
    from runtime_exporter.exporter import Exporter
    from runtime_exporter.settings import load

    exporter = Exporter(load())
    exporter.yields = True  # to a program that starts one by itself, later
    return exporter.start()


def _end(directory: RunDirectory) -> None:
    """Let go of the directory at the end of a supervisor, which is one of the workers itself where it loaded the application."""
    worker = _worker()
    if worker is not None and directory.pid == os.getpid():
        worker.leave()
    directory.give_up()


def _worker() -> Any:
    """Return this process as one of several workers; None where it is none."""
    workers = sys.modules.get("runtime_exporter.metrics.workers")
    return workers.current() if workers is not None else None


def _complain(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a standard error that the program closed
        print(f"runtime-exporter: {message}", file=sys.stderr)  # noqa: T201 - the program's logging may not be set up


def _replace_environment(environ: dict[str, str]) -> None:
    for name in VARIABLES:
        if name in environ:
            os.environ[name] = environ[name]
        else:
            os.environ.pop(name, None)
