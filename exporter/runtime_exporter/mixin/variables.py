"""The variables at the top of a dashboard: what a user chooses, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin.grafana import DATASOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime_exporter.mixin.scope import Scope

_SHOWN, _HIDDEN = 0, 2
_ON_TIME_RANGE_CHANGE = 2
_BY_NAME = 1


@dataclass(frozen=True)
class Variable:
    """A variable that a dashboard has beside the common ones: the values of `label` of `metric`; All is `everything`."""

    name: str
    metric: str
    label: str
    everything: str = ".+"
    of_instance: bool = True
    """Whether the metric has the label `instance`; what rules record of a service as a whole has none."""


def template_variables(
    config: Mapping[str, Any], scope: Scope, subject: str, more: Sequence[Variable] = ()
) -> list[dict[str, Any]]:
    """Return datasource, cluster, namespace, job and instance, then `more`; the jobs are those that have the metric `subject`.

    Cluster and namespace also match where the label is missing, and hide unless the configuration shows them.
    """
    cluster, namespace, job, instance = (scope.narrowed(subject, depth) for depth in range(4))
    return [
        _datasource(config),
        _query("cluster", cluster, scope.cluster_label, everything=".*", hide=not scope.multi_cluster),
        _query("namespace", namespace, scope.namespace_label, everything=".*", hide=not scope.namespaces),
        _query("job", job, "job"),
        _query("instance", instance, "instance"),
        *(_query(each.name, _series(scope, each), each.label, everything=each.everything) for each in more),
    ]


def _series(scope: Scope, variable: Variable) -> str:
    return (scope.select if variable.of_instance else scope.of_job)(variable.metric)


def _datasource(config: Mapping[str, Any]) -> dict[str, Any]:
    chosen = config["datasourceName"]
    return {
        "current": {"selected": True, "text": chosen, "value": chosen},
        "hide": _SHOWN,
        "label": "Data source",
        "name": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "regex": config["datasourceFilterRegex"],
        "type": "datasource",
    }


def _query(name: str, series: str, label: str, *, everything: str = ".+", hide: bool = False) -> dict[str, Any]:
    """Return a variable of the values of a label; All is chosen at first, said in full: null would make Grafana show nothing."""
    return {
        "allValue": everything,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": DATASOURCE,
        "hide": _HIDDEN if hide else _SHOWN,
        "includeAll": True,
        "label": name,
        "multi": True,
        "name": name,
        "query": f"label_values({series}, {label})",
        "refresh": _ON_TIME_RANGE_CHANGE,
        "sort": _BY_NAME,
        "type": "query",
    }
