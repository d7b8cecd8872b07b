"""What changed from one profile to another, function by function: in amounts, and in shares of each profile's total."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.errors import ProfileError

if TYPE_CHECKING:
    from runtime_exporter.profiling.table import Table


class Change(NamedTuple):
    """A function's value in two profiles, and its share of their totals, from 0 to 1."""

    function: str
    before: float
    after: float
    share_before: float
    share_after: float

    @property
    def amount(self) -> float:
        """How much more it is after than before."""
        return self.after - self.before

    @property
    def share(self) -> float:
        """How much more of the total it is after than before: of profiles of different lengths only this says something."""
        return self.share_after - self.share_before


def changes(before: Table, after: Table, *, column: str = "self", normalised: bool = False) -> tuple[Change, ...]:
    """Return every function that is in either table and changed, the largest change first.

    `column` is self or cum. `normalised` scales the values before to the total after, so that only the shares make a difference.
    Raises ProfileError for tables of different kinds.
    """
    if (before.kind, before.unit) != (after.kind, after.unit):
        raise ProfileError(f"cannot compare {before.kind} ({before.unit}) with {after.kind} ({after.unit})")
    old, new = (before.self_, after.self_) if column == "self" else (before.cum, after.cum)
    scale = after.total / before.total if normalised and before.total else 1.0
    found = (
        Change(
            name,
            old.get(name, 0) * scale,
            new.get(name, 0),
            _share(old.get(name, 0), before.total),
            _share(new.get(name, 0), after.total),
        )
        for name in {**old, **new}
    )
    changed = (change for change in found if change.amount or change.share)
    if normalised:
        return tuple(sorted(changed, key=lambda change: (-abs(change.share), change.function)))
    return tuple(sorted(changed, key=lambda change: (-abs(change.amount), -abs(change.share), change.function)))


def _share(value: float, total: float) -> float:
    return value / total if total else 0.0
