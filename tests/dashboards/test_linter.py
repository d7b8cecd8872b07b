"""The seventeen rules of Grafana's dashboard-linter, on every dashboard; its binary is in no package index.

Variables are expanded as it does before it parses. What is excluded from a rule stands in dashboards/.lint with a reason,
where the real linter reads it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import promql_tree
from runtime_exporter.mixin import bundle
from runtime_exporter.mixin.dashboards import GRAFANA_VARIABLES, panels_of

NAMES = sorted(path.stem for path in (bundle.root() / "dashboards").glob("*.py"))
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
DESCRIBED = {"stat", "gauge", "timeseries", "table", "heatmap", "state-timeline"}
# Ids of @grafana/data's value formats; the dashboards use no others.
UNITS = {"currencyEUR", "none", "short", "percentunit", "bytes", "binBps", "s", "reqps", "cps"}
RATES = {"rate", "irate", "increase"}


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def board(name, boards):
    return boards[name]


@pytest.fixture(scope="module")
def exclusions():
    """Return {rule: {(dashboard, panel), ...}} from the linter's own file."""
    data = yaml.safe_load((bundle.root() / "dashboards" / ".lint").read_text())
    return {
        rule: {(each["dashboard"], each["panel"]) for each in value["entries"]}
        for rule, value in data["exclusions"].items()
    }


def variable(board, name):
    return next(each for each in board["templating"]["list"] if each["name"] == name)


def grafana_expanded(expression):
    """Expand what is no PromQL (ranges), and keep $job and $instance, which the rules look for."""
    for name, value in GRAFANA_VARIABLES.items():
        expression = expression.replace(f"${name}", value)
    return expression


def targets(board):
    return [(panel["title"], target) for panel in panels_of(board) for target in panel["targets"]]


def selected(board):
    """Every (panel title, selector) of a dashboard."""
    return [
        (title, selector)
        for title, target in targets(board)
        for selector in promql_tree.selectors(promql_tree.parse(grafana_expanded(target["expr"])))
    ]


def findings(board, rule, exclusions, wrong):
    """Titles of the panels that break a rule and are not excluded from it."""
    excluded = exclusions.get(rule, set())
    return sorted({title for title in wrong if (board["title"], title) not in excluded and not own(board, title)})


def own(board, title):
    """Whether a panel is of a user's own metric: its title is in nobody's file. Rules record a metric of a service as a whole."""
    return board["uid"] == "runtime-exporter-business" and title.endswith((" against last week", " in the time range"))


def test_template_datasource_rule(board):
    found = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
    assert [("datasource", "Data source", "prometheus")] == [(v["name"], v["label"], v["query"]) for v in found]


@pytest.mark.parametrize("label", ["job", "instance"])
def test_template_job_and_instance_rules(board, label):
    found = variable(board, label)
    assert (label, DATASOURCE, True, True, ".+") == (
        found["label"],
        found["datasource"],
        found["multi"],
        found["includeAll"],
        found["allValue"],
    )
    assert found["query"].startswith("label_values(")
    assert found["query"].endswith(f", {label})")


def test_template_label_promql_rule(board):
    for found in board["templating"]["list"]:
        if found["type"] == "query":
            series = re.fullmatch(r"label_values\((.*), (\w+)\)", found["query"])
            assert series is not None, found["query"]
            promql_tree.parse(series[1])


def test_template_on_time_change_reload_rule(board):
    assert {2} == {each["refresh"] for each in board["templating"]["list"] if each["type"] == "query"}


def test_panel_datasource_rule(board):
    assert [] == [panel["title"] for panel in panels_of(board) if panel["datasource"] != DATASOURCE]


def test_panel_title_description_rule(board):
    for panel in panels_of(board):
        assert panel["type"] in DESCRIBED
        assert panel["title"].strip()
        assert panel["description"].endswith(".")


def test_panel_units_rule(board):
    for panel in panels_of(board):
        units = [panel["fieldConfig"]["defaults"]["unit"]]
        for override in panel["fieldConfig"]["overrides"]:
            units += [each["value"] for each in override["properties"] if each["id"] == "unit"]
        assert set(units) <= UNITS, panel["title"]


def test_panel_no_targets_rule(board):
    assert [] == [panel["title"] for panel in panels_of(board) if not panel["targets"]]


def test_target_logql_rules(board):
    """Logs are none of our sources: no query asks Loki, so that there is nothing for its two rules to look at."""
    assert {"prometheus"} == {target["datasource"]["type"] for _, target in targets(board)}


def test_target_promql_rule(board):
    for title, target in targets(board):
        try:
            promql_tree.parse(grafana_expanded(target["expr"]))
        except ValueError as error:
            pytest.fail(f"{title}: {error}")


def test_target_rate_interval_rule(board, exclusions):
    wrong = [
        title
        for title, target in targets(board)
        for window in re.findall(r"\b(?:rate|irate|increase)\([^\[]*\[([^\]]*)\]", target["expr"])
        if window != "$__rate_interval"
    ]
    assert [] == findings(board, "target-rate-interval-rule", exclusions, wrong)


@pytest.mark.parametrize("label", ["job", "instance"])
def test_target_job_and_instance_rules(board, label, exclusions):
    wrong = [title for title, selector in selected(board) if (label, "=~", f"${label}") not in selector.matchers]
    assert [] == findings(board, f"target-{label}-rule", exclusions, wrong)


def test_target_counter_agg_rule(board, exclusions):
    wrong = [
        title
        for title, selector in selected(board)
        if selector.name.endswith(("_total", "_bucket", "_count", "_sum")) and not RATES & set(selector.functions)
    ]
    assert [] == findings(board, "target-counter-agg-rule", exclusions, wrong)


def test_uneditable_dashboard_rule(board):
    assert board["editable"] is False


def test_every_exclusion_has_a_reason_and_is_still_needed(boards):
    data = yaml.safe_load((bundle.root() / "dashboards" / ".lint").read_text())
    panels = {(board["title"], panel["title"]) for board in boards.values() for panel in panels_of(board)}
    for rule, value in data["exclusions"].items():
        assert value["reason"].strip(), rule
        assert set() == {(each["dashboard"], each["panel"]) for each in value["entries"]} - panels
    wrong = {
        (board["title"], title)
        for board in boards.values()
        for title, selector in selected(board)
        if ("instance", "=~", "$instance") not in selector.matchers and not own(board, title)
    }
    assert wrong == {
        (each["dashboard"], each["panel"]) for each in data["exclusions"]["target-instance-rule"]["entries"]
    }


def test_the_bundle_has_its_dashboards():
    assert ["alerts", "business", "exporter", "http", "overview", "profiling", "prometheus", "runtime", "slo"] == NAMES
    assert Path(bundle.root() / "dashboards" / ".lint").is_file()
