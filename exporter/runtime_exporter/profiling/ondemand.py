"""Profiles that somebody asks for: over the seconds asked for, ended early when we are closed or nobody wants them any more."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.arithmetic import subtract
from runtime_exporter.profiling.contention import BLOCK, MUTEX, Contention, beside, counted
from runtime_exporter.profiling.heaptracing import HeapTracing
from runtime_exporter.profiling.heapwindow import HeapWindow
from runtime_exporter.profiling.samplers import pyspy, remote
from runtime_exporter.profiling.samplers.capture import capture
from runtime_exporter.profiling.samplers.choose import choose
from runtime_exporter.profiling.samplers.thread import ThreadSampler
from runtime_exporter.profiling.stoppable import UNSTOPPABLE, can_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.profiling.locks import LockProfiler
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.samplers.sampler import Sampler
    from runtime_exporter.profiling.store import Store

ORDER = (remote.NAME, pyspy.NAME, ThreadSampler.name)
"""Backends of CPU time, best first; a request is not answered on the main thread, where alone a signal could be handled."""
_HEAP_FRAMES = 8
# Enough to tell who called; each frame makes each allocation slower (see heapwindow.COST).
_LOOK_SECONDS: Final = 0.25
"""How long it may take until it is noticed that nobody wants a profile any more."""


def always_wanted() -> bool:
    """Return False: it is not unwanted. For who cannot change his mind."""
    return False


class OnDemand:
    """Takes profiles of this process. The constructor has no effects, and what is taken leaves nothing behind.

    What takes `seconds` blocks as long, or until `close`, or until `unwanted` says so. All raise ProfileError where such a
    profile cannot be taken here or now, and where it is not wanted any more.
    """

    def __init__(
        self,
        *,
        order: Sequence[str] = ORDER,
        choose_sampler: Callable[..., Sampler] = choose,
        running: Callable[[], Sampler | None] = lambda: None,
        locks: LockProfiler | None = None,
        waits: Contention | None = None,
        tracing: HeapTracing | None = None,
        store: Store | None = None,
        heap_windows: bool = can_stop(),
    ) -> None:
        """`running` gives the sampler that is always on, whose backend is used; `store` is where what was taken is kept.

        waits: knows what that sampler saw of waits since the start. heap_windows: whether tracing may be switched on for a heap profile, and off again.
        """
        self._order = order
        self._choose = choose_sampler
        self._running = running
        self._locks = locks
        self._waits = waits if waits is not None or locks is None else Contention(locks)
        self._store = store
        self._tracing = tracing or HeapTracing()
        self._heap_windows = heap_windows
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

    def take(
        self, kind: str, seconds: float, unwanted: Callable[[], bool] = always_wanted, *, keep: bool = True
    ) -> Profile:
        """Return the profile of a kind over the next `seconds`, and keep it where there is a store, unless told not to.

        cpu: CPU time by stack, from the best backend that works here; the comments name it and its bias. wall: elapsed time of
        all threads, waiting included. heap: what was allocated meanwhile and is alive, by tracemalloc, which slows the process
        down many times as long; where tracemalloc runs anyway it is the growth, and what was freed is taken away. block:
        waits, those for profiled locks counted and all others sampled. mutex: the former by who let go.
        """
        profile = self._takers[kind](seconds, unwanted)
        if unwanted():
            raise ProfileError("who asked for it did not wait for it")
        if keep and self._store is not None:
            self._store.put(profile, kind, capture=True)
        return profile

    def now(self, kind: str) -> Profile:
        """Return how things are: heap, memory that is alive, where tracemalloc runs; block and mutex, all waits since the start.

        Waits for what is no profiled lock are known where they are sampled all the time, and until the last interval's end.
        """
        if kind == "heap":
            return self._tracing.profile()
        if kind == MUTEX:
            return self._profiled().profile(kind)
        if self._waits is None:
            raise ProfileError(
                "nothing looks at waits all the time: the settings profiling and profile_locks have it done"
            )
        return self._waits.total()

    def cpu(self, seconds: float) -> Profile:
        """Return `take("cpu", seconds)`."""
        return self.take("cpu", seconds)

    def wall(self, seconds: float) -> Profile:
        """Return `take("wall", seconds)`."""
        return self.take("wall", seconds)

    def heap(self, seconds: float) -> Profile:
        """Return `take("heap", seconds)`."""
        return self.take("heap", seconds)

    @property
    def _takers(self) -> Mapping[str, Callable[[float, Callable[[], bool]], Profile]]:
        return {
            "cpu": self._cpu,
            "wall": self._wall,
            "heap": self._growth,
            BLOCK: self._blocked,
            MUTEX: self._released,
        }

    def _cpu(self, seconds: float, unwanted: Callable[[], bool]) -> Profile:
        # Chosen anew each time, in 0.1 s: what is allowed here may change.
        sampler = self._running() or self._choose(self._order, wall=False)
        return capture("cpu", seconds, running=sampler, sleep=self._sleep(unwanted))

    def _wall(self, seconds: float, unwanted: Callable[[], bool]) -> Profile:
        return capture("wall", seconds, sleep=self._sleep(unwanted))

    def _growth(self, seconds: float, unwanted: Callable[[], bool]) -> Profile:
        if self._tracing.tracing and not self._heap.is_open:
            return self._tracing.growth(lambda: self._sleep(unwanted)(seconds))
        if not self._heap_windows:
            raise ProfileError(UNSTOPPABLE)
        return self._heap.capture(seconds, frames=_HEAP_FRAMES, unwanted=unwanted)

    def _blocked(self, seconds: float, unwanted: Callable[[], bool]) -> Profile:
        before = counted(self._locks, BLOCK) if self._locks is not None else None
        sampled = capture(BLOCK, seconds, sleep=self._sleep(unwanted))
        if self._locks is None or before is None:
            return sampled
        return beside(sampled, subtract(counted(self._locks, BLOCK), before))

    def _released(self, seconds: float, unwanted: Callable[[], bool]) -> Profile:
        locks = self._profiled()
        before = counted(locks, MUTEX)
        self._sleep(unwanted)(seconds)
        return subtract(counted(locks, MUTEX), before)

    def _profiled(self) -> LockProfiler:
        if self._locks is None:
            raise ProfileError("no locks are profiled: the setting profile_locks has it done")
        return self._locks

    def _sleep(self, unwanted: Callable[[], bool]) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                if self._closing.wait(min(left, _LOOK_SECONDS)) or unwanted():
                    return

        return sleep
