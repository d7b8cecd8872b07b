"""A family as bytes: many lines at a time from a source, or line by line from its points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.metrics.lines import created_head, exemplar_text, head, point_lines
from runtime_exporter.metrics.refresh import refreshed
from runtime_exporter.metrics.rows import Rows
from runtime_exporter.metrics.source import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from runtime_exporter.metrics.blocks import Block
    from runtime_exporter.metrics.metric import Metric
    from runtime_exporter.metrics.source import Column, Source


def source_bytes(source: Source, openmetrics: bool, names: Collection[str] | None) -> Iterator[bytes]:
    """Yield a family piece by piece; with `names`, only its samples that are called so, or all if it is itself."""
    family = source.family
    chosen = _choice(family.name, names)
    blocks = source.blocks()
    lines = [*source.lines]
    begun = Line(f"{family.name}_created")
    if source.created and openmetrics:
        lines.append(begun)
    yield from _under(
        head(family, openmetrics), _lines(source, blocks, lines, openmetrics, chosen), alone=names is None
    )
    if source.created and not openmetrics and chosen(begun.name):
        rows = _rows(source, [begun])
        created = (rows.write(block.labels, [source.created_column(source.read(block))]) for block in blocks)
        yield from _under(created_head(family), created, alone=False)


def point_bytes(metric: Metric, openmetrics: bool, names: Collection[str] | None) -> Iterator[bytes]:
    """Yield a family of ours from its points."""
    family = metric.family
    lines, created = point_lines(family, [*family.children.values()], openmetrics, _choice(family.name, names))
    yield from _under(head(family, openmetrics), map(str.encode, lines), alone=names is None)
    yield from _under(created_head(family), map(str.encode, created), alone=False)


def _choice(name: str, names: Collection[str] | None) -> Callable[[str], bool]:
    if names is None or name in names:
        return lambda _: True
    return names.__contains__


def _under(heading: str, lines: Iterator[bytes], *, alone: bool) -> Iterator[bytes]:
    """Yield lines with their heading, and that where there are none if it may stand `alone`."""
    first = next(lines, None)
    if first is None and not alone:
        return
    yield heading.encode("utf-8", "replace")
    if first is not None:
        yield first
    yield from lines
    yield b"\n"


def _lines(
    source: Source, blocks: Sequence[Block], lines: Sequence[Line], openmetrics: bool, chosen: Callable[[str], bool]
) -> Iterator[bytes]:
    places = [place for place, line in enumerate(lines) if chosen(line.name)]
    if not places:
        return
    rows = _rows(source, [lines[place] for place in places])
    exemplified = openmetrics and source.exemplified()
    for block in blocks:
        numbers = source.read(block)
        if len(lines) == 1 and not exemplified:
            yield refreshed(block, source.values(numbers), rows)
            continue
        columns = source.columns(numbers)
        if exemplified:
            _add_exemplars(source, block, columns)
        if len(lines) > len(columns):
            columns.append(source.created_column(numbers))
        yield rows.write(block.labels, [columns[place] for place in places])


def _add_exemplars(source: Source, block: Block, columns: list[Column]) -> None:
    """Write exemplars behind the values that have one: of a counter the only, of a histogram some of its buckets."""
    for index, child in enumerate(block.children):
        for place, exemplar in source.exemplars(child):
            columns[place][index] += exemplar_text(exemplar)


def _rows(source: Source, lines: Sequence[Line]) -> Rows:
    """Return lines with the holes that `label_columns` fills."""
    names = source.family.labelnames
    if not names:
        return Rows(lines, (), "")
    if len(source.lines) > 1:
        return Rows(lines, ("",), "")
    return Rows(lines, [f'{names[0]}="', *(f'",{name}="' for name in names[1:])], '"')
