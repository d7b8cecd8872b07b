"""Figures and goals as a terminal shows them: at most 120 columns."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.figures import Figure, Goal, Noise, Spread
    from benchmarks.results import Judged

WIDTH = 120


def line_of(figure: Figure) -> str:
    """Return one figure as a line: what, how much, the peer's, how many times, the noise."""
    parts = [f"{figure.name}{place_of(figure)}: {amount(figure.ours.middle, figure.unit)}"]
    if figure.ratio is None:
        parts[0] += quartiles(figure.ours, figure.unit)
    if figure.theirs is not None:
        parts.append(f"{figure.peer} {amount(figure.theirs.middle, figure.unit)}")
    if figure.ratio is not None:
        parts.append(f"{times(figure.ratio.middle)} of it{quartiles(figure.ratio)}")
    if figure.noise is not None:
        parts.append(f"A/A {noise(figure.noise, figure.unit)}")
    return "; ".join(parts) + f"; n = {figure.count}"


def goals(judged: Iterable[Judged]) -> Iterator[str]:
    """Yield the goals as a table: what was promised, the figure, what was measured, the verdict."""
    rows = [("goal", "measured", "A/A", "n", "verdict"), *(_row(one) for one in judged)]
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 2 * 4)
    for row in rows:
        first, *more = textwrap.wrap(row[0], widths[0])
        yield "  ".join(
            [first.ljust(widths[0]), *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        yield from (f"  {rest}" for rest in more)


def _row(judged: Judged) -> tuple[str, ...]:
    figure = judged.figure
    return (
        judged.goal.text,
        measured(judged.goal, figure),
        noise(figure.noise, figure.unit) if figure.noise else "",
        str(figure.count),
        judged.verdict,
    )


def measured(goal: Goal, figure: Figure) -> str:
    """Return what was measured of that of which the goal is, with its quartiles."""
    if goal.of == "ratio" and figure.ratio is not None:
        return times(figure.ratio.middle) + quartiles(figure.ratio)
    return amount(figure.ours.middle, figure.unit) + quartiles(figure.ours, figure.unit)


def place_of(figure: Figure) -> str:
    """Return where on its axis a figure stands, as an addition to its name."""
    return "" if figure.at is None else f" at {figure.at:,.10g} {figure.along}".rstrip()


def amount(value: float, unit: str) -> str:
    """Return a value with its unit, three digits of it."""
    if unit == "%":
        return f"{value:.2f} %"
    return f"{number(value)} {unit}".rstrip()


def number(value: float) -> str:
    """Return three digits of a number, all of those before the point, thousands apart."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}" if digits else f"{value:,.0f}"


def times(value: float) -> str:
    """Return a ratio: what is less than a half as a fraction of one, which is how many times less it is."""
    return f"1/{number(1 / value)}" if 0 < value < 0.5 else f"x{number(value)}"


def quartiles(spread: Spread, unit: str | None = None) -> str:
    """Return the quartiles in brackets, nothing where there is no spread. Without a unit they are of a ratio."""
    if spread.low == spread.high:
        return ""
    if unit is not None:
        return f" ({number(spread.low)} to {number(spread.high)})"
    return f" ({times(spread.low)} to {times(spread.high)})"


def noise(noise: Noise, unit: str) -> str:
    """Return the quartiles of A/A: of a ratio as percent around one, of a difference in its unit."""
    if noise.relative:
        return f"{100 * (noise.low - 1):+.1f} to {100 * (noise.high - 1):+.1f} %"
    return f"{noise.low:+.3g} to {noise.high:+.3g} {unit}".rstrip()
