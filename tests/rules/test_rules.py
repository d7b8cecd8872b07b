"""promtool's own judgement: the rules are valid, and every unit test of tests/rules/*.test.yaml holds."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

import rule_files
import tools
from rule_files import UNIT_TESTS, UnitTests, groups
from runtime_exporter.mixin import generate

if TYPE_CHECKING:
    from pathlib import Path

# On a machine that others use, too.
PATIENCE_SECONDS = 600

CONFIGURATIONS = {
    "defaults": {},
    "several clusters": {"showMultiCluster": True, "clusterLabel": "k8s_cluster"},
    "one job only": {"selector": 'job="shop"', "http": {"selector": 'http_route!~"/health|/metrics"'}},
}


def promtool(*arguments: str) -> tuple[int, str]:
    """Return the exit code of promtool and what it said. Two days of a leak are half a minute of CPU."""
    path = tools.require("promtool", package="prometheus")
    environment = {**os.environ, "GOGC": "400"}  # collects a quarter as often: 130 MB, and a seventh of the CPU less
    done = subprocess.run(
        [path, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, env=environment
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("overrides", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_promtool_finds_nothing_to_say_about_the_rules(overrides: dict, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(generate.yaml_text({"groups": groups(overrides)}), encoding="utf-8")
    code, said = promtool("check", "rules", "--lint=all", "--lint-fatal", str(path))
    assert code == 0, said


@pytest.mark.timeout(PATIENCE_SECONDS)
@pytest.mark.parametrize("unit_tests", UNIT_TESTS, ids=lambda tests: tests.name)
def test_the_rules_do_what_their_unit_tests_say(unit_tests: UnitTests, tmp_path: Path) -> None:
    code, said = promtool("test", "rules", str(unit_tests.write(tmp_path)))
    assert code == 0, said


def test_no_series_of_a_unit_test_is_a_number_to_yaml() -> None:
    """0x60 is sixty zeros to promtool, and 96 to YAML unless it stands in quotes: a series of one sample, which nothing reads."""
    numbers = [
        (tests.name, series["series"])
        for tests in UNIT_TESTS
        for group in tests.document["tests"]
        for series in group.get("input_series", [])
        if not isinstance(series["values"], str)
    ]
    assert numbers == []


@dataclass(frozen=True)
class DemoTests(UnitTests):
    """The faults of short_windows.test.yaml under the configuration of the demo, whose windows differ: when is each told?"""

    @property
    def overrides(self) -> dict[str, Any]:
        overrides: dict[str, Any] = rule_files.load(rule_files.HERE.parent.parent / "examples" / "shop" / "demo.yaml")
        return overrides

    @property
    def document(self) -> dict[str, Any]:
        document = super().document
        cases = [
            (group, case["alertname"])
            for group in document["tests"]
            for case in group.get("alert_rule_test", [])
            if case.get("exp_alerts")
        ]
        assert len(cases) == 6
        tests = [{**group, "alert_rule_test": [], "promql_expr_test": self._told(alert)} for group, alert in cases]
        return {**document, "tests": tests}

    def _told(self, alert: str) -> list[dict[str, Any]]:
        firing = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
        # A spike is above a past that soon has the spike in it, as short as the demo is: told is what fired at any time.
        told = f'count(last_over_time(ALERTS{{alertname="{alert}", alertstate="firing"}}[20s]))'
        once = [{"labels": "{}", "value": 1}]
        # The fault is on from 60 s to 90 s.
        return [
            {"expr": firing, "eval_time": "59s", "exp_samples": []},
            {"expr": told, "eval_time": "80s", "exp_samples": once},
            {"expr": firing, "eval_time": "110s", "exp_samples": []},
        ]


def test_the_demo_tells_each_fault_within_20_s_and_its_end_within_20_s(tmp_path: Path) -> None:
    demo = DemoTests(rule_files.HERE / "short_windows.test.yaml")
    code, said = promtool("test", "rules", str(demo.write(tmp_path)))
    assert code == 0, said
