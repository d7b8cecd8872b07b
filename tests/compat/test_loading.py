"""Every program that may be given the generated files takes them: rules, messages, and the rules' unit tests in a newer promtool."""

from __future__ import annotations

import shutil

import pytest
import yaml

import rule_files
from compat.programs import ROOT, newer, run
from runtime_exporter.mixin import generate, outputs
from tools import require

GENERATED = ROOT / "generated"
FILES = {str(path.relative_to(GENERATED)): path.read_text() for path in sorted((GENERATED / "rules").glob("*.yaml"))}
RULES_BEYOND_2 = {"mimir": {"query_offset"}, "thanos": {"partial_response_strategy"}}
# Those with histories of days would take a minute more: what they are about is decided on histories in test_decisions.py.
LONG = {"anomaly", "cpu", "memory", "profiles", "regression", "slo"}
SHORT = [tests for tests in rule_files.UNIT_TESTS if not tests.overrides and tests.name not in LONG]


def promtool(age):
    return require("promtool", package="prometheus") if age == "system's" else newer("promtool")


def written(directory, target, rule_set="all"):
    """Write the rules for a target and return their files."""
    shaped = outputs.shape(FILES, target, rule_set)
    for name, text in shaped.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [directory / name for name in shaped]


def test_the_newer_programs_are_newer():
    _, ours = run(require("promtool", package="prometheus"), "--version")
    _, theirs = run(newer("promtool"), "--version")
    versions = [tuple(int(part) for part in text.split()[2].split("+")[0].split(".")) for text in (ours, theirs)]
    assert versions[0] < versions[1]


@pytest.mark.parametrize("age", ["system's", "newer"])
@pytest.mark.parametrize("rule_set", outputs.RULE_SETS)
def test_every_promtool_takes_the_rules_without_a_remark(age, rule_set, tmp_path):
    files = written(tmp_path, "prometheus", rule_set)
    code, said = run(promtool(age), "check", "rules", "--lint=all", "--lint-fatal", *files)
    assert (code, said.count("SUCCESS")) == (0, len(files)), said


@pytest.mark.parametrize("age", ["system's", "newer"])
@pytest.mark.parametrize("target", ["mimir", "thanos", "operator"])
def test_what_other_targets_have_beside_is_all_that_promtool_does_not_know(age, target, tmp_path):
    for file in written(tmp_path, target):
        document = yaml.safe_load(file.read_text())
        document = document.get("spec", document)
        groups = [
            {key: value for key, value in group.items() if key not in RULES_BEYOND_2.get(target, ())}
            for group in document["groups"]
        ]
        file.write_text(generate.yaml_text({"groups": groups}))
        code, said = run(promtool(age), "check", "rules", "--lint=all", "--lint-fatal", file)
        assert code == 0, said


@pytest.mark.parametrize("rule_set", outputs.RULE_SETS)
def test_vmalert_takes_the_rules_for_it(rule_set, tmp_path):
    files = written(tmp_path, "vmalert", rule_set)
    code, said = run(newer("vmalert"), "-dryRun", *(f"-rule={file}" for file in files))
    assert code == 0, said


def test_vmalert_refuses_what_is_wrong(tmp_path):
    [file] = [file for file in written(tmp_path, "vmalert") if file.name == "recording.yaml"]
    file.write_text(file.read_text().replace("rate(", "rat(", 1))
    code, _ = run(newer("vmalert"), "-dryRun", f"-rule={file}")
    assert code != 0


@pytest.mark.parametrize("unit_tests", SHORT, ids=lambda tests: tests.name)
def test_a_newer_promtool_holds_the_same_unit_tests_for_true(unit_tests, tmp_path):
    groups = [group for text in FILES.values() for group in yaml.safe_load(text)["groups"]]
    groups = [group for group in groups if group["name"] in unit_tests.document["group_eval_order"]]
    (tmp_path / "rules.yaml").write_text(generate.yaml_text({"groups": groups}))
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({**unit_tests.document, "rule_files": ["rules.yaml"]}))
    code, said = run(newer("promtool"), "test", "rules", tmp_path / "tests.yaml")
    assert code == 0, said


def test_most_files_of_unit_tests_are_short():
    assert len(SHORT) > 5


def test_a_newer_alertmanager_takes_routes_and_messages(tmp_path):
    shutil.copytree(GENERATED / "alertmanager", tmp_path / "alertmanager")
    code, said = run(newer("amtool"), "check-config", tmp_path / "alertmanager" / "alertmanager.yml")
    assert (code, "SUCCESS" in said) == (0, True), said
