"""What the exporter uses itself: CPU seconds by its parts, from the kernel's clocks of its own threads.

Each thread of ours is started here and belongs to a part; what it does for another one meanwhile (`within`) is that one's.
So all that our threads use is somebody's, once, and what runs on a thread of the application is told by `within` or by a `Meter`.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter import forks
from runtime_exporter.cpuclock import cpu_time_ns
from runtime_exporter.sigmask import start_without_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BACKGROUND: Final = "background"
"""Collectors that are updated by a thread of their own."""
PROFILING: Final = "profiling"
"""Samplers, and what is made of what they see."""
PUSH: Final = "push"
"""Sending profiles elsewhere."""
SCRAPE: Final = "scrape"
"""Collectors that a scrape updates, and writing and compressing its answer."""
WEB: Final = "web"
"""The server: connections, requests, every page but the scrape's."""
TARGETS: Final = "targets"
"""An agent's looks at other processes."""
HOOKS: Final = "hooks"
"""What the interpreter calls in threads of the application, such as at a garbage collection."""


class _Use(NamedTuple):
    """A thread at work for a part, `since` that many nanoseconds of its clock."""

    part: str
    native_id: int
    since: int

    def now(self) -> int:
        """Return the nanoseconds on the thread's clock; `since` where it has ended, or its clock cannot be read from another."""
        if sys.platform == "linux":
            with suppress(OSError):
                return cpu_time_ns(self.native_id)
        return self.since


class Meter:
    """Counts what is spent where no lock may be taken, such as in a signal's handler: add to `nanoseconds`."""

    __slots__ = ("nanoseconds", "part")

    def __init__(self, part: str) -> None:
        self.part = part
        self.nanoseconds = 0


class Costs:
    """The account of a process. Totals never go back; they begin at zero in the child of a fork."""

    def __init__(self, own_clock: Callable[[], int] = time.thread_time_ns) -> None:
        self._own_clock = own_clock
        self._meters: tuple[Meter, ...] = ()
        self.forked()

    def forked(self) -> None:
        """Begin at zero: what was used so far was used by the parent."""
        self._lock = threading.RLock()  # reentrant: a signal handler of the application may ask for an exposition
        self._ended: dict[str, int] = {}
        self._in_use: dict[int, _Use] = {}
        for meter in self._meters:
            meter.nanoseconds = 0

    def totals(self) -> Mapping[str, float]:
        """Return the CPU seconds of every part that has used any."""
        with self._lock:
            spent = dict(self._ended)
            for use in self._in_use.values():
                spent[use.part] = spent.get(use.part, 0) + max(0, use.now() - use.since)
        for meter in self._meters:
            spent[meter.part] = spent.get(meter.part, 0) + meter.nanoseconds
        return {part: nanoseconds / 1e9 for part, nanoseconds in spent.items() if nanoseconds}

    def meter(self, part: str) -> Meter:
        """Return a new meter of a part, which counts for ever."""
        meter = Meter(part)
        self._meters = (*self._meters, meter)
        return meter

    @contextmanager
    def within(self, part: str) -> Iterator[None]:
        """Let what this thread uses be of `part`, and of nobody else's meanwhile."""
        before = self._switch(_Use(part, threading.get_native_id(), self._own_clock()))
        try:
            yield
        finally:
            self._switch(before and before._replace(since=self._own_clock()))

    def start(self, thread: threading.Thread, part: str | None = None) -> None:
        """Start a thread of ours, which takes no signals: all that it uses is of `part`, or of the part of who starts it.

        Raises RuntimeError where no thread can be started.
        """
        starter = self._in_use.get(threading.get_ident())
        belongs = part or (starter.part if starter is not None else WEB)
        run, here = thread.run, threading.get_native_id()

        def accounted() -> None:
            if threading.get_native_id() == here:  # a green thread: its clock is that of all of them
                run()
                return
            self._switch(_Use(belongs, threading.get_native_id(), 0))
            try:
                run()
            finally:
                self._switch(None)
                thread.__dict__.pop("run", None)  # a circle: each connection would leave work to the garbage collector

        thread.run = accounted  # type: ignore[method-assign]
        start_without_signals(thread)

    def settle(self) -> None:
        """Take over what this thread has used so far: where no other thread can read its clock, nobody else does."""
        use = self._in_use.get(threading.get_ident())
        if use is not None:
            self._switch(use._replace(since=self._own_clock()))

    def _switch(self, use: _Use | None) -> _Use | None:
        """Let this thread be used so from now on; return how it was used until now, which is accounted for."""
        me = threading.get_ident()
        with self._lock:
            before = self._in_use.pop(me, None)
            if before is not None:
                used = max(0, self._own_clock() - before.since)
                self._ended[before.part] = self._ended.get(before.part, 0) + used
            if use is not None:
                self._in_use[me] = use
        return before


COSTS: Final = Costs()
"""The account of this process."""

forks.after_in_child(COSTS.forked)
