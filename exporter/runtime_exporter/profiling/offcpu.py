"""What a thread that uses no CPU waits for: a lock, the network, a file, … or for work, which is no wait of the application.

Only for samples of threads that were not running: it reads where a thread stands, not whether it moves.
"""

from __future__ import annotations

import linecache
import re
import tokenize
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runtime_exporter.profiling.profile import Frame, Stack

LOCK: Final = "lock"
SOCKET: Final = "socket"
FILE: Final = "file"
SLEEP: Final = "sleep"
SUBPROCESS: Final = "subprocess"
DATABASE: Final = "database"
IDLE: Final = "idle"
OTHER: Final = "other"
_SIGNAL: Final = "signal"
"""A wait for another thread to do something: a thread that only does that waits for work, in any other it is a `lock`."""
KINDS: Final = (LOCK, SOCKET, FILE, SLEEP, SUBPROCESS, DATABASE, IDLE, OTHER)

# Module -> function (the last part of its qualified name, since Python 3.10 has no other) -> what it waits for. "*" is every
# function of the module; a module that ends in ".*" is the package, too. The outermost of the functions that follow each other
# from the leaf decides: select() in a socket's read in a database driver is a wait for the database.
FUNCTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "threading": {
        "wait": _SIGNAL,
        "wait_for": _SIGNAL,
        "join": _SIGNAL,
        "_wait_for_tstate_lock": _SIGNAL,
        "acquire": LOCK,
        "__enter__": LOCK,
        "_acquire_restore": LOCK,
        "start": LOCK,
        "_shutdown": IDLE,
    },
    "queue": {"get": _SIGNAL, "put": LOCK, "join": _SIGNAL},
    "concurrent.futures._base": {"result": LOCK, "exception": LOCK, "wait": LOCK, "__enter__": LOCK},
    "multiprocessing.synchronize": {"*": LOCK},
    "multiprocessing.queues": {"get": LOCK, "put": LOCK},
    "multiprocessing.connection": {"*": SOCKET},
    "multiprocessing.popen_fork": {"*": SUBPROCESS},
    "multiprocessing.process": {"join": SUBPROCESS},
    "selectors": {"select": SOCKET},
    "socket": {"*": SOCKET},
    "ssl": {"*": SOCKET},
    "http.client": {"*": SOCKET},
    "urllib.request": {"*": SOCKET},
    "urllib3.*": {"*": SOCKET},
    "requests.*": {"*": SOCKET},
    "httpcore.*": {"*": SOCKET},
    "smtplib": {"*": SOCKET},
    "ftplib": {"*": SOCKET},
    "subprocess": {"*": SUBPROCESS},
    "shutil": {"*": FILE},
    "pathlib": {"*": FILE},
    "tempfile": {"*": FILE},
    "gzip": {"*": FILE},
    "logging": {"emit": FILE, "flush": FILE, "acquire": LOCK},
    "sqlite3.*": {"*": DATABASE},
    "psycopg.*": {"*": DATABASE},
    "psycopg2.*": {"*": DATABASE},
    "pymysql.*": {"*": DATABASE},
    "MySQLdb.*": {"*": DATABASE},
    "mysql.connector.*": {"*": DATABASE},
    "pg8000.*": {"*": DATABASE},
    "asyncpg.*": {"*": DATABASE},
    "oracledb.*": {"*": DATABASE},
    "pymongo.*": {"*": DATABASE},
    "redis.*": {"*": DATABASE},
    "cassandra.*": {"*": DATABASE},
    "sqlalchemy.engine.*": {"*": DATABASE},
    "django.db.backends.*": {"*": DATABASE},
    # Loops that wait for work.
    "concurrent.futures.thread": {"_worker": IDLE},
    "concurrent.futures.process": {"_process_worker": IDLE, "wait_result_broken_or_wakeup": IDLE},
    "multiprocessing.pool": {"worker": IDLE, "_wait_for_updates": IDLE, "_handle_tasks": IDLE, "_handle_results": IDLE},
    "asyncio.base_events": {"_run_once": IDLE},
    "socketserver": {"serve_forever": IDLE},
    "logging.handlers": {"dequeue": IDLE, "_monitor": IDLE},
    "sched": {"run": IDLE},
    "trio._core.*": {"*": IDLE},
    "gunicorn.arbiter": {"sleep": IDLE, "wait_for_signals": IDLE},
    "gunicorn.workers.sync": {"wait": IDLE, "run_for_one": IDLE, "accept": IDLE},
    "gunicorn.workers.gthread": {"run": IDLE, "wait_for_and_dispatch_events": IDLE},
    "waitress.task": {"handler_thread": IDLE},
    "waitress.wasyncore": {"poll": IDLE, "poll2": IDLE},
    "cheroot.workers.threadpool": {"run": IDLE},
    "cheroot.connections": {"*": IDLE},
    "tornado.platform.*": {"*": IDLE},
    "eventlet.hubs.*": {"*": IDLE},
    "apscheduler.schedulers.blocking": {"_main_loop": IDLE},
    "kombu.asynchronous.hub": {"*": IDLE},
    "celery.worker.*": {"*": IDLE},
}

