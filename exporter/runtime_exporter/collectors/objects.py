"""How many Python objects there are, and of what types: where a leak of Python objects shows first."""

from __future__ import annotations

import gc
import math
import sys
import time
from collections import Counter as Tally
from typing import TYPE_CHECKING, Any

from runtime_exporter import freethreading
from runtime_exporter.collectors.collector import Collector, put
from runtime_exporter.collectors.sources.names import type_name
from runtime_exporter.metrics import Gauge
from runtime_exporter.metrics.bounded import BoundedLabel
from runtime_exporter.profiling import tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GENERATIONS = (0, 1, 2)
# The interpreter makes the list of its objects in one go with the GIL held, so that the program stands still for it.
MOST_PAUSE_SECONDS = 0.02
CENSUS_SECONDS = 60.0
# Before the first census nothing was measured: twice 13 ns for each object, and two blocks for each object that is tracked.
_GUESS_SECONDS_PER_BLOCK = 14e-9
_SAMPLE_OBJECTS = 5000
# A type gets a series of its own when it has this part of all objects: 100 of the sample, +-10 %.
_SHARE_OF_MEMBERS = 0.02


class ObjectsCollector(Collector):
    """In the background. python_allocated_blocks at each update; a census of the objects once a minute.

    The census costs about 30 ns for each object and stops the program twice, for half of that. Where it would take more than
    20 ms (some 700,000 objects) it is left out, and its families are hidden; python_allocated_blocks goes on.
    """

    name = "objects"
    interval = 5.0

    def __init__(
        self,
        limit: int = 20,
        *,
        module: Any = gc,
        blocks: Callable[[], int] = sys.getallocatedblocks,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
        generational: bool = not freethreading.BUILD,
    ) -> None:
        self._gc = module
        self.count_blocks = blocks
        self._clock = clock
        self._cpu = cpu
        # Of a collector without generations, every one of them is a list of all objects.
        self._generations = GENERATIONS if generational else GENERATIONS[-1:]
        self._label = BoundedLabel(limit)
        self._next_census = clock() - 1.0
        self.oldest = 0
        """Objects of the oldest generation, as of the last census."""
        self.census: tuple[float, dict[str, float]] | None = None
        """When the last census was (Unix seconds), and what it found of each type that has a series."""
        self._seconds_per_block = _GUESS_SECONDS_PER_BLOCK
        self._blocks = Gauge(
            "python_allocated_blocks",
            "Blocks of memory that Python's own allocator has given out.",
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._objects = Gauge(
            "python_gc_objects",
            "Objects that the garbage collector tracks, by generation.",
            ["generation"],
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._frozen = Gauge(
            "python_gc_frozen_objects",
            "Objects that gc.freeze() took out of garbage collection.",
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._types = Gauge(
            "python_object_types",
            "Tracked objects by type, estimated from a sample.",
            ["type"],
            registry=None,
            multiprocess_mode="livesum",
            per_worker=True,
        )
        self._census_families = (self._objects, self._frozen, self._types)
        self.families = (self._blocks, *self._census_families)
        self._hide_census(True)

    def update(self) -> None:
        """Count blocks; take the census if it is due and short enough."""
        blocks = self.count_blocks()
        put(self._blocks, blocks)
        now = self._clock()
        if now < self._next_census:
            return
        self._next_census = now + CENSUS_SECONDS
        too_long = blocks * self._seconds_per_block > MOST_PAUSE_SECONDS
        self._hide_census(too_long)
        if not too_long:
            started = self._cpu()
            self._census()
            self._seconds_per_block = (self._cpu() - started) / max(1, blocks)

    def folded(self) -> Mapping[str, int]:
        """Return how often a type that deserved a series did not get one."""
        return {"python_object_types": self._label.folded}

    def _hide_census(self, hidden: bool) -> None:
        for family in self._census_families:
            family.hidden = hidden

    def _census(self) -> None:
        # Walking the list of the frozen costs as much for each object as the list of the others.
        self._frozen.set(self._gc.get_freeze_count())
        total, tally = 0, Tally[str]()
        for generation in self._generations:
            count, sample, step = self._look(generation)
            self._objects.labels(str(generation)).set(count)
            self.oldest = count
            total += count
            # By identity: a class need not be hashable.
            kinds = {id(kind): kind for kind in sample}
            for key, seen in Tally(map(id, sample)).items():
                tally[type_name(kinds[key])] += seen * step
        self._expose(total, tally)

    def _look(self, generation: int) -> tuple[int, list[type], int]:
        """Return how many objects a generation has, the types of some of them, and for how many each of these stands.

        Every so-manieth object is looked at, by a prime number: programs make their objects in patterns that repeat.
        """
        count = tracked.count(generation, self._gc.get_objects)
        step = _prime_from(count // _SAMPLE_OBJECTS)
        return count, tracked.types(generation, step, self._gc.get_objects), step

    def _expose(self, total: int, tally: Tally[str]) -> None:
        """Set the series of types. Only a type with many objects may take one: they are few, so that a leak finds one left."""
        members = dict.fromkeys(self._label.members, 0)
        for name, count in tally.most_common():
            if (name in members or count >= total * _SHARE_OF_MEMBERS) and (
                label := self._label.fold(name)
            ) != self._label.other:
                members[label] = count
        self.census = time.time(), dict(members)
        for label, count in members.items():
            self._types.labels(label).set(count)
        self._types.labels(self._label.other).set(max(0, total - sum(members.values())))


def _prime_from(least: int) -> int:
    """Return 1, or the first prime number from `least` on."""
    number = max(1, least)
    while any(number % divisor == 0 for divisor in range(2, math.isqrt(number) + 1)):
        number += 1
    return number
