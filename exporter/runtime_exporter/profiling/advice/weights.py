"""Stacks with what each of them weighs, and questions to them: who is in it, what share, who called."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.origin import is_application
from runtime_exporter.profiling.naming import label
from runtime_exporter.profiling.offcpu import LOCK, contends
from runtime_exporter.profiling.profile import stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime_exporter.profiling.advice.frames import Frames
    from runtime_exporter.profiling.profile import Frame, Profile, Sample, Stack

_VALUES: Final = {
    "cpu": "cpu",
    "wall": "wall",
    "block": "delay",
    "mutex": "delay",
    "heap": "inuse_space",
    "goroutineleak": "goroutineleak",
}
_DIVISORS: Final = {"nanoseconds": 1e9, "microseconds": 1e6, "milliseconds": 1e3}
_WAIT: Final = "wait"
_Z95: Final = 1.96
# Frames that are a part of their caller; Python 3.12 has no frames for them but the last.
_COMPREHENSIONS: Final = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")


@dataclass(frozen=True)
class Weights:
    """The stacks of one profile. `values` are in seconds, bytes or objects, `counts` the samples or events behind them."""

    kind: str
    stacks: tuple[Stack, ...]
    values: tuple[float, ...]
    counts: tuple[int, ...]
    total: float = field(init=False)
    samples: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum(self.values))
        object.__setattr__(self, "samples", sum(self.counts))

    def places(self, keep: Callable[[Stack], bool], *, but: frozenset[int] = frozenset()) -> frozenset[int]:
        """Return the places of the stacks that are kept, those in `but` left out."""
        return frozenset(place for place, stack in enumerate(self.stacks) if place not in but and keep(stack))

    @cached_property
    def _places_of(self) -> dict[str, list[int]]:
        """The places of the stacks in which each function is: rules ask for functions by name, dozens of times."""
        found: dict[str, list[int]] = {}
        for place, stack in enumerate(self.stacks):
            for name in {frame.name for frame in stack}:
                found.setdefault(name, []).append(place)
        return found

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self._places_of)

    def containing(self, frames: Frames) -> frozenset[int]:
        """Return the places of the stacks in which one of these functions is."""
        return frozenset(place for name in frames.among(self._names) for place in self._places_of[name])

    def value(self, places: Iterable[int]) -> float:
        """Return what these stacks weigh together."""
        return sum(self.values[place] for place in places)

    def count(self, places: Iterable[int]) -> int:
        """Return the samples or events behind these stacks."""
        return sum(self.counts[place] for place in places)

    def share(self, places: Iterable[int]) -> float:
        """Return the share of these stacks in the total, 0 in an empty profile."""
        return self.value(places) / self.total if self.total > 0 else 0.0

    def by(self, name: Callable[[Stack], str], places: Iterable[int]) -> list[tuple[str, float]]:
        """Return the values of these stacks summed by a name made of each, the largest first."""
        sums: Counter[str] = Counter()
        for place in places:
            sums[name(self.stacks[place])] += self.values[place]  # type: ignore[assignment] # a Counter of seconds
        return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def weigh(profile: Profile, kind: str) -> Weights:
    """Return the stacks of a profile by the sample type that its kind is read by, equal stacks made one.

    Of the waits that a sampler saw and named (label `wait`), only those named `lock`, for a lock that somebody else had, are in a
    "block" profile here: a thread that sleeps or waits for a queue is held up by nobody. What counted locks tell is all in it.
    Raises ProfileError when the profile does not have that sample type.
    """
    present = [value_type.type for value_type in profile.sample_types]
    wanted = _VALUES.get(kind, "")
    index = profile.index(wanted if wanted in present or kind in _VALUES else "")
    counter = next((place for place, item in enumerate(profile.sample_types) if item.unit == "count"), None)
    divisor = _DIVISORS.get(profile.sample_types[index].unit, 1.0)
    sums: dict[Stack, tuple[float, int]] = {}
    for sample, stack in zip(profile.samples, stacks(profile), strict=True):
        value, count = sample.values[index], 1 if counter is None else sample.values[counter]
        if value <= 0:  # negative ones are of a difference of two profiles: what went away needs no advice
            continue
        if kind == "block" and not _for_a_lock(sample, stack):
            continue
        before = sums.get(stack, (0.0, 0))
        sums[stack] = (before[0] + value / divisor, before[1] + count)
    return Weights(
        kind, tuple(sums), tuple(value for value, _ in sums.values()), tuple(count for _, count in sums.values())
    )


def _for_a_lock(sample: Sample, stack: Stack) -> bool:
    """Return whether a wait was for a lock: it was counted by the lock itself, or it is one of those that a sampler named so."""
    named = next((one.str for one in sample.labels if one.key == _WAIT), None)
    return named is None or (named == LOCK and contends(stack))


def interval(share: float, samples: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share that was seen in so many samples (Wilson's, which holds near 0 and 1)."""
    if samples <= 0:
        return (0.0, 1.0)
    square = _Z95 * _Z95 / samples
    middle = (share + square / 2) / (1 + square)
    half = _Z95 / (1 + square) * sqrt(share * (1 - share) / samples + square / (4 * samples))
    return (max(0.0, middle - half), min(1.0, middle + half))


def site(stack: Stack, matched: Callable[[Frame], bool] | None = None) -> str:
    """Return whose code is behind a stack: the label of the application's frame nearest to what matched.

    Without `matched` it is the application's frame nearest to the leaf. Where the application is not in the stack, it is the
    caller of the outermost matching frame, and that frame itself when nobody called it.
    """
    start = _outermost(stack, matched) if matched else 0
    for frame in stack[start:]:
        if is_application(frame) and not frame.name.endswith(_COMPREHENSIONS) and not (matched and matched(frame)):
            return label(frame)
    if not stack:
        return "unknown"
    return label(stack[min(start + 1, len(stack) - 1)] if matched else stack[0])


def _outermost(stack: Stack, matched: Callable[[Frame], bool]) -> int:
    return max((place for place, frame in enumerate(stack) if matched(frame)), default=0)