# What is called on the line that a thread stands at, where the call itself is of C and has no frame. The first that matches is
# taken: the names before are the less ambiguous ones.
CALLS: Final[tuple[tuple[str, str], ...]] = (
    (SLEEP, r"\bsleep\("),
    (SUBPROCESS, r"\b(?:waitpid|wait3|wait4|waitid|posix_spawn|Popen)\("),
    (DATABASE, r"\.(?:execute|executemany|executescript|fetchone|fetchall|fetchmany|commit|rollback)\("),
    (
        SOCKET,
        r"\.(?:recv(?:_into|from|msg)?|send(?:all|to|msg|file)?|accept|connect|do_handshake|poll)\(|\b(?:select|getaddrinfo)\(",
    ),
    (LOCK, r"\b(?:acquire|acquire_lock|flock|lockf)\("),
    (
        _SIGNAL,
        r"\.wait\(|\.join\((?:\)|timeout)|\.get\((?:\)|block|timeout)|\b\w*(?:queue|jobs|tasks|inbox)\w*\.(?:get|put)\(",
    ),
    # Nothing behind the colon: a thread at `with lock: pause(1)` may stand in what it does while it has the lock.
    (LOCK, r"^\s*(?:async\s+)?with\b[^:]*(?:lock|mutex|sem|cond|rlock)[^:]*(?::\s*(?:#.*)?)?$"),
    (
        FILE,
        r"\b(?:open|input|p?read(?:line|lines|into|_text|_bytes)?|p?write(?:lines|_text|_bytes)?|flush|fsync|fdatasync)\(",
    ),
    (IDLE, r"\b(?:signal\.)?(?:pause|sigwait|sigwaitinfo|sigtimedwait)\("),
)
_CALLS: Final = tuple((kind, re.compile(pattern)) for kind, pattern in CALLS)
_STARTS: Final = re.compile(
    r"threading:(?:Thread\.|Timer\.|_\w+\.)?(?:run|_bootstrap|_bootstrap_inner)|runpy:.*|.*:<module>"
)
"""Functions below the one that a thread, or the main thread's module, is to execute."""


_REMEMBERED: Final = 1024
"""Functions, and lines, of which it is remembered what they wait for: a program waits at few."""


def text_of(file: str, line: int) -> str:
    """Return a line of a source file, empty where there is none.

    As `linecache.getline` does, but what is read here is not kept: that would be all source files, for as long as we run.
    """
    if file in linecache.cache:  # the source of what was typed in is nowhere else
        return linecache.getline(file, line)
    try:
        if line < 1 or not Path(file).is_file():
            return ""
        with tokenize.open(file) as text:
            return next(islice(text, line - 1, None), "")
    except (OSError, SyntaxError, ValueError):  # not to be read, or no text
        return ""


class Wait(NamedTuple):
    """What a thread waits for, and the first frame from the leaf that is not the machinery of waiting."""

    kind: str
    site: Frame


def classify(stack: Stack, *, source: Callable[[str, int], str] = text_of) -> Wait | None:
    """Return what a thread that stands at `stack`, leaf first, waits for; None for an empty stack.

    A wait that the function of a thread begins itself, for a queue or an event, is `idle`: it waits for work. `source` gives
    the text of a line of a file; it is asked only where the leaf is the application's.
    """
    if not stack:
        return None
    kind, depth = _machinery(stack)
    if kind is None:
        kind = _called(stack[0].file, stack[0].line, source)
    site = stack[min(depth, len(stack) - 1)]
    if kind == _SIGNAL:
        kind = IDLE if _is_target(stack[depth:]) else LOCK
    return Wait(kind, site)


def contends(stack: Stack, *, source: Callable[[str, int], str] = text_of) -> bool:
    """Return whether a thread that waits at `stack` waits to get a lock that another one has.

    To wait for an event, a queue, a future or the end of a thread is no contention: nobody would be faster with less locking.
    """
    if not stack:
        return False
    known = _function(stack[0].name)
    return (_called(stack[0].file, stack[0].line, source) if known is None else known) == LOCK


def by_kind(waits: Iterable[tuple[Stack, int]]) -> dict[str, int]:
    """Return the sum of the values (nanoseconds, samples) of each kind of wait."""
    sums: dict[str, int] = {}
    for stack, value in waits:
        wait = classify(stack)
        if wait is not None:
            sums[wait.kind] = sums.get(wait.kind, 0) + value
    return sums


def _machinery(stack: Stack) -> tuple[str | None, int]:
    """Return the kind of the outermost of the frames from the leaf on that wait, and how many those are."""
    kind = None
    for depth, frame in enumerate(stack):
        found = _function(frame.name)
        if found is None:
            return kind, depth
        kind = found
        if kind == IDLE:
            return kind, depth
    return kind, len(stack)


@lru_cache(_REMEMBERED)
def _function(name: str) -> str | None:
    module, _, qualname = name.partition(":")
    function = qualname.rpartition(".")[2]
    for known in _tables(module):
        found = known.get(function) or known.get("*")
        if found:
            return found
    return None


def _tables(module: str) -> Iterable[Mapping[str, str]]:
    """Yield what is known of a module, and of the packages it is in."""
    if module in FUNCTIONS:
        yield FUNCTIONS[module]
    package = module
    while package:
        table = FUNCTIONS.get(f"{package}.*")
        if table is not None:
            yield table
        package = package.rpartition(".")[0]


@lru_cache(_REMEMBERED)
def _called(file: str, line: int, source: Callable[[str, int], str]) -> str:
    text = source(file, line)
    return next((kind for kind, pattern in _CALLS if pattern.search(text)), OTHER)


def _is_target(callers: Stack) -> bool:
    """Return whether these frames are the function of a thread and what started it, nothing between."""
    return bool(callers) and all(_STARTS.fullmatch(frame.name) for frame in callers[1:])
