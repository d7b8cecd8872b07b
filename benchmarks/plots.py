"""What docs/performance.md shows instead of a table: one look says who is where."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks import scale, table
from benchmarks.svg import Class, Drawing, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Curve, Figure, Spread

US = "runtime_exporter"
WIDTH = 960
_ROW, _MARGIN = 22, 20
_RIGHT = 96
"""Room for the values at the right, at least."""


@dataclass(frozen=True)
class Plot:
    """A drawing of some figures or curves of a report: docs/images/performance-<image>.svg. Nothing is drawn of nothing."""

    image: str
    title: str
    note: str
    names: tuple[str, ...]
    """Which: names as in a shell, `*, over the bare application`."""

    def picks(self, name: str) -> bool:
        """Return whether it draws what has this name."""
        return any(fnmatchcase(name, pattern) for pattern in self.names)


class Dots(Plot):
    """Each figure with all of its peers below each other on a logarithmic axis, the quartiles as a line through the dot.

    Where no figure has a peer, each is a row with its own name.
    """

    def draw(self, figures: Sequence[Figure]) -> str | None:
        """Return the SVG, None where there is nothing to draw."""
        groups = [
            (name, _entries([*each]))
            for name, each in groupby(filter(lambda one: self.picks(one.name), figures), _named)
        ]
        values = [
            end for _, entries in groups for _, spread, _ in entries for end in (spread.low, spread.high) if end > 0
        ]
        if not values:
            return None
        unit = next(unit for _, entries in groups for _, _, unit in entries)
        if all(len(entries) == 1 for _, entries in groups):
            groups = [("", [(name, spread, unit) for name, ((_, spread, unit),) in groups])]
        left = _MARGIN + max(width_of(label) for _, entries in groups for label, _, _ in entries) + 24
        rows = sum(len(entries) + bool(name) for name, entries in groups)
        drawing, top = _begin(self)
        bottom = top + rows * _ROW + 6 * len(groups)
        amounts = [table.amount(spread.middle, unit) for _, entries in groups for _, spread, unit in entries]
        right = max(_RIGHT, 28 + max(map(width_of, amounts)))
        axis = scale.logarithmic(values, left, WIDTH - _MARGIN - right)
        _upright(drawing, axis, top, bottom, unit)
        y = top + 15.0
        for name, entries in groups:
            if name:
                drawing.text(_MARGIN, y, name, "head")
                y += _ROW
            for label, spread, _ in entries:
                _dot(drawing, axis, (left, y), label, spread, unit, ours=not name or label == US)
                y += _ROW
            y += 6
        return drawing.render(bottom + 34)


class Lines(Plot):
    """The same thing along an axis, ours and the peers', both axes logarithmic."""

    def draw(self, figures: Sequence[Figure]) -> str | None:
        """Return the SVG, None where there is nothing to draw."""
        mine = [one for one in figures if self.picks(one.name) and one.at is not None]
        lines: dict[str, dict[float, float]] = {}
        for one in mine:
            lines.setdefault(US, {})[one.at or 0.0] = one.ours.middle
            if one.theirs:
                lines.setdefault(one.peer, {})[one.at or 0.0] = one.theirs.middle
        values = [value for points in lines.values() for value in points.values()]
        places = [place for points in lines.values() for place in points]
        if len({*places}) < 2 or min(values) <= 0:
            return None
        return _chart(
            self, {name: sorted(points.items()) for name, points in lines.items()}, mine[0].along, mine[0].unit
        )


class Curves(Plot):
    """Curves of one unit along one thing, both axes straight."""

    def draw(self, curves: Sequence[Curve]) -> str | None:
        """Return the SVG, None where there is nothing to draw."""
        mine = [one for one in curves if self.picks(one.name) and len(one.points) > 1]
        if not mine:
            return None
        lines = {one.peer or (US if len(mine) == 1 else one.name): [*one.points] for one in mine}
        return _chart(self, lines, mine[0].along, mine[0].unit, logarithmic=False)


