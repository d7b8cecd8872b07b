"""How things are timed: CPU time, in random order within each round, as medians of per-round ratios.

A ratio within a round cancels the speed that the machine had at that moment; two copies of the first candidate in the
same rounds (A/A) show what is left as noise.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Timing:
    """CPU seconds of one candidate in each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds, seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """How many times the time of `base` another candidate took, round by round."""

    name: str
    base: str
    quartiles: tuple[float, float, float]

    def __str__(self) -> str:
        low, middle, high = self.quartiles
        return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def rounds(candidates: Mapping[str, Callable[[], object]], *, count: int, seed: int = 1) -> dict[str, Timing]:
    """Run every candidate once a round, in random order, and return its CPU times."""
    order = [*candidates]
    shuffle = random.Random(seed).shuffle
    for run in candidates.values():
        run()
    spent: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(count):
        shuffle(order)
        for name in order:
            gc.collect()
            begin = time.thread_time()
            candidates[name]()
            spent[name].append(time.thread_time() - begin)
    return {name: Timing(name, tuple(seconds)) for name, seconds in spent.items()}


def ratio(timings: Mapping[str, Timing], name: str, base: str) -> Ratio:
    """Return the quartiles of `name` over `base`, round by round."""
    values = [one / other for one, other in zip(timings[name].seconds, timings[base].seconds, strict=True) if other > 0]
    low, middle, high = statistics.quantiles(values, n=4)
    return Ratio(name, base, (low, middle, high))
