"""Turns of a bare application and an instrumented one, and what many of them say: how much more the second takes, as a share of the first.

What a middleware adds is a small difference of large times. On a shared machine a core takes now half as long again for seconds, now is
interrupted for a moment. So turns are short, one of either makes a pair, and only what happens within a pair makes a difference: of the
pairs that took least, whichever of the two it was in, the median. As a share of the bare application, which is the same for all
candidates, it stays what it is while everything takes longer; as CPU time it grows by as much as everything.
"""

from __future__ import annotations

import gc
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    Pair = tuple[float, float]
    """The CPU seconds of a turn of either, the bare one first."""

QUIET: Final = 4
"""One pair of so many short ones is looked at. Which, is decided by the sum of both: by either alone, it would be told as less than it is."""


class Told(NamedTuple):
    """What many pairs of turns say."""

    bare: float
    """CPU seconds of a turn of the bare application."""
    more: float
    """What a turn of the instrumented one takes more, as a share of it."""


def take(bare: Callable[[], float], instrumented: Callable[[], float], count: int, chance: random.Random) -> list[Pair]:
    """Take a turn of either so many times, now the one first, now the other. A turn returns what it took."""
    both = (bare, instrumented)
    pairs = []
    for _ in range(count):
        spent = [0.0, 0.0]
        for which in chance.sample((0, 1), 2):
            gc.collect()  # what the last turn left is not this one's
            spent[which] = both[which]()
        pairs.append((spent[0], spent[1]))
    return pairs


def told(pairs: Sequence[Pair], *, among: int = QUIET) -> Told:
    """Return what pairs of turns say, of which there is one at least: one `among` so many, the quietest."""
    quiet = sorted(pairs, key=sum)[: -(-len(pairs) // among)]
    bare = median(one for one, _ in quiet)
    return Told(bare, median(other - one for one, other in quiet) / bare)
