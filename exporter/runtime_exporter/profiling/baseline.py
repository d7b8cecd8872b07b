"""What the present is compared with: a frozen part of the past, and the choice among several.

The past is a list of tallies, one per version and hour, that `remember` keeps short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runtime_exporter.profiling.columns import condensed
from runtime_exporter.profiling.tally import add

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runtime_exporter.profiling.tally import Tally

    Adding = Callable[[Sequence[Tally]], Tally]

HOUR = 3600.0
DAY = 24 * HOUR

Name = Literal["version", "hour", "rolling"]

PRECEDENCE: tuple[Name, ...] = ("version", "hour", "rolling")
"""Which baseline is used when several apply: the last version (a deployment is the likeliest cause of a
regression), then the same hour of other days, then whatever there is."""

OLDEST: dict[Name, float] = {"version": 7 * DAY, "hour": 2 * DAY, "rolling": 2 * DAY}
"""Age in seconds from which on a baseline does not apply any more: load and data are others by then."""

FEWEST_WINDOWS: dict[Name, int] = {"version": 60, "hour": 60, "rolling": 180}
"""Windows that a baseline needs. Fewer say too little about how much windows vary: `benchmarks/comparison.py` prints how
false alarms fall with them, above all where windows resemble their neighbours."""

SAME_HOUR_DAYS = 7
FEWEST_DAYS = 3
"""The same hour of earlier days applies when at least this many of the last SAME_HOUR_DAYS have it."""


@dataclass(frozen=True)
class Baseline:
    """A frozen part of the past."""

    name: Name
    tally: Tally
    label: str = ""
    """What a person calls it, such as the version."""

    @property
    def identity(self) -> str:
        """Name and label: votes against baselines of one identity count together."""
        return f"{self.name} {self.label}".strip()


@dataclass(frozen=True)
class Picked:
    """The baseline that applies."""

    baseline: Baseline
    age: float
    """Seconds since its newest window."""


def remember(past: Sequence[Tally], new: Tally, *, keep: float = (SAME_HOUR_DAYS + 1) * DAY) -> tuple[Tally, ...]:
    """Return `past` with `new`, joined to what there is of the same hour and version, oldest first; older than `keep` is dropped.

    Hours but the one of `new` take little memory, and have the functions that weigh most (see `columns.condensed`).

    `new` should be of several windows in a row, such as those of one comparison: only they tell how much windows resemble
    their neighbours, and a baseline without that takes drift for regressions (a tally of one window knows nothing of it).
    """
    kept = [one for one in past if one.end >= new.end - keep]
    of_hour = [one for one in kept if part(one) == part(new)]
    others = [condensed(one) for one in kept if part(one) != part(new)]
    return tuple(sorted((*others, add((*of_hour, new))), key=lambda one: one.begin))


def part(tally: Tally) -> tuple[str, float]:
    """Return what a tally of the past is of: a version, and an hour."""
    return tally.version, tally.begin // HOUR


def previous_version(past: Iterable[Tally], version: str, *, total: Adding = add) -> Baseline | None:
    """Return all that is known of the version that ran last before `version`; None when there is no other.

    `total` adds tallies, here and below; a caller who asks every minute gives a `columns.Total`, which remembers.
    """
    other = [one for one in past if one.version and one.version != version]
    if not version or not other:
        return None
    label = max(other, key=lambda one: one.end).version
    return Baseline("version", total([one for one in other if one.version == label]), label)


def rolling(
    past: Iterable[Tally], now: float, *, until: float | None = None, span: float = DAY, total: Adding = add
) -> Baseline | None:
    """Return the last 24 hours, or of them what was before `until`: a regression must not become its own baseline."""
    end = now if until is None else min(now, until)
    chosen = [one for one in past if one.begin >= now - span and one.end <= end]
    return Baseline("rolling", total(chosen)) if chosen else None


def same_hour(past: Iterable[Tally], now: float, *, total: Adding = add) -> Baseline | None:
    """Return what was within an hour of this time on each of the last 7 days; None when fewer than 3 days have it.

    Days are 86 400 s: on the days round a change of the clock it is the hour beside.
    """
    chosen, days = [], set()
    for one in past:
        middle = (one.begin + one.end) / 2
        day = round((now - middle) / DAY)
        if 1 <= day <= SAME_HOUR_DAYS and abs(now - day * DAY - middle) <= HOUR:
            chosen.append(one)
            days.add(day)
    return Baseline("hour", total(chosen)) if len(days) >= FEWEST_DAYS else None


def pick(baselines: Iterable[Baseline | None], now: float, *, fewest: int | None = None) -> Picked | None:
    """Return the first baseline in the order of PRECEDENCE that has enough windows and is not too old; None without one.

    `fewest` windows are enough for any of them, where the caller knows better than FEWEST_WINDOWS.
    """
    for baseline in sorted((one for one in baselines if one is not None), key=lambda one: PRECEDENCE.index(one.name)):
        age = max(0.0, now - baseline.tally.end)
        enough = FEWEST_WINDOWS[baseline.name] if fewest is None else fewest
        if baseline.tally.windows >= enough and age <= OLDEST[baseline.name]:
            return Picked(baseline, age)
    return None
