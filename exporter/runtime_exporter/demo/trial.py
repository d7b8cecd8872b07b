"""How far one alert of a fault has come: a state machine whose every step is a function of values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runtime_exporter.demo.cases import WATCHDOG, Case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.demo.watch import Message, Observation

AFTERMATH = 6.0
"""Seconds after a fault in which its symptoms may still begin to show: the longest rate window, and a scrape."""

CHANNELS = ("slack", "mail")
"""Who must hear of every fault."""


class Stage(enum.Enum):
    """How far a fault has come; the value says what is waited for."""

    ON = "pending"
    PENDING = "firing"
    FIRING = "the messages"
    TOLD = "the profile that they link to"
    NOTIFIED = "the fault to be switched off"
    OFF = "the alert to resolve"
    CLEARED = "the messages that it is over"
    RESOLVED = ""


@dataclass(frozen=True)
class Shown:
    """The page that a message links to, and which part of the profile's time the guilty function has there, 0 to 1."""

    url: str
    at: float
    share: float


@dataclass(frozen=True)
class Trial:
    """What happened to one alert of a fault; Unix times, None for what has not happened."""

    case: Case
    on: float
    beside: frozenset[str] = frozenset()
    """The other alerts that the fault must have."""
    pending: float | None = None
    firing: float | None = None
    off: float | None = None
    cleared: float | None = None
    told: Mapping[str, Message] = field(default_factory=dict)
    shown: Mapping[str, Shown] = field(default_factory=dict)
    """By channel, the profile that its message led to."""
    told_over: Mapping[str, Message] = field(default_factory=dict)
    also_fired: frozenset[str] = frozenset()
    still_active: frozenset[str] = frozenset()
    misfired: frozenset[str] = frozenset()
    failure: str = ""

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        if self.off is None:
            return self._before_off
        if self.cleared is None or self.still_active:
            return Stage.OFF
        # Who was told that it began is to be told that it is over; nobody else.
        return Stage.RESOLVED if set(self.told) <= set(self.told_over) else Stage.CLEARED

    @property
    def _before_off(self) -> Stage:
        if self.firing is None:
            return Stage.ON if self.pending is None else Stage.PENDING
        if not set(CHANNELS) <= set(self.told):
            return Stage.FIRING
        return Stage.NOTIFIED if not self.case.function or set(CHANNELS) <= set(self.shown) else Stage.TOLD

    @property
    def waits_for(self) -> str:
        """What has not happened yet."""
        naming = f" that name {self.case.function}" if self.case.function else ""
        return self.stage.value + (naming if self.stage is Stage.FIRING else "")

    @property
    def notified(self) -> float | None:
        """When the last of the channels had its message."""
        return _last(self.told)

    @property
    def resolved(self) -> float | None:
        """When the last of the channels knew that it is over, not before it was."""
        told = _last(self.told_over)
        return None if told is None or self.off is None else max(told, self.off)

    @property
    def passed(self) -> bool:
        """Whether the fault was noticed, told and resolved, with nothing else out of place."""
        return self.stage is Stage.RESOLVED and not self.failure and not self.misfired

    @property
    def expected(self) -> frozenset[str]:
        """The alerts that may fire because of the fault, and the one that always does."""
        return self.beside | {self.case.alert, WATCHDOG}


def advance(trial: Trial, seen: Observation) -> Trial:
    """Return the trial with what `seen` adds."""
    return _after_off(trial, seen, trial.off) if trial.off is not None else _before_off(trial, seen)


def _before_off(trial: Trial, seen: Observation) -> Trial:
    alert = seen.alert(trial.case.alert)
    pending, firing = trial.pending, trial.firing
    told = _messages(trial, seen, trial.told, since=trial.on, resolved=False)
    if alert and pending is None:
        pending = max(alert.active, trial.on)
    if alert and alert.firing and firing is None:
        firing = _by(seen.at, told)
    return replace(trial, pending=pending, firing=firing, told=told, also_fired=trial.also_fired | _others(trial, seen))


def _after_off(trial: Trial, seen: Observation, off: float) -> Trial:
    active = frozenset(alert.name for alert in seen.alerts if alert.name not in trial.expected)
    late = frozenset(
        alert.name
        for alert in seen.alerts
        if alert.firing and alert.name in _others(trial, seen) - trial.also_fired and alert.active > off + AFTERMATH
    )
    cleared = trial.cleared
    # On a machine that is too busy for the fault, its alert may end before it; the same message then says so.
    told_over = _messages(trial, seen, trial.told_over, since=min(off, trial.notified or off), resolved=True)
    if seen.alert(trial.case.alert):
        cleared = None  # not over yet, or back again
    elif cleared is None:
        cleared = _by(seen.at, told_over)
    return replace(
        trial,
        cleared=cleared,
        still_active=active,
        told_over=told_over,
        also_fired=trial.also_fired | (_others(trial, seen) - late),
        misfired=trial.misfired | late,
    )


def _others(trial: Trial, seen: Observation) -> frozenset[str]:
    return frozenset(a.name for a in seen.alerts if a.firing and a.name not in trial.expected)


def _messages(
    trial: Trial, seen: Observation, known: Mapping[str, Message], *, since: float, resolved: bool
) -> Mapping[str, Message]:
    naming = "" if resolved else trial.case.function
    found = {
        channel: seen.message(channel, trial.case.alert, resolved=resolved, since=since, naming=naming)
        for channel in CHANNELS
    }
    return {**{channel: message for channel, message in found.items() if message}, **known}


def _by(at: float, told: Mapping[str, Message]) -> float:
    """Return when something had happened at the latest: when it was seen, or told, which two looks may hide."""
    return min([at, *(message.received for message in told.values())])


def _last(told: Mapping[str, Message]) -> float | None:
    return max(message.received for message in told.values()) if set(CHANNELS) <= set(told) else None
