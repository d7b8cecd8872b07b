"""Shapes over minutes, as lists of floats. Every random draw comes from the generator that is passed in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

DAY = 24 * 60
Curve = list[float]


def flat(minutes: int, value: float = 1.0) -> Curve:
    return [value] * minutes


def times(*curves: Sequence[float]) -> Curve:
    return [math.prod(values) for values in zip(*curves, strict=True)]


def plus(*curves: Sequence[float]) -> Curve:
    return [sum(values) for values in zip(*curves, strict=True)]


def wander(minutes: int, rng: random.Random, *, sigma: float, memory: float = 30.0) -> Curve:
    """Noise around 1 that forgets within `memory` minutes (an Ornstein-Uhlenbeck process of that deviation)."""
    keep = math.exp(-1 / memory)
    kick = sigma * math.sqrt(1 - keep * keep)
    value = rng.gauss(0, sigma)
    curve = []
    for _ in range(minutes):
        value = keep * value + rng.gauss(0, kick)
        curve.append(max(0.05, 1 + value))
    return curve


def daily(first: int, minutes: int, *, amplitude: float, peak: int = 15 * 60, weekend: float = 1.0) -> Curve:
    """Day and night around 1; `first` is the minute since the epoch, `weekend` what a Saturday or Sunday has of it."""
    curve = []
    for minute in range(first, first + minutes):
        wave = 1 + amplitude * math.cos(2 * math.pi * (minute % DAY - peak) / DAY)
        # The epoch was a Thursday.
        curve.append(wave * (weekend if (minute // DAY + 3) % 7 >= 5 else 1.0))
    return curve


def step(minutes: int, at: int, factor: float) -> Curve:
    return [1.0 if minute < at else factor for minute in range(minutes)]


def burst(minutes: int, at: int, length: int, factor: float) -> Curve:
    return [factor if at <= minute < at + length else 1.0 for minute in range(minutes)]


def bursts(minutes: int, starts: Sequence[int], length: int, factor: float) -> Curve:
    return times(flat(minutes), *(burst(minutes, at, length, factor) for at in starts))


def growth(minutes: int, at: int, an_hour: float) -> Curve:
    """1, and from `at` on a straight line: `an_hour` of what it was, more, each hour."""
    return [1 + max(0, minute - at) / 60 * an_hour for minute in range(minutes)]


def sawtooth(minutes: int, rng: random.Random, *, period: float, height: float) -> Curve:
    """From 1 up to 1 + `height`, and down at once; no two teeth are equally long."""
    curve: Curve = []
    phase, length = rng.random(), period * rng.uniform(0.9, 1.1)
    for _ in range(minutes):
        phase += 1 / length
        if phase >= 1:
            phase, length = 0.0, period * rng.uniform(0.9, 1.1)
        curve.append(1 + height * phase)
    return curve


def warm_up(minutes: int, births: Sequence[int], *, tau: float, missing: float) -> Curve:
    """After each birth 1 - `missing`, then up to 1 with the time constant `tau` (minutes)."""
    curve, age = [], 10.0 * tau
    born = set(births)
    for minute in range(minutes):
        age = 0.0 if minute in born else age + 1
        curve.append(1 - missing * math.exp(-age / tau))
    return curve


def of_age(minutes: int, births: Sequence[int], an_hour: float, *, before: int = 0) -> Curve:
    """1 at each birth, and `an_hour` more of it each hour of that life; lives that began earlier than `before` do not grow."""
    curve, born, start = [], set(births), -1
    for minute in range(minutes):
        start = minute if minute in born else start
        grown = start >= before and start >= 0
        curve.append(1 + (minute - start) / 60 * an_hour if grown else 1.0)
    return curve
