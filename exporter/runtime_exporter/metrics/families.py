"""Our own families as bytes: from their cells, many lines at a time, and where that cannot be, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.metrics.blocks import ONE_LINE, blocks_of
from runtime_exporter.metrics.columns import Kind, created_column, first_cells, kind_of
from runtime_exporter.metrics.lines import created_head, exemplar_text, head, point_lines
from runtime_exporter.metrics.metric import created_enabled
from runtime_exporter.metrics.refresh import refreshed
from runtime_exporter.metrics.rows import Line, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from runtime_exporter.metrics.blocks import Block
    from runtime_exporter.metrics.columns import Column
    from runtime_exporter.metrics.family import Family
    from runtime_exporter.metrics.metric import Metric


def family_bytes(metric: Metric, openmetrics: bool, names: Collection[str] | None) -> Iterator[bytes]:
    """Yield a family of ours piece by piece; with `names`, only its samples that are called so, or all if it is itself."""
    family = metric.family
    chosen = _choice(family, names)
    kind = kind_of(metric)
    blocks = blocks_of(family) if kind else []
    if kind is None or family.computed:
        body = _line_by_line(family, openmetrics, chosen)
    else:
        body = _from_cells(metric, kind, blocks, openmetrics, chosen)
    yield from _under(head(family, openmetrics), body, always=names is None)
    if kind and kind.created and created_enabled() and not openmetrics:
        line = _created_line(family)
        if chosen(line.name):
            rows = _rows(family, [line])
            created = (rows.write(block.labels, [created_column(metric, block.read())]) for block in blocks)
            yield from _under(created_head(family), created, always=names is None)


def _choice(family: Family, names: Collection[str] | None) -> Callable[[str], bool]:
    if names is None or family.name in names:
        return lambda _: True
    return names.__contains__


def _under(heading: str, body: Iterator[bytes], *, always: bool) -> Iterator[bytes]:
    """Yield lines with their heading; `always`, or only where there are lines."""
    first = next(body, None)
    if first is None and not always:
        return
    yield heading.encode("utf-8", "replace")
    if first is not None:
        yield first
    yield from body
    yield b"\n"


def _line_by_line(family: Family, openmetrics: bool, chosen: Callable[[str], bool]) -> Iterator[bytes]:
    for line in point_lines(family, [*family.children.values()], openmetrics, chosen):
        yield line.encode()


def _from_cells(
    metric: Metric, kind: Kind, blocks: list[Block], openmetrics: bool, chosen: Callable[[str], bool]
) -> Iterator[bytes]:
    family = metric.family
    created = kind.created and openmetrics and created_enabled()
    exemplified = openmetrics and family.exemplified
    lines = [*kind.lines(metric), *[_created_line(family)] * created]
    places = [place for place, line in enumerate(lines) if chosen(line.name)]
    if not places:
        return
    rows = _rows(family, [lines[place] for place in places])
    one_value = family.type in ONE_LINE and not created and not exemplified
    for block in blocks:
        cells = block.read()
        if one_value:
            yield refreshed(block, first_cells(metric, cells), rows)
            continue
        columns = kind.columns(metric, cells)
        if exemplified:
            _add_exemplars(kind, block, columns)
        if created:
            columns.append(created_column(metric, cells))
        yield rows.write(block.labels, [columns[place] for place in places])


def _add_exemplars(kind: Kind, block: Block, columns: list[Column]) -> None:
    """Write exemplars behind the values that have one: of a counter the only, of a histogram some of its buckets."""
    for index, child in enumerate(block.children):
        for place, exemplar in kind.exemplars(child):
            columns[place][index] += exemplar_text(exemplar)


def _created_line(family: Family) -> Line:
    return Line(f"{family.name}_created")


def _rows(family: Family, lines: Sequence[Line]) -> Rows:
    names = family.labelnames
    if not names:
        return Rows(lines, (), "")
    if family.type not in ONE_LINE:
        return Rows(lines, ("",), "")
    return Rows(lines, [f'{names[0]}="', *(f'",{name}="' for name in names[1:])], '"')
