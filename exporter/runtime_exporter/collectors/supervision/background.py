"""The one thread that updates what is too expensive for a scrape, each at its own pace."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from runtime_exporter.costs import BACKGROUND, COSTS
from runtime_exporter.ownthread import OwnThread

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from runtime_exporter.collectors.supervision.member import Member

logger = logging.getLogger("runtime_exporter")

THREAD_NAME = "runtime-exporter-collectors"
# Members come to the background when they turn out to be expensive: looked for this often.
_LONGEST_WAIT_SECONDS = 5.0
_JOIN_SECONDS = 2.0
# Steps of the golden ratio spread evenly over [0, 1): as good as chance here, and no import of `random`.
_GOLDEN = 0.6180339887498949
_JITTER = 0.1


class Background:
    """Runs members that have an interval.

    The budget is kept by construction: each member may use an equal part of what the background is allowed, and waits after an
    update for as long as its CPU time is worth at that rate, or its interval if that is longer. To wake up is part of it: in
    a program that lets go of the GIL and takes it again all the time, to wait for it costs more than most updates.
    """

    def __init__(
        self,
        members: Iterable[Member],
        allowed: Callable[[str], float],
        *,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._members = tuple(members)
        self._allowed = allowed
        self._clock = clock
        self._cpu = cpu
        self._due: dict[Member, float] = {}
        self._waking = 0.0
        self._step = os.getpid() * _GOLDEN
        self._thread = OwnThread(THREAD_NAME, BACKGROUND)

    @property
    def running(self) -> bool:
        """Whether there is a thread in this process that updates."""
        return self._thread.running

    def start(self) -> None:
        """Start the thread; without effect while it runs. Raises RuntimeError where no thread can be started."""
        self._thread.start(self._run)

    def close(self) -> None:
        """Stop the thread. One that hangs in a collector is left behind; it is a daemon and ends by itself."""
        if not self._thread.close(_JOIN_SECONDS):
            logger.warning("a collector hangs in the background; its thread is left to end by itself")

    def forked(self) -> None:
        """In the child there is no thread. It may be started again."""
        self._thread.forked()

    def woke(self, cpu_seconds: float) -> None:
        """Say what the thread has used from one turn to the next without the updates. One wait is chance: three in four are the past."""
        self._waking += (cpu_seconds - self._waking) / 4

    def turn(self) -> float:
        """Update what is due; return the seconds until something is due next."""
        for member in self._members:
            if (
                member.interval is not None
                and self._clock() >= self._due.get(member, 0.0)
                and not self._thread.stopping
            ):
                member.run()
                pause = self.pause(member)
                member.expect_within(pause)
                self._due[member] = self._clock() + pause
        waits = [due - self._clock() for member, due in self._due.items() if member.interval is not None]
        return max(0.0, min([*waits, _LONGEST_WAIT_SECONDS]))

    def pause(self, member: Member) -> float:
        """Return the seconds until the next update of `member`, which has just run."""
        interval = member.interval or 0.0
        sharing = sum(other.interval is not None for other in self._members)
        self._step = (self._step + _GOLDEN) % 1.0
        jitter = 1 - _JITTER + 2 * _JITTER * self._step
        return max(interval, (member.cpu_seconds + self._waking) * max(1, sharing) / self._allowed(BACKGROUND)) * jitter

    def _run(self, stop: threading.Event) -> None:
        self._due.clear()
        for member in self._members:
            if member.interval is not None:
                member.expect_within(member.interval)
        spent = self._cpu()
        while not stop.is_set():
            began = self._cpu()
            self.woke(began - spent)
            wait = self.turn()
            spent = self._cpu()
            COSTS.settle()
            stop.wait(wait)
