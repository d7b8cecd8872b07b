"""Figures and goals as a terminal shows them: at most 120 columns."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.figures import Figure, Noise, Spread
    from benchmarks.results import Judged

WIDTH = 120
_INVERSE = 0.5


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


def goals(sections: Iterable[tuple[str, Sequence[Judged]]]) -> Iterator[str]:
    """Yield the goals by titles of sections as a table: what was promised, what was measured, the noise, the verdict."""
    told = [(title, [_row(one) for one in judged]) for title, judged in sections if judged]
    head = ("goal", "measured", "A/A", "n", "verdict")
    widths = [max(len(row[place]) for row in [head, *(row for _, rows in told for row in rows)]) for place in range(5)]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 2 * 4)
    yield from _lines(head, widths)
    for title, rows in told:
        yield ""
        yield title
        for row in rows:
            yield from _lines(row, widths)


def _lines(row: tuple[str, ...], widths: Sequence[int]) -> Iterator[str]:
    first, *more = textwrap.wrap(row[0], widths[0], subsequent_indent="  ")
    cells = [first.ljust(widths[0]), *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    yield "  ".join(cells).rstrip()
    yield from more


def _row(judged: Judged) -> tuple[str, ...]:
    figure = judged.figure
    return (
        judged.goal.text,
        measured(judged),
        noise(figure.noise, figure.unit) if figure.noise else "",
        str(figure.count),
        judged.verdict,
    )


def measured(one: Judged) -> str:
    """Return what was measured of that of which the goal is, with its quartiles."""
    return measured_middle(one) + quartiles(one.spread, None if one.goal.of == "ratio" else one.figure.unit)


def measured_middle(one: Judged) -> str:
    """Return the median of what was measured of that of which the goal is."""
    return times(one.spread.middle) if one.goal.of == "ratio" else amount(one.spread.middle, one.figure.unit)


def place_of(figure: Figure) -> str:
    """Return where on its axis a figure stands, as an addition to its name."""
    if figure.at is None:
        return ""
    what = figure.along.removesuffix("s") if figure.at == 1 and figure.along != "series" else figure.along
    return f" at {figure.at:,.10g} {what}".rstrip()


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


def times(value: float, *, inverse: bool | None = None) -> str:
    """Return a ratio; what is less than a half (or is to be `inverse`) as a fraction of one, which is how many times less it is."""
    if inverse is None:
        inverse = value < _INVERSE
    return f"1/{number(1 / value)}" if inverse and value > 0 else f"x{number(value)}"


def quartiles(spread: Spread, unit: str | None = None) -> str:
    """Return the quartiles in brackets, nothing where there is no spread. Without a unit they are of a ratio."""
    if spread.low == spread.high:
        return ""
    if unit is not None:
        return f" ({number(spread.low)} to {number(spread.high)})"
    inverse = spread.middle < _INVERSE
    return f" ({times(spread.low, inverse=inverse)} to {times(spread.high, inverse=inverse)})"


def noise(noise: Noise, unit: str) -> str:
    """Return the quartiles of A/A: of a ratio as percent around one, of a difference in its unit."""
    if noise.relative:
        return f"{100 * (noise.low - 1):+.1f} to {100 * (noise.high - 1):+.1f} %"
    return f"{_signed(noise.low)} to {_signed(noise.high)} {unit}".rstrip()


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{abs(value):.2f}" if abs(value) < 10 else f"{value:+,.0f}"
