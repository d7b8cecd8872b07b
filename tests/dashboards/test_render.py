"""dashboards.render: what Grafana gets, what a wrong file or configuration gets."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from runtime_exporter.errors import BundleError, ConfigError, MissingExtraError
from runtime_exporter.mixin import bundle, contract, dashboards
from runtime_exporter.mixin.dashboards import panels_of

SCHEMA = bundle.root().parent / "shared" / "reference" / "dashboard.jsonschema.json"
UIDS = {
    "alerts": "runtime-exporter-alerts",
    "business": "runtime-exporter-business",
    "exporter": "runtime-exporter-exporter",
    "http": "runtime-exporter-http",
    "overview": "runtime-exporter-overview",
    "profiling": "runtime-exporter-profiling",
    "prometheus": "runtime-exporter-prometheus",
    "runtime": "runtime-exporter-runtime",
    "slo": "runtime-exporter-slo",
}


def everything(value):
    """Every value in a JSON document."""
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from everything(child)


def variables(board):
    return {each["name"]: each for each in board["templating"]["list"]}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A bundle of the test's own, with one dashboard file to fill."""
    (tmp_path / "dashboards").mkdir()
    monkeypatch.setattr(bundle, "root", lambda: tmp_path)
    return tmp_path / "dashboards" / "mine.py"


def test_uids_stay_the_same_because_alerts_link_to_them(boards):
    assert UIDS == {name: board["uid"] for name, board in boards.items()}


def test_the_same_configuration_gives_the_same_bytes(config, texts):
    assert texts == dashboards.render(copy.deepcopy(config))


