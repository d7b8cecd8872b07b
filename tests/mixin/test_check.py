"""`runtime-exporter check`: every finding of the real tools, and the names of metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import tools
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import check, contract, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

BROKEN_RULES = """groups:
- name: g
  rules:
  - {alert: A, expr: 'up >'}
  - {alert: B, expr: 'up == 0', annotations: {summary: '{{ $nothing }}'}}
"""


@pytest.fixture
def out(tmp_path: Path, default_files: dict[str, str]) -> Path:
    tools.require("promtool", package="prometheus")
    tools.require("amtool", package="prometheus-alertmanager")
    write.apply(write.plan(tmp_path / "out", default_files))
    return tmp_path / "out"


def test_what_we_generate_has_no_findings(runtime_exporter: Callable[..., Result], out: Path) -> None:
    result = runtime_exporter("check", out)
    assert (0, f"{out}: no findings\n", "") == (result.exit_code, result.stdout, result.stderr)


def test_all_findings_are_told_not_the_first(runtime_exporter: Callable[..., Result], out: Path) -> None:
    (out / "rules" / "broken.yaml").write_text(BROKEN_RULES)
    (out / "alertmanager" / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: []\n")
    (out / "dashboards" / "a.json").write_text("{")
    (out / "dashboards" / "b.json").write_text('{"title": "no uid"}')
    (out / "dashboards" / "c.json").write_text((out / "dashboards" / "http.json").read_text())
    result = runtime_exporter("check", out)
    assert result.exit_code == 1
    for finding in (
        '"A": could not parse expression: 1:5: parse error: unexpected end of input',
        '"B": annotation "summary": template:',
        'undefined receiver "nobody" used in route',
        "a.json: not JSON: ",
        "b.json: not a dashboard with a uid and a title",
        "http.json: has the uid of",
    ):
        assert finding in result.stderr, finding
    assert all(line.startswith("error: ") for line in result.stderr.splitlines())


def test_the_same_rule_twice_is_a_finding(out: Path) -> None:
    rule = "{record: 'a:b', expr: up}"
    (out / "rules" / "twice.yaml").write_text(f"groups:\n- name: g\n  rules: [{rule}, {rule}]\n")
    assert any("duplicate rule" in finding for finding in check.check(out))


def test_a_missing_tool_is_a_finding_that_names_its_package(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert [
        "promtool is not installed: apt-get install prometheus (or put it on PATH)",
        "amtool is not installed: apt-get install prometheus-alertmanager (or put it on PATH)",
    ] == check.check(out)


def test_a_directory_with_nothing_to_check_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no rules, dashboards or alertmanager\.yml"):
        check.check(tmp_path)


def test_without_a_directory_the_configuration_is_checked(
    runtime_exporter: Callable[..., Result], tmp_path: Path
) -> None:
    tools.require("promtool", package="prometheus")
    tools.require("amtool", package="prometheus-alertmanager")
    path = tmp_path / "my.yaml"
    # Grammar of newer servers, behind a flag there: the generator lets it pass, promtool does not.
    path.write_text("customAlerts: {MyAlert: {expression: 'mad_over_time(up[5m]) > 1'}}\n")
    result = runtime_exporter("check", "--config", path)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: promtool: rules/alerts.yaml: ")
    assert "mad_over_time" in result.stderr


def test_a_directory_and_a_configuration_together_are_wrong_usage(
    runtime_exporter: Callable[..., Result], out: Path
) -> None:
    result = runtime_exporter("check", out, "--set", "rateInterval=5m")
    assert (2, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "DIR is checked as it is" in result.stderr


def test_a_name_that_nothing_exposes_is_a_finding(runtime_exporter: Callable[..., Result], tmp_path: Path) -> None:
    tools.require("promtool", package="prometheus")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(
        "groups:\n- name: g\n  rules:\n"
        "  - {record: 'job:a:sum', expr: 'sum by (job) (rate(a_seconds_count[5m]))'}\n"
        "  - {alert: A, expr: 'job:a:sum > 1 and up and b_total > 0'}\n"
    )
    (tmp_path / "dashboards").mkdir()
    target = {"expr": 'histogram_quantile(0.9, rate(a_seconds_bucket{job=~"$job"}[$__rate_interval])) > ${limit} + c'}
    variable = {"query": {"query": 'label_values(d{job=~"$job"}, instance)'}}
    dashboard = {"uid": "u", "title": "t", "panels": [{"targets": [target]}], "templating": {"list": [variable]}}
    (tmp_path / "dashboards" / "a.json").write_text(json.dumps(dashboard))
    metrics = tmp_path / "metrics.txt"
    metrics.write_text("# HELP a_seconds A.\n# TYPE a_seconds histogram\na_seconds_sum 1\nlimit 3\nvariable\n")
    result = runtime_exporter("check", tmp_path, "--metrics", metrics)
    assert [
        f"error: {tmp_path}/rules/a.yaml: reads b_total, which nothing exposes or records",
        f"error: {tmp_path}/dashboards/a.json: reads c, which nothing exposes or records",
        f"error: {tmp_path}/dashboards/a.json: reads d, which nothing exposes or records",
    ] == result.stderr.splitlines()


def test_a_catalogue_that_is_missing_is_named(runtime_exporter: Callable[..., Result], tmp_path: Path) -> None:
    result = runtime_exporter("check", tmp_path, "--metrics", tmp_path / "none")
    assert (2, f"error: --metrics {tmp_path}/none: No such file or directory\n") == (result.exit_code, result.stderr)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# TYPE a histogram", {"a_bucket", "a_sum", "a_count"}),
        ("# TYPE a summary", {"a", "a_sum", "a_count"}),
        ("# TYPE a counter", {"a", "a_total"}),
        ('# TYPE a gauge\na{b="c"} 5', {"a"}),
        ("# HELP a is b\na_total\n  b:c\n", {"a_total", "b:c"}),
    ],
)
def test_a_catalogue_is_an_exposition_or_a_list_of_names(text: str, expected: set[str]) -> None:
    assert expected == contract.names_exposed(text)


def test_the_names_used_of_one_expression_are_found_too() -> None:
    assert {"up", "a"} == contract.names_used("up == 0 or rate(a[5m]) > 1")
