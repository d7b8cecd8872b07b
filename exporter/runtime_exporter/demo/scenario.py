"""One fault after the other, in a real stack and real time: a quiet time, each fault on and off, and a last quiet time."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from runtime_exporter.demo.cases import WATCHDOG, Case
from runtime_exporter.demo.trial import Stage, Trial, advance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.demo.watch import Observation

PAUSE = 0.4
"""Seconds between two looks; the rules are evaluated every second."""


@dataclass(frozen=True)
class Limits:
    """Seconds: of each part of the way, and of the whole run."""

    quiet: float = 20.0
    calm: float = 4.0
    notified: float = 32.0
    resolved: float = 26.0
    whole: float = 200.0


class World(Protocol):
    """What a scenario needs of a stack."""

    def observe(self) -> Observation:
        """Return what is to be seen now."""

    def query(self, expr: str) -> float | None:
        """Return the value of an expression now."""

    def switch(self, fault: str, on: bool, settings: Mapping[str, float] | None = None) -> None:
        """Switch a fault."""


class Listener(Protocol):
    """Who is told how it goes."""

    def waiting(self, what: str, since: float, limit: float) -> None:
        """Something is waited for, since a Unix time and for at most so many seconds."""

    def quiet(self, seconds: float, misfired: Sequence[str]) -> None:
        """A time without a fault is over."""

    def began(self, case: Case) -> None:
        """A fault is switched on."""

    def changed(self, before: Trial, after: Trial) -> None:
        """A trial has come further."""

    def ended(self, trial: Trial) -> None:
        """A trial is over."""


@dataclass(frozen=True)
class Result:
    """All trials, and what fired while no fault was on."""

    trials: tuple[Trial, ...]
    misfired: tuple[str, ...]
    seconds: float
    watchdog: bool

    @property
    def passed(self) -> bool:
        """Whether every fault was noticed, told and resolved, nothing fired without one, and the Watchdog was there."""
        return all(trial.passed for trial in self.trials) and not self.misfired and self.watchdog


class Scenario:
    """Drives a world through its faults. Raises only what the world raises when a part of it is gone."""

    def __init__(
        self,
        world: World,
        listener: Listener,
        limits: Limits | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._world = world
        self._listener = listener
        self._limits = limits or Limits()
        self._clock = clock
        self._sleep = sleep

    def run(self, cases: Sequence[Case]) -> Result:
        """Return what came of the cases: a quiet time, each fault, and a last quiet time."""
        began = self._clock()
        misfired = set(self._quiet(self._limits.quiet))
        trials = []
        for case in cases:
            left = self._limits.whole - (self._clock() - began)
            trials.append(self._try(case, left))
        misfired |= set(self._quiet(self._limits.calm))
        watchdog = self._world.observe().alert(WATCHDOG)
        return Result(
            tuple(trials), tuple(sorted(misfired)), self._clock() - began, watchdog is not None and watchdog.firing
        )

    def _quiet(self, seconds: float) -> frozenset[str]:
        since = self._clock()
        fired: frozenset[str] = frozenset()
        while self._clock() - since < seconds:
            self._listener.waiting("quiet: no fault is on, no alert may fire", since, seconds)
            fired |= {alert.name for alert in self._world.observe().alerts if alert.firing and alert.name != WATCHDOG}
            self._sleep(PAUSE)
        self._listener.quiet(seconds, sorted(fired))
        return fired

    def _try(self, case: Case, left: float) -> Trial:
        """Return the trial of one fault; the fault is off afterwards, whether its alert came or not."""
        trial = Trial(case, self._clock())
        if left < self._limits.resolved:
            trial = replace(trial, failure="not tried: the run took too long")
            self._listener.ended(trial)
            return trial
        self._listener.began(case)
        self._world.switch(case.fault, True, case.settings)
        trial = self._follow(trial, Stage.NOTIFIED, min(self._limits.notified, left - self._limits.resolved))
        self._world.switch(case.fault, False)
        before, trial = trial, replace(trial, off=self._clock())
        self._listener.changed(before, trial)
        trial = self._follow(trial, Stage.RESOLVED, self._limits.resolved)
        self._listener.ended(trial)
        return trial

    def _follow(self, trial: Trial, goal: Stage, limit: float) -> Trial:
        """Watch until the goal or the limit; a limit is a failure that says what was missing and what was seen last."""
        since = self._clock()
        while trial.stage is not goal:
            if self._clock() - since > limit:
                return replace(trial, failure=trial.failure or self._reason(trial, limit))
            signal = trial.case.signal
            what = f"waiting for {trial.stage.value}   {signal.text(self._world.query(signal.expr))}"
            self._listener.waiting(what, since, limit)
            before, trial = trial, advance(trial, self._world.observe())
            self._listener.changed(before, trial)
            self._sleep(PAUSE)
        return trial

    def _reason(self, trial: Trial, limit: float) -> str:
        signal = trial.case.signal
        evidence = signal.text(self._world.query(signal.expr))
        others = f"; active: {', '.join(sorted(trial.still_active))}" if trial.still_active else ""
        return f"waited {limit:.0f} s for {trial.stage.value} ({evidence}{others})"
