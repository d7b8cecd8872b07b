"""The seventeen rules of Grafana's dashboard-linter, and mixtool's two, written anew: its binary is in no package index.

Each takes a dashboard and returns what breaks it: titles of panels, names of variables, or a word. Variables are expanded as the linter
does before it parses. What is excluded stands in dashboards/.lint with a reason, where the real linter reads it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import promql_tree
from runtime_exporter.mixin.dashboards import GRAFANA_VARIABLES, panels_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Board = dict[str, Any]
    Check = Callable[[Board], list[str]]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
DESCRIBED = {"stat", "gauge", "timeseries", "table", "heatmap", "state-timeline"}
# Ids of @grafana/data's value formats; the dashboards use no others.
UNITS = {"currencyEUR", "none", "short", "percentunit", "bytes", "binBps", "s", "reqps", "cps"}
RATES = {"rate", "irate", "increase"}
LOKI = {"loki"}


def variables(board: Board, kind: str) -> list[dict[str, Any]]:
    return [each for each in board["templating"]["list"] if each["type"] == kind]


def targets(board: Board) -> list[tuple[str, dict[str, Any]]]:
    return [(panel["title"], target) for panel in panels_of(board) for target in panel["targets"]]


def expanded(expression: str) -> str:
    """Expand what is no PromQL (ranges), and keep $job and $instance, which the rules look for."""
    for name, value in GRAFANA_VARIABLES.items():
        expression = expression.replace(f"${name}", value)
    return expression


def parses(expression: str) -> bool:
    try:
        promql_tree.parse(expression)
    except ValueError:
        return False
    return True


def selected(board: Board) -> list[tuple[str, promql_tree.Selector]]:
    """Return every (panel title, selector) of a dashboard, of the queries that parse."""
    return [
        (title, selector)
        for title, target in targets(board)
        if parses(expanded(target["expr"]))
        for selector in promql_tree.selectors(promql_tree.parse(expanded(target["expr"])))
    ]


def template_datasource_rule(board: Board) -> list[str]:
    found = [(each["name"], each["label"], each["query"]) for each in variables(board, "datasource")]
    return [] if found == [("datasource", "Data source", "prometheus")] else ["datasource"]


def template_rule(label: str) -> Check:
    """The variable of a label: chosen by many, each with a value, asked of the data source chosen."""

    def check(board: Board) -> list[str]:
        found = next((each for each in variables(board, "query") if each["name"] == label), None)
        expected = {"label": label, "datasource": DATASOURCE, "multi": True, "includeAll": True, "allValue": ".+"}
        right = found is not None and all(found[key] == value for key, value in expected.items())
        asks = found is not None and re.fullmatch(rf"label_values\(.*, {label}\)", found["query"])
        return [] if right and asks else [label]

    return check


def template_label_promql_rule(board: Board) -> list[str]:
    asked = {
        each["name"]: re.fullmatch(r"label_values\((.*), (\w+)\)", each["query"]) for each in variables(board, "query")
    }
    return [name for name, match in asked.items() if match is None or not parses(match[1])]


def template_on_time_change_reload_rule(board: Board) -> list[str]:
    return [each["name"] for each in variables(board, "query") if each["refresh"] != 2]


def panel_datasource_rule(board: Board) -> list[str]:
    return [panel["title"] for panel in panels_of(board) if panel["datasource"] != DATASOURCE]


def panel_title_description_rule(board: Board) -> list[str]:
    return [
        panel["title"]
        for panel in panels_of(board)
        if panel["type"] not in DESCRIBED or not panel["title"].strip() or not panel["description"].endswith(".")
    ]


def panel_units_rule(board: Board) -> list[str]:
    def units(panel: dict[str, Any]) -> set[str]:
        of_columns = [each for override in panel["fieldConfig"]["overrides"] for each in override["properties"]]
        return {panel["fieldConfig"]["defaults"].get("unit", "")} | {
            each["value"] for each in of_columns if each["id"] == "unit"
        }

    return [panel["title"] for panel in panels_of(board) if not units(panel) <= UNITS]


def panel_no_targets_rule(board: Board) -> list[str]:
    return [panel["title"] for panel in panels_of(board) if not panel["targets"]]


def target_logql_rule(board: Board) -> list[str]:
    """Logs are none of our sources: no query asks Loki, so there is nothing for its two rules to look at."""
    return [title for title, target in targets(board) if target["datasource"]["type"] in LOKI]


def target_logql_auto_rule(board: Board) -> list[str]:
    """A range that Loki chooses, in a query of whichever data source."""
    return [title for title, target in targets(board) if "$__auto" in target["expr"]]


def target_promql_rule(board: Board) -> list[str]:
    return [title for title, target in targets(board) if not parses(expanded(target["expr"]))]


def target_rate_interval_rule(board: Board) -> list[str]:
    return [
        title
        for title, target in targets(board)
        for window in re.findall(r"\b(?:rate|irate|increase)\([^\[]*\[([^\]]*)\]", target["expr"])
        if window != "$__rate_interval"
    ]


def target_rule(label: str) -> Check:
    """Each selector follows the variable of a label, by a regular expression, since there may be many."""

    def check(board: Board) -> list[str]:
        return [title for title, selector in selected(board) if (label, "=~", f"${label}") not in selector.matchers]

    return check


def target_counter_agg_rule(board: Board) -> list[str]:
    return [
        title
        for title, selector in selected(board)
        if selector.name.endswith(("_total", "_bucket", "_count", "_sum")) and not RATES & set(selector.functions)
    ]


def uneditable_dashboard(board: Board) -> list[str]:
    return [] if board["editable"] is False else ["editable"]


LINTER: dict[str, Check] = {
    "template-datasource-rule": template_datasource_rule,
    "template-job-rule": template_rule("job"),
    "template-instance-rule": template_rule("instance"),
    "template-label-promql-rule": template_label_promql_rule,
    "template-on-time-change-reload-rule": template_on_time_change_reload_rule,
    "panel-datasource-rule": panel_datasource_rule,
    "panel-title-description-rule": panel_title_description_rule,
    "panel-units-rule": panel_units_rule,
    "panel-no-targets-rule": panel_no_targets_rule,
    "target-logql-rule": target_logql_rule,
    "target-logql-auto-rule": target_logql_auto_rule,
    "target-promql-rule": target_promql_rule,
    "target-rate-interval-rule": target_rate_interval_rule,
    "target-job-rule": target_rule("job"),
    "target-instance-rule": target_rule("instance"),
    "target-counter-agg-rule": target_counter_agg_rule,
    "uneditable-dashboard": uneditable_dashboard,
}
MIXTOOL: dict[str, Check] = {
    "dashboard-title": lambda board: [] if board.get("title") else ["title"],
    "dashboard-uid": lambda board: [] if board.get("uid") else ["uid"],
}
CHECKS = LINTER | MIXTOOL
