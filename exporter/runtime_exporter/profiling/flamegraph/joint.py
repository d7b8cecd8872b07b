"""Two profiles as one, for a flame graph of what changed: every sample type twice, after and before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.arithmetic import merge

if TYPE_CHECKING:
    from runtime_exporter.profiling.profile import Profile


def join(before: Profile, after: Profile, *, normalised: bool = False) -> Profile:
    """Return a profile of the stacks of both, whose values are those after, then those before; its times are those after.

    `normalised` scales the values before to the totals after, so that only shares make a difference. Raises ProfileError for
    profiles of different sample types.
    """
    if before.sample_types != after.sample_types:
        had, has = (", ".join(kind.type for kind in profile.sample_types) for profile in (before, after))
        raise ProfileError(f"cannot compare a profile of {had} with one of {has}")
    width = len(after.sample_types)
    factors = [1.0] * width
    if normalised:
        factors = [after.total(place) / (before.total(place) or 1) for place in range(width)]
    none = (0,) * width
    both = (
        _with(after, after, [sample.values + none for sample in after.samples]),
        _with(
            before,
            after,
            [
                none + tuple(round(v * f) for v, f in zip(sample.values, factors, strict=True))
                for sample in before.samples
            ],
        ),
    )
    return replace(merge(both), time_nanos=after.time_nanos, duration_nanos=after.duration_nanos)


def _with(profile: Profile, like: Profile, values: list[tuple[int, ...]]) -> Profile:
    """Return a profile with other values of twice the types."""
    samples = tuple(
        sample._replace(values=wide, labels=()) for sample, wide in zip(profile.samples, values, strict=True)
    )
    return replace(profile, samples=samples, sample_types=like.sample_types * 2, period_type=like.period_type)
