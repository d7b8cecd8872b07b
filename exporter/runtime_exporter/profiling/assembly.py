"""The profiler that is always on, put together as the settings say."""

from __future__ import annotations

import contextlib
import re
import time
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.advice import Evidence, Facts, advise, bias_risk, weigh
from runtime_exporter.profiling.advice.process import instruments
from runtime_exporter.profiling.continuous import Continuous
from runtime_exporter.profiling.membership import Rules
from runtime_exporter.profiling.pipeline import Pipeline
from runtime_exporter.profiling.samplers.choose import choose
from runtime_exporter.profiling.store import Store
from runtime_exporter.profiling.stored import CAPTURE
from runtime_exporter.profiling.table import tabulate
from runtime_exporter.profiling.watch import KINDS, Watch
from runtime_exporter.profiling.windows import blocked, is_idle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runtime_exporter.profiling.advice import Recommendation
    from runtime_exporter.profiling.pipeline import Interval
    from runtime_exporter.profiling.table import Table
    from runtime_exporter.settings import Settings

VERSION: Final = "version"
"""The label of a kept profile that says which version of the program it is of."""
RECALLED_PROFILES: Final = 150
"""Kept profiles of each kind that are read at the start, the latest: two hours of windows and five of ten minutes each."""


def continuous(settings: Settings) -> Continuous:
    """Return the profiler for these settings, not started. What it needs to know of the process it asks for when it starts."""
    version = settings.service_version
    store = (
        Store(settings.profile_directory, limit=settings.profile_bytes_limit) if settings.profile_directory else None
    )
    watch = Watch.of(settings)
    # Sampling and what is made of the samples share the budget.
    half = settings.overhead_budget / 2
    pipeline = Pipeline(
        rules=Rules(top=settings.profile_top, pinned=tuple(map(re.compile, settings.profile_pinned))),
        store=store,
        idle=is_idle,
        compare=lambda interval: watch.compare(interval.tables, interval.profiles),
        advise=partial(recommend, began=time.time()),
        labels={VERSION: version} if version else {},
    )
    return Continuous(
        partial(choose, budget=half),
        pipeline,
        interval=settings.profile_interval,
        sources=(blocked,),
        recall=partial(recalled, store, watch) if store is not None else None,
        budget=settings.overhead_budget,
    )


def recommend(interval: Interval, _: Mapping[str, Any], *, began: float) -> Sequence[Recommendation]:
    """Return what the rules have to say of one interval, from its profiles and from what can be asked of this process cheaply.

    `began` is when the process did, in seconds since the epoch.
    """
    taken = interval.taken
    return advise(
        Evidence(
            language="python",
            window=taken.seconds,
            profiles={kind: weigh(profile, kind) for kind, profile in interval.profiles.items() if profile.samples},
            facts=Facts(instruments=instruments()),
            backend=taken.backend,
            bias=bias_risk(unbiased=taken.unbiased, bias_ratio=taken.bias_ratio),
            age=taken.end - began,
        )
    )


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
