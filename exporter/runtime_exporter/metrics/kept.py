"""What the exposition keeps of a family from scrape to scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime_exporter.metrics.rows import Rows


class Part(NamedTuple):
    """Lines of a family that stand under one head."""

    head: bytes
    rows: Rows
    places: list[int]
    """Which of the source's columns stand in the rows."""
    created: bool = False
    """Whether it is the creation of children, which the text format has apart."""


class Kept:
    """The blocks of its children, and what of it is the same each time."""

    __slots__ = ("blocks", "pages")

    def __init__(self) -> None:
        self.blocks: Sequence[Any] = ()
        self.pages: dict[tuple[bool, bool], list[Part]] = {}
        """By whether it is OpenMetrics, and whether the creation of children is exposed."""
