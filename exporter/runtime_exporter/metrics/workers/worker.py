"""A process that counts together with others: how it joins, what a fork makes of it, how it ends."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import RunDirectoryError
from runtime_exporter.metrics.cells import STORE
from runtime_exporter.metrics.told import tell_children
from runtime_exporter.metrics.workers import ending, slots
from runtime_exporter.metrics.workers.beginning import begin, begin_anew, keep_alone, kept, let_go_of_files
from runtime_exporter.metrics.workers.folding import HEAPED, fold
from runtime_exporter.metrics.workers.journal import Journal

if TYPE_CHECKING:
    from runtime_exporter.metrics.cells import CellStore
    from runtime_exporter.metrics.family import Family

logger = logging.getLogger("runtime_exporter")

WAIT: Final = 10.0
"""Seconds that a process which joins waits for another that folds."""


class Worker:
    """This process among those that share a run directory."""

    def __init__(self, directory: Path, slot: slots.Slot, journal: Journal, store: CellStore) -> None:
        self.directory = directory
        self.pid = os.getpid()
        self._store = store
        self._slot = slot
        self._journal = journal
        journal.heaped = self._fold
        self._ticking = threading.Lock()
        self._last_word = False

    @property
    def number(self) -> int:
        """The value of the label `worker`: small, and taken over by the next when this process ends."""
        return self._slot.name.slot

    @property
    def left_out(self) -> int:
        """Series that only this process sees, because its files have no room for them."""
        return self._journal.left_out

    @property
    def removed(self) -> bool:
        """Whether somebody removed one of this worker's files, so that nobody else sees what it counts."""
        return self._slot.removed or self._journal.bereft

    def at_work(self) -> None:
        """Say that this process is a worker from now on, and what it means if it is gone without a word. `tick` says so, too."""
        if not self._last_word:
            self._journal.end(ending.silence())

    def ends(self, how: str) -> None:
        """Say how this process ends, a word of `ending.py`, before it does. The first word stands; it may go on to count."""
        if not self._last_word and self.pid == os.getpid():
            self._last_word = True
            self._journal.end(how)

    def tick(self) -> None:
        """Say that this process lives, evaluate functions, fold who is dead and what was removed. Raises nothing.

        To be called every few seconds; who calls it less keeps the files of the dead for longer.
        """
        if not self._ticking.acquire(blocking=False):
            return
        try:
            evaluate(self._store)
            self.at_work()
            if self._journal.left_out:
                self._journal.catch_up()
            with suppress(OSError):
                self._slot.beat()
            self._fold()
        finally:
            self._ticking.release()

    def _fold(self) -> None:
        self._journal.bury()
        with suppress(OSError):
            fold(self.directory, self._slot.name, self._journal)
            self._journal.shorten()

    def leave(self) -> None:
        """End it in good order: what this process counted stays, and what it counts from now on is its own affair."""
        global _worker  # noqa: PLW0603 - there is one such process
        if _worker is not self:
            return
        self.ends(ending.LEFT)
        self.tick()
        self.drop()
        tell_children(None)
        _worker = None
        _left.add(self.directory)

    def drop(self) -> None:
        """Write no more into the files, and keep in memory what is in them."""
        keep_alone(self._store)
        self._journal.give_back()
        self._journal.close()
        self._slot.close()

    def forget(self) -> None:
        """Let go of what a fork copied from the parent, whose it still is."""
        self._journal.abandon()
        self._journal.close()
        self._slot.close()


_worker: Worker | None = None
_left: set[Path] = set()
"""Directories that keep what this process counted before it left them."""


def current() -> Worker | None:
    """Return this process as a worker, None where it has not joined."""
    return _worker


def join(directory: Path) -> Worker:
    """Share what this process counts, has counted and will count with all that join the same directory.

    Joining again is the same as once, unless somebody removed this process's files: then it makes others, and the directory if that is
    gone, too. What it has counted is still in its memory. Raises RunDirectoryError where it cannot be done; then nothing has changed.
    """
    global _worker  # noqa: PLW0603 - there is one such process
    where = Path(directory).absolute()
    if _worker is not None and _worker.directory != where:
        raise RunDirectoryError(f"{where}: this process shares its numbers through {_worker.directory} already")
    if _worker is not None and not _worker.removed:
        return _worker
    try:
        if _worker is not None:
            removed, _worker = _worker, None
            removed.drop()
            where.mkdir(mode=0o700, parents=True, exist_ok=True)
        _worker = _join(where)
        tell_children(where)
    except OSError as error:
        raise RunDirectoryError(
            f"{where}: cannot be shared by workers: {error.strerror or error}; it must be a directory that exists, that"
            " this user may write, and with room: better one in memory (/dev/shm)"
        ) from error
    return _worker


def _join(where: Path) -> Worker:
    with slots.folding(where, WAIT) as alone:
        if alone:
            slots.clean(where)
        slot = slots.take(where)
    try:
        with suppress(OSError):
            fold(where)
        return share(where, slot, STORE, anew=where in _left)
    except BaseException:
        slot.close()
        raise


def share(where: Path, slot: slots.Slot, store: CellStore, *, anew: bool = False) -> Worker:
    """Lay files under all cells of a store and write down what they are. Raises OSError, and then nothing has changed.

    anew: what was counted before is in the directory already, and these cells begin at zero.
    """
    journal = Journal(where, slot.name, store)
    try:
        with store.still():
            for segment in store.segments:
                journal.extend(segment)
            if anew:
                begin_anew(store)
            # From here on series are written down as they are born; those before in what follows.
            store.journal = journal
        for family in store.living_families():
            _write_down(journal, family)
    except BaseException:
        keep_alone(store)
        journal.close()
        for kind in ("keys", "cells"):
            slot.name.path(where, kind).unlink(missing_ok=True)
        raise
    ending.promise(_say)
    return Worker(where, slot, journal, store)


def _say() -> None:
    """Say that this process ends, while its interpreter does."""
    if _worker is not None:
        _worker.ends(ending.orderly())


def _write_down(journal: Journal, family: Family) -> None:
    journal.define(family)
    children = [*family.children.items()]
    if children:
        journal.births(family, [(child, values) for values, child in children])
    if family.type == "info":
        for _, child in children:
            journal.told(child, child.pairs)


def forked() -> None:
    """Make a process of its own of the child of a fork: what was counted before is counted by the parent.

    Called by itself after `os.fork`; to be called by who forks in another way; being told twice is being told once. The
    child never writes into the parent's files: where it cannot have files, it counts for itself.
    """
    global _worker  # noqa: PLW0603 - there is one such process
    parent = _worker
    if parent is None or parent.pid == os.getpid():
        return
    _worker = STORE.journal = None
    parent.forget()
    values = [*kept(STORE)]
    try:
        let_go_of_files(STORE)
        slot = slots.take(parent.directory)
        try:
            begin(STORE, values)
            _worker = share(parent.directory, slot, STORE)
        except BaseException:
            slot.close()
            raise
        with suppress(OSError):
            fold(parent.directory, least=HEAPED)
    except OSError as error:
        begin(STORE, values)
        logger.warning("%s: the numbers of process %d are its own: %s", parent.directory, os.getpid(), error)


def evaluate(store: CellStore) -> None:
    """Write what functions say into their cells, where other processes read it."""
    for family in store.living_families():
        if family.computed:
            _evaluate(family)


def _evaluate(family: Family) -> None:
    for child in [*family.children.values()]:
        with suppress(Exception):  # a function of the application's: its series stays as it was
            child.evaluate()


STORE.leave_to_parent = forked  # the first to be told of a fork, however late this is imported
