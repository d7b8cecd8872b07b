"""Services with settings of their own, for every target and rule set: taken by the real programs, and evaluated by one."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from compat.programs import newer, run
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import contract, outputs
from runtime_exporter.mixin.generate import generate, yaml_text
from tools import require

CRDS = Path(__file__).parent / "crds"
OVERRIDES: dict[str, Any] = {
    "slos": {"checkout": {"selector": 'http_route="/orders"', "objective": 0.999}},
    "services": {
        "shop": {
            "rateInterval": "2m",
            "slos": {
                "checkout": {"objective": 0.9995},
                "search": {"sli": "latency", "threshold": "250ms", "objective": 0.99, "by": "route", "period": "28d"},
            },
        },
        # A name that a group of all services has, too.
        "memory": {"slo": {"latency": {"threshold": "250ms"}}, "http": {"objective": 0.99}},
        "Check.Out": {
            "job": ["check", "out"],
            "slos": {
                "checkout": None,
                "payments": {
                    "sli": "custom",
                    "events": "pay_total",
                    "badEvents": 'pay_total{s="f"}',
                    "objective": 0.999,
                },
            },
        },
    },
}
BEYOND_PROMETHEUS_2 = {"query_offset", "partial_response_strategy"}


@pytest.fixture(scope="module")
def generated() -> dict[str, dict[str, str]]:
    """The files by what evaluates them: vmalert's texts differ."""
    return {word: generate({**OVERRIDES, "target": word}) for word in ("prometheus", "vmalert")}


@pytest.fixture(scope="module")
def shaped(generated):
    """Return the documents with rules for a target and a rule set, by file."""

    @cache
    def of(target: str, rule_set: str = "all") -> dict[str, dict[str, Any]]:
        files = outputs.shape(generated[outputs.evaluated_by(target)], target, rule_set)
        documents = {name: contract.document(text) for name, text in files.items() if name.endswith(".yaml")}
        wrapped = {name: each for name, each in documents.items() if each.get("kind") == "PrometheusRule"}
        return wrapped or {name: each for name, each in documents.items() if name.startswith("rules/")}

    return of


