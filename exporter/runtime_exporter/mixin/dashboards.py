"""dashboards/*.py to the JSON files that Grafana is provisioned with, and the queries in them."""

from __future__ import annotations

import importlib.util
import json
import re
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import BundleError, ExporterError
from runtime_exporter.mixin import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What stands for Grafana's own variables where no Grafana is: a panel of a dashboard over the last hour.
GRAFANA_VARIABLES = {"__rate_interval": "1m", "__interval": "15s", "__range": "1h"}

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::\w+)?\}|(?P<bare>\w+))")


def render(config: Mapping[str, Any]) -> dict[str, str]:
    """Return every dashboard of the bundle as {"dashboards/<name>.json": JSON text}, from the mixin's evaluated `_config`.

    The same configuration gives the same bytes. Raises BundleError with the file that fails, MissingExtraError without grafanalib.
    """
    sources = sorted((bundle.root() / "dashboards").glob("[!_]*.py"))
    if not sources:
        raise BundleError(f"{bundle.root() / 'dashboards'}: no dashboards there", path=bundle.root() / "dashboards")
    return {f"dashboards/{path.stem}.json": _text(_build(path, config)) for path in sources}


def queries(dashboard: Mapping[str, Any], values: Mapping[str, str] = GRAFANA_VARIABLES) -> list[tuple[str, str]]:
    """Return (title of the panel, PromQL) for every query of a dashboard's panels, with its variables filled in.

    Grafana's own variables take their value from `values`, the dashboard's the one that All stands for.
    """
    return [
        (panel["title"], expand(target["expr"], dashboard, values))
        for panel in panels_of(dashboard)
        for target in panel["targets"]
    ]


def annotation_queries(
    dashboard: Mapping[str, Any], values: Mapping[str, str] = GRAFANA_VARIABLES
) -> list[tuple[str, str]]:
    """Return (name, PromQL) for every annotation of a dashboard, with its variables filled in."""
    return [(each["name"], expand(each["expr"], dashboard, values)) for each in dashboard["annotations"]["list"]]


def panels_of(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard, those in collapsed rows too, without the rows themselves."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def expand(expression: str, dashboard: Mapping[str, Any], values: Mapping[str, str] = GRAFANA_VARIABLES) -> str:
    """Replace $name, ${name} and ${name:format} as Grafana does; a name that is no variable stays, as in label_replace's ${1}."""
    known = {each["name"]: each.get("allValue", "") for each in dashboard["templating"]["list"]} | dict(values)
    return _VARIABLE.sub(lambda found: known.get(found["braced"] or found["bare"], found[0]), expression)


def _build(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Run a dashboard's file, call its `dashboard(config)`, and return that as plain data."""
    name = f"dashboards/{path.name}"
    spec = importlib.util.spec_from_file_location(f"runtime_exporter_dashboard_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BundleError(f"{name}: cannot be loaded", path=path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        data: dict[str, Any] = module.dashboard(config).to_json()
    except ExporterError:
        raise
    except KeyError as error:
        raise BundleError(f"{name}: the configuration has no {error}", path=path) from error
    except Exception as error:
        raise BundleError(f"{name}: {type(error).__name__}: {error}", path=path) from error
    return data


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
