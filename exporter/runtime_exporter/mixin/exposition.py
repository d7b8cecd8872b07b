"""What a scrape says of its metrics: the type and the labels of each, against which a configuration can be held."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TYPE_LINE = re.compile(r"# TYPE (\S+) (\w+)")
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?")
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=\"(?:\\.|[^\"\\])*\"")
_SERIES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


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
        for line in text.splitlines():
            typed = _TYPE_LINE.match(line)
            if typed:
                name = f"{typed[1]}_total" if openmetrics and typed[2] == "counter" else typed[1]
                found[name] = Family(typed[2])
            elif not line.startswith("#") and (sample := _SAMPLE.match(line.strip())):
                _family_of(found, sample[1]).labels.update(_LABEL.findall(sample[2] or ""))
    return found


def _family_of(found: dict[str, Family], sample: str) -> Family:
    for suffix in ("_bucket", "_sum", "_count"):
        family = found.get(sample.removesuffix(suffix)) if sample.endswith(suffix) else None
        if family and suffix in _SERIES.get(family.type, ()):
            return family
    return found.setdefault(sample, Family("untyped"))
