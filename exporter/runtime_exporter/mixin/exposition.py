"""What a scrape says of its metrics: the type and the labels of each, against which a configuration can be held."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TYPE_LINE = re.compile(r"# TYPE (\S+) (\w+)")
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?")
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=\"(?:\\.|[^\"\\])*\"")
_SERIES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


class Told(NamedTuple):
    """What a line says of a metric: its type, or of a sample an empty type and its labels, as they are written."""

    name: str
    type: str
    labels: str = ""


def told(text: str) -> Iterator[Told]:
    """Yield what each line of a text exposition, or of a plain list of names, says of a metric."""
    for line in text.splitlines():
        if typed := _TYPE_LINE.match(line):
            yield Told(typed[1], typed[2])
        elif not line.startswith("#") and (sample := _SAMPLE.match(line.strip())):
            yield Told(sample[1], "", sample[2] or "")


@dataclass
class Family:
    """A metric: its type (counter, gauge, histogram, summary, untyped), and the labels that its samples have."""

    type: str
    labels: set[str] = field(default_factory=set)


def families(texts: Iterable[str]) -> dict[str, Family]:
    """Return the metrics of saved scrapes by the name that PromQL knows; a counter of OpenMetrics has its _total there.

    A plain list of names says nothing of types: what it names is untyped.
    """
    found: dict[str, Family] = {}
    for text in texts:
        openmetrics = text.rstrip().endswith("# EOF")
        for line in told(text):
            if line.type:
                name = f"{line.name}_total" if openmetrics and line.type == "counter" else line.name
                found[name] = Family(line.type)
            else:
                _family_of(found, line.name).labels.update(_LABEL.findall(line.labels))
    return found


def _family_of(found: dict[str, Family], sample: str) -> Family:
    for suffix in ("_bucket", "_sum", "_count"):
        family = found.get(sample.removesuffix(suffix)) if sample.endswith(suffix) else None
        if family and suffix in _SERIES.get(family.type, ()):
            return family
    return found.setdefault(sample, Family("untyped"))
