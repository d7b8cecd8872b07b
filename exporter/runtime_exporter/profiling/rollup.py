"""What becomes of old profiles: 2 hours of raw windows, a day of 10 minutes, and hours for the rest."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.arithmetic import merge
from runtime_exporter.profiling.stored import CAPTURE, RAW, RESOLUTIONS, Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runtime_exporter.profiling.profile import Profile

KEPT_SECONDS: Final = {RAW: 2 * 3600, "10m": 24 * 3600}
"""How long a profile stays at a resolution before it is merged to the next."""
INSTANT_TYPES: Final = frozenset(
    {"inuse_objects", "inuse_space", "goroutine", "goroutineleak", "threads", "threadcreate", "objects"}
)
"""Sample types that say how things are at a moment: of several profiles they are averaged, where all others add up."""
_COARSER = {RAW: "10m", "10m": "1h"}


class Bucket(NamedTuple):
    """Profiles that become one: `target` is what they are merged to."""

    target: Entry
    sources: tuple[Entry, ...]


def merged_already(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return what is in a coarser profile, too: the process ended after it had written that, and before it removed these."""
    every = tuple(entries)
    names = {(entry.kind, entry.labels, entry.resolution, entry.begin) for entry in every}
    return tuple(
        entry
        for entry in every
        if any(
            (entry.kind, entry.labels, coarser, _start(entry, coarser)) in names
            for coarser in _all_coarser(entry.resolution)
        )
    )


def due(entries: Iterable[Entry], now: float) -> tuple[Bucket, ...]:
    """Return what is to be merged, the oldest first: buckets of time whose profiles are all old enough."""
    buckets: defaultdict[Entry, list[Entry]] = defaultdict(list)
    for entry in entries:
        coarser = _COARSER.get(entry.resolution)
        if coarser is not None:
            start = _start(entry, coarser)
            target = Entry(entry.kind, start, start + RESOLUTIONS[coarser], coarser, 0, entry.labels)
            buckets[target].append(entry)
    return tuple(
        Bucket(target, tuple(sorted(sources, key=lambda entry: entry.name)))
        for target, sources in sorted(buckets.items(), key=lambda item: item[0].end)
        if target.end + KEPT_SECONDS[sources[0].resolution] <= now
    )


def combine(profiles: Sequence[Profile]) -> Profile:
    """Return the profiles as one. What counts something adds up; what says how things are becomes the average.

    Raises ProfileError for profiles of different sample types.
    """
    one = merge(profiles)
    instant = frozenset(place for place, item in enumerate(one.sample_types) if item.type in INSTANT_TYPES)
    if not instant or len(profiles) == 1:
        return one
    count = len(profiles)
    samples = tuple(
        sample._replace(
            values=tuple(
                [round(value / count) if place in instant else value for place, value in enumerate(sample.values)]
            )
        )
        for sample in one.samples
    )
    return replace(one, samples=samples)


def _start(entry: Entry, resolution: str) -> float:
    """Return when the bucket begins that an entry belongs to, by its own begin."""
    width = RESOLUTIONS[resolution]
    return float(entry.begin // width * width)


def _all_coarser(resolution: str) -> Iterator[str]:
    while resolution != CAPTURE and resolution in _COARSER:
        resolution = _COARSER[resolution]
        yield resolution