def test_the_same_bytes_come_from_an_interpreter_with_another_hash_seed(config, texts):
    program = (
        "import json, sys; from runtime_exporter.mixin import dashboards;"
        " json.dump(dashboards.render(json.load(sys.stdin)), sys.stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(config),
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert texts == json.loads(done.stdout)


def test_keys_are_sorted_so_that_a_difference_is_a_change(texts):
    for text in texts.values():
        assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_nothing_is_null(boards):
    for board in boards.values():
        assert None not in list(everything(board))
        assert "null" not in list(everything(board))


def test_the_frame_is_the_house_style(boards):
    for board in boards.values():
        assert (39, 1, False, "browser", ["runtime-exporter"]) == (
            board["schemaVersion"],
            board["graphTooltip"],
            board["editable"],
            board["timezone"],
            board["tags"],
        )
        assert {"from": "now-1h", "to": "now"} == board["time"]
        assert board["title"].startswith("Runtime exporter / ")
        assert board["description"]


def test_every_dashboard_links_to_its_siblings_and_keeps_time_and_variables(boards):
    for board in boards.values():
        [link] = board["links"]
        assert ("dashboards", ["runtime-exporter"], True, True) == (
            link["type"],
            link["tags"],
            link["keepTime"],
            link["includeVars"],
        )


def test_every_dashboard_marks_alerts_restarts_and_new_versions(boards):
    for board in boards.values():
        assert ["Alerts", "Restarts", "New versions"] == [each["name"] for each in board["annotations"]["list"]]
        assert {"${datasource}"} == {each["datasource"]["uid"] for each in board["annotations"]["list"]}
        assert all(each["expr"] == each["target"]["expr"] for each in board["annotations"]["list"])


def test_panel_ids_are_unique_rows_included(boards):
    for board in boards.values():
        rows = [panel for panel in board["panels"] if panel["type"] == "row"]
        ids = [panel["id"] for panel in [*rows, *panels_of(board)]]
        assert sorted(set(ids)) == sorted(ids)


def test_panel_titles_are_unique_so_that_a_report_names_one_panel(boards):
    for board in boards.values():
        titles = [panel["title"] for panel in panels_of(board)]
        assert sorted(set(titles)) == sorted(titles)


def test_all_is_chosen_at_first_in_every_variable_that_has_it(boards):
    for board in boards.values():
        for each in board["templating"]["list"]:
            expected = ["$__all"] if each.get("includeAll") else "default"
            assert expected == each["current"]["value"]


def test_no_value_turns_red_by_grafanas_own_threshold_of_80(boards):
    """Without steps of its own a panel gets green below 80 and red above, whatever its unit."""
    for board in boards.values():
        for panel in panels_of(board):
            steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            assert steps, panel["title"]
            assert 80 not in [step["value"] for step in steps]
            assert all(isinstance(step["value"], (int, float)) for step in steps)
            assert sorted(step["value"] for step in steps) == [step["value"] for step in steps]


def test_several_clusters_and_namespaces_show_their_variables_and_columns(config):
    several = {**config, "showMultiCluster": True, "clusterLabel": "k8s_cluster", "showNamespace": True}
    board = json.loads(dashboards.render(several)["dashboards/overview.json"])
    assert (0, 0) == (variables(board)["cluster"]["hide"], variables(board)["namespace"]["hide"])
    assert "k8s_cluster)" in variables(board)["cluster"]["query"]
    services = next(panel for panel in panels_of(board) if panel["title"] == "Services")
    assert services["transformations"][1]["options"]["include"]["names"][:3] == ["k8s_cluster", "namespace", "job"]
    assert all('k8s_cluster=~"$cluster"' in target["expr"] for target in services["targets"])
    cpu = next(panel for panel in panels_of(board) if panel["title"] == "CPU by instance")
    assert "{{k8s_cluster}} {{namespace}} {{instance}}" == cpu["targets"][0]["legendFormat"]


def test_one_cluster_hides_the_variables_that_would_be_empty(boards):
    for board in boards.values():
        assert (2, 2) == (variables(board)["cluster"]["hide"], variables(board)["namespace"]["hide"])
        assert (".*", ".*") == (variables(board)["cluster"]["allValue"], variables(board)["namespace"]["allValue"])


def test_the_mixins_selector_narrows_every_query_and_variable_by_the_labels_that_are_there(config, boards):
    """Recorded series and alerts have a job; the label team is that of raw series alone."""
    selector = 'job=~"shop.*", team="shop"'
    narrowed = dashboards.render({**config, "selector": selector, "prometheus": {"selector": selector}})
    wrong = []
    for text in narrowed.values():
        board = json.loads(text)
        expressions = [expr for _, expr in dashboards.queries(board)]
        expressions += [dashboards.expand(each["expr"], board) for each in board["annotations"]["list"]]
        variables = [each["query"] for each in board["templating"]["list"] if each["type"] == "query"]
        expressions += [re.sub(r"label_values\((.*), \w+\)", r"\1", query) for query in variables]
        for expression in expressions:
            raw = {name for name in contract.names_of(expression) if ":" not in name and not name.startswith("ALERTS")}
            recorded = contract.names_of(expression) - raw
            is_right = '{job=~"shop.*"' in expression and ('team="shop"' in expression) == bool(raw or not recorded)
            wrong += [] if is_right else [expression]
    assert wrong == []
    assert all('team="shop"' not in json.dumps(board) for board in boards.values())


def test_thresholds_follow_the_alerts_they_stand_for(config):
    changed = copy.deepcopy(config)
    changed["alerts"]["gcPressure"]["ratio"] = 0.42
    changed["alerts"]["httpLatencyHigh"]["threshold"] = "1m30s"
    changed["http"]["objective"] = 0.99
    rendered = {Path(path).stem: json.loads(text) for path, text in dashboards.render(changed).items()}

    def steps(board, title):
        panel = next(panel for panel in panels_of(rendered[board]) if panel["title"] == title)
        return [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]

    assert [0, 0.42] == steps("runtime", "Time in garbage collection")
    assert [0, 45, 90] == steps("http", "p95")
    assert [0, 0.01, 0.144] == steps("overview", "Error ratio")


def test_where_services_differ_no_threshold_is_drawn_and_the_description_says_whose(config):
    services = {
        "shop": {"alerts": {"gcPressure": {"ratio": 0.3}, "httpLatencyHigh": {"enabled": False}}},
        "mail": {"alerts": {"gcPressure": {"ratio": 0.1}, "cpuThrottled": None}, "http": {"objective": 0.99}},
    }
    rendered = {
        Path(path).stem: json.loads(text) for path, text in dashboards.render({**config, "services": services}).items()
    }

    def panel(board, title):
        return next(panel for panel in panels_of(rendered[board]) if panel["title"] == title)

    def drawn(found):
        return [step["value"] for step in found["fieldConfig"]["defaults"]["thresholds"]["steps"]][1:]

    collecting = panel("runtime", "Time in garbage collection")
    assert drawn(collecting) == []
    assert collecting["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {"mode": "off"}
    said = "No threshold is drawn, since services differ in alerts.gcPressure.ratio: shop has 0.3, all others 0.1."
    assert collecting["description"].endswith(said)
    objective = "since services differ in http.objective: mail has 0.99, all others 0.999."
    for board, title in (("overview", "Error ratio"), ("http", "Routes by traffic"), ("overview", "Services")):
        assert objective in panel(board, title)["description"]
    routes = panel("http", "Routes by traffic")
    colours = {
        each["matcher"]["options"]: [
            part["value"]["steps"] for part in each["properties"] if part["id"] == "thresholds"
        ]
        for each in routes["fieldConfig"]["overrides"]
    }
    assert [len(steps) for [steps] in (colours["Errors"], colours["p95"])] == [1, 3]
    # Switched off and deleted are no other thresholds.
    assert drawn(panel("http", "p95")) == [0.5, 1]
    assert drawn(panel("runtime", "Throttling")) == [0.25]


def test_a_missing_grafanalib_names_the_pip_command(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "grafanalib", None)
    monkeypatch.delitem(sys.modules, "runtime_exporter.mixin.panels", raising=False)
    with pytest.raises(MissingExtraError) as raised:
        dashboards.render(config)
    assert "grafanalib is not installed: pip install 'runtime-exporter[mixin]'" == str(raised.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def dashboard(config:\n", "dashboards/mine.py:1: SyntaxError: '(' was never closed"),
        ("", "dashboards/mine.py: it defines no dashboard(config)"),
        ("def dashboard(config):\n    return config['nonsense']\n", "dashboards/mine.py:2: the configuration has no 'nonsense'"),
        ("def dashboard(config):\n    return 1 / 0\n", "dashboards/mine.py:2: ZeroDivisionError: division by zero"),
        ("def dashboard(config):\n    return 7\n", "dashboards/mine.py: dashboard(config) returns int, not what panels.dashboard() makes"),
    ],
)  # fmt: skip
def test_a_dashboard_file_that_fails_is_named_with_the_line(checkout, config, source, message):
    checkout.write_text(source)
    with pytest.raises(BundleError) as raised:
        dashboards.render(config)
    assert message == str(raised.value)
    assert checkout == raised.value.path


def test_a_bundle_without_dashboards_is_refused(checkout, config):
    with pytest.raises(BundleError, match="no dashboards there"):
        dashboards.render(config)


def test_a_uid_that_grafana_would_refuse_is_refused_here(config):
    uids = {**config["dashboardUids"], "http": "x" * 41}
    with pytest.raises(ConfigError, match=r"dashboardUids\.http: .* at most 40"):
        dashboards.render({**config, "dashboardUids": uids})


def test_one_uid_for_two_dashboards_is_refused(config):
    uids = {**config["dashboardUids"], "http": "runtime-exporter-runtime"}
    with pytest.raises(ConfigError, match="dashboardUids: 'runtime-exporter-runtime' stands for two dashboards"):
        dashboards.render({**config, "dashboardUids": uids})


def test_grafanas_own_schema_accepts_every_dashboard(boards):
    if not SCHEMA.is_file():
        pytest.skip(f"{SCHEMA} is not there: it is Grafana's dashboard.jsonschema.json, of grafana-foundation-sdk")
    schema = json.loads(SCHEMA.read_text())
    # Grafana's types say `any` in these two places (a threshold list, a text, a number); the schema's generator made that "object".
    schema["definitions"]["DynamicConfigValue"]["properties"]["value"] = {}
    schema["definitions"]["MatcherConfig"]["properties"]["options"] = {}
    validator = jsonschema.Draft7Validator(schema)
    for name, board in boards.items():
        assert [] == [f"{name}: {error.json_path}: {error.message}" for error in validator.iter_errors(board)]
