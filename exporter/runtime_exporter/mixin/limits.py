"""Settings that would make an alert that can never fire, or one that no evaluation can answer: refused, with the reason.

Which values a key takes by its type is said by `config`; here is what a value means. A row is about every key that its pattern fits
(`*` is one key), for all services and for each of its own.
"""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config
from runtime_exporter.mixin.duration import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runtime_exporter.errors import ConfigError

LARGEST_REQUEST_SECONDS = 10.0
"""The last finite bound of http_server_request_duration_seconds by default: histogram_quantile() answers no more."""

LARGEST_LAG_SECONDS = 10.0
"""The last finite bound of python_asyncio_loop_lag_seconds."""


@dataclass(frozen=True)
class Range:
    """Where a number has to lie for its alert to be able to fire: above `low` and below `high`, both excluded."""

    pattern: str
    low: float
    high: float
    why: str


SHARE = "a share lies between 0 and 1"
QUANTILE = "a quantile lies between 0 and 1"
CORRELATION = "a correlation is 1 at most, and that of a measured line a little less"
COVERAGE = "there are never more samples than evaluations"
RANGES = (
    Range("alerts.*.quantile", 0, 1, QUANTILE),
    Range("alerts.*.baselineQuantile", 0, 1, QUANTILE),
    Range("alerts.*.*.baselineQuantile", 0, 1, QUANTILE),
    Range("alerts.*.minCorrelation", -1, 1, CORRELATION),
    Range("alerts.*.*.minCorrelation", -1, 1, CORRELATION),
    Range("alerts.*.minCoverage", 0, 1, COVERAGE),
    Range("alerts.*.*.minCoverage", 0, 1, COVERAGE),
    Range("alerts.memoryNearLimit.ratio", 0, 1, "the kernel ends the process at the limit, which is 1"),
    Range("alerts.memoryNearLimit.prediction.ratio", 0, 1, "the kernel ends the process at the limit, which is 1"),
    Range("alerts.fdExhaustion.ratio", 0, 1, "no more descriptors than the limit, which is 1, can be open"),
    Range("alerts.fdExhaustion.prediction.ratio", 0, 1, "no more descriptors than the limit, which is 1, can be open"),
    Range("alerts.threadExhaustion.ratio", 0, 1, "there are never more threads than the limit, which is 1"),
    Range("alerts.threadExhaustion.prediction.ratio", 0, 1, "there are never more threads than the limit, which is 1"),
    Range("alerts.diskFilling.ratio", 0, 1, SHARE),
    Range("alerts.diskFilling.prediction.ratio", 0, 1, SHARE),
    Range("alerts.cpuThrottled.ratio", 0, 1, SHARE),
    Range("alerts.gcPressure.ratio", 0, 1, "a process cannot stand still for more than all of the time"),
    Range("alerts.scrapeSlow.ratio", 0, 1, "a scrape that takes all of scrapeTimeout fails"),
    Range("alerts.lockHotSpot.minShare", 0, 1, SHARE),
    Range("alerts.profileNewDominantFunction.minShare", 0, 1, SHARE),
    Range("alerts.profileNewDominantFunction.maxPastShare", 0, 1, SHARE),
    Range("alerts.prometheusNotificationsLost.receiver.ratio", 0, 1, SHARE),
    Range("alerts.sloLowTraffic.ratio", 0, math.nextafter(1, 2), SHARE),
    Range("anomaly.minCoverage", 0, 1, COVERAGE),
    Range("http.objective", 0, 1, "an objective lies between 0 and 1, as 0.999"),
)

# (pattern of the smaller, name of the larger beside it, why)
_ORDERS = (
    ("alerts.*.prediction.recentWindow", "window", "what is recent is a part of the window"),
    ("alerts.*.recentWindow", "window", "what is recent is a part of the window"),
    ("alerts.*.minHistory", "baseline", "more of the past than the baseline is never known"),
    ("alerts.*.windows.*.short", "long", "the short window says that it still goes on"),
    ("alerts.sloLowTraffic.recent", "window", "what is recent is a part of the window"),
)

# Durations of which a range of samples is asked for: at least so many scrapes or evaluations.
_SCRAPED = (
    "rateInterval",
    "memory.floorWindow",
    "threads.floorWindow",
    "alerts.targetDown.window",
    "alerts.collectorFailing.window",
)
_RATES = frozenset({"rateInterval"})

# Alertmanager refuses a pause of nothing; no rule is evaluated all the time, and none has a past of no length.
_PAUSES = (
    "rateInterval",
    "memory.floorWindow",
    "threads.floorWindow",
    "alerts.*.window",
    "alerts.*.baseline",
    "alerts.*.warmUp",
    "evaluationInterval",
    "baselineInterval",
    "scrapeInterval",
    "scrapeTimeout",
    "http.budgetInterval",
    "alertmanager.groupInterval",
    "alertmanager.resolveTimeout",
    "alertmanager.*.groupInterval",
    "alertmanager.*.repeatInterval",
    "alertmanager.watchdog.interval",
)

