"""Whether a command is run for an alert: pure decisions over what was run before. The clock is a parameter."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from runtime_exporter.act.template import RefusedError, filled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.act.config import Action
    from runtime_exporter.web.notification import Alert

UNLISTED: Final = "unlisted"
VALUE: Final = "value"
REPEATED: Final = "repeated"
COOL_DOWN: Final = "cool_down"
RATE_LIMIT: Final = "rate_limit"
REASONS: Final = (UNLISTED, VALUE, REPEATED, COOL_DOWN, RATE_LIMIT)
"""What a refusal is counted under."""
_EPISODES: Final = 10_000  # remembered, the newest; each is some 100 bytes


@dataclass(frozen=True)
class Run:
    """That a command was begun, at a time in seconds since the epoch."""

    action: str
    command: tuple[str, ...]
    episode: str
    at: float


@dataclass(frozen=True)
class Order:
    """A command that shall be run: what for, and with which arguments."""

    action: Action
    alert: Alert
    command: tuple[str, ...]
    run: Run
    """What is remembered of it."""


@dataclass(frozen=True)
class Refusal:
    """That nothing is run for an alert, or not this action, and why."""

    alert: Alert
    reason: str
    action: str = ""
    kind: str = UNLISTED


class Policy:
    """Decides, and remembers what it has let through."""

    def __init__(self, actions: Iterable[Action], *, runs: int, per: float) -> None:
        """At most `runs` commands in any `per` seconds."""
        self._actions = tuple(actions)
        self._per = per
        self._runs = runs
        self._begun: deque[float] = deque(maxlen=runs)
        self._last: dict[tuple[str, ...], float] = {}
        self._episodes: dict[str, None] = {}
        self._lock = threading.Lock()  # notifications come on threads of their own

    def remember(self, run: Run) -> None:
        """Count a run, such as one of before a restart."""
        with self._lock:
            self._remember(run)

    def decide(self, alert: Alert, now: float) -> list[Order | Refusal]:
        """Return what is to be done about an alert at the time `now`: an answer for each action that is listed for it, or one refusal."""
        listed = [action for action in self._actions if action.alert == alert.name]
        fitting = [action for action in listed if action.labels.items() <= alert.labels.items()]
        due = [action for action in fitting if action.when == alert.status]
        if not due:
            return [Refusal(alert, _why_not(listed, fitting, alert))]
        return [self._decide(action, alert, now) for action in due]

    def take_back(self, order: Order) -> None:
        """Forget an order that could not be passed on: its alert may ask again."""
        run = order.run
        with self._lock:
            with suppress(ValueError):
                self._begun.remove(run.at)
            if self._last.get(_key(run)) == run.at:
                del self._last[_key(run)]  # the one before was long enough ago
            self._episodes.pop(f"{run.action} {run.episode}", None)

    def _decide(self, action: Action, alert: Alert, now: float) -> Order | Refusal:
        try:
            command = filled(action.command, alert.labels, action.values)
        except RefusedError as error:
            return Refusal(alert, str(error), action.name, VALUE)
        run = Run(action.name, command, alert.episode, now)
        with self._lock:
            kind, reason = self._too_soon(action, run)
            if reason:
                return Refusal(alert, reason, action.name, kind)
            self._remember(run)
        return Order(action, alert, command, run)

    def _too_soon(self, action: Action, run: Run) -> tuple[str, str]:
        if not action.repeat and f"{run.action} {run.episode}" in self._episodes:
            return REPEATED, "it was run for this alert already"
        since = run.at - self._last.get(_key(run), float("-inf"))
        if since < action.cool_down:
            return (
                COOL_DOWN,
                f"cool-down: the last run was {since:.0f} s ago, the next is allowed after {action.cool_down:g} s",
            )
        if len(self._begun) == self._runs and run.at - self._begun[0] < self._per:
            return RATE_LIMIT, f"rate limit: {self._runs} commands in {self._per:g} s are the most"
        return "", ""

    def _remember(self, run: Run) -> None:
        self._begun.append(run.at)
        self._last[_key(run)] = run.at
        self._episodes[f"{run.action} {run.episode}"] = None
        while len(self._episodes) > _EPISODES:
            del self._episodes[next(iter(self._episodes))]


def _key(run: Run) -> tuple[str, ...]:
    return (run.action, *run.command)


def _why_not(listed: list[Action], fitting: list[Action], alert: Alert) -> str:
    if not listed:
        return "no action is listed for this alert"
    if not fitting:
        return "no action is listed for an alert with these labels"
    return f"the alert is {alert.status or 'in no state'}, and no action is listed for that"
