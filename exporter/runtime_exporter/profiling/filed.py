"""Profiles that came as files: which kind each is, what language it is of, and what it says of its sampler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from runtime_exporter.profiling.advice import Evidence, bias_risk, weigh
from runtime_exporter.profiling.rollup import combine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime_exporter.profiling.bias import Bias
    from runtime_exporter.profiling.profile import Profile

# The sample type that only profiles of a kind have, those that decide first.
_TELLING: Final[Mapping[str, str]] = {
    "cpu": "cpu",
    "wall": "wall",
    "inuse_space": "heap",
    "goroutineleak": "goroutineleak",
    "goroutine": "goroutine",
    "threads": "goroutine",
}
_WAITS: Final = frozenset({"contentions", "delay"})
# In Go a mutex's profile is of who unlocks it, a block profile of who waits.
_UNLOCKS: Final = re.compile(r"sync\.\(\*(?:RW)?Mutex\)\.R?Unlock$|runtime\.(?:_LostContendedRuntimeLock|unlock2?)$")
_UNBIASED: Final[Bias] = "none"
_BACKEND: Final = re.compile(r"backend ([\w-]+)(?:.*?\bbias ratio ([0-9.]+))?")


def kind_of(profile: Profile) -> str:
    """Return the kind of a profile by its sample types, empty where they tell none."""
    types = {value_type.type for value_type in profile.sample_types}
    found = next((kind for name, kind in _TELLING.items() if name in types), "")
    if found or not types >= _WAITS:
        return found
    return "mutex" if any(_UNLOCKS.search(function.name) for function in profile.functions) else "block"


def language_of(profiles: Mapping[str, Profile]) -> Literal["python", "go"]:
    """Return the language that profiles by kind are of: Go where there is a file of Go, or a kind that only Go has."""
    go = any(function.filename.endswith(".go") for profile in profiles.values() for function in profile.functions)
    return "go" if go or "goroutineleak" in profiles else "python"


def evidence_of(profiles: Mapping[str, Sequence[Profile]]) -> Evidence:
    """Return what profiles by kind are evidence of; several of a kind count as one that is as long as all of them.

    Raises ProfileError for profiles of one kind that have different sample types.
    """
    combined = {kind: combine(several) for kind, several in profiles.items()}
    leading = combined.get("cpu") or combined.get("wall")
    backend, bias = sampled(leading) if leading is not None else ("file", _UNBIASED)
    lengths = [leading] if leading is not None else combined.values()
    return Evidence(
        language=language_of(combined),
        window=max((profile.duration_nanos / 1e9 for profile in lengths), default=0.0),
        profiles={kind: weigh(profile, kind) for kind, profile in combined.items()},
        backend=backend,
        bias=bias,
    )


def sampled(profile: Profile) -> tuple[str, Bias]:
    """Return what took a profile and the risk that it is biased, as our comments in it say; a stranger's is taken as unbiased."""
    said = next((match for comment in profile.comments if (match := _BACKEND.match(comment))), None)
    if said is None:
        return "file", _UNBIASED
    ratio = float(said[2]) if said[2] else 0.0
    return said[1], bias_risk(unbiased=not said[2], bias_ratio=ratio)
