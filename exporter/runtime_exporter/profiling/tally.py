"""A window of a profile as counts, and the sums over windows that a comparison needs.

A window says: of n samples, k had the function on the stack. A comparison needs of many windows only the sums kept here
(sufficient statistics), and sums add up. So a day of the past costs as much memory as a minute of it, and a baseline is
made by adding hours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.profiling.naming import IDLE, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runtime_exporter.profiling.table import Table

LEVELS = frozenset({"heap", "threads"})
"""Kinds whose total is a level at an instant (bytes in use, threads alive), not something spent over the window."""

NO_STACKS = frozenset({IDLE, "(not sampled)", "(ended threads)", "(native thread)", "(runtime-exporter)"})
"""What a comparison leaves out of both sides: waiting for work, time of which no stack is known (see
samplers.sampler.Window), and our own. None of it has samples, so that it would only make shares of what has them vary."""

MINIMUM_SHARE = 0.001
"""Share below which a function of a window is not kept: a tenth of what is tested at all (regression.Limits.share)."""


class Window(NamedTuple):
    """One window of one kind of profile. Times are unix seconds; counts are in samples and may be fractions."""

    kind: str
    begin: float
    end: float
    samples: float
    """n: how many samples the window has."""
    cum: Mapping[str, float]
    """k: samples with the function anywhere on the stack, 0 to n."""
    self_: Mapping[str, float]
    """Samples with the function at the leaf; they add up to n."""
    total: float
    """What the samples stand for, in the profile's unit (seconds, bytes, count)."""
    requests: float | None = None
    """Units of work done in the window, where they are known."""
    version: str = ""
    """Version of the program that ran."""


class Sums(NamedTuple):
    """Of one function, over all windows w (n_w samples, k_w of them with the function; missing windows add 0)."""

    samples: float = 0.0
    """Sum of k_w."""
    squares: float = 0.0
    """Sum of k_w^2 / n_w."""
    lagged: float = 0.0
    """Sum over adjacent windows of k_w k_v / sqrt(n_w n_v)."""
    crossed: float = 0.0
    """Sum over adjacent windows of k_w sqrt(n_v / n_w) + k_v sqrt(n_w / n_v)."""
    leaf: float = 0.0
    """Sum of the samples with the function at the leaf."""


@dataclass(frozen=True)
class Tally:
    """Sums over windows of one kind."""

    kind: str
    begin: float
    end: float
    windows: int
    samples: float
    squares: float
    """Sum of n_w^2."""
    adjacent: float
    """Sum over adjacent windows of sqrt(n_w n_v)."""
    total: float
    seconds: float
    """Sum of the windows' lengths (without gaps between them)."""
    requests: float | None
    """None as soon as one window does not know its requests."""
    version: str
    """The version that all windows share, else empty."""
    functions: Mapping[str, Sums]

    def share(self, function: str) -> float:
        """Return the inclusive share of `function` in all samples, 0 to 1."""
        return self.functions.get(function, NOTHING).samples / self.samples if self.samples else 0.0

    def cost(self, function: str, *, per_request: bool) -> float:
        """Return what `function` costs per request, per second, or per window for a kind that is a level."""
        basis = self.requests if per_request else self.windows if self.kind in LEVELS else self.seconds
        return self.share(function) * self.total / basis if basis else 0.0


NOTHING = Sums()


def window(table: Table, *, requests: float | None = None, version: str = "") -> Window:
    """Return `table` as counts of samples: a function's share of the total, times the number of samples.

    NO_STACKS are left out of both: a quiet hour would be a rise of idleness, and a busy one a fall of all the rest.
    """
    total = table.total - math.fsum(table.self_.get(name, 0.0) for name in NO_STACKS)
    samples = table.samples - sum(table.counts.get(name, 0) for name in NO_STACKS)
    scale = samples / total if total > 0 and samples > 0 else 0.0
    floor = MINIMUM_SHARE * total
    leaf = {name: value * scale for name, value in table.self_.items() if value >= floor and name not in NO_STACKS}
    leaf[OTHER] = leaf.get(OTHER, 0.0) + max(0.0, samples - math.fsum(leaf.values()))
    return Window(
        kind=table.kind,
        begin=table.begin,
        end=table.end,
        samples=float(samples) if scale else 0.0,
        cum={n: min(value, total) * scale for n, value in table.cum.items() if value >= floor and n not in NO_STACKS}
        if scale
        else {},
        self_=leaf if scale else {},
        total=total,
        requests=requests,
        version=version,
    )


