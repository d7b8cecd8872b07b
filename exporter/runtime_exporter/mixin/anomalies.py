"""A user's own anomaly bands (`anomalies`): what their YAML says, checked and made complete for rules/lib/anomalies.libsonnet.

anomalies:
  orders: sum by (job) (rate(shop_orders_total[5m]))     # one line: an expression …
  cpu: {signal: cpu, direction: high, severity: warning} # … or a signal that is known, and what differs from `anomaly`
  queue:
    expression: sum by (job) (shop_queue_length)
    strategy: adaptive        # or robust
    season: day               # or week
    deviations: 5             # how far the edges are away, in standard deviations …
    margin: 0.3               #   at least this share of what is expected …
    minDeviation: 20          #   and never less than this, in the signal's unit
    missing: nothing          # or zero: what it means that the series has ended
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config, promql
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTION = "anomalies"

CHOICES: dict[str, tuple[str, ...]] = {
    "signal": ("requests", "errors", "latency", "cpu", "memory"),
    "strategy": ("robust", "adaptive"),
    "direction": ("both", "high", "low"),
    "season": ("week", "day"),
    "missing": ("zero", "nothing"),
    "severity": config.SEVERITIES,
}
"""The keys that hold one of a few words."""

NUMBERS = ("deviations", "margin", "minDeviation")
KEYS = ("expression", *CHOICES, *NUMBERS)
BUILT_IN = ("requests",)
"""Bands that every service has; their settings are under `anomaly`."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_COUNTER = re.compile(r".*_(?:total|count|bucket)")
_PER_TIME = frozenset({"rate", "irate", "increase", "delta", "idelta", "deriv", "resets", "changes"})
_COUNTS = frozenset({"rate", "irate", "increase", "count"})
_SHARES = frozenset({"histogram_quantile", "quantile", "avg", "/"})


def complete(bands: Mapping[str, Any]) -> dict[str, dict[str, Any] | None]:
    """Return `bands` checked, each with what a series that has ended means; null stays null.

    Raises ConfigError at the first thing that is wrong.
    """
    return {name: None if spec is None else _band(name, spec) for name, spec in bands.items()}


def check_defaults(effective: Mapping[str, Any]) -> None:
    """Raise ConfigError where what holds for every band (`anomaly`) is wrong."""
    section = effective.get("anomaly") or {}
    for place in (section, section.get("requests") or {}):
        path = ("anomaly",) if place is section else ("anomaly", "requests")
        for key, value in place.items():
            if key in CHOICES or key in NUMBERS:
                _check_value(path, key, value)


def missing(expression: str) -> str:
    """Return what it means that a series of `expression` has ended: what counts per time is 0 then, a share or a level is nothing."""
    done = promql.operations(expression)
    return "zero" if done & _COUNTS and not done & _SHARES else "nothing"


def _band(name: str, given: Any) -> dict[str, Any]:
    path = (SECTION, name)
    if not _NAME.fullmatch(name):
        problem = "is not a name in lower case, of at most 40 letters, digits and underscores, such as shop_orders"
        raise config.refuse(path, name, problem)
    if name in BUILT_IN:
        raise config.refuse(path, name, f"is a band that every service has: its settings are under anomaly.{name}")
    spec = {"expression": given} if isinstance(given, str) else given
    if not isinstance(spec, dict):
        raise config.refuse(path, given, "is neither an expression nor a mapping")
    _check_keys(path, spec)
    for key in spec:
        if key != "expression":
            _check_value(path, key, spec[key])
    numbers = {key: config.number(spec[key]) for key in NUMBERS if key in spec}
    if "signal" in spec:
        return {**spec, **numbers}
    expression = spec["expression"]
    _check_expression((*path, "expression") if isinstance(given, dict) else path, expression)
    return {"missing": missing(expression), **spec, **numbers, "expression": expression.strip()}


def _check_keys(path: tuple[str, ...], spec: Mapping[str, Any]) -> None:
    for key in spec:
        if key not in KEYS:
            hint = did_you_mean(str(key), KEYS) or f"; known there: {', '.join(KEYS)}"
            raise config.wrong((*path, str(key)), f"no such key{hint}")
    if "expression" in spec and "signal" in spec:
        raise config.wrong(path, "expression and signal are both given; one of them says it")
    if "expression" not in spec and "signal" not in spec:
        raise config.wrong(path, f"expression missing, or a signal: {', '.join(CHOICES['signal'])}")


def _check_value(path: tuple[str, ...], key: str, value: Any) -> None:
    place = (*path, key)
    if key in CHOICES:
        if value not in CHOICES[key]:
            hint = did_you_mean(str(value), CHOICES[key])
            raise config.refuse(place, value, f"is not one of {', '.join(CHOICES[key])}{hint}")
        return
    number = config.number(value)
    if number is None or number < 0:
        raise config.refuse(place, value, "is not a number from 0 upwards")
    if key == "deviations" and number == 0:
        raise config.refuse(place, value, "leaves no room for noise; 3 or more is usual")
    if key == "margin" and number >= 1:
        raise config.refuse(
            place, value, "makes a band that nothing can be below: it is a share of what is expected, below 1"
        )


def _check_expression(place: tuple[str, ...], expression: Any) -> None:
    if not isinstance(expression, str):
        raise config.refuse(place, expression, "is not a text")
    # As the rules use it: a range, or a number, is PromQL, but no signal.
    wrong = promql.syntax_error(expression) or promql.syntax_error(f"({expression}\n) > -Inf < Inf")
    if wrong:
        raise config.refuse(place, expression, f"is not PromQL: {wrong}")
    names = promql.metric_names(expression)
    if not names:
        raise config.refuse(place, expression, "reads no metric")
    counters = sorted(name for name in names if _COUNTER.fullmatch(name))
    if counters and not promql.operations(expression) & _PER_TIME:
        problem = f"is the value of a counter, which only grows: take rate({counters[0]}[5m])"
        raise config.refuse(place, expression, problem)
