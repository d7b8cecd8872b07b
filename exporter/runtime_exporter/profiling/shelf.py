"""All profiles that can be looked at: those of the store, the last few captures where there is none, and the last interval's."""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.kept import Kept
from runtime_exporter.profiling.stored import CAPTURE, RAW, Entry, as_kept, entry
from runtime_exporter.profiling.together import INTERVAL_SECONDS, said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.store import Store

MOST_CAPTURES: Final = 8
MOST_BYTES: Final = 8 * 1024 * 1024
"""What is kept in memory where no store keeps it: captures, and bytes of all together."""
_MOST_OPENED = 6


class Shelf:
    """Profiles by the names of their entries, wherever they are. For any number of threads.

    latest: the profiles of the last interval by kind, and labels: what each of them carries, such as the version.
    process and worker: give the number of the process that they are of, and of the worker, as for the store. interval: seconds
    that one window covers. about: what is to be known of where they are.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        latest: Callable[[], Mapping[str, Profile]] = dict,
        labels: Mapping[str, str] | None = None,
        process: Callable[[], int] = os.getpid,
        worker: Callable[[], int | None] = lambda: None,
        interval: float = INTERVAL_SECONDS,
        about: str = "",
    ) -> None:
        self.store = store
        self.kept = Kept(store, interval) if store is not None else None
        """What the store holds, as it is looked at."""
        self.about = about
        self._process = process
        self._worker = worker
        self._latest = latest
        self._labels = dict(labels or {})
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: another thread may have held the lock, and what was taken is the parent's."""
        self._lock = threading.Lock()
        if self.kept is not None:
            self.kept.forked()
        self._captures: deque[tuple[Entry, bytes]] = deque()
        self._opened: deque[tuple[Entry, Profile]] = deque(maxlen=_MOST_OPENED)

    def put(self, profile: Profile, kind: str, labels: Mapping[str, str]) -> tuple[Entry, bool]:
        """Keep a capture, and return its entry and whether it is in the store; else it is in memory, with the last few."""
        labels = {**self._labels, **labels}
        kept = self.store.put(profile, kind, labels=labels, capture=True) if self.store is not None else None
        if kept is not None:
            return kept, True
        data = pprof.encode(profile)
        new = self._entry(profile, kind, CAPTURE, labels, len(data))
        with self._lock:
            self._captures.append((new, data))
            while len(self._captures) > MOST_CAPTURES or self._bytes() > MOST_BYTES:
                self._captures.popleft()
        return new, False

    def entries(self, kind: str = "", *, labels: Mapping[str, str] | None = None) -> tuple[Entry, ...]:
        """Return what there is of a kind with all of these labels, the newest first."""
        wanted = {*as_kept(labels)}
        found = {one.name: one for one in self._in_memory() if kind in ("", one.kind) and wanted <= set(one.labels)}
        if self.kept is not None:
            found = {name: one for name, one in found.items() if not self.kept.holds(one)}
            found.update((one.name, one) for one in self.kept.entries(kind, labels=labels))
        return tuple(sorted(found.values(), key=lambda one: (one.end, one.begin, one.name), reverse=True))

    def entry(self, name: str) -> Entry | None:
        """Return the entry of this name, also of one worker's part of a profile of several; None where there is none."""
        shown = next((one for one in self.entries() if one.name == name), None)
        if shown is not None or self.store is None:
            return shown
        return next((one for one in self.store.entries() if one.name == name), None)

    def read_bytes(self, name: str) -> bytes:
        """Return a profile as a file: gzipped pprof. Raises ProfileError where there is none of that name."""
        held = next((data for one, data in self._held() if one.name == name), None)
        if held is not None:
            return held
        interval = self._interval(name)
        if interval is not None:
            return pprof.encode(interval)
        if self.kept is None:
            raise ProfileError(f"no profile {name!r} is kept")
        return self.kept.read_bytes(name)

    def read(self, name: str) -> Profile:
        """Return a profile. Raises ProfileError where there is none of that name, or the file is damaged."""
        if self.kept is not None and self.kept.parts(name):
            return self.kept.read(name)
        interval = self._interval(name)
        return interval if interval is not None else pprof.decode(self.read_bytes(name))

    def parts(self, name: str) -> tuple[Entry, ...]:
        """Return the profiles that one of several workers is made of, by worker; none where it is of one."""
        return self.kept.parts(name) if self.kept is not None else ()

    def _interval(self, name: str) -> Profile | None:
        """Return the profile of the last interval of that name, or of an earlier one that was asked for before.

        A page asks more than once, and an interval may be over in between.
        """
        with self._lock:
            opened = next((profile for one, profile in self._opened if one.name == name), None)
        if opened is not None:
            return opened
        latest = next(((one, profile) for one, profile in self._last_interval() if one.name == name), None)
        if latest is None:
            return None
        with self._lock:
            self._opened.append(latest)
        return latest[1]

    def merged(self, kind: str, begin: float, end: float) -> Profile:
        """Return all of a kind in a time range as one profile, captures apart. Raises ProfileError where there is nothing."""
        if self.kept is not None:
            return self.kept.merged(kind, begin, end)
        latest = (profile for one, profile in self._last_interval() if one.kind == kind)
        profile = next((one for one in latest if begin <= one.time_nanos / 1e9 <= end), None)
        if profile is None:
            raise ProfileError(f"no {kind} profile is kept of that time: the setting profile_directory keeps them")
        return profile

    def _held(self) -> tuple[tuple[Entry, bytes], ...]:
        with self._lock:
            return tuple(self._captures)

    def _bytes(self) -> int:
        return sum(len(data) for _, data in self._captures)

    def _last_interval(self) -> list[tuple[Entry, Profile]]:
        return [(self._entry(profile, kind, RAW, self._labels), profile) for kind, profile in self._latest().items()]

    def _in_memory(self) -> list[Entry]:
        with self._lock:
            opened = list(self._opened)
        intervals = (one for one, profile in [*opened, *self._last_interval()] if profile.samples)
        return [*(one for one, _ in self._held()), *intervals]

    def _entry(self, profile: Profile, kind: str, resolution: str, labels: Mapping[str, str], size: int = 0) -> Entry:
        """Return the entry that a store would give it."""
        begin = profile.time_nanos / 1e9
        whose = (0, labels, None) if said(profile) else (self._process(), labels, self._worker())
        new = entry(kind, begin, begin + profile.duration_nanos / 1e9, resolution, *whose)
        return replace(new, size=size)
