"""A configuration with everything in it, for every target: PromQL that old and new engines read, and files that they take."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
import yaml

import unsafe_promql
from compat.programs import ROOT, newer, run
from runtime_exporter.mixin import contract, generate, outputs
from tools import require

EVERYTHING = {
    "showMultiCluster": True,
    "services": {
        "check_out": {
            "source": "opentelemetry_milliseconds",
            "http": {"objective": 0.99},
            "memory": {"floorWindow": "1h"},
            "alerts": {"gcPressure": {"ratio": 0.3}, "threadLeak": {"enabled": False}},
        },
    },
    "slos": {
        "orders": {"objective": 0.9995, "period": "28d", "selector": 'job="shop", http_route="/orders"'},
        "search": {"sli": "latency", "objective": 0.95, "threshold": "250ms", "by": "route"},
        "payments": {
            "sli": "custom",
            "objective": 0.99,
            "events": "shop_payments_total",
            "badEvents": 'shop_payments_total{status="failed"}',
        },
    },
    "anomalies": {
        "orders": "sum by (cluster, job) (rate(shop_orders_total[5m]))",
        "cpu": {"signal": "cpu", "strategy": "adaptive", "season": "day", "severity": "warning"},
        "slow": {"signal": "latency", "severity": "critical"},
    },
    "businessMetrics": yaml.safe_load((ROOT / "examples" / "shop" / "business.yaml").read_text())["businessMetrics"],
    "customAlerts": yaml.safe_load((ROOT / "examples" / "alerts.yaml").read_text())["customAlerts"],
}


@pytest.fixture(scope="module")
def files():
    return generate.generate(EVERYTHING)


@pytest.fixture
def shaped(request, files):
    return outputs.shape(files, request.param)


def expressions(files):
    """Return every expression of rules, manifests and dashboards, by where it is."""
    texts = {name: text for name, text in files.items() if name.startswith(("rules/", "dashboards/", "manifests/"))}
    return [(name, each) for name, text in texts.items() for each in contract.expressions(text)]


def test_all_that_is_configured_is_there(files):
    groups = [group for name in rules_of(files) for group in yaml.safe_load(files[name])["groups"]]
    rules = [rule for group in groups for rule in group["rules"]]
    labels = {value for rule in rules for value in rule.get("labels", {}).values()}
    assert labels >= {"orders", "search", "payments"}
    assert {rule.get("labels", {}).get("anomaly") for rule in rules} >= {"requests", *EVERYTHING["anomalies"]}
    assert {rule.get("alert") for rule in rules} >= set(EVERYTHING["customAlerts"])
    assert len(groups) == len({group["name"] for group in groups})
    assert "dashboards/business.json" in files


def rules_of(files):
    return [name for name in files if name.startswith("rules/")]


@pytest.mark.parametrize("shaped", outputs.TARGETS, indirect=True)
def test_every_engine_reads_every_expression_of_every_target(shaped):
    found = expressions(shaped)
    # In a ConfigMap a dashboard is a text, the same as the file: there are the rules alone.
    assert len(found) > 100
    assert [(where, each, unsafe_promql.problems(each)) for where, each in found if unsafe_promql.problems(each)] == []


@pytest.mark.parametrize("shaped", ["operator", "kubernetes"], indirect=True)
def test_every_manifest_is_what_its_schema_says_and_has_a_name_of_its_own(shaped):
    manifests = [yaml.safe_load(text) for name, text in shaped.items() if name.startswith("manifests/")]
    named = [(each["kind"], each["metadata"]["name"]) for each in manifests]
    assert len(set(named)) == len(named) >= 3
    assert [name for _, name in named if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)] == []
    for each in manifests:
        if each["kind"] != "ConfigMap":
            schema = (ROOT / "tests" / "mixin" / "crds" / f"{each['kind']}.json").read_text()
            jsonschema.validate(each, json.loads(schema))


@pytest.mark.parametrize("age", ["system's", "newer"])
def test_every_promtool_takes_it_all(files, age, tmp_path):
    promtool = require("promtool", package="prometheus") if age == "system's" else newer("promtool")
    for name in rules_of(files):
        (tmp_path / name.removeprefix("rules/")).write_text(files[name])
    code, said = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *sorted(tmp_path.iterdir()))
    assert code == 0, said


def test_vmalert_takes_it_all(files, tmp_path):
    shaped = outputs.shape(files, "vmalert")
    for name in rules_of(shaped):
        (tmp_path / name.removeprefix("rules/")).write_text(shaped[name])
    code, said = run(newer("vmalert"), "-dryRun", *(f"-rule={file}" for file in sorted(tmp_path.iterdir())))
    assert code == 0, said
