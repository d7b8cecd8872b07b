"""The running numbers of a process at a moment, and what they come to between two moments: the facts that advice goes by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.advice.facts import (
    Collections,
    EventLoop,
    Facts,
    Gil,
    Instruments,
    Memory,
    Pool,
    Quota,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_PROBES: Final = 20
"""Probes of the interpreter lock, or beats of an event loop, below which nothing is said: a 99th percentile of fewer is one value."""
FREE_SECONDS: Final = 0.0005
"""A probe that waited for less found the lock free: the system takes some 0.1 ms to wake a thread, and a thread that has the
lock keeps it for up to 5 ms."""

_Three = tuple[int, int, int]


@dataclass(frozen=True)
class Spread:
    """A histogram of seconds: upper bounds (the last is infinite), how many were in each bucket alone, and their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def number(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def since(self, earlier: Spread | None) -> Spread:
        """Return what came after `earlier`; all of it where that is of another process, which has more than there is now."""
        if earlier is None or earlier.bounds != self.bounds or earlier.number > self.number:
            return self
        counts = tuple(now - before for now, before in zip(self.counts, earlier.counts, strict=True))
        return replace(self, counts=counts, total=max(0.0, self.total - earlier.total))

    def quantile(self, part: float) -> float:
        """Return the value that `part` of them do not exceed, linear within its bucket, and no more than one of them can be."""
        number = self.number
        if not number:
            return 0.0
        reached = [*accumulate(self.counts)]
        index = next(place for place, count in enumerate(reached) if count >= part * number)
        low, high = (self.bounds[index - 1] if index else 0.0), self.bounds[index]
        before = reached[index] - self.counts[index]
        inside = (part * number - before) / self.counts[index] if self.counts[index] else 1.0
        most = self._most()
        within = min(low + (high - low) * inside, high)  # rounded, it may exceed high
        return max(low, min(within, most))

    def share_above(self, bound: float) -> float:
        """Return the part of them in buckets that begin at `bound` or above."""
        lows = (0.0, *self.bounds)
        above = sum(count for low, count in zip(lows, self.counts, strict=False) if low >= bound)
        return above / self.number if self.number else 0.0

    def _most(self) -> float:
        """Return what the largest can be at most: the sum less the least that the others can be."""
        filled = [(low, count) for low, count in zip((0.0, *self.bounds), self.counts, strict=False) if count]
        least = sum(low * count for low, count in filled) - max(low for low, _ in filled)
        return max(0.0, self.total - least)


class Seen(NamedTuple):
    """What the profiles of the same time say that facts rest on."""

    seconds: float
    busy: Mapping[str, float]
    """Seconds that the threads of each group were at work, not waiting for it."""
    runnable: float | None
    """Threads that ran or wanted to, on average; None without a profile of elapsed time."""


class Queue(NamedTuple):
    """A pool of threads at a moment."""

    workers: int
    waiting: int
    """Jobs that no worker has taken yet."""


class Settled(NamedTuple):
    """How many blocks of memory were in use right after a full collection, and when that was (Unix seconds)."""

    time: float
    blocks: int


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a Python process says of itself at `time` (Unix seconds). None, or nothing, where nobody measures it.

    What is counted is counted since measuring began: the counts of `gc` and `quota`, the spreads.
    """

    time: float
    gc: Collections | None = None
    full_pauses: Spread | None = None
    """Seconds that full collections stopped the program."""
    lag: Spread | None = None
    """Seconds that event loops were late."""
    loop_debug: bool = False
    gil: Spread | None = None
    """Seconds that probes waited for the interpreter lock."""
    quota: Quota | None = None
    memory: Memory | None = None
    instruments: Instruments | None = None
    pools: Mapping[str, Queue] = field(default_factory=dict)
    """Thread pools by group of threads."""
    blocks: int | None = None
    """Blocks of memory that Python's own allocator has given out."""
    settled: Settled | None = None
    objects: Mapping[str, float] = field(default_factory=dict)
    """Objects by type, as of `counted`."""
    counted: float = 0.0
    """When objects were counted last (Unix seconds)."""
    tasks: Mapping[str, float] = field(default_factory=dict)
    """Tasks by coroutine."""

    def since(self, earlier: Reading | None, seen: Seen) -> Facts:
        """Return the facts of the time from `earlier` (None: from when measuring began) to this."""
        return Facts(
            gc=self._collections(earlier),
            loop=self._loop(earlier),
            gil=self._gil(earlier, seen),
            quota=self._quota(earlier),
            pools=self._pools(earlier, seen),
            memory=self.memory,
            instruments=self.instruments,
        )

    def _collections(self, earlier: Reading | None) -> Collections | None:
        if self.gc is None:
            return None
        before = earlier.gc if earlier is not None else None
        if before is None or before.seconds > self.gc.seconds or sum(before.collections) > sum(self.gc.collections):
            return self.gc
        pauses = (
            self.full_pauses.since(earlier.full_pauses if earlier is not None else None) if self.full_pauses else None
        )
        return replace(
            self.gc,
            seconds=self.gc.seconds - before.seconds,
            collections=_less(self.gc.collections, before.collections),
            collected=_less(self.gc.collected, before.collected),
            full_pause=pauses.quantile(0.99) if pauses is not None and pauses.number else None,
        )

    def _loop(self, earlier: Reading | None) -> EventLoop | None:
        if self.lag is None:
            return None
        lag = self.lag.since(earlier.lag if earlier is not None else None)
        return EventLoop(lag=lag.quantile(0.99), debug=self.loop_debug) if lag.number >= LEAST_PROBES else None

    def _gil(self, earlier: Reading | None, seen: Seen) -> Gil | None:
        if self.gil is None or seen.runnable is None:
            return None
        waits = self.gil.since(earlier.gil if earlier is not None else None)
        if waits.number < LEAST_PROBES:
            return None
        return Gil(wait_ratio=waits.share_above(FREE_SECONDS), runnable=seen.runnable)

    def _quota(self, earlier: Reading | None) -> Quota | None:
        now, before = self.quota, earlier.quota if earlier is not None else None
        if now is None or before is None or before.periods > now.periods:
            return None  # the group may be older than the process: its total says nothing about now
        return replace(
            now,
            periods=now.periods - before.periods,
            throttled_periods=now.throttled_periods - before.throttled_periods,
            throttled_seconds=now.throttled_seconds - before.throttled_seconds,
        )

    def _pools(self, earlier: Reading | None, seen: Seen) -> tuple[Pool, ...]:
        if seen.runnable is None or seen.seconds <= 0:
            return ()
        before = earlier.pools if earlier is not None else {}
        return tuple(
            Pool(
                name=name,
                workers=now.workers,
                busy=seen.busy.get(name, 0.0) / seen.seconds,
                queue_first=before[name].waiting,
                queue_last=now.waiting,
            )
            for name, now in sorted(self.pools.items())
            if name in before and before[name].workers == now.workers
        )


def _less(now: _Three, before: _Three) -> _Three:
    young, middle, oldest = (max(0, after - earlier) for after, earlier in zip(now, before, strict=True))
    return (young, middle, oldest)
