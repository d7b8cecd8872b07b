"""What happened, marked on every graph: alerts that fired, restarts, new versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin.grafana import DATASOURCE

if TYPE_CHECKING:
    from runtime_exporter.mixin.scope import Scope

# Events nearer to each other than this are one region.
STEP = "60s"


def events(scope: Scope) -> list[dict[str, Any]]:
    """Return the annotations that every dashboard carries, for the instances chosen in it."""
    firing = scope.alerts('alertstate="firing"', 'severity=~"critical|warning"')
    restarts = f"changes({scope.select('process_start_time_seconds')}[$__rate_interval]) > 0"
    return [
        _annotation("Alerts", "red", firing, title="{{alertname}}", text="{{severity}}: {{job}} {{instance}}"),
        _annotation("Restarts", "yellow", restarts, title="Restart", text="{{job}} {{instance}}"),
        _annotation("New versions", "blue", _new_versions(scope), title="New version {{version}}", text="{{job}}"),
    ]


def _new_versions(scope: Scope) -> str:
    """Return a query for versions of the exporter that a job runs now and did not run five minutes ago, when it ran already."""
    build = scope.select("runtime_exporter_build_info")
    now, before = scope.sum_by("job, version", build), scope.sum_by("job, version", f"{build} offset 5m")
    seen = scope.sum_by("job", f"{build} offset 5m")
    return f"{now} unless {before} and on ({scope.cluster_label}, {scope.namespace_label}, job) {seen}"


def _annotation(name: str, color: str, expr: str, *, title: str, text: str) -> dict[str, Any]:
    """Return an annotation; Grafana before 10 reads the query from `expr` and `step`, later ones from `target`."""
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "expr": expr,
        "iconColor": color,
        "name": name,
        "step": STEP,
        "target": {"datasource": DATASOURCE, "expr": expr, "interval": STEP, "refId": "Anno"},
        "tagKeys": "alertname,severity,job,instance,version",
        "textFormat": text,
        "titleFormat": title,
    }
