"""The profiler that is always on, put together as the settings say."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.advice.catalogue import OF_PROFILES
from runtime_exporter.profiling.advice.process import instruments
from runtime_exporter.profiling.contention import Contention
from runtime_exporter.profiling.continuous import Continuous
from runtime_exporter.profiling.evidence import Adviser
from runtime_exporter.profiling.growth import Growth
from runtime_exporter.profiling.joint import Joint
from runtime_exporter.profiling.kept import Kept
from runtime_exporter.profiling.membership import Rules
from runtime_exporter.profiling.pastfiles import PastFiles
from runtime_exporter.profiling.pipeline import Pipeline
from runtime_exporter.profiling.readings import Reading
from runtime_exporter.profiling.samplers.choose import choose
from runtime_exporter.profiling.stored import CAPTURE
from runtime_exporter.profiling.table import tabulate
from runtime_exporter.profiling.watch import KINDS, Watch
from runtime_exporter.profiling.windows import is_idle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runtime_exporter.profiling.heaptracing import HeapTracing
    from runtime_exporter.profiling.pipeline import Interval
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.store import Store
    from runtime_exporter.profiling.table import Table
    from runtime_exporter.profiling.verdict import Verdicts
    from runtime_exporter.profiling.watch import Judgement
    from runtime_exporter.settings import Settings

VERSION: Final = "version"
"""The label of a kept profile that says which version of the program it is of."""
RECALLED_PROFILES: Final = 150
"""Kept profiles of each kind that are read at the start, the latest: two hours of windows and five of ten minutes each."""


def continuous(
    settings: Settings,
    *,
    store: Store | None = None,
    read: Callable[[], Reading | None] | None = None,
    offer: Callable[[Profile, str, Mapping[str, str]], object] | None = None,
    waits: Contention | None = None,
    heap: HeapTracing | None = None,
    budget: Callable[[], float] | None = None,
    worker: Callable[[], int | None] = lambda: None,
    then: Callable[[], object] | None = None,
) -> Continuous:
    """Return the profiler for these settings, not started. What it needs to know of the process it asks for when it starts.

    `store` keeps the profiles. `read` gives the numbers of this process, for advice and leak suspects (`collectors.facts`
    makes it). `offer` sends profiles elsewhere. `waits` and `heap` give profiles of their kinds.
    `budget` tells the part of one core for sampling, and for what is made of the samples as much again; a quarter of the
    overhead budget where it is not given. `worker` gives the number of this process among those that serve together,
    `then` is called after each interval.
    """
    version = settings.service_version
    watch = Watch.of(settings)
    began = time.time()
    growth = Growth(began, span=settings.profile_leak_span)
    adviser = Adviser("python", began=began, read=read or own_reading, growth=growth)
    quarter = settings.overhead_budget / 4
    part = budget if budget is not None else lambda: quarter
    pipeline = Pipeline(
        rules=Rules(top=settings.profile_top, pinned=tuple(map(re.compile, settings.profile_pinned))),
        store=store,
        idle=is_idle,
        compare=lambda interval: watch.compare(interval.tables, interval.profiles),
        suspects=adviser.suspects,
        advise=adviser.recommend,
        offer=offer,
        labels={VERSION: version} if version else {},
    )
    return Continuous(
        lambda: choose(budget=part(), helper_budget=settings.overhead_budget),
        pipeline,
        interval=settings.profile_interval,
        sources=(waits or Contention(),),
        paced=(heap,) if heap is not None else (),
        recall=partial(recalled, store, watch) if store is not None and settings.profile_directory else None,
        then=then,
        budget=part,
        worker=worker,
    )


def joint(
    settings: Settings,
    store: Store,
    verdicts: Verdicts,
    *,
    worker: Callable[[], int | None],
    budget: Callable[[], float],
) -> Joint:
    """Return what takes in the intervals of all workers as one, as they leave them in `store`; what it comes to is in `verdicts`."""
    past = PastFiles(store.directory / "past")

    def pipeline() -> Pipeline:
        watch = Watch.of(settings, past.write)
        until = 0.0
        for tally in past.read():
            watch.know(tally)
            until = max(until, tally.end)
        adviser = Adviser("python", began=0.0, rules=OF_PROFILES)  # none of these asks how old a process is

        def compare(interval: Interval) -> Mapping[str, Judgement]:
            known = interval.taken.end <= until  # it is in the past, from another worker
            return {} if known else watch.compare(interval.tables, interval.profiles)

        return Pipeline(
            idle=is_idle,
            compare=compare,
            suspects=adviser.suspects,
            advise=adviser.recommend,
            recent=1,
        )

    return Joint(
        Kept(store, settings.profile_interval),
        verdicts,
        pipeline,
        interval=settings.profile_interval,
        worker=worker,
        budget=budget,
    )


def own_reading() -> Reading:
    """Return what this process says of itself where nobody collects its numbers."""
    return Reading(time=time.time(), instruments=instruments(), blocks=sys.getallocatedblocks())


def recalled(store: Store, watch: Watch) -> Iterator[None]:
    """Let the comparison know what earlier processes left in the store, a profile a step, the oldest first."""
    for kind in sorted(KINDS):
        entries = [one for one in store.entries(kind) if one.resolution != CAPTURE][-RECALLED_PROFILES:]
        for version, run in groupby(entries, key=lambda one: dict(one.labels).get(VERSION, "")):
            tables: list[Table] = []
            for one in run:
                with contextlib.suppress(ProfileError):  # reported by the store, or merged meanwhile
                    tables.append(tabulate(store.read(one.name), kind=kind, idle=is_idle if kind == "wall" else None))
                yield
                if len(tables) == watch.windows:
                    watch.recall(tables, version)
                    tables.clear()
            if tables:
                watch.recall(tables, version)
