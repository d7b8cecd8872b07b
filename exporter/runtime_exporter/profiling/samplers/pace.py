"""When to look next: at random, at a rate that keeps to a budget of CPU."""

from __future__ import annotations

import math
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOWEST_HZ = 5.0
HIGHEST_HZ = 50.0
USUAL_HZ = 20.0
_STEP_SECONDS = 5.0
# Aimed below what comes in: a rate that is held exactly on it is above it in every second step.
_AIM = 0.7
# What comes in, and what can be saved up, so that no five minutes cost more than the budget: 300 s x 0.8 + 40 s, which leaves
# 20 s of it for what one look may cost beyond all that was saved.
_INCOME, _SAVED_SECONDS = 0.8, 40.0
_LONGEST_PAUSE_SECONDS = 300.0
# Up by half at most in a step, for a quiet moment is no proof; down to half, for neither is a bad one.
_FASTEST_RISE, _FASTEST_FALL = 1.5, 0.5
# An exponential distribution has no longest gap; a look that comes late stands for all that time.
_LONGEST_GAPS = 5.0


class Pace:
    """Exponential gaps, so that no period of the program beats with ours, and a rate governed by what looking costs.

    `budget` is a share of one core, of wall time and not of what the application uses: an idle program must not drive the
    rate to nothing. It may rise to `ceiling` and not above, which is the rate that was asked for, and fall to `lowest`. It begins
    at `first`, which is the ceiling where nothing is said: a low one is for looks of which nobody knows what they cost here.

    The rate follows the cost in steps. What is spent is paid from an account into which the budget comes in: a bad moment, such
    as one in which a virtual machine's host has taken the CPU away (the kernel counts that as ours), is paid from savings. Only
    when these are gone, which is when the lowest rate costs too much, there is a pause, as long as it takes to save half
    of them anew.
    """

    def __init__(
        self,
        *,
        rate: float = USUAL_HZ,
        budget: float = 0.01,
        highest: float = HIGHEST_HZ,
        lowest: float = LOWEST_HZ,
        first: float = math.inf,
        chance: random.Random | None = None,
    ) -> None:
        self.ceiling = min(highest, max(lowest, rate))
        self.lowest = lowest
        self.first = max(lowest, min(first, self.ceiling))
        self.budget = budget
        self._chance = chance or random.Random()  # noqa: S311 - gaps between samples, no secrets
        self.restart(0.0)

    def restart(self, now: float) -> None:
        """Begin anew, at the first rate. `now` and all times are monotonic seconds."""
        self.rate = self.first
        self._pauses = 0
        self.paused_until = now
        self._hurried = False
        self._saved = self._most = self.budget * _SAVED_SECONDS
        self._counted = now
        self._begin = now
        self._cpu = 0.0

    def afford(self, budget: float) -> None:
        """Keep to another budget from now on. What is saved stays, as far as so much may be saved."""
        self.budget = budget
        self._most = budget * _SAVED_SECONDS
        self._saved = min(self._saved, self._most)

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
        self.pay(cpu_seconds, now)
        if now - self._begin >= _STEP_SECONDS:
            self._step(now)

    def pay(self, cpu_seconds: float, now: float) -> None:
        """Say what looking has cost since the last call, while the rate cannot be changed. May begin a pause."""
        if self._hurried or math.isinf(self.budget):
            self._begin = self._counted = now
            return
        income = self.budget * _INCOME
        self._saved = min(self._most, self._saved + max(0.0, now - self._counted) * income) - cpu_seconds
        self._counted = now
        self._cpu += cpu_seconds
        if self._saved >= 0 or now < self.paused_until:
            return
        if now > self._begin:
            self._step(now)
        # What was spent longer ago than the longest pause is forgiven.
        self._saved = max(self._saved, self._most / 2 - _LONGEST_PAUSE_SECONDS * income)
        pause = (self._most / 2 - self._saved) / income if income > 0 else _LONGEST_PAUSE_SECONDS
        self._pauses += 1
        self.paused_until = self._begin = now + pause

    def _step(self, now: float) -> None:
        share = self._cpu / (now - self._begin)
        self._begin, self._cpu = now, 0.0
        wanted = self.rate * _AIM * self.budget / share if share > 0 else self.ceiling
        wanted = min(max(wanted, self.rate * _FASTEST_FALL), self.rate * _FASTEST_RISE)
        self.rate = min(self.ceiling, max(self.lowest, wanted))
