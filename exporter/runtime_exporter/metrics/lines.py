"""What a family looks like line by line: its head, exemplars, and the samples of what has no cells to be read at once.

Each line begins with a newline and has none at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.metrics.failures import log_failure
from runtime_exporter.metrics.family import escape_value, format_float, label_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.collected import Point
    from runtime_exporter.metrics.family import Family
    from runtime_exporter.metrics.metric import Metric
    from runtime_exporter.metrics.source import Described


def head(family: Described, openmetrics: bool) -> str:
    """Return the HELP, TYPE and UNIT lines of a family, the first without a newline before it."""
    name, kind = family.name, family.type
    documentation = escape_help(family.documentation)
    if openmetrics:
        documentation = documentation.replace('"', r"\"")
        unit = f"\n# UNIT {name} {family.unit}" if family.unit else ""
        return f"# HELP {name} {documentation}\n# TYPE {name} {kind}{unit}"
    if kind == "counter":
        name += "_total"
    elif kind == "info":
        name, kind = name + "_info", "gauge"
    elif kind == "stateset":
        kind = "gauge"
    return f"# HELP {name} {documentation}\n# TYPE {name} {kind}"


def created_head(family: Described) -> str:
    """Return the head of the `_created` samples in the text format, which knows them only as a gauge of their own."""
    return f"# HELP {family.name}_created {escape_help(family.documentation)}\n# TYPE {family.name}_created gauge"


def escape_help(text: str) -> str:
    """Escape a help text as both formats want it."""
    return text.replace("\\", r"\\").replace("\n", r"\n")


def exemplar_text(exemplar: Exemplar) -> str:
    """Return what stands behind the value of a sample that has an exemplar."""
    labels = ",".join(f'{name}="{escape_value(value)}"' for name, value in exemplar.labels.items())
    moment = "" if exemplar.timestamp is None else f" {float(exemplar.timestamp):.3f}"
    return f" # {{{labels}}} {format_float(exemplar.value)}{moment}"


def point_lines(
    family: Family, children: Iterable[Metric], openmetrics: bool, chosen: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """Return the samples of children from their points, whose names are `chosen`, and `_created` that stand elsewhere.

    A child whose function raises is left out.
    """
    lines: list[str] = []
    created: list[str] = []
    for child in children:
        labels = child.label_string
        for suffix, own, value, exemplar in _points(child):
            name = family.name + suffix
            if chosen(name):
                both = ",".join(part for part in (labels, label_string(tuple(own), tuple(own.values()))) if part)
                braces = f"{{{both}}}" if both else ""
                behind = exemplar_text(exemplar) if exemplar and openmetrics else ""
                where = created if suffix == "_created" and not openmetrics else lines
                where.append(f"\n{name}{braces} {format_float(value)}{behind}")
    return lines, created


def _points(child: Metric) -> list[Point]:
    try:
        return [*child.points()]
    except Exception as error:  # noqa: BLE001 - a function of the application's
        log_failure(child, error)
        return []
