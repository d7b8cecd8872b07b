"""Which rises stay: k of the last n comparisons confirm a regression, and as many without it end it.

Comparisons vote only when their windows do not overlap those of the last vote, so votes are independent and the caller may
compare as often as it likes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runtime_exporter.profiling.regression import Change, Limits
    from runtime_exporter.profiling.tally import Tally

Mark = Literal[1, 0, -1]
"""One comparison's vote: 1 the rise is there, -1 it is gone (or was never), 0 something is left of it."""

Phase = Literal["transient", "confirmed", "gone"]


@dataclass(frozen=True)
class Track:
    """The votes on one function."""

    marks: tuple[Mark, ...]
    begins: tuple[float, ...]
    """Unix seconds: begin of the windows of each of the votes."""
    phase: Phase
    since: float
    """Unix seconds: begin of the windows of the first vote for the phase that it is in."""
    delta: float
    """Rise of the share when it was last voted for, absolute."""


@dataclass(frozen=True)
class History:
    """All votes so far against one baseline; begin with `History()` and give each comparison that of the one before."""

    baseline: str = ""
    until: float = float("-inf")
    """End of the windows that voted last, unix seconds."""
    tracks: Mapping[str, Track] = field(default_factory=dict)
    explained: frozenset[str] = frozenset()
    """Those, confirmed or gone since, that another one stands for."""

    @property
    def since(self) -> float | None:
        """Since when the oldest confirmed regression has been there: a rolling baseline must end before it."""
        return min((track.since for track in self.tracks.values() if track.phase == "confirmed"), default=None)


def advance(
    history: History,
    now: Tally,
    found: Mapping[str, Change],
    rising: Collection[str],
    limits: Limits,
    *,
    baseline: str = "",
) -> History:
    """Return the history after the vote of the comparison of `now` with `baseline`; unchanged when its windows have voted."""
    if baseline != history.baseline:
        history = History(baseline=baseline)
    if now.begin < history.until or not now.samples:
        return history
    tracks = {}
    for name in sorted({*rising, *history.tracks}):
        track = _advance(history.tracks.get(name), found.get(name), name in rising, now.begin, limits)
        if track is not None:
            tracks[name] = track
    return replace(history, until=now.end, tracks=tracks)


def _advance(track: Track | None, change: Change | None, risen: bool, begin: float, limits: Limits) -> Track | None:
    old = track or Track(marks=(), begins=(), phase="transient", since=begin, delta=0.0)
    mark = _mark(old, change, risen)
    marks = (*old.marks, mark)[-limits.ballots :]
    begins = (*old.begins, begin)[-limits.ballots :]
    delta = change.delta if change is not None and risen else old.delta
    # What is not confirmed began with the first vote for it that is still on record.
    first = begins[marks.index(1)] if 1 in marks else begin
    if risen and marks.count(1) >= limits.votes:
        since = old.since if old.phase == "confirmed" else begin if old.phase == "gone" else first
        return Track(marks, begins, "confirmed", since, delta)
    if old.phase == "confirmed" and marks.count(-1) >= limits.votes and 1 not in marks[-limits.votes :]:
        return Track(marks, begins, "gone", begin, delta)
    if 1 not in marks and (old.phase == "transient" or (old.phase == "gone" and len(marks) == limits.ballots)):
        return None
    return Track(marks, begins, old.phase, first if old.phase == "transient" else old.since, delta)


def _mark(track: Track, change: Change | None, risen: bool) -> Mark:
    if risen:
        return 1
    return 0 if change is not None and change.delta > track.delta / 2 else -1
