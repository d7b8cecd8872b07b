"""Profiles of this process for alerts, put together as the settings say. Samplers are imported when the first one is taken."""

from __future__ import annotations

import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

from runtime_exporter.profiling.captures import Captured, Captures
from runtime_exporter.profiling.process import IN_RUN_DIRECTORY
from runtime_exporter.profiling.shelf import Shelf
from runtime_exporter.profiling.stoppable import UNSTOPPABLE, can_stop
from runtime_exporter.profiling.threads import inventory, thread_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.profiling.process import Profiling
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.settings import Settings


def shelf_of(profiling: Profiling, settings: Settings) -> Shelf:
    """Return all profiles that can be looked at: of this process, and of the workers that serve together with it."""
    version = settings.service_version
    return Shelf(
        profiling.store,
        latest=partial(_latest, profiling),
        labels={"version": version} if version else {},
        worker=profiling.worker,
        interval=settings.profile_interval,
        about=IN_RUN_DIRECTORY if settings.run_directory and not settings.profile_directory else "",
    )


def captures_of(
    profiling: Profiling,
    settings: Settings,
    shelf: Shelf,
    taken: Callable[[Captured], None] | None = None,
    of_workers: Mapping[str, Callable[[float], Profile]] | None = None,
) -> Captures | None:
    """Return what takes profiles for alerts; None where the setting is off. `taken` is told of each.

    of_workers: by kind what takes one of this process and of others that serve together with it.
    """
    if not settings.alert_profiling:
        return None
    kinds = ("cpu", "wall", "block", *(("mutex",) if profiling.locks is not None else ()))
    takes: dict[str, Callable[[float], Profile]] = {kind: partial(_over, profiling, kind) for kind in kinds}
    traces = settings.profile_heap or tracemalloc.is_tracing() or can_stop()
    if traces:
        takes["heap"] = partial(_heap, profiling)
    takes["goroutine"] = _threads
    takes.update({kind: take for kind, take in (of_workers or {}).items() if kind in takes})
    captures = Captures.of(settings, takes, shelf, taken)
    captures.unable = {"heap": "the setting alert_heap_seconds is 0" if traces else UNSTOPPABLE}
    return captures


def _over(profiling: Profiling, kind: str, seconds: float) -> Profile:
    return profiling.on_demand.take(kind, seconds, keep=False)  # the shelf keeps it, with the alert's labels


def _heap(profiling: Profiling, seconds: float) -> Profile:
    """Return all memory that is alive where tracemalloc runs anyway, else what is allocated in the next seconds and stays alive."""
    return profiling.on_demand.now("heap") if tracemalloc.is_tracing() else _over(profiling, "heap", seconds)


def _threads(_: float) -> Profile:
    return thread_profile(inventory(), kind="goroutine")


def _latest(profiling: Profiling) -> Mapping[str, Profile]:
    report = profiling.report
    return report.interval.profiles if report is not None and report.interval is not None else {}
