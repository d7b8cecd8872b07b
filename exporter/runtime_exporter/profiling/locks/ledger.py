"""What was waited for: contentions and delay by the lock's place of creation and the stack that waited, counted exactly.

Whoever writes here may hold locks of the application, be in a signal handler or in a finaliser, or interrupt another writer
in the same thread. So writing never waits: an entry goes into a queue, and whoever finds nobody at it empties the queue.
"""

from __future__ import annotations

import sys
import time
from _thread import allocate_lock, get_ident
from collections import deque
from time import thread_time_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runtime_exporter.costs import COSTS, PROFILING
from runtime_exporter.profiling.profile import Frame, Stack
from runtime_exporter.profiling.pythonstack import python_frame, python_stack, stack_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

WAIT: Final = "wait"
RELEASE: Final = "release"
HOLD: Final = "hold"
FOREVER: Final = -1
"""The timeout of who waits without one, as `threading.Lock.acquire` has it."""
_HERE: Final = __file__.rpartition("/")[0]
_METER: Final = COSTS.meter(PROFILING)
"""Of waits, on the threads of the application that wait. An acquisition that nobody waits for is not worth two looks at a clock."""


class Trace:
    """A stack that was seen. Equal only to itself: there is one for each stack. Keeps the code whose identity tells it."""

    __slots__ = ("codes", "stack")

    def __init__(self, stack: Stack, codes: tuple[CodeType, ...] = ()) -> None:
        self.stack = stack
        self.codes = codes


NOWHERE: Final = Trace(())


class Site:
    """Where locks of a kind are created."""

    __slots__ = ("frame", "kind", "ledger")

    def __init__(self, ledger: Ledger, kind: str, frame: Frame) -> None:
        self.ledger = ledger
        self.kind = kind
        self.frame = frame

    def __str__(self) -> str:
        """Return the kind and the place, `Lock shop/orders.py:42`, with the last two parts of the path."""
        path = "/".join(self.frame.file.replace("\\", "/").rsplit("/", 2)[-2:])
        return f"{self.kind} {path}:{self.frame.line}" if path else f"{self.kind} {self.frame.name}"


class Ticket(NamedTuple):
    """A thread that waits for a lock: since when (nanoseconds of the ledger's clock), how long at most, where."""

    thread: int
    lock: Any
    since: int
    timeout: float
    trace: Trace
    outer: Ticket | None


class Entry(NamedTuple):
    """So many events that took so long together, in nanoseconds. For a hold, the events are the sampled ones."""

    what: str
    site: Site
    stack: Stack
    events: int
    nanoseconds: int


