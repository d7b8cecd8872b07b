"""A family as bytes: many lines at a time from a source, or line by line from its points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.metrics.kept import Part
from runtime_exporter.metrics.lines import created_head, head, point_lines
from runtime_exporter.metrics.refresh import block_lines
from runtime_exporter.metrics.rows import Rows
from runtime_exporter.metrics.source import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from runtime_exporter.metrics.metric import Metric
    from runtime_exporter.metrics.source import Source


def source_bytes(source: Source, openmetrics: bool, names: Collection[str] | None) -> Iterator[bytes]:
    """Yield a family piece by piece; with `names`, only its samples that are called so, or all if it is itself."""
    page = _page(source, openmetrics, names)
    blocks = source.blocks()
    exemplified = openmetrics and source.exemplified()
    for part in page:
        if part.created and not blocks:
            continue
        yield part.head
        for block in blocks:
            yield block_lines(source, block, part, exemplified=exemplified)
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


def _page(source: Source, openmetrics: bool, names: Collection[str] | None) -> list[Part]:
    """Return the parts of a family; those that the last scrape had where nothing is restricted."""
    if names is not None:
        return _new_page(source, openmetrics, _choice(source.family.name, names))
    kept = source.kept.pages
    key = (openmetrics, source.created)
    page = kept.get(key)
    if page is None:
        page = kept[key] = _new_page(source, openmetrics, lambda _: True)
    return page


def _new_page(source: Source, openmetrics: bool, chosen: Callable[[str], bool]) -> list[Part]:
    family = source.family
    lines = source.lines()
    places = [place for place, line in enumerate(lines) if chosen(line.name)]
    begun = [len(lines)] if source.created and chosen(f"{family.name}_created") else []
    lines.append(Line(f"{family.name}_created"))
    if openmetrics:
        places, begun = places + begun, []
    parts = []
    if places:
        parts.append(Part(_head(head(family, openmetrics)), _rows(source, lines, places), places))
    if begun:
        parts.append(Part(_head(created_head(family)), _rows(source, lines, begun), begun, created=True))
    return parts


def _head(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _rows(source: Source, lines: Sequence[Line], places: Sequence[int]) -> Rows:
    """Return some of the lines with the holes that `label_columns` fills."""
    lines = [lines[place] for place in places]
    names = source.family.labelnames
    if not names:
        return Rows(lines, (), "")
    if not source.one_line:
        return Rows(lines, ("",), "")
    return Rows(lines, [f'{names[0]}="', *(f'",{name}="' for name in names[1:])], '"')
