"""Memory by place of allocation, all the time: tracemalloc in the background, for who asks for it and pays."""

from __future__ import annotations

import os
import time
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.arithmetic import merge, scale
from runtime_exporter.profiling.heapwindow import stacks
from runtime_exporter.profiling.profile import ValueType, build
from runtime_exporter.profiling.sourcefunctions import SourceFunctions
from runtime_exporter.profiling.stoppable import can_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.profiling.profile import Profile

FRAMES: Final = 1
"""Frames of a stack: the line that allocated. Each further one makes every allocation slower (heapwindow.COST)."""
TYPES: Final = (ValueType("inuse_objects", "count"), ValueType("inuse_space", "bytes"))
"""What tracemalloc knows. It forgets what is freed, so there is no alloc_space, whatever Go has."""
MEANING: Final = "memory that Python's allocators gave out since tracing began and that is alive; what is older, and memory of C libraries, is not in it"
GROWTH: Final = "memory alive at the end less that at the beginning: below zero where more was freed than allocated"


class HeapTracing:
    """Profiles of what is alive, from what tracemalloc traces, whoever turned it on. The constructor has no effects.

    share: the part of one core that profiles of `__call__` may take; an own process waits for each of them, some 0.5 s for a
    million blocks. stoppable: whether `close` may end the tracing; where it may not it goes on until the process ends.
    """

    def __init__(
        self,
        *,
        share: Callable[[], float] = lambda: 0.005,
        stoppable: bool = can_stop(),
        tracer: Any = tracemalloc,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._share = share
        self._stoppable = stoppable
        self._tracer = tracer
        self._clock = clock
        self._now = now
        self._functions = SourceFunctions()
        self._started_in = 0
        self._next = float("-inf")

    @property
    def tracing(self) -> bool:
        """Whether allocations are traced in this process."""
        return bool(self._tracer.is_tracing())

    def start(self) -> None:
        """Trace from now on; where the program traces already, that serves."""
        if not self.tracing:
            self._tracer.start(FRAMES)
            self._started_in = os.getpid()

    def close(self) -> None:
        """Stop what `start` started, which forgets the traces, where that is without risk."""
        started, self._started_in = self._started_in, 0
        if started and self._stoppable:  # in the child of a fork it goes on, too
            self._tracer.stop()

    def profile(self) -> Profile:
        """Return what is alive. The process waits for it. Raises ProfileError where nothing is traced."""
        if not self.tracing:
            raise ProfileError("tracemalloc is off in this process: the setting profile_heap turns it on, at a price")
        depth = self._tracer.get_traceback_limit()
        alive = stacks(self._tracer.take_snapshot(), self._functions)
        comments = (f"tracemalloc, {depth} frames a stack", MEANING)
        return build(TYPES, [(stack, cell, ()) for stack, cell in alive], time_nanos=self._now(), comments=comments)

    def growth(self, wait: Callable[[], object]) -> Profile:
        """Return what there is more of after `wait` than before. Raises ProfileError where nothing is traced."""
        before = self.profile()
        wait()
        after = self.profile()
        both = merge((after, scale(before, -1)))
        return _between(both, before.time_nanos, after.time_nanos, (*after.comments[:1], GROWTH))

    def __call__(self, _: object = None) -> Mapping[str, Profile]:
        """Return what is alive as the kind "heap", or nothing while the last time is not paid for by waiting."""
        begin = self._clock()
        if begin < self._next or not self.tracing:
            return {}
        try:
            return {"heap": self.profile()}
        finally:
            end = self._clock()
            self._next = end + (end - begin) / self._share()


def _between(profile: Profile, begin: int, end: int, comments: tuple[str, ...]) -> Profile:
    return replace(profile, time_nanos=begin, duration_nanos=max(0, end - begin), comments=comments)
