"""The stack of the demo under load: what it exposes is valid, and every panel of every dashboard finds its data in Prometheus."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from pathlib import Path

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from empty_panels import why_empty
from runtime_exporter.demo import files
from runtime_exporter.demo.stack import Stack, Tools
from runtime_exporter.mixin import dashboards, generate
from tools import require, wait_for

VALUES = {**dashboards.GRAFANA_VARIABLES, "__rate_interval": "10s", "__interval": "1s"}


@pytest.fixture(scope="module")
def stack():
    tools = Tools(
        require("prometheus", package="prometheus"),
        require("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager"),
    )
    with Stack(tools).running() as running:
        running.wait_until_ready(lambda _: None)
        yield running


@pytest.fixture(scope="module")
def boards(stack, tmp_path_factory):
    """The dashboards of the demo's own configuration, by file name."""
    url_file = tmp_path_factory.mktemp("slack") / "url"
    written = generate.generate(files.overrides(stack.ports, url_file))
    return {Path(name).stem: json.loads(text) for name, text in written.items() if name.startswith("dashboards/")}


def ask(stack, path, **parameters):
    answer = requests.get(f"{stack.url('prometheus')}/api/v1/{path}", params=parameters, timeout=10).json()
    assert "success" == answer["status"], (parameters, answer)
    return answer["data"]["result"]


def scrape(stack, accept):
    return requests.get(stack.url("exporter") + "/metrics", headers={"Accept": accept}, timeout=10).text


def test_promtool_finds_nothing_to_say_about_the_shop(stack):
    checked = subprocess.run(
        [require("promtool", package="prometheus"), "check", "metrics"],
        input=scrape(stack, "text/plain").encode(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (0, b"", b"") == (checked.returncode, checked.stdout, checked.stderr)


def test_a_parser_reads_the_same_families_from_both_formats(stack):
    text = {family.name: family.type for family in parse_text(scrape(stack, "text/plain"))}
    openmetrics = {
        family.name: family.type for family in parse_openmetrics(scrape(stack, "application/openmetrics-text"))
    }
    # The classic format has no word for info: it is a gauge there.
    as_text = {
        name + "_info" if kind == "info" else name: "gauge" if kind == "info" else kind
        for name, kind in openmetrics.items()
    }
    assert text == as_text
    assert {"http_server_request_duration_seconds", "shop_orders", "python_gc_duration_seconds"} <= set(text)


def comes_to(expected, look):
    """Look until it is as expected: a scrape now and then is too late on a machine that has much to do."""
    with contextlib.suppress(pytest.fail.Exception):
        wait_for(lambda: look() == expected, pause=0.5)
    assert expected == look()


def test_prometheus_takes_the_scrape_and_all_rules_are_well(stack):
    def targets():
        found = requests.get(stack.url("prometheus") + "/api/v1/targets", timeout=30).json()["data"]["activeTargets"]
        return [(target["health"], target["lastError"]) for target in found]

    def rules():
        groups = requests.get(stack.url("prometheus") + "/api/v1/rules", timeout=30).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    comes_to([("up", "")], targets)
    assert 20 < len(rules())
    comes_to([], lambda: [(rule["name"], rule.get("lastError")) for rule in rules() if rule["health"] != "ok"])


def test_every_panel_of_every_dashboard_finds_its_data(stack, boards):
    assert {"overview", "runtime", "http", "exporter"} <= set(boards)
    # What only shows once something went wrong, or after some time: five errors, and scrapes enough for every window.
    stack.switch("errors", on=True)
    time.sleep(3)
    stack.switch("errors", on=False)

    def without_data():
        now = time.time()
        return [
            (board, title, expression)
            for board, content in boards.items()
            for title, expression in dashboards.queries(content, VALUES)
            if not why_empty(board, title, expression)
            and not ask(stack, "query_range", query=expression, start=now - 20, end=now, step=2)
        ]

    try:
        wait_for(lambda: not without_data(), seconds=60, what="data in every panel", pause=2)
    except pytest.fail.Exception:
        assert [] == without_data()


def test_every_panel_that_is_excused_for_being_empty_is_valid_promql(stack, boards):
    for content in boards.values():
        for _, expression in dashboards.queries(content, VALUES):
            ask(stack, "query", query=expression)
        for annotation in content["annotations"]["list"]:
            ask(stack, "query", query=dashboards.expand(annotation["expr"], content, VALUES))


def test_the_links_of_an_alert_lead_somewhere(stack):
    watchdog = wait_for(lambda: stack.observe().alert("Watchdog"), what="the Watchdog")
    assert watchdog is not None
    page = requests.get(stack.url("exporter") + "/runbooks/Watchdog", timeout=10)
    assert 200 == page.status_code
    assert "Watchdog" in page.text
