"""Which functions have a series of their own: the top N, slow to enter and slower to leave, never more than a hard cap.

A series that comes and goes is worth little: its rate has holes, and every name that ever was costs Prometheus an index entry.
Hence a function enters by 2 of 3 windows among the top N, and leaves when it has been unimportant for long.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from heapq import nlargest
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.naming import GC, IDLE, OTHER

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

RESERVED: Final = frozenset({GC, IDLE})
"""Always members where they occur, beside the N: what they stand for is no function, and is not to hide in the rest."""
# Functions that are remembered for the ranking, in multiples of N: the EWMA of what is further down is taken for 0.
_REMEMBERED = 20


@dataclass(frozen=True)
class Rules:
    """When a function enters and leaves; the defaults are meant for windows of a minute."""

    top: int = 15
    """N: so many enter by rank."""
    half_life: float = 1800.0
    """Seconds after which a window counts half in the average of shares that ranks."""
    enter_share: float = 0.01
    enter_windows: int = 2
    enter_of: int = 3
    leave_share: float = 0.003
    leave_windows: int = 15
    residency: float = 900.0
    """Seconds that a member stays at least."""
    swaps: int = 3
    """Members that leave in one window at most."""
    pinned: tuple[re.Pattern[str], ...] = ()
    """A function whose name one of these finds is a member from its first sample on, for good."""

    @property
    def cap(self) -> int:
        """So many members there are at most, apart from `gc` and `idle`: N, and a third for those who are slow to leave."""
        return self.top + self.top // 3

    def pins(self, names: Iterable[str]) -> set[str]:
        """Return those of the names that are pinned."""
        return {name for pattern in self.pinned for name in names if pattern.search(name)}


class Standing(NamedTuple):
    """What is remembered of one function."""

    score: float = 0.0
    recent: tuple[bool, ...] = ()
    poor: int = 0
    since: float | None = None
    """When it became a member; None: it is none."""


_NEW = Standing()


@dataclass(frozen=True)
class Membership:
    """Who is a member, and what the next window needs to know. Grows by `advance`, is never changed."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    weight: float = 0.0

    @property
    def members(self) -> frozenset[str]:
        """The names with a series of their own."""
        return frozenset(name for name, standing in self.standings.items() if standing.since is not None)

    def average(self, name: str) -> float:
        """Return the average share of a name: each window weighs less with its age, and there is no bias at the start."""
        standing = self.standings.get(name)
        return standing.score / self.weight if standing is not None and self.weight else 0.0


def advance(before: Membership, shares: Mapping[str, float], *, at: float, seconds: float, rules: Rules) -> Membership:
    """Return the membership after one more window of `seconds` that ended `at`, in which functions had these shares."""
    averaged = _average(before, shares, seconds, rules)
    pinned = rules.pins(averaged.standings) - RESERVED
    ranking = _ranking(averaged, pinned)
    judged = _judge(averaged, shares, ranking, rules)
    left, swaps = _leave(_pin(judged, ranking, pinned, at, rules), ranking, at, rules)
    after = _enter(left, swaps, ranking, shares, at, rules)
    kept = {
        *ranking[: rules.top * _REMEMBERED],
        *(name for name, standing in after.items() if standing.since is not None),
    }
    return replace(averaged, standings={name: standing for name, standing in after.items() if name in kept})


def _average(before: Membership, shares: Mapping[str, float], seconds: float, rules: Rules) -> Membership:
    old = 0.5 ** (max(seconds, 1e-3) / rules.half_life)
    largest = nlargest(rules.top * _REMEMBERED, shares, key=shares.__getitem__)
    names = {*before.standings, *largest, *rules.pins(shares), *(RESERVED & shares.keys())} - {OTHER}
    standings = {}
    for name in names:
        standing = before.standings.get(name, _NEW)
        score = standing.score * old + shares.get(name, 0.0) * (1 - old)
        standings[name] = Standing(score, standing.recent, standing.poor, standing.since)
    return Membership(standings, before.weight * old + (1 - old))


