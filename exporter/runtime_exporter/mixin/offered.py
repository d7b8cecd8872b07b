"""What of a dashboard a source has data for: panels that could only ever be empty are left out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from runtime_exporter.mixin import contract

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from runtime_exporter.mixin.sources import Source

_Row = TypeVar("_Row")


def rows(given: Iterable[_Row], source: Source, exposed: Collection[str] = ()) -> list[_Row]:
    """Return rows of panels without the queries that `source` has no metric for, and without what is then empty.

    `exposed`: metrics that are there whatever the source is.
    """
    kept: list[Any] = []
    for row in given:
        each: Any = row
        panels = tuple(panel for panel in each.panels if _kept(panel, source, exposed))
        if panels:
            kept.append(dataclasses.replace(each, panels=panels))
    return kept


def _kept(panel: Any, source: Source, exposed: Collection[str]) -> bool:
    """Take the queries without data out of a panel; return whether any is left.

    A table keeps all: its columns are joined by the place of their query, and one without data is left empty.
    """
    left = [target for target in panel.targets if _answered(target["expr"], source, exposed)]
    if left and type(panel).__name__ != "Table":
        panel.targets[:] = left
    return bool(left)


def _answered(expression: str, source: Source, exposed: Collection[str]) -> bool:
    return all(name in exposed or source.has(name) for name in contract.names_of(expression))
