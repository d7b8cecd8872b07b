"""Watches one target: takes its profiles again and again on a thread of its own, and remembers how that went."""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import TARGETS
from runtime_exporter.errors import ExporterError
from runtime_exporter.logs import StateLog
from runtime_exporter.ownthread import OwnThread
from runtime_exporter.profiling.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from runtime_exporter.agent.source import Source
    from runtime_exporter.profiling.pipeline import Pipeline, Report

LONGEST_BACKOFF_SECONDS: Final = 600.0
LONGEST_INTERVAL_SECONDS: Final = 600.0
"""An interval is not stretched beyond this: what is left of the cost is then what one look costs."""
_REMEMBERED = 0.5
"""What one look has cost counts half as much as all before it: one that is large changes little."""
_LEAST_PAUSE_SECONDS = 0.1
_JOIN_SECONDS = 3.0


@dataclass(frozen=True)
class State:
    """How it went with a target. Frozen: pages read one while the next is made."""

    up: bool | None = None
    """Whether the last try gave profiles; None before the end of the first."""
    problem: str = ""
    """Why it did not, in one line."""
    failures: int = 0
    in_a_row: int = 0
    """Failures since the last success."""
    taken: int = 0
    """Tries that gave profiles."""
    last: float = 0.0
    """When the last profiles were there, in seconds since the epoch."""
    seconds: float = 0.0
    """How long the last try took."""
    interval: float = 0.0
    """Seconds from one look to the next: those that were asked for, or more where that would cost too much; 0 before the first."""
    cost: float = 0.0
    """CPU seconds of ours that a look takes, on average of late."""


class Watcher:
    """One target. The constructor has no effects.

    turn: held while profiles are made something of; shared, so that targets do this one after the other, and memory is bounded.
    budget: the part of one core that looking at it, and making something of that, may use; the interval is stretched to hold it.
    delay: seconds before the first look. recall: what is to be done first, in steps, such as to read what is kept.
    What goes wrong is logged when it changes, ends nothing, and is tried again at growing intervals.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        pipeline: Pipeline,
        *,
        interval: float,
        budget: float = math.inf,
        turn: AbstractContextManager[object] | None = None,
        delay: float = 0.0,
        recall: Callable[[], Iterable[object]] | None = None,
        log: StateLog | None = None,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.source = source
        self.pipeline = pipeline
        self.state = State()
        self._interval = interval
        self._budget = budget
        self._gate = turn or threading.Lock()
        self._delay = delay
        self._recall = recall
        self._log = log or StateLog()
        self._guard = Guard(self._log)
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._unix_clock = unix_clock
        self._thread = OwnThread(f"runtime-exporter-target-{name}", TARGETS)

    @property
    def report(self) -> Report:
        """What is known of the target as of its last profiles."""
        return self.pipeline.report

    def start(self, after: threading.Event | None = None) -> None:
        """Begin to watch, `after` that is set. Raises ExporterError where no thread can be started."""
        try:
            self._thread.start(self._run, after)
        except RuntimeError as error:
            raise ExporterError(f"target {self.name} cannot be watched: {error}") from error

    def stop(self) -> None:
        """Ask it to end, without waiting."""
        self._thread.stop()

    def close(self) -> None:
        """End it, and what is under way. A second call does nothing."""
        self._thread.stop()
        self.source.close()
        self._thread.close(_JOIN_SECONDS)

    def turn(self) -> float:
        """Look at the target once, and return the seconds to wait until the next time. Never raises."""
        begun, cpu = self._clock(), self._cpu_clock()
        state = self.state
        try:
            taken = self.source.take()
        except Exception as error:  # noqa: BLE001 - a target, or our reading of it, that is wrong in any way costs itself only
            if self._thread.stopping:
                return 0.0
            return self._failed(error, self._clock() - begun)
        took = self._clock() - begun
        with self._gate:
            making = self._cpu_clock()
            self.pipeline.take_in(taken)
            self.pipeline.charge(self._cpu_clock() - making)
        spent = self._cpu_clock() - cpu
        cost = spent if not state.taken else state.cost + _REMEMBERED * (spent - state.cost)
        interval = stretched(self._interval, cost, self._budget)
        self.state = replace(
            state,
            up=True,
            problem="",
            in_a_row=0,
            taken=state.taken + 1,
            last=self._unix_clock(),
            seconds=took,
            interval=interval,
            cost=cost,
        )
        self._log.report(self.name, "ok", f"target {self.name} is profiled again")
        return max(_LEAST_PAUSE_SECONDS, interval - (self._clock() - begun))

    def _failed(self, error: Exception, took: float) -> float:
        state = self.state
        problem = str(error) if isinstance(error, ExporterError) else f"{type(error).__name__}: {error}"
        self.state = replace(
            state, up=False, problem=problem, failures=state.failures + 1, in_a_row=state.in_a_row + 1, seconds=took
        )
        self._log.report(self.name, problem, f"target {self.name} is not profiled: {problem}")
        return backoff(state.in_a_row + 1, self._interval)

    def _run(self, stop: threading.Event, after: threading.Event | None) -> None:
        if after is not None:
            after.wait()
        if self._recall is not None:
            self._guard.call(f"reading earlier profiles of {self.name}", self._remember, stop)
        wait = self._delay
        while not stop.wait(wait):
            wait = self.turn()

    def _remember(self, stop: threading.Event) -> None:
        for _ in self._recall() if self._recall is not None else ():
            if stop.is_set():
                break


def stretched(interval: float, cost: float, budget: float) -> float:
    """Return the seconds from one look to the next in which one that takes so much CPU is within a budget (part of one core)."""
    least = cost / budget if budget > 0 else LONGEST_INTERVAL_SECONDS
    return max(interval, min(least, LONGEST_INTERVAL_SECONDS))


def backoff(failures: int, interval: float, *, chance: Callable[[], float] = random.random) -> float:
    """Return the seconds until the next try after so many failures in a row: twice as long each time, to ten minutes.

    With up to a fifth more at random, so that targets that failed together do not come back together.
    """
    # More than 2^20 intervals is longer than the longest, and no overflow.
    wait = min(interval * 2.0 ** min(failures - 1, 20), max(LONGEST_BACKOFF_SECONDS, interval))
    return wait * (1.0 + 0.2 * chance())