class Ledger:
    """The counts, for `site_limit` places of creation and `trace_limit` stacks; what is beyond either is counted without it."""

    def __init__(
        self,
        *,
        clock: Callable[[], int] = time.perf_counter_ns,
        site_limit: int = 256,
        trace_limit: int = 2048,
        deepest: int = 32,
    ) -> None:
        self.clock = clock
        self.active = True
        self.waiting: dict[int, Ticket] = {}
        self._site_limit = site_limit
        self._trace_limit = trace_limit
        self._deepest = deepest
        self._sites: dict[tuple[str, str, int], Site] = {}
        self._traces: dict[tuple[int, ...], Trace] = {}
        self._queue: deque[tuple[str, Site, Trace, int]] = deque()
        self._turn = allocate_lock()  # of _thread: nobody replaces that one
        self._cells: dict[tuple[str, Site, Trace], list[int]] = {}

    def site(self, kind: str, frame: FrameType) -> Site:
        """Return the place of creation that `frame` is at; `other` once there are as many as may be."""
        key = (kind, frame.f_code.co_filename, frame.f_lineno)
        known = self._sites.get(key)
        if known is None:
            if len(self._sites) >= self._site_limit:
                key, place = (kind, "", 0), Frame("other")
            else:
                place = python_frame(frame)
            # setdefault: two threads may be here at once, and each place has one Site.
            known = self._sites.setdefault(key, Site(self, kind, place))
        return known

    def trace(self, frame: FrameType | None) -> Trace:
        """Return the stack from `frame` on, without the frames of this package; NOWHERE once too many are known."""
        while frame is not None and frame.f_code.co_filename.startswith(_HERE):
            frame = frame.f_back
        key = stack_key(frame, self._deepest)
        known = self._traces.get(key)
        if known is None:
            if len(self._traces) >= self._trace_limit:
                return NOWHERE
            known = self._traces.setdefault(
                key, Trace(python_stack(frame, self._deepest), _codes(frame, self._deepest))
            )
        return known

    def trace_here(self) -> Trace:
        """Return the caller's stack. Never raises an `Exception`."""
        try:
            return self.trace(sys._getframe(1))  # noqa: SLF001 - the only way to a stack
        except Exception:  # noqa: BLE001 - a lock of the application must not fail for our sake
            return NOWHERE

    def arrive(self, lock: Any, timeout: float) -> Ticket | None:
        """Note that this thread begins to wait; None when nothing is counted any more. Never raises an `Exception`."""
        if not self.active:
            return None
        cpu = thread_time_ns()
        try:
            me = get_ident()
            # The clock first: to write the stack down is part of the wait, it happens instead of it.
            since = self.clock()
            ticket = Ticket(me, lock, since, timeout, self.trace_here(), self.waiting.get(me))
            self.waiting[me] = ticket
        except Exception:  # noqa: BLE001 - a lock of the application must not fail for our sake
            return None
        _METER.nanoseconds += thread_time_ns() - cpu
        return ticket

    def leave(self, ticket: Ticket | None) -> None:
        """Note that a thread waits no more."""
        if ticket is not None:
            if ticket.outer is None:
                self.waiting.pop(ticket.thread, None)
            else:  # a signal handler waited while its thread did
                self.waiting[ticket.thread] = ticket.outer

    def waited(self, site: Site, ticket: Ticket | None, releaser: Trace) -> None:
        """Count a wait that is over, for who waited and for who let go. Never raises an `Exception`."""
        if ticket is not None:
            self.count_wait(site, ticket.trace, ticket.since, releaser)

    def count_wait(self, site: Site, trace: Trace, since: int, releaser: Trace) -> None:
        """Count a wait from `since` until now. Never raises an `Exception`."""
        cpu = thread_time_ns()
        try:
            delay = max(0, self.clock() - since)
            self.add(WAIT, site, trace, delay)
            self.add(RELEASE, site, releaser, delay)
        except Exception:  # noqa: BLE001, S110 - a lock of the application must not fail for our sake
            pass
        _METER.nanoseconds += thread_time_ns() - cpu

    def add(self, what: str, site: Site, trace: Trace, nanoseconds: int) -> None:
        """Count one event. Waits for nobody."""
        self._queue.append((what, site, trace, nanoseconds))
        if self._turn.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._turn.release()

    def entries(self) -> tuple[Entry, ...]:
        """Return all that was counted so far."""
        with self._turn:
            self._settle()
            return tuple(Entry(what, site, trace.stack, *cell) for (what, site, trace), cell in self._cells.items())

    def forked(self) -> None:
        """Forget, in a child process, the parent's threads and counts."""
        self._turn = allocate_lock()
        self.waiting.clear()
        self._queue.clear()
        self._cells.clear()

    def _settle(self) -> None:
        """Empty the queue. Only with the turn."""
        while self._queue:
            what, site, trace, nanoseconds = self._queue.popleft()
            cell = self._cells.setdefault((what, site, trace), [0, 0])
            cell[0] += 1
            cell[1] += nanoseconds


def _codes(frame: FrameType | None, deepest: int) -> tuple[CodeType, ...]:
    codes: list[CodeType] = []
    while frame is not None and len(codes) < deepest:
        codes.append(frame.f_code)
        frame = frame.f_back
    return tuple(codes)
