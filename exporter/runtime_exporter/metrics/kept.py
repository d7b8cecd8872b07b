"""What the exposition keeps of a family from scrape to scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime_exporter.metrics.families import Page


class Kept:
    """The blocks of its children, and what of it is the same each time."""

    __slots__ = ("blocks", "pages")

    def __init__(self) -> None:
        self.blocks: Sequence[Any] = ()
        self.pages: dict[tuple[bool, bool], Page] = {}
        """By whether it is OpenMetrics, and whether the creation of children is exposed."""
