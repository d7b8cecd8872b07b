"""What was waited for in a stretch of time: for profiled locks counted exactly, beside it what a sampler saw of other waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.arithmetic import largest, merge, subtract
from runtime_exporter.profiling.windows import blocked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.profiling.locks import LockProfiler
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.samplers.sampler import Window

BLOCK: Final = "block"
MUTEX: Final = "mutex"
MOST_STACKS: Final = 512
"""Stacks of sampled waits that are told apart since the start: the largest; some 2 kB each."""


def counted(locks: LockProfiler, kind: str) -> Profile:
    """Return what was counted until now, as of now: the difference of two is what came between."""
    profile = locks.profile(kind)
    return replace(profile, time_nanos=profile.time_nanos + profile.duration_nanos, duration_nanos=0)


def beside(sampled: Profile, exact: Profile) -> Profile:
    """Return both as one, of the time in which waits were sampled."""
    return _of_time(merge((sampled, exact)), sampled.time_nanos, sampled.time_nanos + sampled.duration_nanos)


class Contention:
    """What threads waited for in each interval: in profile "block" everything, in "mutex" who made others wait for a lock.

    Waits for profiled locks are counted when they end, all others are sampled. Without `locks` there is only the latter.
    The sum of all intervals has `limit` stacks of the sampled waits, the rest of them as the function `other`.
    """

    def __init__(self, locks: LockProfiler | None = None, *, limit: int = MOST_STACKS) -> None:
        self._locks = locks
        self._limit = limit
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: nothing was seen."""
        self._before: dict[str, Profile] = {}
        self._seen: Profile | None = None

    def __call__(self, window: Window) -> Mapping[str, Profile]:
        """Return the profiles of the interval in which the window was seen."""
        block = blocked(window)
        self._seen = block if self._seen is None else self._with(self._seen, block)
        if self._locks is None:
            return {BLOCK: block}
        exact, mutex = self._since(self._locks, BLOCK), self._since(self._locks, MUTEX)
        begin, end = round(window.begin * 1e9), round(window.end * 1e9)
        return {BLOCK: beside(block, exact), MUTEX: _of_time(mutex, begin, end)}

    def total(self) -> Profile:
        """Return all waits since the start: for profiled locks as of now, of others those until the last interval's end.

        Each value only grows, but where a stack falls behind `limit` larger ones. Raises ProfileError before there is anything.
        """
        parts = [self._seen] if self._seen is not None else []
        if self._locks is not None:
            parts.append(self._locks.profile(BLOCK))
        if not parts:
            raise ProfileError("the first interval of continuous profiling is not over yet")
        ends = [part.time_nanos + part.duration_nanos for part in parts]
        return _of_time(merge(parts), min(part.time_nanos for part in parts), max(ends))

    def _with(self, seen: Profile, block: Profile) -> Profile:
        end = block.time_nanos + block.duration_nanos
        return _of_time(largest(merge((seen, block)), self._limit), seen.time_nanos, end)

    def _since(self, locks: LockProfiler, kind: str) -> Profile:
        now = counted(locks, kind)
        before, self._before[kind] = self._before.get(kind), now
        return now if before is None else subtract(now, before)


def _of_time(profile: Profile, begin: int, end: int) -> Profile:
    return replace(profile, time_nanos=begin, duration_nanos=max(0, end - begin))
