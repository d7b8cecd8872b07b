"""What a report yields: values, which are printed, kept as JSON and drawn alike.

A report is a module of this package with `report(*, quick: bool) -> Iterator[Item]` and a line in sections.py. It yields

- `Figure`: one thing measured, and the same by one peer. Many peers are many figures of one name; `at` is where on an axis
  (`along`: series, threads, routes) a figure stands, if there are several of a name and peer.
- `Goal`: what was promised of a figure, after that figure. Its verdict is made of the two, never by the report.
- `Curve`: what changed along something, as memory along the hours of a soak.
- `Missing`: a peer or tool that is not here, so that nobody takes silence for a comparison.
- `str`: a line for people, where none of these fits.

`ratio` is always ours over the peer's, so 1/35 is "35 times faster" and what promises that says `at_most=1 / 35`. `harness.figure`
makes a figure out of rounds.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Verdict = Literal["HOLDS", "DOES NOT HOLD", "NOT RESOLVED"]


@dataclass(frozen=True)
class Spread:
    """The quartiles of what was measured again and again; `middle` is the median."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the quartiles of these values, which are not outside of them; of one value, that value."""
        values = [*values]
        if len(values) == 1:
            return cls.exactly(values[0])
        low, middle, high = statistics.quantiles(values, n=4)
        return cls(max(low, min(values)), middle, min(high, max(values)))

    @classmethod
    def exactly(cls, value: float) -> Spread:
        """Return what has no spread: a count, or something that was measured once."""
        return cls(value, value, value)


@dataclass(frozen=True)
class Noise:
    """A/A, the quartiles of the same thing against itself: its ratio, around 1, or its difference in the figure's unit, around 0."""

    low: float
    high: float
    relative: bool = True

    def reach(self, value: float) -> float:
        """Return how far from `value` noise alone may carry a figure."""
        if self.relative:
            return abs(value) * max(abs(self.low - 1), abs(self.high - 1))
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True)
class Figure:
    """One thing measured `count` times, beside one peer's of the same if there is one."""

    name: str
    """What was measured, the same for every peer: "ASGI, 100 routes"."""
    unit: str
    """Of `ours` and `theirs`: "µs", "ms", "MB", "%", "instructions"; "" for what has none."""
    ours: Spread
    peer: str = ""
    theirs: Spread | None = None
    ratio: Spread | None = None
    """Ours over theirs, taken within each round."""
    noise: Noise | None = None
    count: int = 1
    """Rounds, or pairs."""
    at: float | None = None
    """Where on an axis it stands, if there are several of a name and peer."""
    along: str = ""
    """What that is: "series", "threads", "routes"."""


@dataclass(frozen=True)
class Goal:
    """What was promised: that a figure's `of` is at most, or at least, so much."""

    text: str
    figure: str
    """The name of the figure; with `peer` and `at` it is one that the report has yielded."""
    peer: str = ""
    at: float | None = None
    of: Literal["ours", "ratio"] = "ratio"
    at_most: float = math.inf
    at_least: float = -math.inf

    @property
    def bounds(self) -> tuple[float, ...]:
        """What bounds it: one end, or both."""
        return tuple(end for end in (self.at_least, self.at_most) if not math.isinf(end))

    def concerns(self, figure: Figure) -> bool:
        """Return whether this is the figure that it is about."""
        return (self.figure, self.peer, self.at) == (figure.name, figure.peer, figure.at)

    def verdict(self, figure: Figure) -> Verdict:
        """Return whether it holds; it is not resolved where quartiles lie on both sides of the bound, or noise reaches over it."""
        found = figure.ratio if self.of == "ratio" else figure.ours
        if found is None:
            raise ValueError(f"{self.text}: {figure.name} has no ratio")
        if any(self._unresolved(found, bound, figure.noise) for bound in self.bounds):
            return "NOT RESOLVED"
        return "HOLDS" if self.at_least <= found.middle <= self.at_most else "DOES NOT HOLD"

    @staticmethod
    def _unresolved(found: Spread, bound: float, noise: Noise | None) -> bool:
        """Return whether what was found may as well be on the other side of a bound. A value on its bound keeps it."""
        reach = noise.reach(bound) if noise else 0.0
        return found.low < bound < found.high or (reach > 0 and abs(found.middle - bound) <= reach)


@dataclass(frozen=True)
class Curve:
    """What changed along something: `points` are pairs of where and how much."""

    name: str
    unit: str
    along: str
    """What the points lie along, with its unit: "simulated hours"."""
    points: tuple[tuple[float, float], ...]
    peer: str = ""
    """Whose it is; empty for ours."""


@dataclass(frozen=True)
class Missing:
    """What is not here, and what would bring it: a report compares with the others."""

    name: str
    remedy: str = "`make bench` installs benchmarks/peers.txt"


Item = Figure | Goal | Curve | Missing | str