def _ranking(averaged: Membership, pinned: AbstractSet[str]) -> list[str]:
    """Return who competes for the N places, best first; equals by name, so that the result is always the same."""
    competitors = averaged.standings.keys() - pinned - RESERVED
    return sorted(competitors, key=lambda name: (-averaged.standings[name].score, name))


def _judge(
    averaged: Membership, shares: Mapping[str, float], ranking: Sequence[str], rules: Rules
) -> dict[str, Standing]:
    """Return the standings with the verdicts of this window: among the best, or unimportant."""
    best, good = frozenset(ranking[: rules.top]), frozenset(ranking[: 2 * rules.top])
    judged = {}
    for name, standing in averaged.standings.items():
        hit = name in best and shares.get(name, 0.0) >= rules.enter_share
        poor = name not in good or averaged.average(name) < rules.leave_share
        recent = (*standing.recent, hit)[-rules.enter_of :]
        judged[name] = Standing(standing.score, recent, standing.poor + 1 if poor else 0, standing.since)
    return judged


def _leave(
    standings: Mapping[str, Standing], ranking: Sequence[str], at: float, rules: Rules
) -> tuple[dict[str, Standing], int]:
    """Return the standings without who was unimportant for long, and how many more may go in this window."""
    long = [name for name in _settled(standings, ranking, at, rules) if standings[name].poor >= rules.leave_windows]
    leaving = long[: rules.swaps]
    return {**standings, **{name: _out(standings[name]) for name in leaving}}, rules.swaps - len(leaving)


def _enter(
    standings: Mapping[str, Standing],
    swaps: int,
    ranking: Sequence[str],
    shares: Mapping[str, float],
    at: float,
    rules: Rules,
) -> dict[str, Standing]:
    """Return the standings with who was often among the best, as far as there is room, or can be made by a swap."""
    after = dict(standings)
    room = rules.cap - _size(after)
    best = frozenset(ranking[: rules.top])
    weak = [name for name in _settled(after, ranking, at, rules) if name not in best]
    replaceable = weak[:swaps]
    for name in ranking:
        standing = after[name]
        if standing.since is not None or sum(standing.recent) < rules.enter_windows or not shares.get(name):
            continue
        if room > 0:
            room -= 1
        elif replaceable:
            weakest = replaceable.pop(0)
            after[weakest] = _out(after[weakest])
        else:
            break
        after[name] = _in(standing, at)
    return after


def _pin(
    standings: Mapping[str, Standing], ranking: Sequence[str], pinned: AbstractSet[str], at: float, rules: Rules
) -> dict[str, Standing]:
    """Return the standings with the reserved and the pinned in: they were asked for by name and need not wait for others."""
    after = dict(standings)
    after.update({name: _in(after[name], at) for name in RESERVED & after.keys()})
    waiting = sorted(name for name in pinned if after[name].since is None)
    members = [name for name in ranking if after[name].since is not None]
    for name in sorted(waiting, key=lambda name: -after[name].score):
        if _size(after) >= rules.cap:
            if not members:
                break
            weakest = members.pop()
            after[weakest] = _out(after[weakest])
        after[name] = _in(after[name], at)
    return after


def _size(standings: Mapping[str, Standing]) -> int:
    return sum(standing.since is not None and name not in RESERVED for name, standing in standings.items())


def _settled(standings: Mapping[str, Standing], ranking: Sequence[str], at: float, rules: Rules) -> list[str]:
    """Return the members by rank that have been in for long enough to leave, the weakest first."""
    return [
        name
        for name in reversed(ranking)
        if (since := standings[name].since) is not None and at - since >= rules.residency
    ]


def _in(standing: Standing, at: float) -> Standing:
    return standing if standing.since is not None else standing._replace(since=at, poor=0)


def _out(standing: Standing) -> Standing:
    return standing._replace(since=None, poor=0, recent=())
