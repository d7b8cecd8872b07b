"""What each key of a business metric, and of its alert, may hold: one row a key, with what to say where it does not fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config
from runtime_exporter.mixin.custom import matchers_text
from runtime_exporter.mixin.custom_fields import FIELDS as OF_ALERTS

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("counter", "gauge", "histogram")
PER = ("second", "minute", "hour")
AGGREGATIONS = ("sum", "max", "min", "avg")

# Ids of Grafana's value formats, and its ways to make one: suffix:items, currency:kr, si:W.
_UNIT = re.compile(r"[A-Za-z][A-Za-z0-9]*|(?:prefix|suffix|time|si|count|currency|bool):\S.*")
_LONGEST_TITLE = 60

Row = tuple["Callable[[Any], bool]", str]


def matchers(selector: Any) -> str:
    """Return label matchers as PromQL writes them, without braces, of a mapping or a text; an empty text of nothing."""
    return matchers_text(selector)[1:-1]


def _one_of(*choices: str) -> Row:
    return (lambda value: value in choices), f"is not one of {', '.join(choices)}"


def _is_line(value: Any) -> bool:
    """Return whether `value` is one line of text for people: what is between braces would be a template in an annotation."""
    return isinstance(value, str) and value.strip() != "" and not re.search(r"\{\{|[\n\r|`]", value)


def _is_title(value: Any) -> bool:
    return _is_line(value) and len(value) <= _LONGEST_TITLE


def _is_unit(value: Any) -> bool:
    return isinstance(value, str) and _UNIT.fullmatch(value) is not None


def _is_quantile(value: Any) -> bool:
    share = config.number(value)
    return share is not None and 0 < share < 1


FIELDS: dict[str, Row] = {
    "metric": OF_ALERTS["metric"],
    "title": (_is_title, f"is not a line of text of at most {_LONGEST_TITLE} characters without {{{{, | and `"),
    "description": (_is_line, "is not a line of text without {{, | and `"),
    "kind": _one_of(*KINDS),
    "unit": (_is_unit, "is not the id of a unit of Grafana, such as short, s, bytes, currencyEUR or suffix:items"),
    "per": _one_of(*PER),
    "by": OF_ALERTS["by"],
    "selector": OF_ALERTS["selector"],
    "aggregation": _one_of(*AGGREGATIONS),
    "quantile": (_is_quantile, "is not a number between 0 and 1, such as 0.95"),
    "alert": (lambda value: isinstance(value, dict), "is not a mapping such as {below: 1, for: 15m}"),
}
ALERT_FIELDS: dict[str, Row] = {
    "above": OF_ALERTS["threshold"],
    "below": OF_ALERTS["threshold"],
    **{key: OF_ALERTS[key] for key in ("for", "keepFiringFor", "severity", "enabled")},
}
