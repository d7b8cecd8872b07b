"""Profiles as few, monotonic numbers: each window's values are added to the counters of who is a member now, or to `other`.

Everything is counted in whole nanoseconds, bytes or events, so that the parts add up to the total exactly and for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.membership import Membership, Rules, advance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from runtime_exporter.profiling.table import Table

INSTANT: Final = frozenset({"heap", "threads", "goroutine", "goroutineleak"})
"""Kinds that say how things are at a moment: a new window replaces the last one instead of being added to it."""
NANOSECONDS: Final = 10**9


@dataclass(frozen=True)
class Account:
    """A sum and its parts: the members' values, `other`, and `departed` add up to `total` exactly.

    `departed` is what members had when they left. Their series are gone and the total must not fall, so it belongs to nobody;
    it is no part of `other`, whose rate would otherwise show hours of a function in one window. Hence of what is exposed, the
    *increases* of members and `other` add up to the increase of the total, in every window, and the values do until the
    first member leaves.
    """

    members: Mapping[str, int] = field(default_factory=dict)
    other: int = 0
    departed: int = 0
    total: int = 0


@dataclass(frozen=True)
class Tally:
    """What a kind of profile came to, up to now. Times are in whole nanoseconds; see `Account` for what adds up to what."""

    kind: str
    unit: str
    """seconds (counted in nanoseconds), bytes or count."""
    self_: Account = Account()
    counts: Account = Account()
    """The events behind `self_`, for the same members: samples or contentions."""
    cum: Mapping[str, int] = field(default_factory=dict)
    """Members by cumulative share. They contain each other: there is no rest that they could add up with."""
    info: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """File and first line of every member of either list."""
    windows: int = 0
    until: float = 0.0
    """Seconds since the epoch: the end of the last window."""


class Summary:
    """The tallies of all kinds. `add` is for one thread; `totals` may be called from any, and sees whole windows only."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._states: Mapping[str, _State] = MappingProxyType({})

    def add(self, table: Table) -> Tally:
        """Account for one window and return the tally of its kind."""
        state = _advance(self._states.get(table.kind), table, self.rules)
        self._states = {**self._states, table.kind: state}
        return state.tally

    def totals(self) -> Mapping[str, Tally]:
        """Return the present tallies by kind."""
        return {kind: state.tally for kind, state in self._states.items()}


@dataclass(frozen=True)
class _State:
    tally: Tally
    self_: Membership = field(default_factory=Membership)
    cum: Membership = field(default_factory=Membership)


def _advance(state: _State | None, table: Table, rules: Rules) -> _State:
    state = state or _State(Tally(table.kind, table.unit))
    instant = table.kind in INSTANT
    if instant and not state.self_.weight:
        # How things are is no matter of chance as samples are: there is no need to see it again before it is told.
        rules = replace(rules, enter_windows=1)
    window = {name: max(0.0, value) for name, value in table.self_.items()}
    own = _next(state.self_, window, table, rules)
    cum = _next(state.cum, {name: value for name, value in table.cum.items() if name not in table.links}, table, rules)
    before = Tally(table.kind, table.unit) if instant else state.tally
    scale = NANOSECONDS if table.unit == "seconds" else 1
    tally = Tally(
        table.kind,
        table.unit,
        credit(before.self_, _whole(own.members, table.self_, scale), round(table.total * scale)),
        credit(before.counts, _whole(own.members, table.counts, 1), table.samples),
        credit(Account(before.cum), _whole(cum.members, table.cum, scale), 0).members,
        _known(state.tally.info, table.info, own.members | cum.members),
        state.tally.windows + 1,
        table.end,
    )
    return _State(tally, own, cum)


def _next(before: Membership, values: Mapping[str, float], table: Table, rules: Rules) -> Membership:
    """Return the membership after a window; one without any samples says nothing about who matters."""
    if table.total <= 0:
        return before
    shares = {name: value / table.total for name, value in values.items()}
    return advance(before, shares, at=table.end, seconds=table.end - table.begin, rules=rules)


def credit(before: Account, gains: Mapping[str, int], total: int) -> Account:
    """Return the account after a window in which the present members gained `gains`, all above zero, of `total`.

    Should the parts come to more than the total, which rounded fractions can, the total is what they come to.
    """
    rest = max(0, total - sum(gains.values()))
    return Account(
        {name: before.members.get(name, 0) + gain for name, gain in gains.items()},
        before.other + rest,
        before.departed + sum(value for name, value in before.members.items() if name not in gains),
        before.total + sum(gains.values()) + rest,
    )


def _whole(members: AbstractSet[str], values: Mapping[str, float], scale: int) -> dict[str, int]:
    """Return the members' values as whole numbers; below zero, which differences of profiles can be, counts as zero."""
    return {name: max(0, round(values.get(name, 0.0) * scale)) for name in members}


def _known(
    before: Mapping[str, tuple[str, int]], now: Mapping[str, tuple[str, int]], members: AbstractSet[str]
) -> dict[str, tuple[str, int]]:
    known = {**before, **now}
    return {name: known[name] for name in members if name in known}
