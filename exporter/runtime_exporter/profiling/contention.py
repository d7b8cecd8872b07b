"""What profiled locks were waited for in a stretch of time: counted exactly, and beside what a sampler saw of other waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.arithmetic import merge, subtract
from runtime_exporter.profiling.windows import blocked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.profiling.locks import LockProfiler
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.samplers.sampler import Window

BLOCK: Final = "block"
MUTEX: Final = "mutex"


def counted(locks: LockProfiler, kind: str) -> Profile:
    """Return what was counted until now, as of now: the difference of two is what came between."""
    profile = locks.profile(kind)
    return replace(profile, time_nanos=profile.time_nanos + profile.duration_nanos, duration_nanos=0)


class Contention:
    """What threads waited for in each interval: in profile "block" everything, in "mutex" who made others wait for a lock.

    Waits for profiled locks are counted when they end, all others are sampled. Without `locks` there is only the latter.
    """

    def __init__(self, locks: LockProfiler | None = None) -> None:
        self._locks = locks
        self._before: dict[str, Profile] = {}

    def __call__(self, window: Window) -> Mapping[str, Profile]:
        """Return the profiles of the interval in which the window was seen."""
        profiles = blocked(window)
        if self._locks is None:
            return profiles
        exact, mutex = self._since(self._locks, BLOCK), self._since(self._locks, MUTEX)
        return {BLOCK: _of(window, merge((profiles[BLOCK], exact))), MUTEX: _of(window, mutex)}

    def _since(self, locks: LockProfiler, kind: str) -> Profile:
        now = counted(locks, kind)
        before, self._before[kind] = self._before.get(kind), now
        return now if before is None else subtract(now, before)


def _of(window: Window, profile: Profile) -> Profile:
    begin, end = round(window.begin * 1e9), round(window.end * 1e9)
    return replace(profile, time_nanos=begin, duration_nanos=max(0, end - begin))
