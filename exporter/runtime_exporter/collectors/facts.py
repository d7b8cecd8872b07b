"""The collectors' numbers as advice wants them: one reading of this process, cheap enough for each interval of profiling."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.collectors.asyncio import AsyncioCollector
from runtime_exporter.collectors.gc import GcCollector
from runtime_exporter.collectors.gil import GilCollector
from runtime_exporter.collectors.malloc import MallocCollector
from runtime_exporter.collectors.objects import ObjectsCollector
from runtime_exporter.collectors.process import default_source
from runtime_exporter.collectors.sources.cgroup import Cgroup, CgroupReading
from runtime_exporter.collectors.sources.rlimits import LimitsFile
from runtime_exporter.profiling.advice.facts import Memory, Quota
from runtime_exporter.profiling.advice.process import collections, instruments
from runtime_exporter.profiling.readings import Queue, Reading, Settled, Spread
from runtime_exporter.profiling.threadgroup import thread_group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.collectors.collector import Collector
    from runtime_exporter.collectors.sources.process import ProcessReading
    from runtime_exporter.metrics import Histogram

_EXECUTORS: Final = "concurrent.futures.thread"


class ProcessReadings:
    """Reads this process: what collectors count in the background and by callbacks they are asked for, the rest the system.

    A collector that was left out, or has nothing, leaves its facts out: rules on them are silent. A reading takes some 0.2 ms.
    For one thread.
    """

    def __init__(
        self,
        collectors: Mapping[str, Collector],
        *,
        process: Callable[[], ProcessReading] | None = None,
        proc: str = "/proc",
        cgroup_root: str = "/sys/fs/cgroup",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._collectors = collectors
        self._process = process
        self._close_process: Callable[[], None] | None = None
        self._cgroup = Cgroup(proc=proc, root=cgroup_root)
        self._rlimits = LimitsFile(proc)
        self._clock = clock

    def __call__(self) -> Reading:
        """Return the numbers of now."""
        group = self._cgroup.read()
        return Reading(
            time=self._clock(),
            quota=_quota(group),
            memory=self._memory(group),
            instruments=instruments(),
            pools=_pools(sys.modules.get(_EXECUTORS)),
            **self._collections(),
            **self._loops(),
            **self._contention(),
            **self._objects(),
        )

    def close(self) -> None:
        """Close the files that stay open between readings."""
        self._cgroup.close()
        self._rlimits.close()
        if self._close_process is not None:
            self._close_process()

    def _collections(self) -> dict[str, Any]:
        gc, objects = self._collectors.get(GcCollector.name), self._collectors.get(ObjectsCollector.name)
        if not isinstance(gc, GcCollector):
            return {}
        counted = collections(
            seconds=sum(one.sum for one in gc.pauses),
            before=[{"collections": 0, "collected": 0} for _ in gc.pauses],
            oldest_objects=objects.oldest if isinstance(objects, ObjectsCollector) else 0,
        )
        settled = Settled(*gc.settled) if gc.settled is not None else None
        return {"gc": counted, "full_pauses": _spread(gc.pauses[-1]), "settled": settled}

    def _loops(self) -> dict[str, Any]:
        loops = self._collectors.get(AsyncioCollector.name)
        if not isinstance(loops, AsyncioCollector) or not loops.watched:
            return {}
        return {"lag": _spread(loops.lag), "loop_debug": loops.debug, "tasks": loops.tasks}

    def _contention(self) -> dict[str, Any]:
        gil = self._collectors.get(GilCollector.name)
        return {"gil": _spread(gil.wait)} if isinstance(gil, GilCollector) else {}

    def _objects(self) -> dict[str, Any]:
        objects = self._collectors.get(ObjectsCollector.name)
        if not isinstance(objects, ObjectsCollector):
            return {}
        counted, types = objects.census or (0.0, {})
        return {"blocks": objects.count_blocks(), "counted": counted, "objects": types}

    def _memory(self, group: CgroupReading | None) -> Memory | None:
        if self._process is None:
            self._process, self._close_process = default_source()
        try:
            resident = self._process().resident_bytes
        except (OSError, ValueError):  # its collector says so; advice goes without
            return None
        malloc = self._collectors.get(MallocCollector.name)
        limits = (group.memory_limit_bytes if group is not None else None, self._rlimits.soft("Max address space"))
        return Memory(
            resident=round(resident),
            allocator_free=round(malloc.free) if isinstance(malloc, MallocCollector) else 0,
            limit=min((round(limit) for limit in limits if limit is not None), default=None),
        )


def _spread(histogram: Histogram) -> Spread:
    reached = histogram.counts()
    counts = (after - before for before, after in pairwise((0, *reached)))
    return Spread(histogram.bounds, tuple(counts), histogram.sum)


def _quota(group: CgroupReading | None) -> Quota | None:
    if group is None or group.cpu_limit_cores is None or group.throttling is None:
        return None
    periods, throttled, seconds = group.throttling
    return Quota(
        cores=group.cpu_limit_cores,
        periods=round(periods),
        throttled_periods=round(throttled),
        throttled_seconds=seconds,
    )


def _pools(executors: Any) -> dict[str, Queue]:
    """Return the thread pools of concurrent.futures by group of threads, from the module where it is imported.

    It keeps a table of its workers and their queues, for the end of the program; without one (or while it changes) no pool is
    known.
    """
    workers: dict[str, list[Any]] = {}
    with suppress(RuntimeError, AttributeError):
        for thread, queue in list(executors._threads_queues.items()):  # noqa: SLF001 - no other way leads to the queue
            if thread.is_alive():
                workers.setdefault(thread_group(thread), []).append(queue)
    return {
        group: Queue(len(queues), sum(queue.qsize() for queue in {id(one): one for one in queues}.values()))
        for group, queues in workers.items()
    }
