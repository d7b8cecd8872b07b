"""The targets that are watched now, and how they become others: what did not change goes on undisturbed."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.agent import leftovers
from runtime_exporter.agent.outward import Outlet
from runtime_exporter.agent.watched import store_limit, watch
from runtime_exporter.logs import LOGGER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime_exporter.agent.config import Target
    from runtime_exporter.agent.outward import Outward
    from runtime_exporter.agent.watched import Watched
    from runtime_exporter.settings import Settings

SPREAD_SECONDS: Final = 10.0
"""Targets begin within so long, or within their interval, so that not all of them are looked at in the same moment."""


class Change(NamedTuple):
    """What became of the targets when the file was read: names."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __str__(self) -> str:
        """Return it in words."""
        parts = (f"{what} {', '.join(names)}" for what, names in zip(self._fields, self, strict=True) if names)
        return "; ".join(parts) or "nothing changed"


class Fleet:
    """For any number of threads: `watched` is replaced, never changed."""

    def __init__(self, settings: Settings, outward: Outward | None = None) -> None:
        """`outward` is where what is taken goes, beside our own pages."""
        self.watched: Mapping[str, Watched] = {}
        """What is watched, by name, in the order of the file."""
        self._settings = settings
        self._outward = outward
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def become(self, targets: Sequence[Target]) -> Change:
        """Watch these targets from now on. Raises ExporterError where one cannot be, and then nothing has changed."""
        with self._lock:
            before = self.watched
            kept = {name: one for name, one in before.items() if one.target in targets}
            made = {
                target.name: self._made(target, number, targets)
                for number, target in enumerate(targets)
                if target.name not in kept
            }
            begin = threading.Event()
            try:
                for one in made.values():  # what can fail comes first, and nothing is done before others have ended
                    one.watcher.start(begin)
            except BaseException:
                self._close([*made.values()], begin)
                raise
            self._close([one for name, one in before.items() if name not in kept])
            for one in kept.values():  # with more targets each may keep less
                if one.store is not None:
                    one.store.limit = store_limit(self._settings, len(targets))
            self.watched = {target.name: kept.get(target.name) or made[target.name] for target in targets}
            begin.set()
            self._clean()
        return Change(
            tuple(name for name in made if name not in before),
            tuple(name for name in before if name not in self.watched),
            tuple(name for name in made if name in before),
        )

    def close(self) -> None:
        """Stop to watch."""
        with self._lock:
            watched, self.watched = self.watched, {}
            self._close([*watched.values()])

    def _clean(self) -> None:
        directory = self._settings.profile_directory
        if directory and (gone := leftovers.remove(Path(directory), self.watched.keys(), time.time())):
            LOGGER.info("removed the old profiles of targets that are no more: %s", ", ".join(gone))

    def _made(self, target: Target, number: int, targets: Sequence[Target]) -> Watched:
        delay = min(SPREAD_SECONDS, target.interval) * number / len(targets)
        outlet = self._outward.of(target) if self._outward is not None else Outlet()
        return watch(target, self._settings, among=len(targets), turn=self._turn, delay=delay, outlet=outlet)

    def _close(self, watched: Sequence[Watched], begin: threading.Event | None = None) -> None:
        for one in watched:  # all of them are told before one is waited for
            one.watcher.stop()
        if begin is not None:
            begin.set()
        for one in watched:
            one.close()
