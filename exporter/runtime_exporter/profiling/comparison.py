"""Is the process slower than it was: the present windows of one kind of profile against a baseline.

    now = tally(windows)                                    # the last few windows, as many as shall vote at once
    picked = pick([previous_version(past, version), same_hour(past, now.end),
                   rolling(past, now.begin, until=history.since)], now.end)
    if picked is not None:
        comparison = compare(now, picked.baseline, history, stacks=stacks)
        history = comparison.history
    past = remember(past, now)                              # each window once

A function's rise is reported when it is beyond chance, beyond Benjamini-Hochberg across the functions, large enough to
matter, and there in 3 of 5 comparisons; when its callers rose with it and its cost rose with its share; and it stands for
the callers above it. What could have been seen is part of every answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from runtime_exporter.profiling.callers import callers, deepest, unmoved_caller
from runtime_exporter.profiling.divergence import jensen_shannon
from runtime_exporter.profiling.persistence import History, advance
from runtime_exporter.profiling.regression import Limits, changes, exceeding, median_detectable_ratio

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from runtime_exporter.profiling.baseline import Baseline
    from runtime_exporter.profiling.persistence import Track
    from runtime_exporter.profiling.regression import Change
    from runtime_exporter.profiling.tally import Tally

State = Literal["confirmed", "shift", "transient", "gone"]
STATES: tuple[State, ...] = ("confirmed", "shift", "transient", "gone")

MAXIMUM_FINDINGS = 20
"""Findings of one comparison at most: each is a few series."""

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Finding:
    """One function whose share rose."""

    function: str
    kind: str
    baseline: str
    """Identity of the baseline."""
    state: State
    """confirmed: it is a regression. shift: the share rose, the cost did not (`reason`). transient: there, not (yet) often
    enough. gone: a confirmed one that ended."""
    z: float
    share_before: float
    share_now: float
    delta_ratio: float
    cost_ratio: float
    """Cost per request (or second) now over before; infinite when it cost nothing before."""
    detectable_ratio: float
    since: float
    """Unix seconds of the first window of the state."""
    reason: str = ""
    """Why it is a shift."""
    explains: tuple[str, ...] = ()
    """Callers that rose because of it, nearest first; they have no finding of their own."""


@dataclass(frozen=True)
class Comparison:
    """The answer, also when it is "nothing": then `mde_ratio` says how large a change would have been seen."""

    kind: str
    baseline: str
    findings: tuple[Finding, ...]
    """Confirmed ones first, then by z."""
    mde_ratio: float
    """Relative rise that half of the functions of at least Limits.share would have shown; infinite without samples."""
    divergence: float
    """Jensen-Shannon distance of the self shares, 0 to 1; not a number without samples."""
    changes: Mapping[str, Change]
    """Every function of at least Limits.share on either side, and those of the findings."""
    history: History
    """For the next comparison."""

    def count(self, state: State) -> int:
        """Return how many findings are in `state`."""
        return sum(finding.state == state for finding in self.findings)


def compare(
    now: Tally,
    baseline: Baseline,
    history: History | None = None,
    *,
    stacks: Iterable[tuple[Sequence[str], float]] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Comparison:
    """Compare `now` with `baseline`.

    `stacks` are those of the present windows (function names leaf first, weight), read only when something rose; without
    them nothing can be told to be a mere shift between callees, and each caller of a regression is reported, too.
    Raises ValueError when the two are not of one kind of profile.
    """
    before = baseline.tally
    if before.kind != now.kind:
        raise ValueError(f"a {now.kind} profile is not comparable with a {before.kind} profile")
    history = history or History()
    found = changes(before, now, limits, also=history.tracks)
    rising = exceeding(found, limits)
    history = advance(history, now, found, rising, limits, baseline=baseline.identity)
    findings, history = _findings(now.kind, history, found, rising, stacks, limits)
    return Comparison(
        kind=now.kind,
        baseline=baseline.identity,
        findings=findings,
        mde_ratio=median_detectable_ratio(found.values(), limits),
        divergence=jensen_shannon(
            {name: sums.leaf for name, sums in before.functions.items()},
            {name: sums.leaf for name, sums in now.functions.items()},
        ),
        changes=found,
        history=history,
    )


def _findings(
    kind: str,
    history: History,
    found: Mapping[str, Change],
    rising: Collection[str],
    stacks: Iterable[tuple[Sequence[str], float]],
    limits: Limits,
) -> tuple[tuple[Finding, ...], History]:
    tracked = {name: found[name] for name in history.tracks if name in found}
    relation = callers(stacks, tracked) if tracked else {}
    confirmed = {name: one for name, one in tracked.items() if history.tracks[name].phase == "confirmed"}
    reasons = {name: _no_regression(one, found, relation, limits) for name, one in confirmed.items()}
    leaders = deepest({name: one for name, one in confirmed.items() if not reasons[name]}, relation)
    # Where a rise does not show now, because it has ended or too little was seen, nothing says who explains whom: it is as it was.
    risen = confirmed.keys() & rising
    before = history.explained & {name for name, track in history.tracks.items() if track.phase != "transient"}
    explained = {name for name in risen if name not in leaders and not reasons[name]} | (before - risen)
    findings = [
        _finding(kind, history.baseline, history.tracks[name], one, reasons.get(name, ""), leaders.get(name, ()))
        for name, one in tracked.items()
        if name not in explained
    ]
    findings.sort(key=lambda finding: (STATES.index(finding.state), -finding.z, finding.function))
    return tuple(findings[:MAXIMUM_FINDINGS]), replace(history, explained=frozenset(explained))


def _no_regression(
    change: Change, found: Mapping[str, Change], relation: dict[str, dict[str, float]], limits: Limits
) -> str:
    caller = unmoved_caller(change, found, relation)
    if caller:
        return f"{caller}, which calls it, did not rise"
    if change.cost_ratio < 1 + limits.ratio / 2:
        return "its cost did not rise, that of others fell"
    return ""


def _finding(kind: str, baseline: str, track: Track, change: Change, reason: str, explains: tuple[str, ...]) -> Finding:
    return Finding(
        function=change.function,
        kind=kind,
        baseline=baseline,
        state="shift" if reason else track.phase,
        z=change.z,
        share_before=change.before,
        share_now=change.now,
        delta_ratio=change.delta_ratio,
        cost_ratio=change.cost_ratio,
        detectable_ratio=change.detectable_ratio,
        since=track.since,
        reason=reason,
        explains=explains,
    )
