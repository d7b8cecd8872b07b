"""A family as bytes: many lines at a time from a source, or line by line from its points."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.metrics.lines import created_head, exemplar_text, head, point_lines
from runtime_exporter.metrics.refresh import refreshed
from runtime_exporter.metrics.rows import Rows
from runtime_exporter.metrics.source import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from runtime_exporter.metrics.blocks import Block
    from runtime_exporter.metrics.metric import Metric
    from runtime_exporter.metrics.source import Column, Source


class Page(NamedTuple):
    """What of a family is the same in each scrape."""

    head: bytes
    rows: Rows
    places: list[int]
    """Which of the source's columns stand in the rows; none where no line was chosen."""
    begun: bool
    """Whether the creation of a child is the last line of its rows."""
    apart: tuple[bytes, Rows] | None
    """Head and rows of the creation where it stands apart."""


def source_bytes(source: Source, openmetrics: bool, names: Collection[str] | None) -> Iterator[bytes]:
    """Yield a family piece by piece; with `names`, only its samples that are called so, or all if it is itself."""
    page = _page(source, openmetrics, names)
    blocks = source.blocks()
    if page.places or page.begun:
        exemplified = openmetrics and source.exemplified()
        yield page.head
        for block in blocks:
            numbers = source.read(block)
            if source.one_line and not page.begun and not exemplified:
                yield refreshed(block, source.values(numbers), page.rows)
                continue
            columns = source.columns(numbers)
            if exemplified:
                _add_exemplars(source, block, columns)
            columns = [columns[place] for place in page.places]
            if page.begun:
                columns.append(source.created_column(numbers))
            yield page.rows.write(block.labels, columns)
        yield b"\n"
    if page.apart and blocks:
        begun, rows = page.apart
        yield begun
        for block in blocks:
            yield rows.write(block.labels, [source.created_column(source.read(block))])
        yield b"\n"


def point_bytes(metric: Metric, openmetrics: bool, names: Collection[str] | None) -> Iterator[bytes]:
    """Yield a family of ours from its points."""
    family = metric.family
    lines, created = point_lines(family, [*family.children.values()], openmetrics, _choice(family.name, names))
    if lines or names is None:
        yield _head(head(family, openmetrics))
        yield "".join(lines).encode()
        yield b"\n"
    if created:
        yield _head(created_head(family))
        yield "".join(created).encode()
        yield b"\n"


def _choice(name: str, names: Collection[str] | None) -> Callable[[str], bool]:
    if names is None or name in names:
        return lambda _: True
    return names.__contains__


def _page(source: Source, openmetrics: bool, names: Collection[str] | None) -> Page:
    """Return the page of a family; the one that the last scrape had where nothing is restricted."""
    if names is not None:
        return _new_page(source, openmetrics, _choice(source.family.name, names))
    kept = source.kept.pages
    key = (openmetrics, source.created)
    page = kept.get(key)
    if page is None:
        page = kept[key] = _new_page(source, openmetrics, lambda _: True)
    return page


def _new_page(source: Source, openmetrics: bool, chosen: Callable[[str], bool]) -> Page:
    family = source.family
    lines = source.lines()
    places = [place for place, line in enumerate(lines) if chosen(line.name)]
    rows = [lines[place] for place in places]
    begun = [Line(f"{family.name}_created")] if source.created and chosen(f"{family.name}_created") else []
    if openmetrics:
        return Page(
            _head(head(family, openmetrics)), _rows(source, [*rows, *begun]), places, begun=bool(begun), apart=None
        )
    apart = (_head(created_head(family)), _rows(source, begun)) if begun else None
    return Page(_head(head(family, openmetrics)), _rows(source, rows), places, begun=False, apart=apart)


def _head(text: str) -> bytes:
    return text.encode("utf-8", "replace")


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
    if not source.one_line:
        return Rows(lines, ("",), "")
    return Rows(lines, [f'{names[0]}="', *(f'",{name}="' for name in names[1:])], '"')
