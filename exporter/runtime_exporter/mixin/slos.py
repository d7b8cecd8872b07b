"""A user's service level objectives (`slos`), checked: what lib/objectives.libsonnet makes rules of.

slos:
  checkout-availability:
    selector: job="shop", http_route="/orders"
    objective: 0.9995
    period: 28d
  search-latency:
    sli: latency
    selector: http_route="/search"
    by: route                              # a budget for each route of each service; job: one for the service
    threshold: 250ms                       # a bound of the durations' buckets: slo.buckets
    objective: 0.99
  payments:
    sli: custom
    events: shop_payments_total
    badEvents: shop_payments_total{status="failed"}
    objective: 0.999
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config, promql
from runtime_exporter.mixin.duration import seconds
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEYS = (
    "sli", "objective", "period", "selector", "by", "threshold", "events", "badEvents", "alert", "windows",
)  # fmt: skip
SLIS = ("availability", "latency", "custom")
LEVELS = ("job", "route")
BUILT_IN = ("availability", "latency")

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_COUNTER = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?P<matchers>.*)\})?", re.DOTALL)
# What each kind needs beside the objective, and what belongs to the other kinds.
_OWN = {"availability": (), "latency": ("threshold",), "custom": ("events", "badEvents")}


def check(slos: Mapping[str, Any], effective: Mapping[str, Any]) -> None:
    """Raise ConfigError at the first objective that is wrong, or that no alert could ever tell.

    `effective` is the whole configuration with the user's overrides in it.
    """
    _check_buckets((effective["slo"] or {}).get("buckets"))
    for name, spec in slos.items():
        if spec is not None:
            _check_one(name, spec, effective)
    latency = (effective["slo"] or {}).get("latency")
    if latency and latency["enabled"]:
        _check_objective(("slo", "latency"), latency["objective"])
        _check_threshold(("slo", "latency"), latency["threshold"], effective["slo"]["buckets"])
        _check_reachable(("slo", "latency"), latency, effective)


def _check_buckets(bounds: Any) -> None:
    if not bounds or sorted(set(bounds)) != list(bounds) or bounds[0] <= 0:
        raise config.refuse(
            ("slo", "buckets"), bounds, "is not a list of seconds, each more than the one before, such as [0.1, 0.5, 1]"
        )


def _check_one(name: str, spec: Any, effective: Mapping[str, Any]) -> None:
    path = ("slos", name)
    if not _NAME.fullmatch(name):
        raise config.refuse(path, name, "is not a name in lower case with hyphens, such as checkout-latency")
    if name in BUILT_IN:
        raise config.refuse(path, name, f"is the objective that every service has: its settings are under slo.{name}")
    _check_keys(path, spec)
    sli = _choice(path, spec, "sli", SLIS)
    _choice(path, spec, "by", LEVELS)
    _check_keys_of(path, spec, sli)
    if "objective" not in spec:
        raise config.wrong(path, "objective missing: the share of good events, as 0.999")
    _check_objective(path, spec["objective"])
    _check_period(path, spec.get("period", "30d"))
    if sli == "latency":
        _check_threshold(path, spec["threshold"], effective["slo"]["buckets"])
    if sli == "custom":
        for key in _OWN["custom"]:
            _check_counter((*path, key), spec[key])
    _check_selector(path, spec.get("selector", ""), effective)
    if not isinstance(spec.get("alert", True), bool):
        raise config.refuse((*path, "alert"), spec["alert"], "is not true or false")
    _check_reachable(path, spec, effective)


def _check_keys(path: tuple[str, ...], spec: Any) -> None:
    if not isinstance(spec, dict):
        raise config.refuse(path, spec, "is not a mapping")
    for key in spec:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f"; known there: {', '.join(KEYS)}"
            raise config.wrong((*path, key), f"no such key{hint}")


def _choice(path: tuple[str, ...], spec: Mapping[str, Any], key: str, choices: Sequence[str]) -> str:
    value = spec.get(key, choices[0])
    if value not in choices:
        problem = f"is not one of {', '.join(choices)}{did_you_mean(str(value), choices)}"
        raise config.refuse((*path, key), value, problem)
    return str(value)


def _check_keys_of(path: tuple[str, ...], spec: Mapping[str, Any], sli: str) -> None:
    for key in _OWN[sli]:
        if key not in spec:
            raise config.wrong(path, f"{key} missing: sli {sli} needs it")
    foreign = {key for other, keys in _OWN.items() if other != sli for key in keys}
    if sli == "custom":
        foreign.add("selector")
    for key in sorted(foreign & set(spec)):
        raise config.wrong((*path, key), f"sli {sli} has no such key")


def _check_objective(path: tuple[str, ...], value: Any) -> None:
    share = config.number(value)
    if share is None or not 0 < share < 1:
        percent = f"; write {share / 100:g} for {share:g} %" if share is not None and 1 < share < 100 else ""  # noqa: PLR2004 - percent
        problem = f"must lie between 0 and 1, as 0.999: at 1 there is no budget at all{percent}"
        raise config.refuse((*path, "objective"), value, problem)


def _check_period(path: tuple[str, ...], value: Any) -> None:
    if not config.is_duration(value) or seconds(value) < seconds("1d"):
        raise config.refuse((*path, "period"), value, "is not a duration of a day or more, such as 28d or 30d")


def _check_threshold(path: tuple[str, ...], value: Any, buckets: Sequence[float]) -> None:
    place = (*path, "threshold")
    if not config.is_duration(value):
        raise config.refuse(place, value, "is not a duration such as 250ms or 1s")
    if seconds(value) not in buckets:
        nearest = min(buckets, key=lambda bound: abs(bound - seconds(value)))
        bounds = ", ".join(f"{bound:g}" for bound in buckets)
        problem = (
            f"is no bound of a bucket, so nobody knows how many requests are within it; the nearest is {_text(nearest)} "
            f"(slo.buckets: {bounds} seconds)"
        )
        raise config.refuse(place, value, problem)


def _check_counter(place: tuple[str, ...], value: Any) -> None:
    found = _COUNTER.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found or not promql.is_matchers(found["matchers"] or ""):
        raise config.refuse(place, value, 'is not a counter such as shop_payments_total{status="failed"}')


def _check_selector(path: tuple[str, ...], value: Any, effective: Mapping[str, Any]) -> None:
    place = (*path, "selector")
    config.check_matchers(place, value, 'job="shop", http_route="/orders"')
    kept = [effective["namespaceLabel"], "job", "http_route"]
    if effective["showMultiCluster"]:
        kept.insert(0, effective["clusterLabel"])
    for label, _, _ in promql.matchers(value):
        if label not in kept:
            problem = (
                f"names the label {label}, which is not among those that requests are recorded with: {', '.join(kept)}"
            )
            raise config.refuse(place, value, problem)


def _check_reachable(path: tuple[str, ...], spec: Mapping[str, Any], effective: Mapping[str, Any]) -> None:
    """Raise ConfigError where a burn rate would have to exceed all events being bad."""
    settings = (effective["alerts"] or {}).get("sloBudgetBurn") or {}
    windows = {name: burn for name, burn in (settings.get("windows") or {}).items() if burn}
    named = spec.get("windows")
    if named is not None and (not isinstance(named, list) or not all(isinstance(name, str) for name in named)):
        raise config.refuse((*path, "windows"), named, "is not a list of names")
    for name in named or ():
        if name not in windows:
            hint = did_you_mean(name, windows) or f"; known there: {', '.join(windows)}"
            raise config.refuse((*path, "windows"), name, f"is none of alerts.sloBudgetBurn.windows{hint}")
    if not spec.get("alert", True):
        return
    budget = 1 - float(spec["objective"])
    shares = {
        name: burn["budget"] * seconds(spec.get("period", "30d")) / seconds(burn["long"]) * budget
        for name, burn in windows.items()
        if named is None or name in named
    }
    never = [name for name, share in shares.items() if share >= 1]
    if never:
        fires = ", ".join(name for name in shares if name not in never)
        problem = (
            f"makes {never[0]} ask for {shares[never[0]]:.3g} of all events to be bad, so it can never fire; "
            f"a higher objective, or windows: [{fires}]"
        )
        raise config.refuse((*path, "objective"), spec["objective"], problem)


def _text(bound: float) -> str:
    return f"{bound:g}s" if bound >= 1 else f"{bound * 1000:g}ms"
