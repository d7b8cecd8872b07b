"""What grows in a Go process, window by window: goroutines by what they do, and the live heap by who allocated it."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.go_runtime import GOROUTINES_UNIT
from runtime_exporter.profiling.advice.origin import is_application
from runtime_exporter.profiling.advice.weights import site
from runtime_exporter.profiling.leaks import BYTES, GOROUTINES, MEMORY, History
from runtime_exporter.profiling.naming import label
from runtime_exporter.profiling.profile import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.profiling.leaks import Suspect, Thresholds
    from runtime_exporter.profiling.profile import Profile, Stack

HEAP: Final = "heap"
KINDS: Final = (GOROUTINES_UNIT, HEAP)
"""The kinds of suspects that a Go process can have."""
SIGNATURE_FRAMES: Final = 5
"""Functions of a signature: enough to tell who started what, few enough that a step of the program does not matter."""


class Growth:
    """The histories of one process. `began` is when it did, in seconds since the epoch; minus infinity is long ago."""

    def __init__(self, *, goroutines: Thresholds = GOROUTINES, heap: Thresholds = MEMORY) -> None:
        self._thresholds = {GOROUTINES_UNIT: goroutines, HEAP: heap}
        self.forget()

    def forget(self, began: float = -math.inf) -> None:
        """Begin anew: it is another process, which began then."""
        self._began = began
        self._goroutines = History()
        self._heap = History()
        self._live = 0.0

    def look(self, profiles: Mapping[str, Profile], at: float) -> None:
        """Take in the goroutines and the heap as they were at a time (Unix seconds), as far as they are there."""
        if "goroutine" in profiles:
            self._goroutines.add(at, _sums(profiles["goroutine"], "goroutine", signature))
        if "heap" in profiles:
            live = _sums(profiles["heap"], "inuse_space", site)
            self._live = sum(live.values())
            # Go's heap profile is of the end of the last collection: there is no garbage in it.
            self._heap.add(at, live, settled=True)

    def suspects(self) -> tuple[Suspect, ...]:
        """Return what is suspected now."""
        goroutines = self._goroutines.suspects(
            kind=GOROUTINES_UNIT,
            unit=GOROUTINES_UNIT,
            thresholds=self._thresholds[GOROUTINES_UNIT],
            started=self._began,
        )
        heap = self._heap.suspects(
            kind=HEAP, unit=BYTES, thresholds=self._thresholds[HEAP], started=self._began, whole=self._live
        )
        return (*goroutines, *heap)


def signature(stack: Stack) -> str:
    """Return what goroutines that do the same share: up to 5 functions of the application, outermost first, without lines.

    Of goroutines in which there are none it is the function that they began with.
    """
    names = [label(frame) for frame in stack if is_application(frame)]
    return " > ".join(reversed(names[:SIGNATURE_FRAMES])) or (label(stack[-1]) if stack else "")


def _sums(profile: Profile, sample_type: str, name: Callable[[Stack], str]) -> Counter[str]:
    index, sums = profile.index(sample_type), Counter[str]()
    for sample in profile.samples:
        if sample.values[index]:
            sums[name(frames(sample))] += sample.values[index]
    return sums
