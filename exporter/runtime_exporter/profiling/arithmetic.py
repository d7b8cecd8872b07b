"""Sums, differences and multiples of profiles, by stacks of names and lines: ids and addresses mean nothing beyond one file."""

from __future__ import annotations

from dataclasses import replace
from heapq import nlargest
from itertools import count
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.naming import OTHER
from runtime_exporter.profiling.profile import (
    Frame,
    Function,
    Label,
    Line,
    Location,
    Mapping,
    Profile,
    Sample,
    build,
    stacks,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    StackKey = tuple[tuple[int, ...], tuple[Label, ...]]

CUMULATIVE = frozenset({"alloc_objects", "alloc_space", "contentions", "delay"})
"""The sample types that Go's runtime counts since the start of the process; the others say what is now, or was in a window."""


def merge(profiles: Iterable[Profile]) -> Profile:
    """Add profiles up: one sample for each stack and labels, the earliest time, the durations' sum, the longest period.

    Samples that come to zero are left out. Raises ProfileError unless all have the same sample types and period type.
    """
    every = tuple(profiles)
    if not every:
        raise ProfileError("there is no profile to merge")
    for profile in every:
        _check_alike(every[0], profile)
    tables = _Tables()
    sums: dict[StackKey, list[int]] = {}
    for profile in every:
        for key, values in tables.values(profile):
            known = sums.get(key)
            if known is None:
                sums[key] = [*values]
            else:
                for index, value in enumerate(values):
                    known[index] += value
    return replace(
        tables.profile(every[0], sums),
        time_nanos=min((profile.time_nanos for profile in every if profile.time_nanos), default=0),
        duration_nanos=sum(profile.duration_nanos for profile in every),
        period=max(profile.period for profile in every),
        comments=tuple(dict.fromkeys(comment for profile in every for comment in profile.comments)),
    )


def scale(profile: Profile, factor: float) -> Profile:
    """Multiply every value, to whole numbers; -1 makes of a profile what is to be taken away."""
    samples = tuple(
        sample._replace(values=tuple([round(value * factor) for value in sample.values])) for sample in profile.samples
    )
    return replace(profile, samples=samples)


def subtract(new: Profile, old: Profile) -> Profile:
    """Return what came after `old`, for what counts since the start of the process; what says how things are stays as in `new`.

    A value that fell means that the process began anew, see `is_reset`: then all of `new` came after `old`.
    """
    if is_reset(new, old):
        delta = new
    else:
        columns = {index for index, kind in enumerate(old.sample_types) if kind.type in CUMULATIVE}
        samples = tuple(
            sample._replace(
                values=tuple([-value if index in columns else 0 for index, value in enumerate(sample.values)])
            )
            for sample in old.samples
        )
        delta = merge((new, replace(old, samples=samples)))
    return replace(
        delta,
        time_nanos=old.time_nanos or new.time_nanos,
        duration_nanos=max(0, new.time_nanos - old.time_nanos) if old.time_nanos else new.duration_nanos,
        comments=new.comments,
    )


def largest(profile: Profile, count: int) -> Profile:
    """Return the profile with `count` of its samples, the largest by their last value, and the sum of all others as `other`.

    What has been `other` before stays it, however large.
    """
    if len(profile.samples) <= count:
        return profile
    rest = (Frame(OTHER),)
    told = [sample for sample, stack in zip(profile.samples, stacks(profile), strict=True) if stack != rest]
    shown = replace(profile, samples=tuple(nlargest(count, told, key=lambda sample: sample.values[-1])))
    left = tuple(profile.total(place) - shown.total(place) for place in range(len(profile.sample_types)))
    folded = build(profile.sample_types, [(rest, left, ())], time_nanos=0, period_type=profile.period_type, period=0)
    return replace(merge((shown, folded)), duration_nanos=profile.duration_nanos, comments=profile.comments)


def is_reset(new: Profile, old: Profile) -> bool:
    """Return whether a value that only grows in one process is smaller in `new`: so it is another process, or counts anew."""
    _check_alike(new, old)
    columns = [index for index, kind in enumerate(old.sample_types) if kind.type in CUMULATIVE]
    tables = _Tables()
    left = _sums(tables.values(new), columns)
    return any(value > left.get((key, index), 0) for (key, index), value in _sums(tables.values(old), columns).items())


def _sums(samples: Iterable[tuple[StackKey, tuple[int, ...]]], columns: list[int]) -> dict[tuple[StackKey, int], int]:
    sums: dict[tuple[StackKey, int], int] = {}
    for key, values in samples:
        for index in columns:
            sums[key, index] = sums.get((key, index), 0) + values[index]
    return sums


def _check_alike(one: Profile, other: Profile) -> None:
    if one.sample_types != other.sample_types:
        raise ProfileError(f"profiles of different kinds: one has {_spelled(one)}, the other {_spelled(other)}")
    if one.period_type != other.period_type:
        raise ProfileError(
            f"profiles of different kinds: one is taken per {'/'.join(one.period_type)}, the other per {'/'.join(other.period_type)}"
        )


def _spelled(profile: Profile) -> str:
    return ", ".join(f"{kind.type}/{kind.unit}" for kind in profile.sample_types) or "no sample types"


class _Tables:
    """The locations of several profiles in one numbering: equal when their names and lines are."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._numbers: dict[object, int] = {}
        self._locations: dict[int, Location] = {}

    def values(self, profile: Profile) -> Iterable[tuple[StackKey, tuple[int, ...]]]:
        """Yield the key of each sample's stack and labels, and its values."""
        numbers = {location.id: self._number(location) for location in profile.locations}
        for locations, values, labels in profile.samples:
            yield (tuple([numbers[location.id] for location in locations]), labels), values

    def profile(self, like: Profile, sums: dict[StackKey, list[int]]) -> Profile:
        """Return a profile with these sums, its entries numbered from 1 on, and everything else as in `like`."""
        mappings: dict[Mapping, Mapping] = {}
        functions: dict[Function, Function] = {}
        kept = {key: tuple(values) for key, values in sums.items() if any(values)}
        used = sorted({number for key in kept for number in key[0]})
        locations = {number: self._renumbered(number, mappings, functions) for number in used}
        return replace(
            like,
            samples=tuple(
                Sample(tuple([locations[number] for number in numbers]), values, labels)
                for (numbers, labels), values in kept.items()
            ),
            mappings=tuple(mappings.values()),
            locations=tuple(locations.values()),
            functions=tuple(functions.values()),
        )

    def _number(self, location: Location) -> int:
        key = _key(location)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = next(self._ids)
            self._locations[number] = location
        return number

    def _renumbered(
        self, number: int, mappings: dict[Mapping, Mapping], functions: dict[Function, Function]
    ) -> Location:
        location = self._locations[number]
        mapping = location.mapping
        if mapping is not None:
            nameless = mapping._replace(id=0)
            mapping = mappings.setdefault(nameless, nameless._replace(id=len(mappings) + 1))
        lines = []
        for line in location.lines:
            anonymous = line.function._replace(id=0)
            function = functions.setdefault(anonymous, anonymous._replace(id=len(functions) + 1))
            lines.append(Line(function, line.line, line.column))
        return location._replace(id=number, mapping=mapping, lines=tuple(lines))


def _key(location: Location) -> object:
    if location.lines:
        return tuple([(line.function[1:], line.line, line.column) for line in location.lines])
    if location.mapping is None:
        return location.address
    mapping = location.mapping
    return mapping.filename, mapping.build_id, location.address - mapping.start + mapping.offset