def tally(windows: Iterable[Window]) -> Tally:
    """Return the sums over `windows`, oldest first. Windows without samples count in time and total only.

    Raises ValueError when there is no window, or when the kinds differ.
    """
    every = tuple(windows)
    kinds = {one.kind for one in every}
    if len(kinds) != 1:
        raise ValueError(f"a tally is of one kind of profile, not of {sorted(kinds) or 'nothing'}")
    seen = tuple(one for one in every if one.samples > 0)
    versions = {one.version for one in every}
    return Tally(
        kind=every[0].kind,
        begin=min(one.begin for one in every),
        end=max(one.end for one in every),
        windows=len(seen),
        samples=math.fsum(one.samples for one in seen),
        squares=math.fsum(one.samples**2 for one in seen),
        adjacent=math.fsum(math.sqrt(one.samples * two.samples) for one, two in _neighbours(seen)),
        total=math.fsum(one.total for one in every),
        seconds=math.fsum(one.end - one.begin for one in every),
        requests=_requests(one.requests for one in every),
        version=versions.pop() if len(versions) == 1 else "",
        functions=_functions(seen),
    )


def add(tallies: Iterable[Tally]) -> Tally:
    """Return the sums over all `tallies`. Raises ValueError when there is none, or when the kinds differ."""
    every = tuple(tallies)
    kinds = {one.kind for one in every}
    if len(kinds) != 1:
        raise ValueError(f"a tally is of one kind of profile, not of {sorted(kinds) or 'nothing'}")
    functions: dict[str, Sums] = {}
    for one in every:
        for name, sums in one.functions.items():
            before = functions.get(name)
            functions[name] = sums if before is None else Sums(*map(float.__add__, before, sums))
    versions = {one.version for one in every}
    return Tally(
        kind=every[0].kind,
        begin=min(one.begin for one in every),
        end=max(one.end for one in every),
        windows=sum(one.windows for one in every),
        samples=math.fsum(one.samples for one in every),
        squares=math.fsum(one.squares for one in every),
        adjacent=math.fsum(one.adjacent for one in every),
        total=math.fsum(one.total for one in every),
        seconds=math.fsum(one.seconds for one in every),
        requests=_requests(one.requests for one in every),
        version=versions.pop() if len(versions) == 1 else "",
        functions=functions,
    )


def _requests(counts: Iterable[float | None]) -> float | None:
    total = 0.0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _are_neighbours(one: Window, two: Window) -> bool:
    """Tell whether `two` follows `one` with no room for another window between them."""
    return abs(two.begin - one.end) < max(one.end - one.begin, two.end - two.begin)


def _neighbours(windows: Sequence[Window]) -> list[tuple[Window, Window]]:
    return [(one, two) for one, two in pairwise(windows) if _are_neighbours(one, two)]


def _functions(windows: Sequence[Window]) -> dict[str, Sums]:
    """Sum per function in one pass; rows are lists here since this is the hot loop of a comparison."""
    rows: dict[str, list[float]] = {}
    none: Mapping[str, float] = {}
    for index, one in enumerate(windows):
        before = windows[index - 1] if index and _are_neighbours(windows[index - 1], one) else None
        after = windows[index + 1] if index + 1 < len(windows) and _are_neighbours(one, windows[index + 1]) else None
        cross = sum(math.sqrt(other.samples / one.samples) for other in (before, after) if other is not None)
        joint = 1 / math.sqrt(one.samples * before.samples) if before is not None else 0.0
        previous = before.cum if before is not None else none
        inverse, leaf = 1 / one.samples, one.self_
        for name, k in one.cum.items():
            row = rows.get(name)
            if row is None:
                row = rows[name] = [0.0, 0.0, 0.0, 0.0, 0.0]
            row[0] += k
            row[1] += k * k * inverse
            row[2] += k * previous.get(name, 0.0) * joint
            row[3] += k * cross
        for name, k in leaf.items():
            row = rows.get(name)
            if row is None:
                row = rows[name] = [0.0, 0.0, 0.0, 0.0, 0.0]
            row[4] += k
    return {name: Sums._make(row) for name, row in rows.items()}
