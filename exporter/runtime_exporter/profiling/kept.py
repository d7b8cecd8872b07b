"""What a store keeps, as it is looked at: windows of several workers as one profile, all else as it is."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.stored import RAW, parse
from runtime_exporter.profiling.together import INTERVAL_SECONDS, Slot, of_workers, slots, windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.store import Store
    from runtime_exporter.profiling.stored import Entry

_MOST_MADE: Final = 4
"""Profiles that were put together and are kept: a page, its flame graph and its download ask for one of them in turn."""
_SETTLED: Final = 0.1
"""Part of an interval after which a window is as good as complete: workers end theirs within 0.075 of one."""


class Kept:
    """The profiles of a store by the names of what is shown. For any number of threads.

    A window of several workers is shown when those who end theirs a little later (see `continuous`) have had the time to. A file can
    also be asked for by its own name, so that a window of one worker alone is a link away. interval: seconds that one window covers.
    """

    def __init__(self, store: Store, interval: float = INTERVAL_SECONDS) -> None:
        self.store = store
        self._interval = interval
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: another thread may have held the lock."""
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[Entry, ...], Profile] = OrderedDict()

    def entries(
        self,
        kind: str = "",
        *,
        begin: float = float("-inf"),
        end: float = float("inf"),
        labels: Mapping[str, str] | None = None,
        worker: int | None = None,
    ) -> tuple[Entry, ...]:
        """Return what is kept, the oldest first, as `Store.entries` does; with `worker` the files of that one alone."""
        files = self.store.entries(kind, begin=begin, end=end, labels=labels)
        if worker is not None:
            return tuple(one for one in files if one.worker == worker)
        last = self.store.now() - _SETTLED * self._interval
        shown = (one for one in windows(files, self._interval) if one.end <= last or not one.workers)
        return tuple(sorted(shown, key=lambda one: (one.end, one.begin, one.name)))

    def slots(self, after: float = float("-inf")) -> list[Slot]:
        """Return the intervals of all workers together that ended after a time and that all have left by now, the oldest first."""
        last = self.store.now() - _SETTLED * self._interval
        found = slots(self.store.entries(begin=after), self._interval)
        return [one for one in found if after < one.end <= last]

    def parts(self, name: str) -> tuple[Entry, ...]:
        """Return the files that a profile of several workers is made of, by worker; none where it is a file itself."""
        asked = parse(name)
        if asked is None or asked.resolution != RAW or asked.process:
            return ()
        self.store.look()  # or two workers that are asked one after the other would answer differently
        made = windows(self.store.entries(asked.kind), self._interval)
        files = next((files for shown, files in made.items() if shown.workers and shown.name == name), ())
        return tuple(sorted(files, key=lambda one: (one.worker or 0, one.begin)))

    def holds(self, one: Entry) -> bool:
        """Return whether there is a file of this name."""
        return any(one.name == file.name for file in self.store.entries(one.kind, begin=one.begin, end=one.end))

    def read_bytes(self, name: str) -> bytes:
        """Return a profile as a file: gzipped pprof. Raises ProfileError where there is none of that name."""
        parts = self.parts(name)
        return pprof.encode(self._together(name, parts)) if parts else self.store.read_bytes(name)

    def read(self, name: str) -> Profile:
        """Return a profile. Raises ProfileError where there is none of that name, or the file is damaged."""
        parts = self.parts(name)
        return self._together(name, parts) if parts else self.store.read(name)

    def merged(self, kind: str, begin: float, end: float) -> Profile:
        """Return all of a kind in a time range as one profile, captures apart. Raises ProfileError where there is nothing."""
        return self.store.merged(kind, begin, end)

    def _together(self, name: str, parts: tuple[Entry, ...]) -> Profile:
        with self._lock:
            made = self._made.get(parts)
        if made is None:
            made = self._make(name, parts)
            with self._lock:
                self._made[parts] = made
                while len(self._made) > _MOST_MADE:
                    self._made.popitem(last=False)
        return made

    def _make(self, name: str, parts: tuple[Entry, ...]) -> Profile:
        found = []
        for one in parts:
            with suppress(ProfileError):  # removed meanwhile, or damaged, which the store has said
                found.append((one.worker or 0, self.store.read(one.name)))
        if not found:
            raise ProfileError(f"the profile {name!r} is not kept any more")
        return of_workers(found)
