"""A user's own alerts: what their YAML says about any metric, checked and made complete for rules/lib/custom.libsonnet.

customAlerts:
  ShopOrdersFailing:                       # CamelCase, not the name of an alert of ours
    metric: shop_orders_total              # metric, operator and threshold …
    selector: {status: failed}             #   a mapping, or matchers as PromQL writes them: 'status=~"fail.*"'
    function: increase                     #   any function over a window: rate, increase, max_over_time, …
    window: 10m
    aggregation: sum                       #   and across series: sum, max, …
    by: [job]
    operator: ">"
    threshold: 5
    for: 5m
    severity: critical
  ShopQueueStuck:
    expression: shop_queue_length > 100 unless rate(shop_orders_total[5m]) > 0        # … or an expression
"""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config, promql
from runtime_exporter.mixin.custom_fields import FIELDS, PASSED_ON, bare_matchers
from runtime_exporter.mixin.template import labels_named, template_error
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_DEFAULT_WINDOW = "5m"

# One of the two ways to say what is compared.
_OF_METRIC = ("metric", "selector", "function", "window", "aggregation", "by", "operator", "threshold")

# What Prometheus reads as a template.
_TEMPLATES = ("summary", "description", "suggested_actions", "runbook_url", "dashboard_url", "labels")


def complete(alerts: Mapping[str, Any]) -> dict[str, dict[str, Any] | None]:
    """Return `alerts` checked and with their expression, summary and description written out; null stays null.

    Raises ConfigError at the first thing that is wrong.
    """
    return {name: None if spec is None else _alert(name, spec) for name, spec in alerts.items()}


def refuse_taken(alerts: Collection[str], rules: Iterable[Mapping[str, Any]]) -> None:
    """Raise ConfigError where one of `alerts` has the name of another alert among `rules`, which hold each of ours once."""
    count = collections.Counter(rule.get("alert") for rule in rules)
    for name in alerts:
        if count[name] > 1:
            problem = "is an alert of the mixin already: choose another name (its settings are under alerts)"
            raise config.refuse(("customAlerts", name), name, problem)


def _alert(name: str, spec: Any) -> dict[str, Any]:
    path = ("customAlerts", name)
    if not _NAME.fullmatch(name):
        raise config.refuse(path, name, "is not a name in CamelCase, such as ShopOrdersFailing")
    if not isinstance(spec, dict):
        raise config.refuse(path, spec, "is not a mapping")
    for field, value in spec.items():
        _check_field(path, field, value)
    _check_templates(path, spec)
    expression = _expression(path, spec)
    _check_expression(path, expression, unconditional=bool(spec.get("unconditional")))
    _check_labels(path, spec, expression)
    rest = {field: spec[field] for field in PASSED_ON if spec.get(field) is not None}
    actions = spec.get("suggested_actions") or []
    lines = actions.splitlines() if isinstance(actions, str) else actions
    return {
        "severity": "warning",
        "for": "5m",
        "summary": f"{_words(name)}.",
        "description": _description(spec, expression),
        **rest,
        "expression": expression,
        "suggested_actions": [line.strip().removeprefix("- ") for line in lines if line.strip()],
    }


def _check_field(path: tuple[str, ...], field: str, value: Any) -> None:
    place = (*path, field)
    if field not in FIELDS:
        hint = did_you_mean(field, FIELDS) or f"; known there: {', '.join(FIELDS)}"
        raise config.wrong(place, f"no such key{hint}")
    fits, problem = FIELDS[field]
    if value is not None and not fits(value):
        raise config.refuse(place, value, problem)


def _expression(path: tuple[str, ...], spec: Mapping[str, Any]) -> str:
    """Return the expression that is given, or the one that metric, operator and threshold make."""
    given = [field for field in _OF_METRIC if spec.get(field) is not None]
    if spec.get("expression") is not None:
        if given:
            raise config.wrong(path, f"expression and {given[0]} are both given; one of them says it")
        return str(spec["expression"]).strip()
    missing = [field for field in ("metric", "operator", "threshold") if field not in given]
    if missing:
        raise config.wrong(
            path, f"{' and '.join(missing)} missing: give an expression, or metric, operator and threshold"
        )
    if "by" in given and "aggregation" not in given:
        raise config.wrong((*path, "by"), "needs an aggregation, such as aggregation: sum")
    if "window" in given and "function" not in given:
        raise config.wrong((*path, "window"), "needs a function, such as function: increase")
    return f"{_left_side(spec)} {spec['operator']} {_number_text(spec['threshold'])}"


