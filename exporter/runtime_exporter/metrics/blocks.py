"""The series of a family in the order of their birth, some at a time: what the exposition reads and writes at once.

A few hundred series are read with one copy and written with one join: enough that what it takes to begin is divided by
many, few enough that all of it stays in a core's cache and that no scrape allocates pages that the next one faults in
again. A block lasts from scrape to scrape while its series are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from runtime_exporter.metrics.family import escape_value, label_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runtime_exporter.metrics.kept import Part


class Written(NamedTuple):
    """What a block said when it was written last."""

    numbers: bytes
    """What was read."""
    created: bool
    """Whether that the series began was exposed."""
    texts: str
    """What was made of it, column by column, with a space between two; empty where most of it had changed."""
    part: Part | None = None
    """Where a small block stood; None for others."""
    lines: bytes = b""
    """What was written there."""


class Block:
    """Some series of a family, and for each hole that a line has for labels what stands there, series by series."""

    __slots__ = ("children", "labels", "plain", "written")

    def __init__(self, children: list[Any], labels: list[Sequence[str]]) -> None:
        self.children = children
        self.labels = labels
        self.plain = bool(labels) and not any("%" in "".join(column) for column in labels)
        """Whether there are labels, of which none has the character that begins a conversion."""
        self.written: Written | None = None


BLOCK_SERIES: Final = 1024
"""Children of a block at most."""

B = TypeVar("B", bound=Block)


def renewed(
    known: Sequence[B], children: dict[tuple[str, ...], Any], size: int, make: Callable[[list[Any]], B]
) -> Sequence[B]:
    """Return the blocks of a family that has these children now: the known ones where nothing changed."""
    if _as_they_were(known, children):
        return known
    now = list(children.values())
    size = min(size, BLOCK_SERIES)
    blocks = []
    for number, begin in enumerate(range(0, len(now), size)):
        some = now[begin : begin + size]
        # Compares identities: metrics define no equality.
        same = number < len(known) and known[number].children == some
        blocks.append(known[number] if same else make(some))
    return blocks


def _as_they_were(known: Sequence[Block], children: dict[tuple[str, ...], Any]) -> bool:
    """Return whether children are those of the known blocks, without a look at each.

    A child that comes is the last one: where there are as many as there were and the last is the same, none came, so
    none went. The blocks hold the last one, so that no other has its identity.
    """
    if not known or sum([len(block.children) for block in known]) != len(children):
        return False
    try:
        return next(reversed(children.values()), None) is known[-1].children[-1]
    except RuntimeError:  # another thread made one between the two
        return False


def label_columns(names: Sequence[str], values: Iterable[tuple[str, ...]], *, one_line: bool) -> list[Sequence[str]]:
    """Return what stands in the holes for labels.

    Where a child has `one_line`, that has a hole for each label: the values are there, and nothing is kept for a child.
    Of more lines each has one hole for the text of all labels, which is made once.
    """
    if not names:
        return []
    if one_line:
        return [_escaped(column) for column in zip(*values, strict=True)]
    return [[label_string(names, each) for each in values]]


def _escaped(values: tuple[str, ...]) -> Sequence[str]:
    # Nearly always nothing is to be escaped, which is seen of all at once.
    together = "".join(values)
    return values if escape_value(together) == together else [*map(escape_value, values)]
