"""When to look next: at random, at a rate that keeps to a budget of CPU."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOWEST_HZ = 5.0
HIGHEST_HZ = 50.0
USUAL_HZ = 20.0
_STEP_SECONDS = 5.0
_PAUSE_SECONDS = 60.0
_STEPS_OVER_BEFORE_PAUSE = 3
# Aimed below the budget: a rate that is held exactly on it is over it in every second step.
_AIM = 0.8
# An exponential distribution has no longest gap; a look that comes late stands for all that time.
_LONGEST_GAPS = 5.0


class Pace:
    """Exponential gaps, so that no period of the program beats with ours, and a rate governed by what looking costs.

    `budget` is a share of one core, of wall time and not of what the application uses: an idle program must not drive the
    rate to nothing. It may rise to `ceiling` and not above, which is the rate that was asked for.
    """

    def __init__(
        self,
        *,
        rate: float = USUAL_HZ,
        budget: float = 0.01,
        highest: float = HIGHEST_HZ,
        chance: random.Random | None = None,
    ) -> None:
        self.ceiling = min(highest, max(LOWEST_HZ, rate))
        self.budget = budget
        self._chance = chance or random.Random()  # noqa: S311 - gaps between samples, no secrets
        self.restart(0.0)

    def restart(self, now: float) -> None:
        """Begin at the highest rate allowed. `now` and all times are monotonic seconds."""
        self.rate = self.ceiling
        self._pauses = 0
        self.paused_until = now
        self._over = 0
        self._hurried = False
        self._begin = now
        self._cpu = 0.0

    def take_pauses(self) -> int:
        """Return how many pauses began since the last call."""
        pauses, self._pauses = self._pauses, 0
        return pauses

    @contextmanager
    def hurried(self, rate: float) -> Iterator[None]:
        """Look at this rate for a while, whatever it costs; what it costs is not accounted."""
        usual, self.rate, self._hurried = self.rate, rate, True
        try:
            yield
        finally:
            self.rate, self._hurried = usual, False

    def reseed(self) -> None:
        """Let a forked child look at other moments than its parent and siblings."""
        self._chance.seed()

    def first_gap(self) -> float:
        """Return seconds until the first look: a random phase, so that workers started together do not look together."""
        return self._chance.uniform(0.0, 1.0 / self.rate)

    def gap(self) -> float:
        """Return seconds until the next look."""
        return min(self._chance.expovariate(self.rate), _LONGEST_GAPS / self.rate)

    def account(self, cpu_seconds: float, now: float) -> None:
        """Say what looking has cost since the last call; every five seconds the rate follows from it."""
        if self._hurried:
            self._begin, self._cpu = now, 0.0
            return
        self._cpu += cpu_seconds
        seconds = now - self._begin
        if seconds < _STEP_SECONDS:
            return
        share = self._cpu / seconds
        self._begin, self._cpu = now, 0.0
        self._over = self._over + 1 if share > self.budget else 0
        if self._over >= _STEPS_OVER_BEFORE_PAUSE:
            self._over = 0
            self._pauses += 1
            self.paused_until = self._begin = now + _PAUSE_SECONDS
        wanted = self.rate * _AIM * self.budget / share if share > 0 else self.ceiling
        # Down at once, up at most by half in a step: a quiet moment is no proof.
        self.rate = min(self.ceiling, max(LOWEST_HZ, min(wanted, self.rate * 1.5)))
