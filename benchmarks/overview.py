"""The first drawing of docs/performance.md: a row for each promise, and at one look which are kept, by how much, and which are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import table
from benchmarks.promises import better
from benchmarks.scale import Scale
from benchmarks.svg import Class, Drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Verdict
    from benchmarks.promises import Told

_WIDTH, _MARGIN, _ROW = 960, 20, 25
_TEXT = _MARGIN + 30
_AXIS = (442.0, 736.0)
_WORST, _KEPT = 872.0, float(_WIDTH - _MARGIN)
_LEAST, _MOST = 0.25, 64.0
"""How far from what was promised is drawn; what is further stands at the end."""
_TICKS = {0.25: "1/4", 0.5: "", 1.0: "as promised", 4.0: "4", 16.0: "16", 64.0: "64 times"}
CLASS: dict[Verdict, Class] = {"HOLDS": "holds", "NOT RESOLVED": "open", "DOES NOT HOLD": "fails"}


def draw(parts: Sequence[tuple[str, Sequence[Told]]]) -> str | None:
    """Return the SVG; None where nothing was promised."""
    if not parts:
        return None
    drawing = Drawing(_WIDTH, title="What was promised, and what was measured")
    drawing.text(_MARGIN, 32, "What was promised, and what was measured", "title")
    _legend(drawing, 56.0)
    top = 104.0
    bottom = top + sum(len(told) * _ROW + 38 for _, told in parts) - 12
    axis = Scale(_LEAST, _MOST, *_AXIS, logarithmic=True)
    _frame(drawing, axis, top, bottom)
    y = top + 16
    for title, told in parts:
        drawing.text(_MARGIN, y, title, "head")
        y += _ROW + 1
        for one in told:
            _row(drawing, axis, one, y)
            y += _ROW
        y += 12
    return drawing.render(bottom + 46)


def _frame(drawing: Drawing, axis: Scale, top: float, bottom: float) -> None:
    """Draw what the rows stand in: where it is worse than promised, the axis, the heads of the columns."""
    drawing.area((axis.start, top - 8), (axis(1.0), bottom))
    for tick, name in _TICKS.items():
        drawing.line((axis(tick), top - 8), (axis(tick), bottom), "goal" if tick == 1 else "grid")
        drawing.text(axis(tick), bottom + 18, name, "note", "middle")
    drawing.text(axis.start, top - 18, "worse", "note")
    drawing.text(axis.end, top - 18, "better than promised", "note", "end")
    drawing.text(_WORST, top - 18, "worst", "note", "end")
    drawing.text(_KEPT, top - 18, "goals kept", "note", "end")


def _row(drawing: Drawing, axis: Scale, one: Told, y: float) -> None:
    """Draw one promise: its verdict, its sentence, each of its goals on the axis, and the worst in figures."""
    kind = CLASS[one.verdict]
    drawing.mark(_MARGIN + 12, y - 4, kind)
    drawing.text(_TEXT, y, one.text, "label")
    places = [axis(min(better(judged), _MOST)) for judged in one.judged]
    worst = axis(min(better(one.worst), _MOST))
    drawing.line((min(places), y - 4), (max(places), y - 4), kind)
    for place in places:
        drawing.line((place, y - 8), (place, y), kind)
    drawing.mark(worst, y - 4, kind)
    drawing.text(_WORST, y, table.measured_middle(one.worst), "value", "end")
    drawing.text(_KEPT, y, f"{one.held} of {len(one.judged)}", kind, "end")


def _legend(drawing: Drawing, y: float) -> None:
    x = float(_MARGIN + 12)
    for verdict, kind in CLASS.items():
        drawing.mark(x, y - 4, kind)
        drawing.text(x + 13, y, verdict, kind)
        x += 50 + 9 * len(verdict)
    drawing.text(x, y, "a stroke is a goal, the mark the worst of them", "note")
