"""Keeps for each kind of profile what a comparison with the past needs, and compares once a window."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.baseline import DAY, part, pick, previous_version, remember, rolling, same_hour
from runtime_exporter.profiling.columns import Total
from runtime_exporter.profiling.comparison import compare
from runtime_exporter.profiling.naming import label
from runtime_exporter.profiling.persistence import History
from runtime_exporter.profiling.profile import stacks
from runtime_exporter.profiling.regression import Limits
from runtime_exporter.profiling.tally import tally, window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runtime_exporter.profiling.baseline import Baseline
    from runtime_exporter.profiling.comparison import Comparison
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.table import Table
    from runtime_exporter.profiling.tally import Tally, Window
    from runtime_exporter.settings import Settings

WINDOWS: Final = 5
"""Windows that vote at once: with a minute each, the time in which a regression is told from a burst."""
KINDS: Final = frozenset({"cpu", "wall"})
"""What is compared: kinds of which the process always has some. The others are compared on demand."""


class Judgement(NamedTuple):
    """A comparison, and the seconds since the newest window of its baseline."""

    comparison: Comparison
    baseline_age: float


class Watch:
    """Compares the last few windows of each kind with what was before them. For one thread.

    version: the program's. windows: how many vote at once. fewest: windows that a baseline must have, instead of the proven
    numbers (baseline.FEWEST_WINDOWS). keep: seconds of past that are kept. tell: is given the hour of the past that has changed.
    """

    def __init__(
        self,
        version: str = "",
        *,
        windows: int = WINDOWS,
        kinds: frozenset[str] = KINDS,
        limits: Limits | None = None,
        fewest: int | None = None,
        keep: float = 8 * DAY,
        tell: Callable[[Tally], object] = lambda _: None,
    ) -> None:
        self._version = version
        self.windows = windows
        """How many vote at once; what is recalled comes in as many."""
        self._kinds = kinds
        self._limits = limits or Limits()
        self._fewest = fewest
        self._keep = keep
        self._tell = tell
        self._kept: dict[str, _Kept] = {}

    @classmethod
    def of(cls, settings: Settings, tell: Callable[[Tally], object] = lambda _: None) -> Watch:
        """Return one as the settings say."""
        return cls(
            settings.service_version,
            windows=settings.profile_comparison_windows,
            fewest=settings.profile_baseline_windows or None,
            tell=tell,
        )

    def recall(self, tables: Sequence[Table], version: str) -> None:
        """Take in windows in a row of one kind that an earlier process had. Oldest first, before the first `compare`."""
        kind = tables[0].kind
        if kind in self._kinds:
            kept = self._of(kind)
            kept.past = self._remember(kept.past, tally(window(table, version=version) for table in tables))

    def know(self, past: Tally) -> None:
        """Take in a part of the past that another one has told of. Before the first `compare`."""
        if past.kind in self._kinds:
            kept = self._of(past.kind)
            kept.past = self._remember(kept.past, past)

    def compare(self, tables: Mapping[str, Table], profiles: Mapping[str, Profile]) -> Mapping[str, Judgement]:
        """Take in one window of each kind and return what the comparisons say; without a baseline there is none."""
        found = {}
        for kind in self._kinds & tables.keys():
            judgement = self._compare(self._of(kind), tables[kind], profiles.get(kind))
            if judgement is not None:
                found[kind] = judgement
        return found

    def _of(self, kind: str) -> _Kept:
        return self._kept.setdefault(kind, _Kept())

    def _compare(self, kept: _Kept, table: Table, profile: Profile | None) -> Judgement | None:
        kept.present.append(window(table, version=self._version))
        kept.profiles.append(profile)
        if len(kept.present) > self.windows:
            kept.waiting.append(kept.present.popleft())
            kept.profiles.popleft()
        if len(kept.present) < self.windows:
            return None
        judgement = self._judged(kept)
        self._age(kept)
        return judgement

    def _judged(self, kept: _Kept) -> Judgement | None:
        now = tally(kept.present)
        picked = pick(self._baselines(kept, now), now.end, fewest=self._fewest)
        if picked is None:
            # Nothing is left that the regression could be told from: it is how things are now.
            kept.history, kept.last = History(), None
            return None
        if not now.samples and kept.last is not None:
            # Nothing ran, or it was not seen: that is no news of a regression, neither good nor bad.
            return kept.last._replace(baseline_age=picked.age)
        stacks = chain.from_iterable(_stacks(one) for one in kept.profiles if one is not None)
        comparison = compare(now, picked.baseline, kept.history, stacks=stacks, limits=self._limits)
        kept.history = comparison.history
        kept.last = Judgement(comparison, picked.age)
        return kept.last

    def _baselines(self, kept: _Kept, now: Tally) -> Sequence[Baseline | None]:
        return (
            previous_version(kept.past, self._version, total=kept.of_version),
            same_hour(kept.past, now.end, total=kept.of_hour),
            rolling(kept.past, now.begin, until=kept.history.since, total=kept.of_day),
        )

    def _age(self, kept: _Kept) -> None:
        """Let windows become the past, unless something has risen in them: a regression must not be its own baseline."""
        open_tracks = [track for track in kept.history.tracks.values() if track.phase != "gone"]
        if not open_tracks:
            for one in kept.held:
                self._become_past(kept, one)
            kept.held = ()
        # What the windows of one vote show first may have begun within those of the vote before, too late to be seen there.
        # Hence nothing is past before a vote of what came after it, and what rises is taken to be there a vote earlier.
        vote = kept.present[-1].end - kept.present[0].begin
        voted = kept.history.until if math.isfinite(kept.history.until) else math.inf
        since = min((*(track.since for track in open_tracks), voted)) - vote
        confirmed = kept.history.since is not None
        # Comparisons without samples are no votes, hence twice the windows of all ballots.
        most = 2 * self.windows * self._limits.ballots
        while len(kept.waiting) >= self.windows:
            last = kept.waiting[self.windows - 1]
            before = (last.begin + last.end) / 2 <= since
            if not before and len(kept.waiting) < most:
                return
            # In runs: only windows in a row tell how much they resemble their neighbours.
            old = tally([kept.waiting.popleft() for _ in range(self.windows)])
            if before or not confirmed:
                self._become_past(kept, old)
            else:
                kept.held = self._remember(kept.held, old)

    def _become_past(self, kept: _Kept, new: Tally) -> None:
        kept.past = self._remember(kept.past, new)
        self._tell(next(one for one in kept.past if part(one) == part(new)))

    def _remember(self, past: tuple[Tally, ...], new: Tally) -> tuple[Tally, ...]:
        return remember(past, new, keep=self._keep)


@dataclass
class _Kept:
    """What is kept of one kind."""

    past: tuple[Tally, ...] = ()
    held: tuple[Tally, ...] = ()
    """What comes after the begin of a confirmed regression, until it is over."""
    waiting: deque[Window] = field(default_factory=deque)
    """Windows after the present ones of which it is not known yet whether something rises in them."""
    present: deque[Window] = field(default_factory=deque)
    profiles: deque[Profile | None] = field(default_factory=deque)
    """Those of the present windows: what one of them does not show, who calls whom, another does."""
    history: History = field(default_factory=History)
    of_version: Total = field(default_factory=Total)
    """What was added up for the baselines of the last comparison."""
    of_hour: Total = field(default_factory=Total)
    of_day: Total = field(default_factory=Total)
    last: Judgement | None = None


def _stacks(profile: Profile) -> Iterator[tuple[Sequence[str], float]]:
    index = profile.index()
    for sample, stack in zip(profile.samples, stacks(profile), strict=True):
        yield [label(frame) for frame in stack], float(sample.values[index])
