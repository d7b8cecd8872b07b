"""A user's business metrics: what their YAML says, checked and made complete for rules/lib/business.libsonnet and the dashboard.

businessMetrics:
  - metric: shop_orders_total              # as it is exposed; of a histogram without _bucket
    title: Orders
    description: Orders received, by what became of them.
    kind: counter                          # counter, gauge or histogram; said by the name where it ends in _total
    unit: short                            # one of Grafana's
    per: minute                            # of a counter: second, minute or hour
    by: [status]                           # labels beside the service's that tell parts of it apart
    selector: {status: placed}             # a mapping, or matchers as PromQL writes them
    alert: {below: 1, for: 15m, severity: warning}        # below, above or both, in the unit of the panel
  - metric: shop_orders_kept
    aggregation: max                       # of a gauge, over the instances of a service: sum, max, min, avg
  - metric: shop_order_value_euros
    kind: histogram
    unit: currencyEUR
    quantile: 0.9                          # of a histogram: what is shown beside the median, and what alerts compare
"""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config
from runtime_exporter.mixin.business_fields import ALERT_FIELDS, FIELDS, matchers
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runtime_exporter.mixin.exposition import Family

SECTION = "businessMetrics"

# What a kind alone has, with its default.
_OF_KIND: dict[str, dict[str, Any]] = {
    "counter": {"per": "second"},
    "gauge": {"aggregation": "sum"},
    "histogram": {"quantile": 0.95},
}
_SUFFIX_OF_HISTOGRAM = re.compile(r"_(?:bucket|sum|count)\Z")

Path = tuple[str, ...]


