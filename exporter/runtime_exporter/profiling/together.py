"""Profiles of several workers as one: what a whole service did at one time, whichever process did it.

Workers end their intervals at the same times of the clock (see `continuous.aligned`), so that those of one time differ by seconds:
the window that they belong to is the full interval which is nearest.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.arithmetic import merge
from runtime_exporter.profiling.profile import Label
from runtime_exporter.profiling.rollup import combine
from runtime_exporter.profiling.stored import RAW, Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runtime_exporter.profiling.profile import Profile

WORKER: Final = "worker"
"""The label of a sample that says which worker it is of: `go tool pprof -tagfocus worker=2`."""
INTERVAL_SECONDS: Final = 60.0
_WORKERS: Final = "workers "
_BACKEND: Final = re.compile(r"backend .*?(?:\bbias ratio ([0-9.]+))?$")


def windows(entries: Iterable[Entry], interval: float = INTERVAL_SECONDS) -> Mapping[Entry, tuple[Entry, ...]]:
    """Return what can be looked at, and the files that each is made of: windows of workers together, all else as it is.

    interval: seconds that one window covers. The entry of several says which workers it is of.
    """
    found: defaultdict[Entry, list[Entry]] = defaultdict(list)
    for one in entries:
        found[_window(one, interval)].append(one)
    return {_told(window, files): tuple(files) for window, files in found.items()}


def _window(one: Entry, interval: float) -> Entry:
    if one.worker is None or one.resolution != RAW:
        return one
    begin, end = (round(round(seconds / interval) * interval, 3) for seconds in (one.begin, one.end))
    if begin == end and one.begin < one.end:  # a worker that began or ended meanwhile
        begin = round((one.begin + one.end) / 2 // interval * interval, 3)
        end = round(begin + interval, 3)
    return Entry(one.kind, begin, end, RAW, labels=one.labels)


def _told(window: Entry, files: Sequence[Entry]) -> Entry:
    workers = {one.worker for one in files if one.worker is not None}
    if window.worker is not None or not workers:
        return window
    return replace(window, size=sum(one.size for one in files), workers=tuple(sorted(workers)))


class Slot(NamedTuple):
    """One interval of a service: the files of all workers whose intervals ended then, by kind. Times are Unix seconds."""

    begin: float
    end: float
    files: Mapping[str, tuple[Entry, ...]]

    @property
    def workers(self) -> tuple[int, ...]:
        """Those that left a file."""
        return tuple(sorted({one.worker for files in self.files.values() for one in files if one.worker is not None}))


def slots(entries: Iterable[Entry], interval: float = INTERVAL_SECONDS) -> list[Slot]:
    """Return the intervals of a service, the oldest first.

    What a worker did in an interval that it had to stretch, all of it, belongs to the one in which that ended.
    """
    found: defaultdict[float, defaultdict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for one in entries:
        if one.worker is not None and one.resolution == RAW:
            found[_window(one, interval).end][one.kind].append(one)
    return [
        Slot(round(end - interval, 3), end, {kind: tuple(files) for kind, files in sorted(kinds.items())})
        for end, kinds in sorted(found.items())
    ]


def added(profiles: Sequence[Profile], slot: Slot) -> Profile:
    """Return the profiles of all workers in an interval as one, whichever worker a sample is of; other kinds than the first's are left out."""
    whole = merge([one for one in profiles if _types(one) == _types(profiles[0])])
    begin, end = (round(seconds * 1e9) for seconds in (slot.begin, slot.end))
    instant = not any(one.duration_nanos for one in profiles)
    return replace(whole, time_nanos=end if instant else begin, duration_nanos=0 if instant else end - begin)


def over_time(profiles: Iterable[tuple[Entry, Profile]], interval: float) -> Profile:
    """Return all profiles as one: those of one window are added up, and then the windows as `combine` does.

    Raises ProfileError where there is none, and for different sample types.
    """
    parts: defaultdict[Entry, list[Profile]] = defaultdict(list)
    for one, profile in profiles:
        parts[_window(one, interval)].append(profile)
    return combine([_sum(several) for several in parts.values()])


def of_workers(profiles: Sequence[tuple[int, Profile]]) -> Profile:
    """Return the profiles of some workers at one time as one: each sample with the number of its worker, comments that name them.

    Left out is what has other sample types than the first, as of another version, and a comment says so.
    """
    first = profiles[0][1]
    alike = [one for one in profiles if _types(one[1]) == _types(first)]
    numbers = sorted({number for number, _ in alike})
    others = sorted({number for number, profile in profiles if _types(profile) != _types(first)})
    comments = [f"{_WORKERS}{', '.join(map(str, numbers))}", *_backend(profile for _, profile in alike)]
    comments += [f"worker {number}: left out, a profile of another kind" for number in others]
    comments += [f"worker {number}: {comment}" for number, profile in alike for comment in profile.comments]
    return replace(_sum([_labelled(*one) for one in alike]), comments=tuple(dict.fromkeys(comments)))


def said(profile: Profile) -> str:
    """Return which workers a profile says that it is of, such as "workers 0, 2"; empty where it is of one process."""
    return next((comment for comment in profile.comments[:1] if comment.startswith(_WORKERS)), "")


def _types(profile: Profile) -> object:
    return profile.sample_types, profile.period_type


def _labelled(number: int, profile: Profile) -> Profile:
    label = Label(WORKER, str(number))
    return replace(
        profile, samples=tuple([sample._replace(labels=(*sample.labels, label)) for sample in profile.samples])
    )


def _sum(profiles: Sequence[Profile]) -> Profile:
    """Add up what was at the same time: it lasted from the first begin to the last end."""
    if len(profiles) == 1:
        return profiles[0]
    whole = merge(profiles)
    last = max(one.time_nanos + one.duration_nanos for one in profiles)
    longest = max(one.duration_nanos for one in profiles)
    return replace(whole, duration_nanos=last - whole.time_nanos if longest and whole.time_nanos else longest)


def _backend(profiles: Iterable[Profile]) -> list[str]:
    """Return the one comment that says how CPU time was sampled: that of the worker that is to be believed least."""
    found = (_BACKEND.fullmatch(comment) for profile in profiles for comment in profile.comments)
    worst = max((match for match in found if match), key=lambda match: float(match[1] or 0.0), default=None)
    return [worst[0]] if worst is not None else []
