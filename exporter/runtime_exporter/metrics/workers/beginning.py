"""What becomes of cells where a process begins to count by itself: after a fork, without its files, or anew in the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.workers.mapping import lay_copy, lay_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime_exporter.metrics.cells import CellStore

KEPT: Final = ("min", "max", "mostrecent", "livemin", "livemax", "livemostrecent")
"""Modes in which a value that parent and child both have counts once: a fork keeps it."""


def keep_alone(store: CellStore) -> None:
    """Take the cells back from the files, with what is in them."""
    with store.still():
        store.journal = None
        for segment in store.segments:
            if segment.first is not None:
                lay_copy(segment.buffer)
                segment.first = None


def let_go_of_files(store: CellStore) -> None:
    """Have empty memory in the place of the parent's files. Raises OSError where there is none: then it is of the heap.

    Who keeps a view of a cell (the middlewares, of requests that are active) goes on to write into the parent's then.
    """
    for segment in store.segments:
        segment.first = None
    try:
        for segment in store.segments:
            lay_nothing(segment.buffer)
    except OSError:
        for segment in store.segments:
            segment.move()
        for family in store.living_families():
            family.kept.blocks = ()  # they know where the cells were
        raise


def kept(store: CellStore) -> Iterator[tuple[Any, int]]:
    """Yield what a child keeps: states, and values that count once however many processes have them."""
    for family in store.living_families():
        segment, at = family.cells
        yield family, segment.ints[at]
        if family.type == "stateset" or family.mode in KEPT:
            for child in [*family.children.values()]:
                segment, at = child.cells
                yield child, segment.ints[at]


def begin(store: CellStore, values: list[tuple[Any, int]]) -> None:
    """Let all series begin, their cells being empty. values: what `kept` gave before they were."""
    for family in store.living_families():
        for child in [*family.children.values()]:
            child.begin_anew()
    for holder, value in values:
        segment, at = holder.cells
        segment.ints[at] = value


def begin_anew(store: CellStore) -> None:
    """Empty all cells, and let all series begin."""
    values = [*kept(store)]
    for segment in store.segments:
        segment.buffer[:] = bytes(len(segment.buffer))
    begin(store, values)
