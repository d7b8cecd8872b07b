"""What came to be between two fetches of profiles that Go counts since the start of the process: mutex, block, allocs.

The service does not have to wait for a window nor to subtract, as it has with `?seconds=`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.arithmetic import CUMULATIVE, is_reset, subtract

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.profiling.profile import Profile

_PROFILER: Final = "net/http/pprof."


def restarted(now: Mapping[str, Profile], before: Mapping[str, Profile]) -> bool:
    """Return whether one of the profiles counts anew: then the process is another one, and all of them do.

    Another kind of profile under the same name, as after an upgrade of Go, counts anew, too.
    """
    return any(
        not _alike(profile, before[kind]) or is_reset(profile, before[kind])
        for kind, profile in now.items()
        if kind in before
    )


def differences(now: Mapping[str, Profile], before: Mapping[str, Profile]) -> dict[str, Profile]:
    """Return what came after `before`, for each kind that was there then; stacks of which nothing came are left out."""
    return {kind: _grown(subtract(profile, before[kind])) for kind, profile in now.items() if kind in before}


def _grown(profile: Profile) -> Profile:
    """Return a difference without the stacks that are only alive still."""
    columns = [place for place, kind in enumerate(profile.sample_types) if kind.type in CUMULATIVE]
    return replace(
        profile, samples=tuple(one for one in profile.samples if any(one.values[place] for place in columns))
    )


def without_profiler(profile: Profile) -> Profile:
    """Return a profile without the handlers of net/http/pprof: who takes a CPU profile waits in them for its whole time."""
    own = {
        location.id
        for location in profile.locations
        if any(line.function.name.startswith(_PROFILER) for line in location.lines)
    }
    samples = tuple(one for one in profile.samples if not any(location.id in own for location in one.locations))
    return replace(profile, samples=samples)


def _alike(one: Profile, other: Profile) -> bool:
    return one.sample_types == other.sample_types and one.period_type == other.period_type
