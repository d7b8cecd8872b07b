"""Several bundles in one Prometheus, one a team: each reads of what is recorded only what is about its own jobs.

Raw series are chosen by `selector`. Of its labels, recorded series keep the job, the namespace, and the cluster where there are
several: the selector's matchers of those are put to every recorded series that a rule or a panel reads. So two bundles whose
selectors differ in one of those labels share the names of what they record, and no series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import promql

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY_JOB = 'job=~".+"'
"""The selector by default. Every recorded series has a job, so it would only make each query longer."""


def recorded_matchers(config: Mapping[str, Any]) -> str:
    """Return the matchers of the selector that recorded series can be chosen by, with commas between."""
    kept = {"job", config["namespaceLabel"], *([config["clusterLabel"]] if config["showMultiCluster"] else [])}
    matchers = [f"{label}{sign}{value}" for label, sign, value in promql.matchers(config["selector"]) if label in kept]
    return ",".join(matcher for matcher in matchers if matcher != EVERY_JOB)


def narrowed(files: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return rule files whose rules read, of what is recorded, only the series of this bundle.

    A user's own alerts and bands stay as they are written: nobody knows which labels their expressions leave.
    """
    matchers = recorded_matchers(config)
    if not matchers:
        return dict(files)
    alerts = config.get("customAlerts") or {}
    bands = {name for name, spec in (config.get("anomalies") or {}).items() if spec and "signal" not in spec}

    def of_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
        if rule.get("alert") in alerts or rule.get("labels", {}).get("anomaly") in bands:
            return dict(rule)
        return {**rule, "expr": promql.narrowed(rule["expr"], matchers, only=is_recorded)}

    return {
        name: {**file, "groups": [{**group, "rules": list(map(of_rule, group["rules"]))} for group in file["groups"]]}
        for name, file in files.items()
    }


def is_recorded(metric: str) -> bool:
    """Return whether a metric is what rules make, by its name: level:metric:operations, or ALERTS."""
    return ":" in metric or metric in {"ALERTS", "ALERTS_FOR_STATE"}
