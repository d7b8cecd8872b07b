"""One fault after the other, in a real stack and real time: a quiet time, each fault on and off, and a last quiet time."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from runtime_exporter.demo import pages
from runtime_exporter.demo.cases import WATCHDOG, Case
from runtime_exporter.demo.trial import CHANNELS, Shown, Stage, Trial, advance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.demo.watch import Message, Observation

PAUSE = 0.4
"""Seconds between two looks; the rules are evaluated every second."""

GUILTY = 0.2
"""Part of a profile's time from which on it shows whose fault it is."""


@dataclass(frozen=True)
class Limits:
    """Seconds: of each part of the way, and of the whole run."""

    quiet: float = 12.0
    calm: float = 3.0
    notified: float = 32.0
    resolved: float = 26.0
    whole: float = 200.0


class World(Protocol):
    """What a scenario needs of a stack."""

    def observe(self) -> Observation:
        """Return what is to be seen now."""

    def query(self, expr: str) -> float | None:
        """Return the value of an expression now."""

    def page(self, url: str) -> str:
        """Return what a browser shows at a URL, empty where there is nothing."""

    def switch(self, fault: str, on: bool, settings: Mapping[str, float] | None = None) -> None:
        """Switch a fault."""


class Listener(Protocol):
    """Who is told how it goes."""

    def waiting(self, what: str, since: float, limit: float) -> None:
        """Something is waited for, since a Unix time and for at most so many seconds."""

    def quiet(self, seconds: float, misfired: Sequence[str]) -> None:
        """A time without a fault is over."""

    def began(self, cases: Sequence[Case]) -> None:
        """A fault is switched on, for these alerts."""

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
        trials: list[Trial] = []
        for _, alerts in groupby(cases, key=lambda case: case.fault):
            left = self._limits.whole - (self._clock() - began)
            trials += self._try(tuple(alerts), left)
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

    def _try(self, cases: Sequence[Case], left: float) -> list[Trial]:
        """Return the trials of one fault; the fault is off afterwards, whether its alerts came or not."""
        alerts, now = frozenset(case.alert for case in cases), self._clock()
        trials = [Trial(case, now, alerts - {case.alert}) for case in cases]
        fault, settings = cases[0].fault, cases[0].settings
        if left < self._limits.resolved:
            trials = [replace(trial, failure="not tried: the run took too long") for trial in trials]
        else:
            self._listener.began(cases)
            self._world.switch(fault, True, settings)
            trials = self._follow(trials, Stage.NOTIFIED, min(self._limits.notified, left - self._limits.resolved))
            self._world.switch(fault, False)
            before, off = trials, self._clock()
            trials = [replace(trial, off=off) for trial in trials]
            self._changed(before, trials)
            trials = self._follow(trials, Stage.RESOLVED, self._limits.resolved)
        for trial in trials:
            self._listener.ended(trial)
        return trials

    def _follow(self, trials: list[Trial], goal: Stage, limit: float) -> list[Trial]:
        """Watch until the goal or the limit; a limit is a failure that says what was missing and what was seen last."""
        since = self._clock()
        while any(trial.stage is not goal for trial in trials):
            if self._clock() - since > limit:
                return [trial if trial.stage is goal else self._failed(trial, limit) for trial in trials]
            behind = next(trial for trial in trials if trial.stage is not goal)
            signal = behind.case.signal
            what = f"waiting for {behind.waits_for}   {signal.text(self._world.query(signal.expr))}"
            self._listener.waiting(what, since, limit)
            before, seen = trials, self._world.observe()
            trials = [self._looked(advance(trial, seen)) for trial in trials]
            self._changed(before, trials)
            self._sleep(PAUSE)
        return trials

    def _looked(self, trial: Trial) -> Trial:
        """Return the trial with what the links in its messages lead to, as soon as that shows whose fault it is."""
        if trial.stage is not Stage.TOLD:
            return trial
        shown = dict(trial.shown)
        for channel in sorted(set(CHANNELS) - set(shown), key=CHANNELS.index):
            url = trial.told[channel].profile(trial.case.function)
            share = pages.share(self._world.page(url), trial.case.function) if url else None
            if share is not None and share >= GUILTY:
                shown[channel] = Shown(url, self._clock(), share)
        return replace(trial, shown=shown)

    def _changed(self, before: Sequence[Trial], after: Sequence[Trial]) -> None:
        for earlier, later in zip(before, after, strict=True):
            self._listener.changed(earlier, later)

    def _told(self, trial: Trial) -> Message | None:
        """Return the message that came where another was waited for: one that does not name whose fault it is."""
        if trial.stage is not Stage.FIRING:
            return None
        seen = self._world.observe()
        found = (seen.message(each, trial.case.alert, resolved=False, since=trial.on) for each in CHANNELS)
        return next((message for message in found if message), None)

    def _failed(self, trial: Trial, limit: float) -> Trial:
        signal = trial.case.signal
        evidence = signal.text(self._world.query(signal.expr))
        others = f"; active: {', '.join(sorted(trial.still_active))}" if trial.still_active else ""
        said = f"; told was: {message.text}" if (message := self._told(trial)) else ""
        reason = f"waited {limit:.0f} s for {trial.waits_for} ({evidence}{others}{said})"
        return replace(trial, failure=trial.failure or reason)
