"""From what grafanalib writes to what Grafana reads: no nulls, no keys that Grafana forgot, no defaults that mislead.

grafanalib 0.7.1 speaks the dashboard format of Grafana 5. Only keys of today's format pass (its published JSON schema,
`dashboard.jsonschema.json` of grafana-foundation-sdk); what a panel type needs beyond goes into `options` and `fieldConfig`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# Grafana 10 and 11 write 39, later versions migrate it. grafanalib's own 12 makes Grafana throw graphTooltip away.
SCHEMA_VERSION = 39

MAX_UID = 40  # Grafana refuses longer ones

_DASHBOARD = (
    "annotations", "description", "editable", "graphTooltip", "links", "panels", "refresh", "schemaVersion", "tags",
    "templating", "time", "timezone", "title", "uid",
)  # fmt: skip
_PANEL = (
    "datasource", "description", "fieldConfig", "gridPos", "id", "interval", "links", "options", "targets", "title",
    "transformations", "type",
)  # fmt: skip
_ROW = ("collapsed", "gridPos", "id", "panels", "title", "type")
# Empty means the same as absent there, so that it is left out.
_OPTIONAL = ("links", "transformations", "interval")


def uid(config: Mapping[str, Any], name: str) -> str:
    """Return the uid of a dashboard by its key in `dashboardUids`. Raises ConfigError for one that Grafana would not take."""
    found: str = config["dashboardUids"][name]
    if not 0 < len(found) <= MAX_UID:
        what = f"{found!r} has {len(found)} characters; Grafana takes at least 1 and at most {MAX_UID}"
        raise ConfigError(f"dashboardUids.{name}: {what}", setting=f"dashboardUids.{name}", value=found)
    return found


def clean_dashboard(data: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard, as grafanalib encodes it to plain data, in the form that current Grafana keeps."""
    board = _pick(data, _DASHBOARD)
    board["panels"] = [_clean_panel(panel) for panel in data["panels"]]
    cleaned: dict[str, Any] = _without_nulls(board)
    return cleaned


def _clean_panel(data: dict[str, Any]) -> dict[str, Any]:
    if data["type"] == "row":
        row = _pick(data, _ROW)
        row["panels"] = [_clean_panel(panel) for panel in data["panels"]]
        return row
    panel = _pick(data, _PANEL)
    # Of the table panel before Grafana 9; `cellOptions` replaced it.
    panel["fieldConfig"]["defaults"].get("custom", {}).pop("displayMode", None)
    return panel


def _pick(data: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: data[key] for key in keys if key in data and not (key in _OPTIONAL and not data[key])}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