def _named(figure: Figure) -> str:
    return figure.name + table.place_of(figure)


def _entries(figures: list[Figure]) -> list[tuple[str, Spread, str]]:
    """Return ours and the peers', the cheapest first, as (who, how much, unit)."""
    first = figures[0]
    peers = [(one.peer, one.theirs, one.unit) for one in figures if one.theirs is not None]
    return sorted([(US, first.ours, first.unit), *peers], key=lambda entry: entry[1].middle)


def _begin(plot: Plot) -> tuple[Drawing, float]:
    drawing = Drawing(WIDTH, title=plot.title)
    drawing.text(_MARGIN, 30, plot.title, "title")
    drawing.text(_MARGIN, 50, plot.note, "note")
    return drawing, 72.0


def _upright(drawing: Drawing, axis: scale.Scale, top: float, bottom: float, unit: str) -> None:
    """Draw the lines and values of a horizontal axis, its unit at the end."""
    for tick in axis.ticks():
        drawing.line((axis(tick), top - 4), (axis(tick), bottom), "grid")
        drawing.text(axis(tick), bottom + 18, f"{tick:,.10g}", "note", "middle")
    drawing.text(WIDTH - _MARGIN, bottom + 18, unit, "note", "end")


def _dot(
    drawing: Drawing,
    axis: scale.Scale,
    place: tuple[float, float],
    label: str,
    spread: Spread,
    unit: str,
    *,
    ours: bool,
) -> None:
    left, y = place
    kind: Class = "ours" if ours else "peer"
    drawing.text(left - 14, y, label, kind if label == US or not ours else "label", "end")
    drawing.line((axis(max(spread.low, axis.low)), y - 4), (axis(max(spread.high, axis.low)), y - 4), kind)
    drawing.mark(axis(max(spread.middle, axis.low)), y - 4, kind)
    drawing.text(WIDTH - _MARGIN, y, table.amount(spread.middle, unit), "ours" if kind == "ours" else "value", "end")


def _chart(
    plot: Plot, lines: dict[str, list[tuple[float, float]]], along: str, unit: str, *, logarithmic: bool = True
) -> str:
    """Return lines over a horizontal axis, each with its name at its end."""
    drawing, top = _begin(plot)
    top += 16
    bottom, left = top + 280, _MARGIN + 64
    right = WIDTH - _MARGIN - max(width_of(name) for name in lines) - 16
    kind = scale.logarithmic if logarithmic else scale.straight
    across = kind([place for points in lines.values() for place, _ in points], left, right)
    up = kind([value for points in lines.values() for _, value in points], bottom, top)
    for tick in up.ticks():
        drawing.line((left, up(tick)), (right, up(tick)), "grid")
        drawing.text(left - 10, up(tick) + 4, f"{tick:,.10g}", "note", "end")
    for tick in across.ticks():
        drawing.text(across(tick), bottom + 20, f"{tick:,.10g}", "note", "middle")
    drawing.text(right + 12, bottom + 20, along, "note")
    drawing.text(left - 10, top - 8, unit, "note", "end")
    ends = _apart([(up(points[-1][1]) + 4, name) for name, points in lines.items()])
    for name, points in sorted(lines.items(), key=lambda line: line[0] == US):
        whose: Class = "ours" if name == US or len(lines) == 1 else "peer"
        drawing.path([(across(place), up(value)) for place, value in points], whose)
        if len(points) <= 12:
            for place, value in points:
                drawing.mark(across(place), up(value), whose)
        drawing.text(across(points[-1][0]) + 12, ends[name], name, whose)
    return drawing.render(bottom + 36)


def _apart(ends: list[tuple[float, str]]) -> dict[str, float]:
    """Return where the names at the ends of lines stand, so that none is upon another."""
    found: dict[str, float] = {}
    before = float("-inf")
    for y, name in sorted(ends):
        before = found[name] = max(y, before + 16)
    return found
