"""A Python process of this machine as a target."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Literal

from runtime_exporter.agent.observed import Observed
from runtime_exporter.agent.processes import Process, find, identify, lives
from runtime_exporter.errors import BusyError, ProfileError
from runtime_exporter.profiling import foreign
from runtime_exporter.profiling.advice import Facts
from runtime_exporter.profiling.samplers.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.agent.config import Target
    from runtime_exporter.profiling.pipeline import Taken
    from runtime_exporter.profiling.profile import Profile

_TICK_SECONDS: Final = 0.2
"""How long the end of a process, or of us, may go unnoticed."""


class ProcessTarget:
    """Profiles of one process, or of one after the other that has the command line."""

    language: Literal["python"] = "python"

    def __init__(self, target: Target, *, budget: float = 0.015) -> None:
        """`budget` is the part of one core that py-spy may use for it."""
        self._target = target
        self._pace = Pace(budget=budget)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._capturing = threading.Lock()
        self._observed: Observed | None = None

    @property
    def process(self) -> Process | None:
        """The process that is being looked at."""
        observed = self._observed
        return observed.process if observed is not None else None

    @property
    def started(self) -> float | None:
        """When the process did, in seconds since the epoch; None while none is looked at."""
        observed = self._observed
        return observed.began if observed is not None else None

    def take(self) -> Taken:
        """Return the profiles of one interval, which begins where the last one ended. Raises ProfileError."""
        with self._lock:
            observed = self._observed
            if observed is None or not lives(observed.process):
                self._drop()
                observed = self._observed = Observed(self._found(), self._target.kinds, self._pace)
            try:
                observed.begin()
                self._wait(observed)
                return observed.end(again=not self._closing.is_set())
            except ProfileError:
                self._drop()
                raise

    def facts(self) -> Facts:
        """Return nothing: what a process does not say of itself cannot be seen from outside."""
        return Facts()

    def capture(self, kind: str, seconds: float, unwanted: Callable[[], bool] | None = None) -> Profile:
        """Return a "cpu" or "wall" profile over at least a second.

        Raises ProfileError, also once it is `unwanted`, and BusyError while one is taken.
        """
        if kind not in ("cpu", "wall"):
            raise ProfileError(f"from outside of a process a cpu or wall profile can be taken, and no {kind}")
        if not self._capturing.acquire(blocking=False):  # each looks at the process a hundred times a second
            raise BusyError("a profile of this process is being taken, and one is at a time")
        try:
            pid = (self.process or self._found()).pid
            return foreign.record(
                pid,
                max(1, round(seconds)),
                kind,
                unwanted=lambda: self._closing.is_set() or (unwanted is not None and unwanted()),
            )
        finally:
            self._capturing.release()

    def close(self) -> None:
        """End the helper, once `take` has noticed."""
        self._closing.set()
        with self._lock:
            self._drop()

    def _found(self) -> Process:
        return find(self._target.command) if self._target.command else identify(self._target.pid)

    def _wait(self, observed: Observed) -> None:
        until = observed.since + self._target.interval
        while (left := until - time.time()) > 0 and not self._closing.wait(min(left, _TICK_SECONDS)):
            if not lives(observed.process):
                raise ProfileError(f"the process {observed.process.pid} has ended")
            observed.tend()

    def _drop(self) -> None:
        observed, self._observed = self._observed, None
        if observed is not None:
            observed.close()
