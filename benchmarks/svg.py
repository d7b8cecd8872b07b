"""A drawing as SVG: text, lines and marks in a few classes, legible on a light and on a dark page."""

from __future__ import annotations

from html import escape
from typing import Final, Literal

Class = Literal["ours", "peer", "title", "note", "label", "value", "head", "grid", "goal", "holds", "fails", "open"]

# A page that shows a drawing as an image has no say in its colours: they follow the reader's own setting, and the ground is drawn, too.
_STYLE: Final = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; --ground: #ffffff; --ink: #1f2328;
 --faint: #59636e; --grid: #d8dee4; --ours: #0969da; --peer: #8a939d; --holds: #1a7f37; --fails: #cf222e; --open: #9a6700; }
@media (prefers-color-scheme: dark) { svg { --ground: #0d1117; --ink: #e6edf3; --faint: #9198a1; --grid: #2d333b; --ours: #58a6ff;
 --peer: #7d8590; --holds: #3fb950; --fails: #ff7b72; --open: #d29922; } }
.ground { fill: var(--ground) }
text { fill: var(--ink) }
text.title { font-size: 16px; font-weight: 600 }
text.head { font-weight: 600 }
text.note, text.peer { fill: var(--faint) }
text.note { font-size: 12px }
text.value { font-variant-numeric: tabular-nums }
text.ours { fill: var(--ours); font-weight: 600; font-variant-numeric: tabular-nums }
text.holds { fill: var(--holds) } text.fails { fill: var(--fails) } text.open { fill: var(--open) }
line, path { fill: none; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round }
line.grid { stroke: var(--grid); stroke-width: 1 }
line.goal { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 1 4 }
line.ours, path.ours { stroke: var(--ours) } line.peer, path.peer { stroke: var(--peer) }
line.holds { stroke: var(--holds) } line.fails { stroke: var(--fails) } line.open { stroke: var(--open) }
.mark { stroke-width: 2 }
.mark.ours { fill: var(--ours); stroke: var(--ours) } .mark.peer { fill: var(--peer); stroke: var(--peer) }
.mark.holds { fill: var(--holds); stroke: var(--holds) } .mark.open { fill: var(--ground); stroke: var(--open) }
.area { fill: var(--fails); opacity: 0.07 }
"""
_DIAMOND: Final = ((0, -6), (6, 0), (0, 6), (-6, 0))
_LETTER: Final = 0.56
"""The width of a letter on average, in heights of the font."""


def width_of(text: str, size: float = 13) -> float:
    """Return about how wide a text is, in pixels: a drawing knows no fonts."""
    return len(text) * size * _LETTER


class Drawing:
    """Collects what is drawn. Pixels from the upper left."""

    def __init__(self, width: float, *, title: str) -> None:
        self.width = width
        self._title = title
        self._parts: list[str] = []

    def text(
        self, x: float, y: float, text: str, kind: Class, anchor: Literal["start", "middle", "end"] = "start"
    ) -> None:
        """Write a text whose baseline is at `y`."""
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._parts.append(
            f'<text class="{kind}" x="{_number(x)}" y="{_number(y)}"{where}>{escape(text, quote=False)}</text>'
        )

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: Class) -> None:
        """Draw a straight line."""
        (x1, y1), (x2, y2) = start, end
        places = f'x1="{_number(x1)}" y1="{_number(y1)}" x2="{_number(x2)}" y2="{_number(y2)}"'
        self._parts.append(f'<line class="{kind}" {places}/>')

    def path(self, points: list[tuple[float, float]], kind: Class) -> None:
        """Draw a line through all of these."""
        places = " L".join(f"{_number(x)} {_number(y)}" for x, y in points)
        self._parts.append(f'<path class="{kind}" d="M{places}"/>')

    def mark(self, x: float, y: float, kind: Class) -> None:
        """Draw a dot; of what does not hold a cross, of what is open a hollow diamond: they are told apart without their colours."""
        if kind == "fails":
            for slope in (-4, 4):
                self.line((x - 4, y - slope), (x + 4, y + slope), kind)
        elif kind == "open":
            corners = " ".join(f"{_number(x + right)},{_number(y + down)}" for right, down in _DIAMOND)
            self._parts.append(f'<polygon class="mark {kind}" points="{corners}"/>')
        else:
            self._parts.append(f'<circle class="mark {kind}" cx="{_number(x)}" cy="{_number(y)}" r="4.5"/>')

    def area(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Tint a rectangle, given by its upper left and lower right corners."""
        (x1, y1), (x2, y2) = start, end
        places = f'x="{_number(x1)}" y="{_number(y1)}" width="{_number(x2 - x1)}" height="{_number(y2 - y1)}"'
        self._parts.append(f'<rect class="area" {places}/>')

    def render(self, height: float) -> str:
        """Return the SVG."""
        size = f"{_number(self.width)} {_number(height)}"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{_number(self.width)}" height="{_number(height)}" role="img">'
        ground = '<rect class="ground" width="100%" height="100%" rx="6"/>'
        parts = [
            head,
            f"<title>{escape(self._title)}</title>",
            f"<style>{_STYLE}</style>",
            ground,
            *self._parts,
            "</svg>",
        ]
        return "\n".join(parts) + "\n"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
