"""Manifests for Kubernetes: rules and monitors of the Prometheus operator, dashboards as ConfigMaps and for the Grafana operator."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PART = "app.kubernetes.io/part-of"
# What the rule selectors of the two common installations ask for: kube-prometheus, and the chart kube-prometheus-stack.
_OF_PROMETHEUS = {"prometheus": "k8s", "role": "alert-rules", "release": "kube-prometheus-stack"}
_SCRAPED = {"app.kubernetes.io/metrics": "runtime-exporter"}
"""A service or a pod with this label is scraped."""


def prometheus_rule(name: str, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a PrometheusRule with groups of rules."""
    return _object(
        "monitoring.coreos.com/v1", "PrometheusRule", object_name(name), _OF_PROMETHEUS, {"groups": list(groups)}
    )


def object_name(text: str) -> str:
    """Return a name as Kubernetes takes it: small letters, digits and dashes. One that had to change ends in a hash: two stay two."""
    allowed = re.sub(r"[^a-z0-9-]", "-", text.lower())
    return text if allowed == text else f"{allowed}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def monitors() -> dict[str, dict[str, Any]]:
    """Return a ServiceMonitor and a PodMonitor by file: a service or a pod with the label app.kubernetes.io/metrics is scraped."""
    endpoint = {"port": "metrics", "interval": "15s", "scrapeTimeout": "10s", "honorLabels": False}
    common = {"selector": {"matchLabels": _SCRAPED}, "namespaceSelector": {"any": True}, "sampleLimit": 20000}
    labels = {"release": _OF_PROMETHEUS["release"]}
    service = {**common, "endpoints": [endpoint]}
    pod = {**common, "podMetricsEndpoints": [endpoint]}
    api = "monitoring.coreos.com/v1"
    return {
        "manifests/servicemonitor.yaml": _object(api, "ServiceMonitor", "runtime-exporter", labels, service),
        "manifests/podmonitor.yaml": _object(api, "PodMonitor", "runtime-exporter", labels, pod),
    }


def dashboards(boards: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a ConfigMap for Grafana's sidecar and a GrafanaDashboard that refers to it, for each dashboard."""
    made: dict[str, dict[str, Any]] = {}
    for name, board in boards.items():
        key, called = f"{name}.json", f"runtime-exporter-dashboard-{name}"
        config_map = _object("v1", "ConfigMap", called, {"grafana_dashboard": "1"})
        config_map["metadata"]["annotations"] = {"grafana_folder": "Runtime exporter"}
        config_map["data"] = {key: json.dumps(board, sort_keys=True, ensure_ascii=False)}
        spec = {
            "instanceSelector": {"matchLabels": {"dashboards": "grafana"}},
            "folder": "Runtime exporter",
            "configMapRef": {"name": called, "key": key},
        }
        made[f"manifests/dashboard-{name}.yaml"] = config_map
        made[f"manifests/grafanadashboard-{name}.yaml"] = _object(
            "grafana.integreatly.org/v1beta1", "GrafanaDashboard", called, {}, spec
        )
    return made


def _object(
    version: str, kind: str, name: str, labels: Mapping[str, str], spec: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "labels": {_PART: "runtime-exporter", **labels}},
    }
    return {**document, "spec": dict(spec)} if spec is not None else document
