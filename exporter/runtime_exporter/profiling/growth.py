"""What grows in this process, look by look: resident memory, blocks, objects by type, threads and tasks by what they do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.leaks import (
    BLOCKS,
    BLOCKS_IN_USE,
    MEMORY,
    OBJECT_TYPES,
    OBJECTS,
    TASKS,
    THREAD_GROUPS,
    THREADS,
    History,
)
from runtime_exporter.profiling.threads import ThreadHistory, inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runtime_exporter.profiling.leaks import Suspect
    from runtime_exporter.profiling.readings import Reading
    from runtime_exporter.profiling.threads import ThreadState

RESIDENT: Final = "rss"
# Looks during the span that memory has to grow over; threads and tasks have to for a sixth of it, which is ten.
_LOOKS: Final = 60
_WARM_UP: Final = MEMORY.warm_up / MEMORY.span
_OF_THREADS: Final = THREAD_GROUPS.span / MEMORY.span


class Growth:
    """Looks at a process now and then, and says what has grown for so long that a leak is suspected. For one thread.

    span: seconds over which memory has to grow; the other times of `leaks` shrink and stretch with it. began: when the
    process did (Unix seconds).
    """

    def __init__(
        self, began: float, *, span: float = MEMORY.span, threads: Callable[[], Iterable[ThreadState]] = inventory
    ) -> None:
        self._inventory = threads
        warm = replace(MEMORY, span=span, warm_up=span * _WARM_UP)
        self._memory = warm
        self._blocks = replace(BLOCKS_IN_USE, span=span, warm_up=warm.warm_up)
        self._types = replace(OBJECT_TYPES, span=span, warm_up=warm.warm_up)
        short = span * _OF_THREADS
        self._groups = replace(THREAD_GROUPS, span=short, warm_up=short * THREAD_GROUPS.warm_up / THREAD_GROUPS.span)
        self._pace = span / _LOOKS
        self.forget(began)

    def forget(self, began: float) -> None:
        """Begin anew, as in the child of a fork, which began at `began` (Unix seconds)."""
        self._began = began
        self._looked = self._counted = -math.inf
        self._totals = {RESIDENT: History(), BLOCKS: History()}
        self._objects = History()
        self._threads = ThreadHistory()
        self._tasks = History()
        self._suspects: Mapping[str, Sequence[Suspect]] = {}

    def look(self, reading: Reading) -> Mapping[str, Sequence[Suspect]]:
        """Take in a reading, where one is due, and return what is suspected now by kind, steepest first.

        A kind of which nothing is suspected is there, too, if it is looked at.
        """
        # A little early is due, too: readings come once an interval, and not to the millisecond.
        if reading.time >= self._looked + 0.9 * self._pace:
            self._add(reading)
            self._looked = reading.time
            self._suspects = self._find(reading)
        return self._suspects

    def _add(self, reading: Reading) -> None:
        now = reading.time
        if reading.memory is not None:
            self._totals[RESIDENT].add(now, {"": reading.memory.resident})
        if reading.settled is not None and reading.settled.time > self._looked:
            self._totals[BLOCKS].add(reading.settled.time, {"": reading.settled.blocks}, settled=True)
        elif reading.blocks is not None:
            self._totals[BLOCKS].add(now, {"": reading.blocks})
        if reading.counted > self._counted:  # types are counted more rarely than this looks
            self._objects.add(reading.counted, reading.objects)
            self._counted = reading.counted
        self._threads.look(self._inventory(), now)
        self._tasks.add(now, reading.tasks)

    def _find(self, reading: Reading) -> dict[str, Sequence[Suspect]]:
        began, memory = self._began, reading.memory
        found: dict[str, Sequence[Suspect]] = {}
        if memory is not None:
            found[RESIDENT] = self._totals[RESIDENT].suspects(
                kind=RESIDENT,
                thresholds=self._memory,
                started=began,
                whole=memory.resident,
                limit=memory.limit if memory.limit is not None else math.inf,
                used=memory.resident,
            )
        if reading.blocks is not None:
            found[BLOCKS] = self._totals[BLOCKS].suspects(
                kind=BLOCKS, unit=BLOCKS, thresholds=self._blocks, started=began, whole=reading.blocks
            )
        if reading.counted:
            found[OBJECTS] = self._objects.suspects(kind=OBJECTS, unit=OBJECTS, thresholds=self._types, started=began)
        found[THREADS] = self._threads.suspects(started=began, thresholds=self._groups)
        found[TASKS] = self._tasks.suspects(kind=TASKS, unit=TASKS, thresholds=self._groups, started=began)
        return found
