"""CPU time by group of threads: exact, and never going back when threads end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runtime_exporter.cpuclock import cpu_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ENDED = "ended"


def thread_cpu_seconds(tid: int) -> float:
    """Return the CPU time of a thread of this process, to the nanosecond; raises `OSError` when there is none. Linux only."""
    return cpu_time_ns(tid) / 1e9


class ThreadClocks:
    """Adds up what each thread used since the last look, by the group that it is in now.

    What threads used between the last look and their end is not to be divided any more: it counts in the group `ended`,
    and so do threads that came and went between two looks. So the groups add up to the CPU time of the process.
    """

    def __init__(
        self,
        *,
        clock: Callable[[int], float] = thread_cpu_seconds,
        process_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock = clock
        self._process_clock = process_clock
        self.forget()

    def forget(self) -> None:
        """Start again at zero, as the clocks do in the child of a fork."""
        self._last: dict[int, float] = {}
        self._totals: dict[str, float] = {}
        self._ended = 0.0

    def look(self, threads: Iterable[tuple[int, str]]) -> Mapping[str, float]:
        """Return CPU seconds by group since the start of the process. `threads` are (native id, group)."""
        # The process first: what is used while the threads are asked then counts as theirs and not as of ended ones.
        process = self._process_clock()
        last, self._last = self._last, {}
        for tid, group in threads:
            try:
                seconds = self._clock(tid)
            except OSError:
                continue
            before = last.get(tid, 0.0)
            # Less than before: the number now belongs to another thread.
            used = seconds - before if seconds >= before else seconds
            self._totals[group] = self._totals.get(group, 0.0) + used
            self._last[tid] = seconds
        self._ended = max(self._ended, process - sum(self._totals.values()))
        totals = dict(self._totals)
        totals[ENDED] = totals.get(ENDED, 0.0) + self._ended
        return totals
