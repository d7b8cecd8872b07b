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

from benchmarks import progress
from benchmarks.figures import Figure, Noise, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9}
"""How many of them are a second."""


@dataclass(frozen=True)
class Timing:
    """CPU seconds of one candidate in each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds, seconds."""
        return statistics.median(self.seconds)


def rounds(
    candidates: Mapping[str, Callable[[], object]],
    *,
    count: int,
    seed: int = 1,
    before: Callable[[], object] = lambda: None,
) -> dict[str, Timing]:
    """Run every candidate once a round, in random order, and return its CPU times, without what is done `before` each."""
    order = [*candidates]
    shuffle = random.Random(seed).shuffle
    for run in candidates.values():
        run()
    spent: dict[str, list[float]] = {name: [] for name in order}
    for number in range(count):
        progress.say(f"round {number + 1} of {count}")
        shuffle(order)
        for name in order:
            before()
            gc.collect()
            begin = time.thread_time()
            candidates[name]()
            spent[name].append(time.thread_time() - begin)
    return {name: Timing(name, tuple(seconds)) for name, seconds in spent.items()}


def figure(
    name: str,
    timings: Mapping[str, Timing],
    *,
    ours: str = "ours",
    again: str = "A/A",
    peer: str = "",
    over: str = "",
    unit: str = "ms",
    per: float = 1.0,
    at: float | None = None,
    along: str = "",
) -> Figure:
    """Return the figure of what `rounds` timed: candidate `ours` beside candidate `peer`, with `again` as the noise.

    `over` names the candidate that is taken off both within each round: what is left is what each adds to it. Seconds are
    divided by `per`, the units of work of a round, and told in `unit`, one of UNITS.
    """
    bare = timings[over].seconds if over else (0.0,) * len(timings[ours].seconds)

    def added(candidate: str) -> list[float]:
        return [one - base for one, base in zip(timings[candidate].seconds, bare, strict=True)]

    def told(seconds: list[float]) -> Spread:
        return Spread.of(each * UNITS[unit] / per for each in seconds)

    mine = added(ours)
    noise = _noise(added(again), mine)
    theirs = added(peer) if peer else None
    return Figure(
        name,
        unit,
        told(mine),
        peer,
        None if theirs is None else told(theirs),
        # What a peer adds may be lost in the noise, in all rounds: then nothing is so many times as much.
        ratio(mine, theirs) if theirs is not None and max(theirs) > 0 else None,
        noise,
        len(mine),
        at,
        along,
    )


def _noise(again: Sequence[float], mine: Sequence[float]) -> Noise | None:
    if max(mine) <= 0:
        return None
    same = ratio(again, mine)
    return Noise(same.low, same.high)


def ratio(seconds: Sequence[float], others: Sequence[float]) -> Spread:
    """Return the quartiles of the first over the second, round by round; a round in which the clock stood still is left out.

    Raises ValueError where that is every round.
    """
    return Spread.of(one / other for one, other in zip(seconds, others, strict=True) if other > 0)
