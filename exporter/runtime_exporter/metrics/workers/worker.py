"""A process that counts together with others: how it joins, what a fork makes of it, how it ends."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.errors import RunDirectoryError
from runtime_exporter.metrics.cells import STORE
from runtime_exporter.metrics.workers import ending, slots
from runtime_exporter.metrics.workers.folding import HEAPED, fold
from runtime_exporter.metrics.workers.journal import Journal
from runtime_exporter.metrics.workers.mapping import lay_copy, lay_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime_exporter.metrics.cells import CellStore
    from runtime_exporter.metrics.family import Family

logger = logging.getLogger("runtime_exporter")

WAIT: Final = 10.0
"""Seconds that a process which joins waits for another that folds."""

KEPT: Final = ("min", "max", "mostrecent", "livemin", "livemax", "livemostrecent")
"""Modes in which a value that parent and child both have counts once: a fork keeps it."""


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
        """Whether somebody removed this worker's files, so that nobody else sees what it counts."""
        try:
            return os.fstat(self._slot.descriptor).st_nlink == 0
        except OSError:
            return True

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
        _keep_alone(self._store)
        self._journal.give_back()
        _worker = None
        _left.add(self.directory)
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

    Joining again is the same as once. Raises RunDirectoryError where it cannot be done; then nothing has changed.
    """
    global _worker  # noqa: PLW0603 - there is one such process
    where = Path(directory).absolute()
    if _worker is not None:
        if _worker.directory == where:
            return _worker
        raise RunDirectoryError(f"{where}: this process shares its numbers through {_worker.directory} already")
    try:
        _worker = _join(where)
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
                _begin_anew(store)
            # From here on series are written down as they are born; those before in what follows.
            store.journal = journal
        for family in store.living_families():
            _write_down(journal, family)
    except BaseException:
        _keep_alone(store)
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


def _keep_alone(store: CellStore) -> None:
    """Take the cells back from the files, with what is in them."""
    with store.still():
        store.journal = None
        for segment in store.segments:
            if segment.first is not None:
                lay_copy(segment.buffer)
                segment.first = None


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
    kept = [*_kept(STORE)]
    try:
        _let_go_of_files(STORE)
        slot = slots.take(parent.directory)
        try:
            _begin(STORE, kept)
            _worker = share(parent.directory, slot, STORE)
        except BaseException:
            slot.close()
            raise
        with suppress(OSError):
            fold(parent.directory, least=HEAPED)
    except OSError as error:
        _begin(STORE, kept)
        logger.warning("%s: the numbers of process %d are its own: %s", parent.directory, os.getpid(), error)


def _let_go_of_files(store: CellStore) -> None:
    """Have empty memory in the place of the parent's files. Raises OSError where there is none: then it is of the heap.

    Who keeps a view of a cell (the middlewares, of requests that are active) goes on to write into the parent's then.
    """
    for segment in store.segments:
        segment.first = None
    try:
        for segment in store.segments:
            lay_nothing(segment.buffer)
    except OSError:
        for segment in store.segments:
            segment.move()
        for family in store.living_families():
            family.kept.blocks = ()  # they know where the cells were
        raise


def _kept(store: CellStore) -> Iterator[tuple[Any, int]]:
    """Yield what a child keeps: states, and values that count once however many processes have them."""
    for family in store.living_families():
        segment, at = family.cells
        yield family, segment.ints[at]
        if family.type == "stateset" or family.mode in KEPT:
            for child in [*family.children.values()]:
                segment, at = child.cells
                yield child, segment.ints[at]


def _begin(store: CellStore, kept: list[tuple[Any, int]]) -> None:
    """Let all series begin, their cells being empty."""
    for family in store.living_families():
        for child in [*family.children.values()]:
            child.begin_anew()
    for holder, value in kept:
        segment, at = holder.cells
        segment.ints[at] = value


def _begin_anew(store: CellStore) -> None:
    kept = [*_kept(store)]
    for segment in store.segments:
        segment.buffer[:] = bytes(len(segment.buffer))
    _begin(store, kept)


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
