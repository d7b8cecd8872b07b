"""dashboards/*.py to the JSON files that Grafana is provisioned with, and the queries in them."""

from __future__ import annotations

import json
import re
import traceback
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import BundleError, ConfigError, ExporterError
from runtime_exporter.mixin import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# What stands for Grafana's own variables where no Grafana is: a panel of a dashboard over the last hour.
GRAFANA_VARIABLES = {"__rate_interval": "1m", "__interval": "15s", "__range": "1h"}

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::\w+)?\}|(?P<bare>\w+))")


def render(config: Mapping[str, Any]) -> dict[str, str]:
    """Return every dashboard of the bundle as {"dashboards/<name>.json": JSON text}, from the mixin's evaluated `_config`.

    The same configuration gives the same bytes. Raises BundleError with the file that fails, ConfigError where
    two dashboards have one uid, MissingExtraError without grafanalib.
    """
    sources = sorted((bundle.root() / "dashboards").glob("[!_]*.py"))
    if not sources:
        raise BundleError(f"{bundle.root() / 'dashboards'}: no dashboards there", path=bundle.root() / "dashboards")
    boards = {path.stem: _build(path, config) for path in sources}
    _check_uids(boards)
    # A source that has nothing of what one shows.
    boards = {name: board for name, board in boards.items() if board["panels"]}
    return {f"dashboards/{name}.json": _text(board) for name, board in boards.items()}


def queries(dashboard: Mapping[str, Any], values: Mapping[str, str] = GRAFANA_VARIABLES) -> list[tuple[str, str]]:
    """Return (title of the panel, PromQL) for every query of a dashboard's panels, with its variables filled in.

    Grafana's own variables take their value from `values`, the dashboard's the one that All stands for.
    """
    return [
        (panel["title"], expand(target["expr"], dashboard, values))
        for panel in panels_of(dashboard)
        for target in panel["targets"]
    ]


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
    try:
        board = _function_of(path)(config)
    except ExporterError:
        raise
    except SyntaxError as error:
        raise _wrong(path, f"SyntaxError: {error.msg}", error.lineno) from error
    except KeyError as error:
        raise _wrong(path, f"the configuration has no {error}", _line(path, error)) from error
    except Exception as error:
        raise _wrong(path, f"{type(error).__name__}: {error}", _line(path, error)) from error
    if not hasattr(board, "to_json"):
        raise _wrong(path, f"dashboard(config) returns {type(board).__name__}, not what panels.dashboard() makes")
    data: dict[str, Any] = board.to_json()
    return data


def _function_of(path: Path) -> Callable[[Mapping[str, Any]], Any]:
    """Run the file as a module that is in no package and leaves no byte code beside it."""
    namespace: dict[str, Any] = {"__name__": f"dashboards.{path.stem}", "__file__": str(path)}
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - a file of the bundle, as an import would run it
    if "dashboard" not in namespace:
        raise _wrong(path, "it defines no dashboard(config)")
    function: Callable[[Mapping[str, Any]], Any] = namespace["dashboard"]
    return function


def _check_uids(boards: Mapping[str, Mapping[str, Any]]) -> None:
    uids = [board["uid"] for board in boards.values()]
    for uid in uids:
        if uids.count(uid) > 1:
            raise ConfigError(f"dashboardUids: {uid!r} stands for two dashboards", setting="dashboardUids", value=uid)


def _line(path: Path, error: Exception) -> int | None:
    """Return the last line of the file that led to the error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None


def _wrong(path: Path, what: str, line: int | None = None) -> BundleError:
    return BundleError(f"dashboards/{path.name}{f':{line}' if line else ''}: {what}", path=path)


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