def _left_side(spec: Mapping[str, Any]) -> str:
    text = str(spec["metric"]) + matchers_text(spec.get("selector"))
    if spec.get("function"):
        text = f"{spec['function']}({text}[{spec.get('window') or _DEFAULT_WINDOW}])"
    if spec.get("aggregation"):
        by = spec.get("by")
        labels = f" by ({', '.join([by] if isinstance(by, str) else by)}) " if by else ""
        text = f"{spec['aggregation']}{labels}({text})"
    return text


def matchers_text(selector: Any) -> str:
    """Return the matchers of a mapping, or of a text as PromQL has it, in braces; an empty text of nothing."""
    if not selector:
        return ""
    if isinstance(selector, str):
        return f"{{{bare_matchers(selector)}}}"
    return "{" + ", ".join(f'{label}="{_escaped(_label_value(value))}"' for label, value in selector.items()) + "}"


def _label_value(value: Any) -> str:
    # YAML makes numbers and truth values of 200 and true; a label's value is text, and in lower case for the latter.
    return str(value).lower() if isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _check_expression(path: tuple[str, ...], expression: str, *, unconditional: bool) -> None:
    place = (*path, "expression")
    wrong = promql.syntax_error(expression)
    if wrong:
        raise config.refuse(place, expression, f"is not PromQL: {wrong}")
    if not unconditional and not promql.compares(expression):
        problem = "compares with nothing, so it would fire for every value; add a comparison such as > 5, or unconditional: true"
        raise config.refuse(place, expression, problem)


def _check_labels(path: tuple[str, ...], spec: Mapping[str, Any], expression: str) -> None:
    """Raise ConfigError where a text names a label that the expression's aggregation has removed: it would be empty."""
    left = promql.labels_left(expression)
    if left is None:
        return
    there = left | {"alertname", "severity", *(spec.get("labels") or {})}
    for field in _TEMPLATES:
        for text in _texts(spec.get(field)):
            for label in labels_named(text):
                if label not in there:
                    kept = f"keeps {', '.join(sorted(left))}" if left else "keeps none"
                    problem = (
                        f"names the label {label}, which the aggregation removes: it {kept}; add {label} to its by"
                    )
                    raise config.refuse((*path, field), text, problem)


def _texts(value: Any) -> list[str]:
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return [text for text in nested if isinstance(text, str)]


def _check_templates(path: tuple[str, ...], spec: Mapping[str, Any]) -> None:
    for field in _TEMPLATES:
        for text in _texts(spec.get(field)):
            wrong = template_error(text)
            if wrong:
                raise config.refuse((*path, field), text, f"is not a template that Prometheus can read: {wrong}")


def _description(spec: Mapping[str, Any], expression: str) -> str:
    """Return what is true of any alert: the value, the condition, the labels that are left."""
    condition = (
        f"{_left_side(spec)} {spec['operator']} {_number_text(spec['threshold'])}" if spec.get("metric") else expression
    )
    shown = " ".join(condition.split()).replace("{{", "{ {").replace("}}", "} }")
    labels = (
        "{{ range $name, $label := $labels }}{{ if ne $name `alertname` }} {{ $name }}={{ $label }}{{ end }}{{ end }}"
    )
    return f"The value is {{{{ $value | humanize }}}}, the condition {shown}; labels:{labels}."


def _number_text(value: Any) -> str:
    number = config.number(value)
    return f"{number:.15g}" if isinstance(number, float) else str(number)


def _words(name: str) -> str:
    """Return "ShopOrdersFailing" as "Shop orders failing"; what is all capitals stays (HTTPErrors: "HTTP errors")."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+", name)
    rest = [word if len(word) > 1 and word.isupper() else word.lower() for word in words[1:]]
    return " ".join([words[0], *rest])
