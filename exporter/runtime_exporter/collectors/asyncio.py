"""Event loops: how late they get to run what is due, and what tasks they have."""

from __future__ import annotations

import sys
import time
import weakref
from collections import Counter as Tally
from collections import deque
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any

from runtime_exporter.collectors.collector import Collector
from runtime_exporter.errors import NoData
from runtime_exporter.metrics import Gauge, Histogram
from runtime_exporter.metrics.bounded import BoundedLabel

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator, Mapping

PERIOD_SECONDS = 0.25
LAG_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# A loop that is so late is blocked, and shows before it runs again.
_BLOCKED_SECONDS = 1.0
# Beats of a loop that nobody looked at for so long (17 minutes) are forgotten, oldest first.
_KEPT_BEATS = 4096
# Of one beat: a process that was stopped for a day has not much to tell about each quarter of a second of it.
_MOST_MISSED = 10_000


class AsyncioCollector(Collector):
    """A loop that was announced by `watch` runs a heartbeat, four times a second; a background thread counts how late it was.

    The heart of a blocked loop misses beats, and would say once that it was late. Each missed beat is counted as late as it
    would have been (30 s blocked are 120 beats, from 30 s late to not late), so that the histogram is of time and not of
    beats. While the loop is still blocked they are counted as late as they are by then.
    """

    name = "asyncio"
    interval = 1.0

    def __init__(
        self,
        limit: int = 100,
        *,
        clock: Callable[[], float] = time.perf_counter,
        modules: Mapping[str, Any] = sys.modules,
    ) -> None:
        self._clock = clock
        # asyncio takes 40 ms to import, which a program that does not use it shall not pay. Who has a loop has imported it.
        self._modules = modules
        self._hearts: dict[int, _Heart] = {}
        self._label = BoundedLabel(limit)
        self.lag = Histogram(
            "python_asyncio_loop_lag_seconds",
            "Seconds that event loops were late to run what was due.",
            registry=None,
            per_worker=True,
            buckets=LAG_BUCKETS_SECONDS,
        )
        self._tasks = Gauge(
            "python_asyncio_tasks",
            "Tasks that are not done, by coroutine.",
            ["coroutine"],
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self.families = (self.lag, self._tasks)
        self.watched = False
        """Whether there was a loop to watch."""
        self._closed = False

    def start(self) -> None:
        """Accept loops, also after `close`, and watch the one that runs here: a program may start us from its coroutine."""
        self._closed = False
        with suppress(KeyError, RuntimeError):  # asyncio is not imported, or no loop runs in this thread
            self.watch(self._modules["asyncio"].get_running_loop())

    def watch(self, loop: AbstractEventLoop) -> None:
        """Watch an event loop until it is closed. From any thread; cheap and without effect for one that is watched already."""
        heart = self._hearts.get(id(loop))
        if self._closed or (heart is not None and heart.loop() is loop):
            return
        heart = self._hearts[id(loop)] = _Heart(loop, self._clock)
        self.watched = True
        with suppress(RuntimeError):  # the loop is closed
            # In an empty context: a loop is announced by its first request, whose variables the beats would keep alive.
            Context().run(loop.call_soon_threadsafe, heart.beat)

    @property
    def debug(self) -> bool:
        """Whether one of the loops is in debug mode."""
        loops = [heart.loop() for heart in list(self._hearts.values())]
        return any(loop is not None and loop.get_debug() for loop in loops)

    @property
    def tasks(self) -> dict[str, float]:
        """How many tasks each coroutine had at the last update."""
        children = list(self._tasks.family.children.items())
        return {coroutine: child.value() for (coroutine,), child in children if coroutine != self._label.other}

    def update(self) -> None:
        """Count the beats since the last update, and the tasks that there are now."""
        if not self.watched:
            raise NoData("no event loop was seen")
        for key, heart in list(self._hearts.items()):
            for late in heart.lateness():
                self.lag.observe(late)
            loop = heart.loop()
            if loop is None or loop.is_closed():
                self._hearts.pop(key, None)
        self._count_tasks()

    def close(self) -> None:
        """Let the hearts stop at their next beat, and take no more loops."""
        self._closed = True
        self._stop_hearts()

    def forked(self) -> None:
        """Forget the parent's loops: they do not run here."""
        self._stop_hearts()

    def _stop_hearts(self) -> None:
        for heart in list(self._hearts.values()):
            heart.stop()
        self._hearts = {}

    def folded(self) -> Mapping[str, int]:
        """Return how many coroutines, each as often as it was seen, were folded."""
        return {"python_asyncio_tasks": self._label.folded}

    def _count_tasks(self) -> None:
        """Set the gauge. A coroutine that had tasks once stays, at zero."""
        counts = Tally[str]({coroutine: 0 for (coroutine,) in self._tasks.family.children})
        for heart in list(self._hearts.values()):
            loop = heart.loop()
            if loop is not None:
                for name, count in self._coroutines(loop).items():
                    counts[self._label.fold(name)] += count
        for coroutine, count in counts.items():
            self._tasks.labels(coroutine).set(count)

    def _coroutines(self, loop: AbstractEventLoop) -> Tally[str]:
        """Return how many tasks each coroutine has. asyncio's set of tasks may be read from another thread; the loop may not."""
        try:
            tasks = self._modules["asyncio"].all_tasks(loop)
        except (KeyError, RuntimeError):  # the set changed a thousand times while it was copied
            return Tally()
        return Tally(coroutine_name(task.get_coro()) for task in tasks)


class _Heart:
    """The heartbeat of one loop. `beat` runs in the loop, `lateness` in the thread of the collector; they share a queue."""

    def __init__(self, loop: AbstractEventLoop, clock: Callable[[], float]) -> None:
        self.loop: Callable[[], AbstractEventLoop | None] = _reference(loop)
        self._clock = clock
        self._beats: deque[tuple[float, float]] = deque(maxlen=_KEPT_BEATS)
        self._planned: float | None = None
        self._stopped = False
        # Of the beat that was planned for this moment so many were counted, itself and missed ones, while the loop was blocked.
        self._counted: tuple[float | None, int] = (None, 0)
        # The beat that was due when the loop was seen stopped.
        self._paused: float | None = None

    def beat(self) -> None:
        """Note when this beat was planned and when it came, and plan the next one."""
        loop = self.loop()
        if self._stopped or loop is None:
            return
        now = self._clock()
        if self._planned is not None:
            self._beats.append((self._planned, now))
        self._planned = now + PERIOD_SECONDS
        loop.call_later(PERIOD_SECONDS, self.beat)

    def stop(self) -> None:
        """Beat no more."""
        self._stopped = True

    def lateness(self) -> Iterator[float]:
        """Yield how late each beat was that came since the last call, and each that was missed."""
        planned = self._planned
        while self._beats:
            due, came = self._beats.popleft()
            if due != self._paused:
                yield from self._uncounted(due, came, 0.0)
        loop = self.loop()
        if loop is None or not loop.is_running():
            # Stopped, not late: what is due while nobody runs the loop says nothing.
            self._paused = planned
        elif planned is not None and planned != self._paused and self._clock() - planned > _BLOCKED_SECONDS:
            yield from self._uncounted(planned, self._clock() - _BLOCKED_SECONDS, _BLOCKED_SECONDS)

    def _uncounted(self, due: float, until: float, more: float) -> Iterator[float]:
        """Yield how late beats are that were due from `due` to `until` and not counted before, `more` seconds after `until`."""
        counted = self._counted[1] if self._counted[0] == due else 0
        beats = min(int(max(0.0, until - due) / PERIOD_SECONDS) + 1, counted + _MOST_MISSED)
        for missed in range(counted, beats):
            yield max(0.0, until + more - due - missed * PERIOD_SECONDS)
        self._counted = (due, max(counted, beats))


def coroutine_name(coroutine: object) -> str:
    """Return the qualified name of a coroutine's function; of anything else that can be awaited, the name of its type."""
    name = getattr(coroutine, "__qualname__", None)
    return name if isinstance(name, str) and name else type(coroutine).__qualname__


def _reference(loop: AbstractEventLoop) -> Callable[[], AbstractEventLoop | None]:
    """Return a weak reference to a loop, or a strong one where its type allows no other."""
    try:
        return weakref.ref(loop)
    except TypeError:
        return lambda: loop
