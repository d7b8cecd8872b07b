"""From values to pixels: a straight or a logarithmic axis, with round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """An axis from `low` at pixel `start` to `high` at pixel `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; what lies outside is at the end."""
        low, high, value = (self._bent(each) for each in (self.low, self.high, min(max(value, self.low), self.high)))
        part = (value - low) / (high - low) if high > low else 0.5
        return self.start + part * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the round values on it: powers of ten, or 1, 2 and 5 of each where those were few."""
        if not self.logarithmic:
            step = _round_up((self.high - self.low) / 6)
            first = math.ceil(self.low / step - 1e-9)
            return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1,) if len(powers) > 4 else (1, 3) if len(powers) > 3 else (1, 2, 5)
        every = [step * 10.0**power for power in powers for step in steps]
        return [tick for tick in every if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]

    def _bent(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def logarithmic(values: list[float], start: float, end: float) -> Scale:
    """Return a scale on which all of these positive values are, with some air around them; of a factor of three at least."""
    low, high = min(values) / 1.25, max(values) * 1.25
    air = max(1.0, (3 * low / high) ** 0.5)
    return Scale(low / air, high * air, start, end, logarithmic=True)


def straight(values: list[float], start: float, end: float) -> Scale:
    """Return a scale from nothing, or the least of these values, to the next round one."""
    low, high = min(0.0, *values), max(0.0, *values)
    step = _round_up((high - low) / 6) if high > low else 1.0
    return Scale(math.floor(low / step) * step, math.ceil(high / step) * step, start, end)


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return power * next(step for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))
