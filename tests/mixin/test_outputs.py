"""Every target's files: in the form that it takes, with the same rules, and manifests that their own schemas accept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from runtime_exporter.cli.generate import command
from runtime_exporter.mixin import contract, outputs
from runtime_exporter.mixin.generate import yaml_text

CRDS = Path(__file__).parent / "crds"


@pytest.fixture(scope="module")
def by_target(default_files):
    """Return the files of every target."""
    return {target: outputs.shape(default_files, target) for target in outputs.TARGETS}


@pytest.fixture(scope="module")
def manifests(by_target):
    """Return the manifests of a target."""

    def of(target):
        return [yaml.safe_load(text) for name, text in by_target[target].items() if name.startswith("manifests/")]

    return of


def groups_of(files):
    """Return the groups of rules in files, whatever they are wrapped in."""
    documents = [yaml.safe_load(text) for name, text in files.items() if name.startswith(("rules/", "manifests/"))]
    found = [
        each.get("spec", each).get("groups", []) if "groups" in each.get("spec", each) else [] for each in documents
    ]
    return [group for groups in found for group in groups]


def rules_of(files):
    return [rule for group in groups_of(files) for rule in group["rules"]]


@pytest.mark.parametrize("target", outputs.TARGETS)
def test_every_target_has_the_same_rules(target, default_files, by_target):
    expected = sorted(json.dumps(rule, sort_keys=True) for rule in rules_of(default_files))
    assert sorted(json.dumps(rule, sort_keys=True) for rule in rules_of(by_target[target])) == expected


def test_for_prometheus_nothing_changes(default_files, by_target):
    assert by_target["prometheus"] == default_files


@pytest.mark.parametrize("target", ["operator", "kubernetes"])
def test_manifests_are_what_their_schemas_say(target, manifests):
    for manifest in manifests(target):
        if manifest["kind"] == "ConfigMap":
            kubernetes_validate.validate(manifest, "1.31", strict=True)
        else:
            jsonschema.validate(manifest, json.loads((CRDS / f"{manifest['kind']}.json").read_text()))


def test_the_schemas_refuse_what_is_wrong(manifests):
    [rules, *_] = manifests("operator")
    rules["spec"]["groups"][0]["query_offfset"] = "1m"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rules, json.loads((CRDS / "PrometheusRule.json").read_text()))


def test_kubernetes_has_rules_monitors_and_each_dashboard_in_both_ways(default_files, by_target, manifests):
    kinds = [manifest["kind"] for manifest in manifests("kubernetes")]
    boards = sum(name.startswith("dashboards/") for name in default_files)
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "PrometheusRule": 2,
        "ServiceMonitor": 1,
        "PodMonitor": 1,
        "ConfigMap": boards,
        "GrafanaDashboard": boards,
    }
    assert not any(name.startswith("dashboards/") for name in by_target["kubernetes"])


def test_rules_of_services_have_names_that_kubernetes_takes_and_that_stay_apart():
    services = ("shop", "prometheus_flask", "prometheus-flask", "Check.Out")
    rules = {f"rules/service-{name}.yaml": yaml_text({"groups": []}) for name in services}
    shaped = [yaml.safe_load(text) for text in outputs.shape(rules, "operator").values()]
    names = [each["metadata"]["name"] for each in shaped]
    assert len(set(names)) == len(services)
    assert "runtime-exporter-service-shop" in names
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)] == []


def test_a_config_map_holds_a_dashboard_as_it_is_and_within_what_kubernetes_takes(default_files, manifests):
    for manifest in manifests("kubernetes"):
        if manifest["kind"] == "ConfigMap":
            [(name, text)] = manifest["data"].items()
            assert json.loads(text) == json.loads(default_files[f"dashboards/{name}"])
            assert len(text.encode()) < 1_000_000


def test_a_dashboard_refers_to_a_config_map_that_there_is(manifests):
    maps = {each["metadata"]["name"]: each["data"] for each in manifests("kubernetes") if each["kind"] == "ConfigMap"}
    referred = [each["spec"]["configMapRef"] for each in manifests("kubernetes") if each["kind"] == "GrafanaDashboard"]
    assert len(maps) == len(referred)
    assert all(each["key"] in maps[each["name"]] for each in referred)


def test_each_file_for_mimir_is_a_namespace_of_its_own_since_mimirtool_takes_none_twice(by_target):
    documents = [yaml.safe_load(text) for name, text in by_target["mimir"].items() if name.startswith("rules/")]
    assert [each["namespace"] for each in documents] == ["runtime-exporter-alerts", "runtime-exporter-recording"]


def test_mimir_waits_for_its_replicas(by_target):
    document = yaml.safe_load(by_target["mimir"]["rules/alerts.yaml"])
    assert {group["query_offset"] for group in document["groups"]} == {"1m"}
    assert max(len(group["rules"]) for group in document["groups"]) <= 20


def test_thanos_goes_on_with_the_stores_that_answer(by_target):
    assert {group["partial_response_strategy"] for group in groups_of(by_target["thanos"])} == {"warn"}


def test_for_vmalert_no_rule_reads_what_its_own_group_records(by_target):
    groups = groups_of(by_target["vmalert"])
    assert len({group["name"] for group in groups}) == len(groups)
    for group in groups:
        recorded = {rule["record"] for rule in group["rules"] if "record" in rule}
        assert [rule for rule in group["rules"] if contract.names_of(rule["expr"]) & recorded] == []


def test_vmalerts_texts_ask_nothing(tmp_path):
    done = CliRunner().invoke(command, [str(tmp_path / "out"), "--target", "vmalert"])
    assert done.exit_code == 0, done.output
    assert "query (" not in (tmp_path / "out" / "rules" / "alerts.yaml").read_text()


def test_leaf_and_global_are_all_rules_and_share_the_watchdog(default_files):
    leaf, over = (outputs.shape(default_files, "prometheus", each) for each in ("leaf", "global"))
    named = [[rule.get("alert") or rule["record"] for rule in rules_of(files)] for files in (leaf, over, default_files)]
    assert sorted(named[0] + named[1]) == sorted([*named[2], "Watchdog"])


def test_global_reads_only_what_leaves_record_by_job_or_what_it_records_itself(default_files):
    leaf, over = (rules_of(outputs.shape(default_files, "prometheus", each)) for each in ("leaf", "global"))
    recorded = {rule["record"] for rule in over if "record" in rule}
    there = {rule["record"] for rule in leaf if "record" in rule and not rule["record"].startswith("instance:")}
    for rule in over:
        assert contract.names_of(rule["expr"]) <= recorded | there, rule["expr"]


def test_leaf_reads_nothing_that_only_global_records(default_files):
    leaf, over = (rules_of(outputs.shape(default_files, "prometheus", each)) for each in ("leaf", "global"))
    own = {rule["record"] for rule in leaf if "record" in rule}
    elsewhere = {rule["record"] for rule in over if "record" in rule} - own
    assert [rule for rule in leaf if contract.names_of(rule["expr"]) & elsewhere] == []


def test_an_unknown_target_is_a_mistake_of_usage(tmp_path):
    done = CliRunner().invoke(command, [str(tmp_path), "--target", "nagios"])
    assert (done.exit_code, "'nagios' is not one of" in done.output) == (2, True)