def groups(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document.get("spec", document)["groups"]
    return found


def rules(documents: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for document in documents.values() for group in groups(document) for rule in group["rules"]]


@pytest.mark.parametrize("rule_set", outputs.RULE_SETS)
@pytest.mark.parametrize("target", [target for target in outputs.TARGETS if target != "vmalert"])
def test_promtool_takes_the_rules_of_services_for_every_target(shaped, target, rule_set, tmp_path):
    for name, document in shaped(target, rule_set).items():
        plain = [
            {key: value for key, value in group.items() if key not in BEYOND_PROMETHEUS_2} for group in groups(document)
        ]
        (tmp_path / name.replace("/", "-")).write_text(yaml_text({"groups": plain}))
    files = sorted(tmp_path.iterdir())
    assert sum("service-" in file.name for file in files) >= 2
    code, said = run(require("promtool", package="prometheus"), "check", "rules", "--lint=all", "--lint-fatal", *files)
    assert code == 0, said


@pytest.mark.parametrize("rule_set", outputs.RULE_SETS)
def test_vmalert_takes_the_rules_of_services(shaped, rule_set, tmp_path):
    for name, document in shaped("vmalert", rule_set).items():
        (tmp_path / name.replace("/", "-")).write_text(yaml_text(document))
    code, said = run(newer("vmalert"), "-dryRun", *(f"-rule={file}" for file in tmp_path.iterdir()))
    assert code == 0, said


def test_for_vmalert_no_rule_of_a_service_reads_what_its_own_group_records(shaped):
    for document in shaped("vmalert").values():
        for group in groups(document):
            recorded = {rule["record"] for rule in group["rules"] if "record" in rule}
            assert [rule for rule in group["rules"] if contract.names_of(rule["expr"]) & recorded] == []


@pytest.mark.parametrize("target", outputs.TARGETS)
def test_no_two_groups_have_one_name(shaped, target):
    names = [group["name"] for document in shaped(target).values() for group in groups(document)]
    assert len(names) == len(set(names))


def test_for_mimir_no_two_files_have_one_namespace(shaped):
    namespaces = [document["namespace"] for document in shaped("mimir").values()]
    assert len(namespaces) == len(set(namespaces)) == 5


@pytest.mark.parametrize("target", ["operator", "kubernetes"])
def test_the_manifests_of_services_are_what_their_schema_says(shaped, target):
    schema = json.loads((CRDS / "PrometheusRule.json").read_text())
    manifests = shaped(target)
    names = [each["metadata"]["name"] for each in manifests.values()]
    assert len(set(names)) == len(names) == 5
    for manifest in manifests.values():
        jsonschema.validate(manifest, schema)


def test_the_leaf_and_the_global_rules_of_services_are_all_of_them(shaped):
    leaf, over, both = (rules(shaped("prometheus", each)) for each in ("leaf", "global", "all"))
    texts = [sorted(json.dumps(rule, sort_keys=True) for rule in each) for each in (leaf, over, both)]
    assert sorted([*texts[0], *texts[1]]) == sorted([*texts[2], *{text for text in texts[0] if "Watchdog" in text}])
    there = {
        rule["record"] for rule in [*leaf, *over] if "record" in rule and not rule["record"].startswith("instance:")
    }
    for rule in over:
        assert contract.names_of(rule["expr"]) <= there, rule["expr"]


def test_an_objective_of_a_service_is_about_its_jobs_and_replaces_that_of_all(shaped, tmp_path):
    """One order of a hundred fails: for shop that is too many in an hour, for blog it is not, and out is not asked."""
    documents = shaped("prometheus")
    for name, document in documents.items():
        (tmp_path / name.removeprefix("rules/")).write_text(yaml_text(document))
    goals = [
        {"labels": f'slo:objective:ratio{{job="{job}",period="30d",slo="checkout",sli="availability"}}', "value": goal}
        for job, goal in (("blog", 0.999), ("shop", 0.9995))
    ]
    burning = 'count by (job) (ALERTS{alertname="RuntimeSloBudgetBurn",slo="checkout",long="1h",alertstate="firing"})'
    asked = [
        {"expr": 'slo:objective:ratio{slo="checkout"}', "eval_time": "55m", "exp_samples": goals},
        {"expr": burning, "eval_time": "55m", "exp_samples": [{"labels": '{job="shop"}', "value": 1}]},
    ]
    series = [orders(job, *row) for job in ("shop", "blog", "out") for row in (("200", 99), ("500", 1))]
    tests = {
        "rule_files": sorted(name.removeprefix("rules/") for name in documents),
        "evaluation_interval": "1m",
        "group_eval_order": [
            group["name"] for name in sorted(documents, reverse=True) for group in groups(documents[name])
        ],
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(tests))
    command = [require("promtool", package="prometheus"), "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def orders(job: str, code: str, a_minute: int) -> dict[str, str]:
    labels = (
        f'job="{job}",instance="a",http_request_method="GET",http_route="/orders",http_response_status_code="{code}"'
    )
    return {"series": f"http_server_request_duration_seconds_count{{{labels}}}", "values": f"0+{a_minute * 10}x60"}


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            {"slos": {"a": {"objective": 0.99, "selector": 'job="x"'}}},
            "services.shop.slos.a.selector: 'job=\"x\"' names the job",
        ),
        ({"slos": {"a": {"objective": 1}}}, "services.shop.slos.a.objective: 1 must lie between 0 and 1"),
        ({"slos": {"a": {"objektive": 1}}}, "services.shop.slos.a.objektive: no such key; did you mean 'objective'?"),
        (
            {"slo": {"latency": {"threshold": "300ms"}}},
            "services.shop.slo.latency.threshold: '300ms' is no bound of a bucket",
        ),
        ({"rateInterval": "20s"}, "services.shop.rateInterval: '20s' makes an alert that can never fire"),
    ],
)
def test_what_is_wrong_with_a_services_objective_is_said_with_its_place(own, said):
    with pytest.raises(ConfigError) as refused:
        generate({"services": {"shop": own}})
    assert str(refused.value).startswith(said)
