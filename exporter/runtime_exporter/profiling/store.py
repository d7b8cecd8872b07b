"""Profiles kept on disk as standard pprof: whole files or none, under a hard cap of bytes, merged as they age.

A file is written beside its place, synced and renamed into it, so that a process killed at any moment leaves whole files only.
The directory is the index: what the names say is all that is known (see `stored`), and nothing has to be repaired at the start.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.logs import StateLog
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.rollup import Bucket, due, merged_already
from runtime_exporter.profiling.stored import CAPTURE, RAW, Entry, as_kept, entry, parse
from runtime_exporter.profiling.together import INTERVAL_SECONDS, over_time, said
from runtime_exporter.profiling.wholefiles import TEMPORARY, locked, make_directory, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from runtime_exporter.profiling.profile import Profile

LIMIT_BYTES: Final = 256 * 1024 * 1024
"""Two to three days of a busy process: about 100 MB a day before anything is merged."""
MOST_FILES: Final = 20_000
"""However small they are: each one makes the listing longer, which is read with each profile."""
# How long a listing of the directory is believed: other processes may write into it, and a listing costs milliseconds.
_LISTED_SECONDS = 10.0
# Nobody writes a file for so long: what is older was left behind by a process that was killed.
_ABANDONED_SECONDS = 600.0


class Store:
    """A directory of profiles. The constructor does not touch it.

    `put`, `maintain` and `entries` never raise: where the disk is full or the directory read-only the store is off, says so in
    one log line, and tries again with the next profile. For any number of threads. Several processes may share a directory and its
    cap: one at a time merges. `process` gives the number of the process that profiles are of, 0 where it is not known, and `worker`
    its number among several that serve together. `passing`: it is within a directory that is not ours to make, and need not last
    through a power cut. `interval`: seconds that a window covers. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        limit: int = LIMIT_BYTES,
        process: Callable[[], int] = os.getpid,
        worker: Callable[[], int | None] = lambda: None,
        passing: bool = False,
        interval: float = INTERVAL_SECONDS,
        clock: Callable[[], float] = time.time,
        log: StateLog | None = None,
    ) -> None:
        self.directory = Path(directory)
        self.limit = limit
        self._process = process
        self._worker = worker
        self._passing = passing
        self._interval = interval
        self._clock = clock
        self._log = log or StateLog()
        self._entries: Mapping[str, Entry] = {}
        self._listed = float("-inf")
        self._problems: dict[str, str] = {}
        self._unmergeable: set[str] = set()
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: another thread may have held the lock."""
        self._lock = threading.RLock()

    @property
    def problem(self) -> str:
        """Why the store is off; empty while it works."""
        return next(iter(self._problems.values()), "")

    def put(
        self, profile: Profile, kind: str, *, labels: Mapping[str, str] | None = None, capture: bool = False
    ) -> Entry | None:
        """Keep a profile and return its entry; None where the store is off. A `capture` is never merged with others."""
        begin = profile.time_nanos / 1e9 or self._clock()
        end = begin + profile.duration_nanos / 1e9
        whose = (0, labels, None) if said(profile) else (self._process(), labels, self._worker())
        new = entry(kind, begin, end, CAPTURE if capture else RAW, *whose)
        with self._lock, self._guarded("write"):
            return self._write(new, pprof.encode(profile))
        return None

    def entries(
        self,
        kind: str = "",
        *,
        begin: float = float("-inf"),
        end: float = float("inf"),
        labels: Mapping[str, str] | None = None,
    ) -> tuple[Entry, ...]:
        """Return what is kept, the oldest first, of a kind, that overlaps a time range, with all of these labels."""
        wanted = {*as_kept(labels)}
        found = (
            entry
            for entry in self._known().values()
            if kind in ("", entry.kind) and entry.begin <= end and entry.end >= begin and wanted <= set(entry.labels)
        )
        return tuple(sorted(found, key=_age))

    def read_bytes(self, name: str) -> bytes:
        """Return the file of an entry, as it is: gzipped pprof. Raises ProfileError where there is none of that name."""
        if name not in self._known() and name not in self._known(within=0.0):
            raise ProfileError(f"no profile {name!r} is kept")
        try:
            return (self.directory / name).read_bytes()
        except FileNotFoundError:
            raise ProfileError(f"the profile {name!r} is not kept any more") from None
        except OSError as error:
            raise ProfileError(f"cannot read the profile {name!r}: {error.strerror}") from error

    def read(self, name: str) -> Profile:
        """Return a profile by its entry's name. Raises ProfileError where there is none, or the file is damaged."""
        return self._decoded(name, self.read_bytes(name))

    def merged(self, kind: str, begin: float, end: float, *, labels: Mapping[str, str] | None = None) -> Profile:
        """Return all that was kept of a kind in a time range as one profile, captures apart; damaged files are skipped.

        Raises ProfileError where there is nothing.
        """
        chosen = [one for one in self.entries(kind, begin=begin, end=end, labels=labels) if one.resolution != CAPTURE]
        try:
            profiles = list(self._readable(chosen))
        except OSError as error:
            raise ProfileError(f"cannot read the {kind} profiles of that time: {error.strerror}") from error
        if not profiles:
            raise ProfileError(f"no {kind} profile is kept of that time")
        return over_time(profiles, self._interval)

    def maintain(self, *, most: int = 1) -> int:
        """Merge what has become old, `most` buckets at most, and return how many were. Call it after each window.

        It costs some 10 ms of CPU for each profile that is merged, so that it is bounded.
        """
        done = 0
        if "write" in self._problems:
            return done
        with self._lock, self._guarded("maintain"), locked(self.directory) as mine:
            if mine:
                self._sweep()
                for bucket in due(self._list(within=0.0).values(), self._clock()):
                    done += self._merge(bucket)
                    if done >= most:
                        break
                self._make_room(0)
        return done

    def _known(self, *, within: float | None = None) -> Mapping[str, Entry]:
        """Return what there is; nothing where the directory cannot be listed, which is logged once."""
        with self._guarded("list"):
            return self._list(within=within)
        return {}

    def now(self) -> float:
        """Return the time by the store's clock, seconds since the epoch."""
        return self._clock()

    def look(self) -> None:
        """List the directory anew: what another process wrote a moment ago is there."""
        self._known(within=0.0)

    def _list(self, *, within: float | None = None) -> Mapping[str, Entry]:
        now = self._clock()
        if within is None:
            within = 0.0 if self._passing else _LISTED_SECONDS  # in memory it is cheap, and others write all the time
        if not 0 <= now - self._listed < within:
            self._entries = _listing(self.directory, self._entries)
            self._listed = now
        return self._entries

    def _write(self, new: Entry, data: bytes) -> Entry:
        if len(data) > self.limit:
            raise ProfileError(f"a profile of {len(data)} bytes is larger than the store may be ({self.limit})")
        make_directory(self.directory, parents=not self._passing)
        self._make_room(len(data))
        write_whole(self.directory, new.name, data, lasting=not self._passing)
        kept = replace(new, size=len(data))
        self._entries = {**self._entries, new.name: kept}
        return kept

    def _make_room(self, size: int) -> None:
        """Remove the oldest until `size` more bytes fit, whoever wrote them."""
        entries = self._list(within=0.0)
        total = sum(one.size for one in entries.values())
        removed: list[Entry] = []
        for one in sorted(entries.values(), key=_age):
            if total + size <= self.limit and len(entries) - len(removed) < MOST_FILES:
                break
            removed.append(one)
            total -= one.size
        self._remove(removed)

    def _remove(self, entries: Iterable[Entry]) -> None:
        gone = set()
        for one in entries:
            (self.directory / one.name).unlink(missing_ok=True)
            gone.add(one.name)
        if gone:
            self._entries = {name: one for name, one in self._entries.items() if name not in gone}

    def _sweep(self) -> None:
        """Remove what a killed process left: files that never got their name, and profiles that are in a merged one."""
        for path in self.directory.glob(f"{TEMPORARY}*"):
            with contextlib.suppress(FileNotFoundError):
                if self._clock() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()
        self._remove(merged_already(self._list(within=0.0).values()))

    def _merge(self, bucket: Bucket) -> int:
        """Write the merged profile, then remove what it is made of; return how many were written.

        Raises OSError, and removes nothing, where a source cannot be read now. A damaged one was reported, and goes.
        """
        target = bucket.target.name
        if target in self._unmergeable:
            return 0
        profiles = list(self._readable(bucket.sources))
        try:
            data = pprof.encode(over_time(profiles, self._interval)) if profiles else b""
        except ProfileError as error:
            self._unmergeable.add(target)
            self._log.report(target, "unmerged", f"profiles for {target} stay unmerged: {error}")
            return 0
        if data:
            self._write(bucket.target, data)
        self._remove(bucket.sources)
        return 1

    def _readable(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Profile]]:
        for one in entries:
            with contextlib.suppress(ProfileError, FileNotFoundError):
                yield one, self._decoded(one.name, (self.directory / one.name).read_bytes())

    def _decoded(self, name: str, data: bytes) -> Profile:
        try:
            return pprof.decode(data)
        except ProfileError as error:
            self._log.report(name, "damaged", f"profile {self.directory / name} is skipped: {error}")
            raise ProfileError(f"the profile {name!r} is damaged: {error}") from error

    @contextlib.contextmanager
    def _guarded(self, purpose: str) -> Iterator[None]:
        """Turn a failure of the disk into a state that is logged once."""
        try:
            yield
        except (OSError, ProfileError) as error:
            self._problems[purpose] = str(error)
            self._log.report(purpose, "off", f"profiles are not kept: {error}")
        else:
            self._problems.pop(purpose, None)
            self._log.report(purpose, "ok", f"profiles are kept again in {self.directory}")


def _age(one: Entry) -> tuple[float, float, str]:
    return one.end, one.begin, one.name


def _listing(directory: Path, known: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the entries that a directory holds; none where there is no directory yet. Empty files and strangers are left out.

    Files never change, so that only names which are not `known` are looked at.
    """
    found = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as files:
        for file in files:
            one = known.get(file.name)
            if one is None:
                with contextlib.suppress(FileNotFoundError):
                    one = parse(file.name, file.stat(follow_symlinks=False).st_size)
            if one is not None and one.size:
                found[file.name] = one
    return found
