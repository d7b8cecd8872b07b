"""A heap profile of a window of time, on demand, by tracemalloc: exact places of allocation, at a price that the result states."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.errors import BusyError, ProfileError
from runtime_exporter.profiling.profile import Profile, build
from runtime_exporter.profiling.sourcefunctions import SourceFunctions

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.profile import Stack

LONGEST: Final = 300.0
"""Seconds of a window, at most."""
DEEPEST: Final = 32
"""Frames of a stack, at most."""
COST: Final = (
    "cost: while the window is open, code that allocates much runs 7 to 24 times slower with 1 frame a stack,"
    " 29 to 86 times with 10; taking the result stops the process for about 1 s per 1.8 million blocks"
)
"""Measured on CPython 3.11 with JSON, objects and loops of integers, beside the same code without."""
NAMED: Final = 100
"""Stacks of a profile, the largest, whose files are looked into for the names of functions: 1 ms a file, and more than there may be."""
MEANING: Final = "only blocks allocated within the window and alive at its end: what was freed before is in neither alloc_* nor inuse_*"


class HeapWindow:
    """Opens windows, one at a time in a process. Constructing has no effect."""

    def __init__(
        self,
        *,
        tracer: Any = tracemalloc,
        most_bytes: int = 64 << 20,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._tracer = tracer
        self._most_bytes = most_bytes
        self._clock = clock
        self._now = now
        self._busy = threading.Lock()
        self._stop = threading.Event()

    def capture(
        self,
        seconds: float = 10.0,
        *,
        frames: int = 1,
        collect: bool = False,
        unwanted: Callable[[], bool] = lambda: False,
    ) -> Profile:
        """Trace allocations for `seconds`, then return what is alive of them, by stacks of `frames` frames.

        The window ends early on `close()`, when it is `unwanted`, and once the traces themselves take `most_bytes`;
        `duration_nanos` is how long it really was. `collect` runs a full collection before the end, so that garbage does not count: the process waits for it.
        Raises ProfileError for other bounds than LONGEST and DEEPEST, when tracemalloc is at work already (for whoever turned it
        on: a second start would change its depth, our stop would end it), BusyError when a window is open.
        """
        if not 0 < seconds <= LONGEST:
            raise ProfileError(f"a heap window lasts more than 0 and at most {LONGEST:g} seconds, not {seconds:g}")
        if not 1 <= frames <= DEEPEST:
            raise ProfileError(f"a heap window keeps 1 to {DEEPEST} frames of a stack, not {frames}")
        if not self._busy.acquire(blocking=False):
            raise BusyError("a heap window is open already: try again when it has ended")
        try:
            if self._tracer.is_tracing():
                raise ProfileError(
                    "tracemalloc is on already in this process: turn it off first (PYTHONTRACEMALLOC, -X)"
                )
            return self._window(seconds, frames, unwanted, collect=collect)
        finally:
            self._busy.release()

    @property
    def is_open(self) -> bool:
        """Whether a window is open, for which tracemalloc runs."""
        return self._busy.locked()

    def close(self) -> None:
        """End an open window now. Windows after that end at once."""
        self._stop.set()

    def forked(self) -> None:
        """Stop, in a child process, the tracing of a window that was open in the parent."""
        if self._busy.locked():
            self._tracer.stop()
        self._busy = threading.Lock()
        self._stop = threading.Event()

    def _window(self, seconds: float, frames: int, unwanted: Callable[[], bool], *, collect: bool) -> Profile:
        began, begin = self._now(), self._clock()
        self._tracer.start(frames)
        try:
            full = self._wait(begin + seconds, unwanted)
            if collect:
                gc.collect()
            duration = self._clock() - begin
            snapshot = self._tracer.take_snapshot()
        finally:
            self._tracer.stop()
        comments = [f"heap window by tracemalloc, {duration:.3f} s, {frames} frames a stack", COST, MEANING]
        if full:
            comments.append(f"ended early: the traces had taken {self._most_bytes >> 20} MiB")
        return build(
            "heap",
            [(stack, (*cell, *cell), ()) for stack, cell in stacks(snapshot)],
            time_nanos=began,
            duration_nanos=int(duration * 1e9),
            comments=comments,
        )

    def _wait(self, until: float, unwanted: Callable[[], bool]) -> bool:
        """Wait until the end; return whether the traces became too many before."""
        while (left := until - self._clock()) > 0:
            if self._stop.wait(min(left, 0.1)) or unwanted():
                return False
            if self._tracer.get_tracemalloc_memory() > self._most_bytes:
                return True
        return False


def stacks(snapshot: Any, functions: SourceFunctions | None = None) -> list[tuple[Stack, tuple[int, int]]]:
    """Return the stacks of a snapshot with objects and bytes, the largest first, our own and tracemalloc's left out.

    `functions` names the lines; beyond the largest NAMED stacks only files that it knows already are looked into.
    """
    sums: dict[tuple[tuple[str, int], ...], list[int]] = {}
    # The tuples that the traces wrap: a Trace object for each of a million blocks would take seconds.
    for _, size, traceback, *_ in snapshot.traces._traces:  # noqa: SLF001
        cell = sums.setdefault(traceback, [0, 0])
        cell[0] += 1
        cell[1] += size
    functions = functions or SourceFunctions()
    ours = [item for item in sums.items() if item[0][0][0] not in _OURS]
    ours.sort(key=lambda item: item[1][1], reverse=True)
    return [
        (tuple(functions.frame(file, line, read=place < NAMED) for file, line in traceback), (blocks, size))
        for place, (traceback, (blocks, size)) in enumerate(ours)
    ]


_OURS: Final = {__file__, tracemalloc.__file__}
