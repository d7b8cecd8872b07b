"""All that belongs to one target: what takes its profiles, what is made of them, where they are kept, and its pages."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime_exporter.agent.config import GO_KINDS, PROCESS_KINDS
from runtime_exporter.agent.go import GoTarget
from runtime_exporter.agent.go.growth import KINDS as GO_GROWTH
from runtime_exporter.agent.outward import Outlet
from runtime_exporter.agent.pages import target_app
from runtime_exporter.agent.process import ProcessTarget
from runtime_exporter.agent.targetmetrics import TargetMetrics
from runtime_exporter.agent.watcher import Watcher
from runtime_exporter.profiling.assembly import VERSION, recalled
from runtime_exporter.profiling.captures import Captures
from runtime_exporter.profiling.captures import Source as Capture
from runtime_exporter.profiling.evidence import Adviser
from runtime_exporter.profiling.membership import Rules
from runtime_exporter.profiling.pipeline import Pipeline
from runtime_exporter.profiling.shelf import Shelf
from runtime_exporter.profiling.store import Store
from runtime_exporter.profiling.watch import Watch
from runtime_exporter.profiling.windows import is_idle
from runtime_exporter.web.alert import alert_routes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from _typeshed.wsgi import WSGIApplication

    from runtime_exporter.agent.config import Target
    from runtime_exporter.agent.source import Source
    from runtime_exporter.profiling.advice import Facts
    from runtime_exporter.profiling.leaks import Suspect
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.readings import Seen
    from runtime_exporter.settings import Settings
    from runtime_exporter.web.page import Ask, Reply

NOWHERE: Final = Outlet()
"""Nothing is sent."""
INSTANTS: Final = frozenset({"heap", "goroutine", "goroutineleak"})
"""Kinds of Go's profiles that say how things are; of the others what came to be meanwhile is of interest."""


@dataclass(frozen=True)
class Watched:
    """A target that is being watched."""

    target: Target
    watcher: Watcher
    metrics: TargetMetrics
    store: Store | None
    shelf: Shelf
    captures: Captures | None
    """What takes profiles for alerts; None where alerts take none."""
    settings: Settings
    """Which pages there are, and how long a profile that somebody asks for takes at most."""

    @cached_property
    def app(self) -> WSGIApplication:
        """All of its pages; one application, since pages remember what was opened."""
        return target_app(self, self.settings)

    def alerts(self, ask: Ask) -> Reply:
        """Answer a notification of Alertmanager about this target."""
        route = next(iter(alert_routes(self.captures, instance=self.target.instance, home=str)))
        return route.page(ask)

    def close(self) -> None:
        """Stop to watch it, and give back what that took."""
        self.watcher.close()
        if self.captures is not None:
            self.captures.close()
        self.metrics.close()


@dataclass(frozen=True)
class Said:
    """What a source has learned of its target beside the profiles, at a moment."""

    facts: Facts

    def since(self, _: object, __: Seen) -> Facts:
        """Return it: a source speaks of its last interval."""
        return self.facts


def watch(
    target: Target,
    settings: Settings,
    *,
    among: int,
    turn: AbstractContextManager[object],
    delay: float = 0.0,
    outlet: Outlet = NOWHERE,
) -> Watched:
    """Return the target as it will be watched, not started. It may keep its part, one `among` so many, of the bytes of all."""
    source: Source = GoTarget(target) if target.url else ProcessTarget(target, budget=settings.overhead_budget)
    process = partial(_pid, source)
    store = None
    if settings.profile_directory:
        store = Store(
            Path(settings.profile_directory) / target.name, limit=store_limit(settings, among), process=process
        )
    past = Watch.of(replace(settings, service_version=target.version))
    adviser = Adviser(source.language, began=time.time(), read=lambda: Said(source.facts()))
    pipeline = Pipeline(
        rules=Rules(top=settings.profile_top, pinned=tuple(map(re.compile, settings.profile_pinned))),
        store=store,
        idle=is_idle if source.language == "python" else None,
        compare=lambda interval: past.compare(interval.tables, interval.profiles),
        suspects=lambda interval: {**_aged(adviser, source).suspects(interval), **_suspects(source)},
        advise=adviser.recommend,
        offer=outlet.offer,
        labels={VERSION: target.version} if target.version else {},
    )
    watcher = Watcher(
        target.name,
        source,
        pipeline,
        interval=target.interval,
        budget=settings.overhead_budget,
        turn=turn,
        delay=delay,
        recall=partial(recalled, store, past) if store is not None else None,
    )
    shelf = Shelf(store, latest=lambda: _latest(watcher), labels=pipeline.labels, process=process)
    captures = _captures(target, source, shelf, settings, outlet) if settings.alert_profiling else None
    return Watched(target, watcher, TargetMetrics(watcher, captures), store, shelf, captures, settings)


def store_limit(settings: Settings, among: int) -> int:
    """Return how many bytes one target of so many may keep."""
    return settings.profile_bytes_limit // max(1, among)


def _pid(source: Source) -> int:
    """Return the number of the process that is looked at, 0 where there is none on this machine."""
    process = source.process if isinstance(source, ProcessTarget) else None
    return process.pid if process is not None else 0


def _latest(watcher: Watcher) -> Mapping[str, Profile]:
    interval = watcher.report.interval
    return interval.profiles if interval is not None else {}


def _aged(adviser: Adviser, source: Source) -> Adviser:
    """Return the adviser, once it knows since when the target has run, as far as that is known."""
    if source.started is not None:
        adviser.born(source.started)
    return adviser


def _suspects(source: Source) -> dict[str, list[Suspect]]:
    """Return by kind what a source itself suspects to leak: of Go goroutines and memory; that there is none is said, too."""
    found: dict[str, list[Suspect]] = {kind: [] for kind in GO_GROWTH if source.language == "go"}
    for suspect in source.facts().suspects:
        found.setdefault(suspect.kind, []).append(suspect)
    return found


def _captures(target: Target, source: Source, shelf: Shelf, settings: Settings, outlet: Outlet) -> Captures:
    """Return what takes profiles of a target for alerts: what Go says of an instant at once, the rest over some seconds."""
    sources = {
        kind: Capture(partial(source.capture, kind), 0.0 if kind in INSTANTS else settings.alert_profile_seconds)
        for kind in (GO_KINDS if target.url else PROCESS_KINDS)
    }
    return Captures(sources, shelf, pause=settings.alert_pause, taken=outlet.tell)
