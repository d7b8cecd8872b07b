"""Where panels stand: Grafana's grid of 24 columns, filled from left to right, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLUMNS = 24


@dataclass(frozen=True)
class Size:
    """Width in columns (1 to 24) and height in grid units of 30 pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class Place:
    """A panel's upper left corner and its size."""

    x: int
    y: int
    size: Size


def flow(sizes: Iterable[Size], top: int) -> Iterator[Place]:
    """Place boxes from left to right below `top`, each line as high as its highest box."""
    x, y, line_height = 0, top, 0
    for size in sizes:
        if x + size.width > COLUMNS:
            x, y, line_height = 0, y + line_height, 0
        yield Place(x, y, size)
        x += size.width
        line_height = max(line_height, size.height)


def bottom(places: Iterable[Place], top: int) -> int:
    """Return the first free line below `places`, `top` where there are none."""
    return max((place.y + place.size.height for place in places), default=top)