# Durations that the last bound of a histogram bounds.
_BUCKETS = (
    ("alerts.httpLatencyHigh.threshold", "http_server_request_duration_seconds", LARGEST_REQUEST_SECONDS),
    ("alerts.eventLoopBlocked.threshold", "python_asyncio_loop_lag_seconds", LARGEST_LAG_SECONDS),
)


def check(effective: Mapping[str, Any]) -> None:
    """Raise ConfigError at the first setting of an effective configuration that its alert could never fire with."""
    values = dict(_values(effective))
    alerts = effective.get("alerts") or {}
    if not alerts.get("enabled", True):
        values = {path: value for path, value in values.items() if not path.startswith("alerts.")}
    _check_pauses(values)
    _check_ranges(values)
    _check_signs(values)
    _check_orders(values)
    _check_counts(values)
    _check_labels(effective)
    _check_buckets(values)
    _check_scrapes(values)


def _check_pauses(values: Mapping[str, Any]) -> None:
    for pattern in _PAUSES:
        for path in fnmatch.filter(values, pattern):
            if values[path] is not None and seconds(values[path]) == 0:
                raise config.refuse(
                    path.split("."), values[path], "is no time at all; give a duration such as 30s or 4h"
                )


def _check_signs(values: Mapping[str, Any]) -> None:
    for path, value in values.items():
        may_be_negative = path.endswith(".minCorrelation")
        if path.startswith("alerts.") and isinstance(value, (int, float)) and value < 0 and not may_be_negative:
            raise config.refuse(path.split("."), value, "is negative, and nothing that it is compared with ever is")


def _check_counts(values: Mapping[str, Any]) -> None:
    least, most = (values.get(f"alerts.sloLowTraffic.{key}") for key in ("minBadEvents", "maxEvents"))
    if least is not None and most is not None and least >= most:
        why = f"of fewer than alerts.sloLowTraffic.maxEvents, {most}, there are never so many bad ones"
        raise _never("alerts.sloLowTraffic.minBadEvents", least, why)
    restarts, window = (values.get(f"alerts.restarting.{key}") for key in ("restarts", "window"))
    scrape = values.get("scrapeInterval")
    if restarts is not None and window is not None and scrape and seconds(window) <= (restarts + 1) * seconds(scrape):
        why = f"no more than {restarts} restarts are seen within so few scrapes, and scrapeInterval is {scrape}"
        raise _never("alerts.restarting.window", window, why)


def _check_labels(effective: Mapping[str, Any]) -> None:
    taken = {"job": "the service", "instance": "the process", "http_route": "the route"}
    namespace, cluster = effective.get("namespaceLabel"), effective.get("clusterLabel")
    for key, label in (("namespaceLabel", namespace), ("clusterLabel", cluster)):
        if label in taken:
            raise config.refuse((key,), label, f"is the label of {taken[label]}; each needs one of its own")
    if effective.get("showMultiCluster") and cluster == namespace:
        raise config.refuse(("clusterLabel",), cluster, "is namespaceLabel, too: each needs one of its own")


def _check_ranges(values: Mapping[str, Any]) -> None:
    for row in RANGES:
        for path in fnmatch.filter(values, row.pattern):
            value = values[path]
            if path.count(".") != row.pattern.count(".") or not isinstance(value, (int, float)):
                continue
            if not row.low < value < row.high:
                raise _never(path, value, row.why)


def _check_orders(values: Mapping[str, Any]) -> None:
    for pattern, other, why in _ORDERS:
        for path in fnmatch.filter(values, pattern):
            larger = f"{path.rpartition('.')[0]}.{other}"
            if larger in values and seconds(values[path]) > seconds(values[larger]):
                raise _never(path, values[path], f"{why}, and {larger} is {values[larger]}")


def _check_buckets(values: Mapping[str, Any]) -> None:
    for path, family, usual in _BUCKETS:
        largest = max(values.get("slo.buckets") or [usual]) if path.startswith("alerts.http") else usual
        if path in values and seconds(values[path]) >= largest:
            why = f"a quantile of {family} is {largest:g}s at most, its last bucket"
            raise _never(path, values[path], why)


def _check_scrapes(values: Mapping[str, Any]) -> None:
    scrape = values.get("scrapeInterval")
    if scrape is None:
        return
    for path in _SCRAPED:
        least = seconds(scrape) * (2 if path in _RATES else 1)
        if path in values and seconds(values[path]) < least:
            why = "a rate needs two samples" if path in _RATES else "it holds no sample most of the time"
            raise _never(path, values[path], f"{why}, and scrapeInterval is {scrape}")


def _values(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of what is switched on."""
    if tree.get("enabled", True) is False:
        return
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _values(value, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key, value


def _never(path: str, value: object, why: str) -> ConfigError:
    return config.refuse(path.split("."), value, f"makes an alert that can never fire: {why}")