def complete(metrics: Sequence[Any], effective: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of `businessMetrics` checked, with every key that rules and dashboard read.

    `effective` is the whole configuration. Raises ConfigError at the first thing that is wrong.
    """
    done = [_complete_one((SECTION, str(index)), spec, effective) for index, spec in enumerate(metrics)]
    for key in ("title", "recorded", "alertName"):
        _refuse_twice(done, key)
    return done


def alert_names(metric: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of a complete entry's alerts by the bound that they tell of: {"below": "ShopOrdersLow"}."""
    alert = metric["alert"] or {}
    words = {"below": "Low", "above": "High"}
    return {bound: metric["alertName"] + word for bound, word in words.items() if alert.get(bound) is not None}


def refuse_taken(metrics: Sequence[Mapping[str, Any]], rules: Iterable[Mapping[str, Any]]) -> None:
    """Raise ConfigError where a name that comes of a complete entry is among `rules`, which hold each of ours, more than once."""
    count = collections.Counter(rule.get("alert") or rule["record"] for rule in rules)
    for index, metric in enumerate(metrics):
        for name in (
            *alert_names(metric).values(),
            *(name for name in count if name.startswith(f"{metric['recorded']}:")),
        ):
            if count[name] > 1:
                problem = f"would make a second {name}, which is there already: record it under another name, and measure that"
                raise config.refuse((SECTION, str(index), "metric"), metric["metric"], problem)


def mismatches(metrics: Sequence[Mapping[str, Any]], exposed: Mapping[str, Family]) -> list[str]:
    """Return a finding for every entry that does not fit what targets expose: its name, its kind, its labels."""
    return [
        f"{SECTION}.{index}.{finding}"
        for index, spec in enumerate(metrics)
        for finding in _mismatches_of(spec, exposed)
    ]


def _mismatches_of(spec: Mapping[str, Any], exposed: Mapping[str, Family]) -> Iterator[str]:
    metric = spec["metric"]
    family = exposed.get(metric)
    if family is None:
        yield f"metric: nothing exposes {metric}{did_you_mean(metric, exposed)}"
        return
    kind = _kind((SECTION,), spec)
    if family.type not in {kind, "untyped", "unknown"}:
        yield f"kind: {kind!r} does not fit {metric}, which is exposed as a {family.type}"
    by = [spec["by"]] if isinstance(spec.get("by"), str) else spec.get("by") or []
    for label in by:
        # Without a sample yet, nobody knows the labels.
        if family.labels and label not in family.labels:
            yield f"by: {metric} has no label {label!r}; it has {', '.join(sorted(family.labels))}"


def _complete_one(path: Path, spec: Any, effective: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(spec, dict):
        raise config.refuse(path, spec, "is not a mapping such as {metric: shop_orders_total, title: Orders}")
    _check_fields(path, spec, FIELDS)
    if "metric" not in spec:
        raise config.wrong(path, "metric missing: the name under which it is exposed")
    kind = _kind(path, spec)
    _check_keys_of(path, spec, kind)
    by = [spec["by"]] if isinstance(spec.get("by"), str) else list(spec.get("by") or [])
    _check_labels((*path, "by"), by, effective)
    title = str(spec.get("title") or _words(spec["metric"])).strip()
    return {
        "metric": spec["metric"],
        "title": title,
        "description": str(spec.get("description") or "").strip(),
        "kind": kind,
        "unit": str(spec.get("unit") or "short"),
        "by": by,
        "selector": matchers(spec.get("selector")),
        "recorded": f"{'_'.join(['job', *by])}:{_base(spec['metric'], kind)}",
        "alert": _alert((*path, "alert"), spec.get("alert"), kind),
        "alertName": _camel_case(spec["metric"]),
        **{key: spec.get(key, default) for key, default in _OF_KIND[kind].items()},
    }


def _check_fields(path: Path, spec: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    for key, value in spec.items():
        if key not in fields:
            hint = did_you_mean(key, fields) or f"; known there: {', '.join(fields)}"
            raise config.wrong((*path, key), f"no such key{hint}")
        fits, problem = fields[key]
        if not fits(value):
            raise config.refuse((*path, key), value, problem)


def _kind(path: Path, spec: Mapping[str, Any]) -> str:
    """Return the kind that is given or that the name says. Raises ConfigError where the two contradict each other."""
    metric = spec["metric"]
    counts = metric.endswith("_total")
    kind: str = spec.get("kind", "counter" if counts else "gauge")
    if counts and kind != "counter":
        problem = f"does not fit {metric}: what ends in _total is a counter, whose value says nothing but when the process started"
        raise config.refuse((*path, "kind"), kind, problem)
    if kind == "histogram" and (suffix := _SUFFIX_OF_HISTOGRAM.search(metric)):
        problem = f"is a series of a histogram: write {metric[: suffix.start()]}, or kind: counter"
        raise config.refuse((*path, "metric"), metric, problem)
    if kind == "gauge" and metric.endswith("_bucket"):
        problem = f"is a series of a histogram: write {metric.removesuffix('_bucket')} with kind: histogram"
        raise config.refuse((*path, "metric"), metric, problem)
    return kind


def _check_keys_of(path: Path, spec: Mapping[str, Any], kind: str) -> None:
    for other, keys in _OF_KIND.items():
        for key in keys:
            if other != kind and key in spec:
                raise config.wrong((*path, key), f"is for a {other}, and {spec['metric']} is a {kind}")


def _check_labels(path: Path, labels: Sequence[str], effective: Mapping[str, Any]) -> None:
    kept = (effective["clusterLabel"], effective["namespaceLabel"], "job")
    for label in labels:
        if label in kept:
            raise config.refuse(path, label, f"is kept anyway, as are {', '.join(kept)}")
        if label in {"le", "instance"}:
            reason = "the bounds of buckets are no parts" if label == "le" else "a business metric is of a service"
            raise config.refuse(path, label, f"cannot be one of its labels: {reason}")
        if labels.count(label) > 1:
            raise config.refuse(path, label, "is there twice")


def _alert(path: Path, spec: Any, kind: str) -> dict[str, Any] | None:
    if spec is None:
        return None
    _check_fields(path, spec, ALERT_FIELDS)
    bounds = {key: config.number(spec[key]) for key in ("above", "below") if spec.get(key) is not None}
    if not bounds:
        raise config.wrong(path, "above and below missing: give the value from which to tell, or leave alert out")
    above, below = bounds.get("above"), bounds.get("below")
    if kind == "counter" and below is not None and below <= 0:
        raise config.refuse((*path, "below"), below, "is below what a counter's rate can be: 0 at least")
    if above is not None and below is not None and below >= above:
        raise config.refuse(
            (*path, "below"), below, f"is not less than above, {above}: one of the two would always fire"
        )
    return {"severity": "warning", "for": "15m", "keepFiringFor": "0s", "enabled": True, **spec, **bounds}


def _refuse_twice(metrics: Sequence[Mapping[str, Any]], key: str) -> None:
    """Raise ConfigError where two entries have the same value of what must tell them apart."""
    first: dict[str, int] = {}
    for index, metric in enumerate(metrics):
        earlier = first.setdefault(metric[key], index)
        if earlier != index:
            if key == "title":
                raise config.refuse((SECTION, str(index), key), metric[key], f"is that of {SECTION}.{earlier} already")
            problem = f"is measured by {SECTION}.{earlier} already: one entry a metric, with by: for its parts"
            raise config.refuse((SECTION, str(index), "metric"), metric["metric"], problem)


def _base(metric: str, kind: str) -> str:
    """Return what stands in the middle of the name under which a metric is recorded."""
    suffix = "_bucket" if kind == "histogram" else ""
    return metric.removesuffix("_total").replace(":", "_") + suffix


def _words(metric: str) -> str:
    """Return "shop_orders_total" as "Shop orders"."""
    return " ".join(_parts(metric)).capitalize()


def _camel_case(metric: str) -> str:
    """Return "shop_orders_total" as "ShopOrders", which begins the names of its alerts."""
    return "".join(part.capitalize() for part in _parts(metric))


def _parts(metric: str) -> list[str]:
    return [part for part in re.split(r"[_:]+", metric.removesuffix("_total")) if part] or [metric]
