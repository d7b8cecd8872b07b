"""Profiles that somebody asks for: over the seconds asked for, ended early when we are closed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runtime_exporter.profiling.heapwindow import HeapWindow
from runtime_exporter.profiling.samplers import pyspy, remote
from runtime_exporter.profiling.samplers.capture import capture
from runtime_exporter.profiling.samplers.choose import choose
from runtime_exporter.profiling.samplers.thread import ThreadSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.samplers.sampler import Sampler
    from runtime_exporter.profiling.store import Store

ORDER = (remote.NAME, pyspy.NAME, ThreadSampler.name)
"""Backends of CPU time, best first; a request is not answered on the main thread, where alone a signal could be handled."""
_HEAP_FRAMES = 8
# Enough to tell who called; each frame makes each allocation slower (see heapwindow.COST).


class OnDemand:
    """Takes profiles of this process. The constructor has no effects, and what is taken leaves nothing behind.

    All block for `seconds`, or until `close`, and raise ProfileError where such a profile cannot be taken here or now.
    """

    def __init__(
        self,
        *,
        order: Sequence[str] = ORDER,
        choose_sampler: Callable[..., Sampler] = choose,
        store: Store | None = None,
    ) -> None:
        """`store` is where profiles that were taken are kept; None keeps none."""
        self._order = order
        self._choose = choose_sampler
        self._store = store
        self.open()

    def open(self) -> None:
        """Take profiles again after `close`."""
        self._closing = threading.Event()
        self._heap = HeapWindow()

    def close(self) -> None:
        """End what is being taken: who waits for it gets what was seen so far."""
        self._closing.set()
        self._heap.close()

    def forked(self) -> None:
        """In the child of a fork: nobody takes anything."""
        self._heap.forked()
        self._closing = threading.Event()

    def cpu(self, seconds: float) -> Profile:
        """Return CPU time by stack, from the best backend that works here; the profile's comments name it and its bias."""
        chosen = self._choose(self._order, wall=False)  # anew each time, 0.1 s: what is allowed here may change
        return self._kept(capture("cpu", seconds, running=chosen, sleep=self._closing.wait), "cpu")

    def wall(self, seconds: float) -> Profile:
        """Return elapsed time of all threads by stack, waiting included."""
        return self._kept(capture("wall", seconds, sleep=self._closing.wait), "wall")

    def heap(self, seconds: float) -> Profile:
        """Return what was allocated meanwhile and is alive, by tracemalloc: the process is many times slower as long."""
        return self._kept(self._heap.capture(seconds, frames=_HEAP_FRAMES), "heap")

    def _kept(self, profile: Profile, kind: str) -> Profile:
        if self._store is not None:
            self._store.put(profile, kind, capture=True)
        return profile
