"""A user's own alerts: from YAML to a rule that promtool accepts and that fires, without jsonnet."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import tools
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import custom
from runtime_exporter.mixin.generate import generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

METRIC = {"metric": "shop_orders_total", "operator": ">", "threshold": 5}


def expression(**spec: Any) -> str:
    completed = custom.complete({"MyAlert": {**METRIC, **spec}})["MyAlert"]
    assert completed is not None
    return str(completed["expression"])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "shop_orders_total > 5"),
        ({"operator": "<=", "threshold": 0.25}, "shop_orders_total <= 0.25"),
        ({"threshold": "5e6"}, "shop_orders_total > 5000000"),
        ({"threshold": -1}, "shop_orders_total > -1"),
        ({"selector": {"status": "failed", "code": 500}}, 'shop_orders_total{status="failed", code="500"} > 5'),
        ({"selector": {"path": 'a"b\\c\nd'}}, r'shop_orders_total{path="a\"b\\c\nd"} > 5'),
        ({"selector": '{status=~"5.."}'}, 'shop_orders_total{status=~"5.."} > 5'),
        ({"function": "rate"}, "rate(shop_orders_total[5m]) > 5"),
        (
            {"function": "increase", "window": "10m", "aggregation": "sum", "by": ["job", "shop"]},
            "sum by (job, shop) (increase(shop_orders_total[10m])) > 5",
        ),
        ({"aggregation": "max", "by": "job"}, "max by (job) (shop_orders_total) > 5"),
        ({"aggregation": "count"}, "count(shop_orders_total) > 5"),
    ],
)
def test_metric_operator_and_threshold_make_an_expression(spec: dict[str, Any], expected: str) -> None:
    assert expected == expression(**spec)


@pytest.mark.parametrize(
    "text",
    [
        "up == 0",
        "absent(up{job='shop'})",
        "shop_queue unless on (job) shop_worker",
        "(a / b > 0.5) and b > 10",
        "min_over_time(up[5m]) != bool 1 > 0",
    ],
)
def test_an_expression_with_a_condition_is_taken_as_it_is(text: str) -> None:
    assert custom.complete({"MyAlert": {"expression": text}})["MyAlert"]["expression"] == text  # type: ignore[index]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"threshold": "much"}, "customAlerts.MyAlert.threshold: 'much' is not a number"),
        ({"threshold": True}, "customAlerts.MyAlert.threshold: True is not a number"),
        ({"threshold": float("nan")}, "customAlerts.MyAlert.threshold: nan is not a number"),
        (
            {"operator": ""},
            "customAlerts.MyAlert.operator: '' is not one of > >= < <= == != (in quotes: YAML reads a bare > otherwise)",
        ),
        ({"metric": "5xx"}, "customAlerts.MyAlert.metric: '5xx' is not the name of a metric"),
        ({"for": "soon"}, "customAlerts.MyAlert.for: 'soon' is not a duration such as 30s, 5m or 1h30m"),
        (
            {"severity": "urgent"},
            "customAlerts.MyAlert.severity: 'urgent' is not a severity: critical, warning, info, none",
        ),
        (
            {"selector": "status=500"},
            "customAlerts.MyAlert.selector: 'status=500' is not a mapping of labels to values, nor matchers such as 'status=~\"5..\"'",
        ),
        ({"window": "5m"}, "customAlerts.MyAlert.window: needs a function, such as function: increase"),
        ({"by": ["job"]}, "customAlerts.MyAlert.by: needs an aggregation, such as aggregation: sum"),
        ({"aggregation": "sum", "by": []}, "customAlerts.MyAlert.by: [] is not a list of label names"),
        (
            {"function": "rate", "window": "0"},
            "customAlerts.MyAlert.window: '0' is not a duration such as 30s, 5m or 1h30m",
        ),
        ({"treshold": 1}, "customAlerts.MyAlert.treshold: no such key; did you mean 'threshold'?"),
        (
            {"labels": {"severity": "critical"}},
            "customAlerts.MyAlert.labels: {'severity': 'critical'} is not a mapping of label names to texts, without severity and alertname",
        ),
        ({"expression": "up == 0"}, "customAlerts.MyAlert: expression and metric are both given; one of them says it"),
        (
            {"metric": None, "threshold": None},
            "customAlerts.MyAlert: metric and threshold missing: give an expression, or metric, operator and threshold",
        ),
    ],
)
def test_a_wrong_field_is_named(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        custom.complete({"MyAlert": {**METRIC, **spec}})
    assert message == str(caught.value)


@pytest.mark.parametrize("text", ["rate(up[5m] > 1", "up > (", "foo(up) > 1", "up >", "   "])
def test_an_expression_that_is_not_promql_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"customAlerts\.MyAlert\.expression: .* is (not PromQL|not a text)"):
        custom.complete({"MyAlert": {"expression": text}})


@pytest.mark.parametrize("text", ["up", "rate(x_total{a=~'b>c'}[5m])", "up > bool 0", "sum(x) # > 5"])
def test_an_alert_that_would_always_fire_is_refused_unless_it_is_meant(text: str) -> None:
    with pytest.raises(ConfigError, match="compares with nothing, so it would fire for every value"):
        custom.complete({"MyAlert": {"expression": text}})
    allowed = custom.complete({"MyAlert": {"expression": text, "unconditional": True}})["MyAlert"]
    assert allowed is not None
    assert text == allowed["expression"]


@pytest.mark.parametrize("name", ["myAlert", "My-Alert", "My Alert", "", "5xx"])
def test_a_name_that_is_not_camel_case_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a name in CamelCase, such as ShopOrdersFailing"):
        custom.complete({name: METRIC})


def test_the_name_of_a_builtin_alert_is_taken() -> None:
    with pytest.raises(ConfigError, match=r"customAlerts\.RuntimeCpuSpike: .* is an alert of the mixin already"):
        generate({"customAlerts": {"RuntimeCpuSpike": METRIC}})


def test_an_error_names_file_and_line(runtime_exporter: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("customAlerts:\n  MyAlert:\n    metric: x\n    operator: '>'\n    threshold: much\n")
    result = runtime_exporter("generate", tmp_path / "out", "--config", path)
    assert (2, f"error: {path}:5: customAlerts.MyAlert.threshold: 'much' is not a number\n") == (
        result.exit_code,
        result.stderr,
    )
    assert not (tmp_path / "out").exists()


def alert_rules(alerts: dict[str, Any]) -> list[dict[str, Any]]:
    groups = yaml.safe_load(generate({"customAlerts": alerts})["rules/alerts.yaml"])["groups"]
    return [rule for group in groups if group["name"].startswith("runtime-custom") for rule in group["rules"]]


def test_everything_that_is_given_is_in_the_rule_and_what_is_switched_off_is_not() -> None:
    spec = {
        **METRIC,
        "for": "2m",
        "keepFiringFor": "10m",
        "severity": "critical",
        "labels": {"team": "shop"},
        "summary": "Orders fail.",
        "description": "{{ $value }} orders failed.",
        "suggested_actions": ["Look.", "- Act."],
        "runbook_url": "https://wiki.example/orders",
        "dashboard_url": "https://grafana.example/d/orders",
    }
    expected = {
        "alert": "MyAlert",
        "expr": "shop_orders_total > 5",
        "for": "2m",
        "keep_firing_for": "10m",
        "labels": {"severity": "critical", "team": "shop"},
        "annotations": {
            "summary": "Orders fail.",
            "description": "{{ $value }} orders failed.",
            "suggested_actions": "- Look.\n- Act.",
            "runbook_url": "https://wiki.example/orders",
            "dashboard_url": "https://grafana.example/d/orders",
        },
    }
    off = {"Disabled": {**METRIC, "enabled": False}, "Deleted": None}
    assert [expected] == alert_rules({"MyAlert": spec, **off})


def test_many_alerts_are_split_into_groups_that_mimir_takes() -> None:
    text = generate({"customAlerts": {f"MyAlert{number}": METRIC for number in range(45)}})["rules/alerts.yaml"]
    groups = [group for group in yaml.safe_load(text)["groups"] if group["name"].startswith("runtime-custom")]
    assert {"runtime-custom-1.alerts": 20, "runtime-custom-2.alerts": 20, "runtime-custom-3.alerts": 5} == {
        group["name"]: len(group["rules"]) for group in groups
    }


def test_promtool_sees_a_custom_alert_fire_and_stay_quiet(tmp_path: Path) -> None:
    promtool = tools.require("promtool", package="prometheus")
    spec = {**METRIC, "selector": {"status": "failed"}, "aggregation": "sum", "by": ["job"], "for": "2m"}
    (tmp_path / "alerts.yaml").write_text(
        generate({"customAlerts": {"ShopHTTPOrdersFailing": spec}})["rules/alerts.yaml"]
    )
    fired = {
        "exp_labels": {"severity": "warning", "job": "shop"},
        "exp_annotations": {
            "summary": "Shop HTTP orders failing.",
            "description": "The value is 7, the condition "
            'sum by (job) (shop_orders_total{status="failed"}) > 5; labels: job=shop.',
            "dashboard_url": "http://localhost:3000/d/runtime-exporter-overview",
        },
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": 'shop_orders_total{job="shop", status="failed"}', "values": "5x5 7x10"}],
        "alert_rule_test": [
            {"eval_time": "5m", "alertname": "ShopHTTPOrdersFailing", "exp_alerts": []},
            {"eval_time": "10m", "alertname": "ShopHTTPOrdersFailing", "exp_alerts": [fired]},
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["alerts.yaml"], "tests": [test]}))
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "test.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
