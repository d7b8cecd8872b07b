"""What each field of a user's own alert may hold: one row a field, with what to say where it does not fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config, promql

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATORS = (">", ">=", "<", "<=", "==", "!=")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_RESERVED_LABELS = ("severity", "alertname")

_WINDOW_FUNCTIONS = (
    "rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "avg_over_time", "min_over_time", "max_over_time",
    "sum_over_time", "count_over_time", "last_over_time", "stddev_over_time", "stdvar_over_time", "present_over_time",
)  # fmt: skip
_AGGREGATIONS = ("sum", "avg", "min", "max", "count", "stddev", "stdvar", "group")


def bare_matchers(selector: str) -> str:
    """Return label matchers without the braces that people may write around them."""
    return selector.strip().removeprefix("{").removesuffix("}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_labels(value: Any) -> bool:
    return isinstance(value, dict) and all(
        promql.is_label(label) and isinstance(text, (str, int, float)) for label, text in value.items()
    )


def _is_alert_labels(value: Any) -> bool:
    return (
        _is_labels(value)
        and not any(label in value for label in _RESERVED_LABELS)
        and all(map(_is_text, value.values()))
    )


def _is_selector(value: Any) -> bool:
    return _is_labels(value) or (_is_text(value) and promql.is_matchers(bare_matchers(value)))


def _is_label_names(value: Any) -> bool:
    names = [value] if isinstance(value, str) else value
    return isinstance(names, list) and bool(names) and all(promql.is_label(name) for name in names)


def _is_actions(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(map(_is_text, value)))


def _is_one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: value in choices


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_metric(value: Any) -> bool:
    return isinstance(value, str) and _METRIC.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return config.number(value) is not None


def _is_range(value: Any) -> bool:
    return config.is_duration(value) and value != "0"


_DURATION_PROBLEM = "is not a duration such as 30s, 5m or 1h30m"
_TEXT_PROBLEM = "is not a text, or is empty"
FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "expression": (_is_text, _TEXT_PROBLEM),
    "metric": (_is_metric, "is not the name of a metric"),
    "selector": (_is_selector, "is not a mapping of labels to values, nor matchers such as 'status=~\"5..\"'"),
    "function": (_is_one_of(*_WINDOW_FUNCTIONS), f"is not a function over a window: {', '.join(_WINDOW_FUNCTIONS)}"),
    "window": (_is_range, _DURATION_PROBLEM),
    "aggregation": (_is_one_of(*_AGGREGATIONS), f"is not an aggregation: {', '.join(_AGGREGATIONS)}"),
    "by": (_is_label_names, "is not a list of label names"),
    "operator": (
        _is_one_of(*OPERATORS),
        f"is not one of {' '.join(OPERATORS)} (in quotes: YAML reads a bare > otherwise)",
    ),
    "threshold": (_is_number, "is not a number"),
    "for": (config.is_duration, _DURATION_PROBLEM),
    "keepFiringFor": (config.is_duration, _DURATION_PROBLEM),
    "severity": (_is_one_of(*config.SEVERITIES), f"is not a severity: {', '.join(config.SEVERITIES)}"),
    "enabled": (_is_bool, "is not true or false"),
    "unconditional": (_is_bool, "is not true or false"),
    "labels": (_is_alert_labels, f"is not a mapping of label names to texts, without {' and '.join(_RESERVED_LABELS)}"),
    "summary": (_is_text, _TEXT_PROBLEM),
    "description": (_is_text, _TEXT_PROBLEM),
    "suggested_actions": (_is_actions, "is not a list of texts"),
    "runbook_url": (_is_text, _TEXT_PROBLEM),
    "dashboard_url": (_is_text, _TEXT_PROBLEM),
}
PASSED_ON = (
    "severity",
    "for",
    "keepFiringFor",
    "enabled",
    "labels",
    "summary",
    "description",
    "runbook_url",
    "dashboard_url",
)
