"""Whether a profile is of one piece: readers of profile.proto follow ids, and take a wrong one for damage."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime_exporter.profiling.profile import Function, Location, Mapping, Profile


def check(profile: Profile) -> None:
    """Raise ProfileError unless every reference leads to an entry of the profile's tables, as pprof demands it."""
    if profile.samples and not profile.sample_types:
        raise ProfileError("a profile with samples needs sample types")
    mappings = _by_id("mapping", profile.mappings)
    functions = _by_id("function", profile.functions)
    locations = _by_id("location", profile.locations)
    for location in profile.locations:
        if location.mapping is not None:
            _check_known("mapping", location.mapping, mappings)
        for line in location.lines:
            _check_known("function", line.function, functions)
    used = [*chain.from_iterable(sample.locations for sample in profile.samples)]
    for location in dict(zip(map(id, used), used, strict=True)).values():
        _check_known("location", location, locations)
    for number, sample in enumerate(profile.samples):
        if len(sample.values) != len(profile.sample_types):
            raise ProfileError(
                f"sample {number} has {len(sample.values)} values for {len(profile.sample_types)} sample types"
            )


def _by_id(noun: str, entries: Sequence[Mapping | Function | Location]) -> dict[int, object]:
    found: dict[int, object] = {entry.id: entry for entry in entries}
    if 0 in found:
        raise ProfileError(f"a {noun} has the id 0")
    if len(found) != len(entries):
        raise ProfileError(f"two {noun}s have the same id")
    return found


def _check_known(noun: str, entry: Mapping | Function | Location, known: dict[int, object]) -> None:
    listed = known.get(entry.id)
    if listed is not entry and listed != entry:  # the first is true nearly always, and does not compare deeply
        raise ProfileError(f"a {noun} that is used is not the one listed with its id {entry.id}")
