"""Profiles on their way: a bounded queue, one thread that sends, waits and tries again, and a count of what became of each."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import PUSH
from runtime_exporter.errors import ExporterError
from runtime_exporter.logs import StateLog
from runtime_exporter.metrics import Counter
from runtime_exporter.ownthread import OwnThread
from runtime_exporter.profiling import pprof
from runtime_exporter.push.post import UnavailableError
from runtime_exporter.push.pyroscope import KINDS, Item

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.metrics import Metric
    from runtime_exporter.profiling.profile import Profile

THREAD_NAME: Final = "runtime-exporter-push"
QUEUE_LENGTH: Final = 64
"""Profiles that wait at most: some twenty intervals of three kinds, a few hundred kB."""
ATTEMPTS: Final = 6
"""Times that a profile is sent before it is given up: with the pauses of `pause` about a minute after the first."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
_LAST_SECONDS = 2.0
LONGEST_AFTER_SECONDS: Final = 300.0
"""What a server may ask to wait at most."""
_RESULTS = ("sent", "failed", "dropped")


class Push:
    """Sends profiles. `offer` returns at once, whatever the network does; nothing is started before the first.

    send: sends one item; raises ExporterError where it cannot, UnavailableError where it may be able to later. None: pushing is off.
    check: raises ConfigError where what it needs is not there, at `start`. labels: go with every profile.
    When the queue is full the oldest goes: what is newer says more about now.
    """

    def __init__(
        self,
        send: Callable[[Item], None] | None = None,
        *,
        check: Callable[[], object] | None = None,
        labels: Mapping[str, str] | None = None,
        length: int = QUEUE_LENGTH,
        attempts: int = ATTEMPTS,
        pause: Callable[[int], float] | None = None,
        log: StateLog | None = None,
    ) -> None:
        self.enabled = send is not None
        """Whether profiles are sent at all."""
        self._send = send or _nowhere
        self._check = check
        self._labels = dict(labels or {})
        self._length = length
        self._attempts = attempts
        self._pause = pause or _pause
        self._log = log or StateLog()
        counter = Counter(
            "profile_pushes_total",
            "Profiles that were to be pushed: sent, failed (refused, or given up after several attempts), dropped (the queue was full).",
            ["result"],
            registry=None,
        )
        self._counts = {result: counter.labels(result) for result in _RESULTS} if self.enabled else {}
        counter.hidden = not self.enabled
        self.families: tuple[Metric, ...] = (counter,)
        self._open = False
        self._thread = OwnThread(THREAD_NAME, PUSH)
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: there is no thread, and what waits is the parent's to send."""
        self._changed = threading.Condition()
        self._queue: deque[Item] = deque()
        self._thread.forked()

    def start(self) -> None:
        """Take profiles from now on. Raises ConfigError where the credentials cannot be read."""
        if not self.enabled:
            return
        if self._check is not None:
            self._check()
        self._open = True

    def close(self, *, patience: float = _LAST_SECONDS) -> None:
        """Take no more, and give what waits so many seconds to be sent, once each. May be called twice, and before `start`."""
        with self._changed:
            self._open = False
            self._thread.stop()
            self._changed.notify_all()
        self._thread.close(patience)
        with self._changed:
            self._lose(len(self._queue))
            self._queue.clear()

    def offer(self, profile: Profile, kind: str, labels: Mapping[str, str]) -> None:
        """Let a profile be sent, unless it is empty or of a kind that the server has no name for."""
        if not self._open or kind not in KINDS or not profile.samples:
            return
        begin = profile.time_nanos / 1e9 or time.time()
        end = begin + profile.duration_nanos / 1e9
        # As bytes it takes a tenth of the memory, and what it costs is the profiler's to account for.
        item = Item(kind, pprof.encode(profile), begin, end, {**self._labels, **labels})
        with self._changed:
            if not self._open:  # closed meanwhile, by another thread: nobody would end what is begun now
                return
            self._queue.append(item)
            if len(self._queue) > self._length:
                self._queue.popleft()
                self._lose(1)
            self._begin()
            self._changed.notify_all()

    def _begin(self) -> None:
        """Start the thread where there is none."""
        try:
            self._thread.start(self._run)
        except RuntimeError as error:  # no thread can be started now; the next profile tries again
            self._log.report("thread", "failing", f"profiles are not pushed: {error}")

    def _lose(self, number: int) -> None:
        if number:
            self._counts["dropped"].inc(number)
            self._log.report(
                "queue", "full", "more profiles wait to be pushed than there is room for: the oldest are dropped"
            )

    def _run(self, stop: threading.Event) -> None:
        while (item := self._next(stop)) is not None:
            self._guarded(item, stop)

    def _guarded(self, item: Item, stop: threading.Event) -> None:
        try:
            self._deliver(item, stop)
        except Exception as error:  # noqa: BLE001 - nothing of ours may end the thread
            self._failed(f"{type(error).__name__}: {error}")

    def _next(self, stop: threading.Event) -> Item | None:
        """Return the oldest item as soon as there is one; None when the last has been sent of a Push that is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or stop.is_set())
            if not self._queue:
                return None
            item = self._queue.popleft()
        self._log.report("queue", "ok", "there is room again for profiles to be pushed")
        return item

    def _deliver(self, item: Item, stop: threading.Event) -> None:
        """Send an item, again and again where the server may take it later; once it is closed it is not tried again."""
        for attempt in range(self._attempts):
            try:
                self._send(item)
            except UnavailableError as error:
                reason, rest = str(error), max(self._pause(attempt), min(error.after, LONGEST_AFTER_SECONDS))
            except ExporterError as error:
                self._failed(str(error))
                return
            else:
                self._counts["sent"].inc()
                self._log.report("push", "ok", "profiles are pushed again")
                return
            self._log.report("push", "failing", f"profiles are not pushed: {reason}")
            if stop.is_set() or attempt + 1 == self._attempts:
                break
            self._rest(rest, stop)
        self._failed(reason)

    def _rest(self, seconds: float, stop: threading.Event) -> None:
        with self._changed:
            self._changed.wait_for(stop.is_set, seconds)

    def _failed(self, reason: str) -> None:
        self._counts["failed"].inc()
        self._log.report("push", "failing", f"profiles are not pushed: {reason}")


def _nowhere(_: Item) -> None:
    """Stand for a server where there is none."""


def _pause(attempt: int) -> float:
    """Return seconds that double with each attempt, drawn so that the processes of a service do not come all at once."""
    return min(_FIRST_PAUSE_SECONDS * 2.0**attempt, _LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
