"""promtool's own judgement: the rules are valid, and every unit test of tests/rules/*.test.yaml holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import tools
from rule_files import UNIT_TESTS, UnitTests, groups

from runtime_exporter.mixin import generate

CONFIGURATIONS = {
    "defaults": {},
    "several clusters": {"showMultiCluster": True, "clusterLabel": "k8s_cluster"},
    "one job only": {"selector": 'job="shop"', "http": {"selector": 'http_route!~"/health|/metrics"'}},
}


def promtool(*arguments: str) -> tuple[int, str]:
    """Return the exit code of promtool and what it said; at low priority, because the machine is shared."""
    path = tools.require("promtool", package="prometheus")
    done = subprocess.run(["nice", path, *arguments], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("overrides", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_promtool_finds_nothing_to_say_about_the_rules(overrides: dict, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(generate.yaml_text({"groups": groups(overrides)}), encoding="utf-8")
    code, said = promtool("check", "rules", "--lint=all", "--lint-fatal", str(path))
    assert code == 0, said


@pytest.mark.parametrize("unit_tests", UNIT_TESTS, ids=lambda tests: tests.name)
def test_the_rules_do_what_their_unit_tests_say(unit_tests: UnitTests, tmp_path: Path) -> None:
    code, said = promtool("test", "rules", str(unit_tests.write(tmp_path)))
    assert code == 0, said
