"""The gauntlet itself: its alert states are Prometheus' own, its cases come from seeds, its marks are fair; and a quick run of it."""

from __future__ import annotations

import random
import subprocess

import pytest
import yaml

import tools
from gauntlet import __main__ as gauntlet
from gauntlet import alerts, curves, history, run, score, service
from gauntlet.alerts import Firing
from gauntlet.cases import Case, draw, told
from gauntlet.quiet import QUIET

HOLD, KEEP = 3, 4


def series_text(values: list[int | None]) -> str:
    return " ".join("_" if value is None else str(value) for value in values)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_alert_is_held_and_kept_as_promtool_says_at_every_evaluation(tmp_path, seed):
    rng = random.Random(seed)
    # Runs of all lengths around `for` and `keep_firing_for`, so that each edge is met.
    values = [value for _ in range(25) for value in [rng.randrange(2)] * rng.randrange(1, 8)]
    rules = {
        "groups": [{
            "name": "g", "interval": "1m",
            "rules": [{"alert": "Held", "expr": "x > 0", "for": f"{HOLD}m", "keep_firing_for": f"{KEEP}m"}],
        }],
    }  # fmt: skip
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    times = [60 * minute for minute, value in enumerate(values) if value]
    fires = alerts.held(times, 60, 60 * HOLD, 60 * KEEP, 60 * len(values))
    checks = [
        {
            "alertname": "Held",
            "eval_time": f"{minute}m",
            "exp_alerts": [{"exp_labels": {"job": "shop"}}] if any(a <= 60 * minute < b for a, b in fires) else [],
        }
        for minute in range(len(values))
    ]
    assert {bool(check["exp_alerts"]) for check in checks} == {True, False}
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": [{"series": 'x{job="shop"}', "values": series_text(values)}],
            "alert_rule_test": checks,
        }],
    }  # fmt: skip
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    promtool = tools.require("promtool", package="prometheus")
    done = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_rules_that_read_each_other_are_recorded_one_pass_after_the_other():
    rules = {
        "groups": [
            {"name": "late", "rules": [{"record": "c", "expr": "b + a"}]},
            {"name": "early", "rules": [{"record": "a", "expr": "up"}, {"record": "b", "expr": "a * 2"}]},
            {"name": "again", "rules": [{"record": "a", "expr": "down"}]},
        ]
    }
    passes = [[rule["record"] for group in groups for rule in group["rules"]] for groups in history.levels(rules)]
    assert [["a", "a"], ["b"], ["c"]] == passes


def rendered(seed: int, name: str) -> list[service.Series]:
    [case] = run.cases(seed, [name])
    return [series for _, found in run.histories(case, seed) for series in found]


@pytest.mark.parametrize("name", ["quiet/sawtooth 90m/0", "fault/leak under hourly restarts/0"])
def test_a_seed_makes_the_same_histories_again_and_another_seed_makes_others(name):
    assert rendered(7, name) == rendered(7, name)
    assert rendered(7, name) != rendered(8, name)


def test_there_are_eighty_cases_in_which_nothing_may_be_said():
    assert sum(count for _, count, _ in QUIET.values()) >= 80


def test_a_counter_starts_at_nothing_with_every_process():
    process = service.Process({"job": "shop"}, 0, 6, cores=[0.5] * 6, births=[3])
    [cpu] = [one for one in service.series_of(process, random.Random(1)) if one.name == "process_cpu_seconds_total"]
    assert [30.0, 60.0, 90.0, 30.0, 60.0, 90.0] == cpu.values


def test_a_scrape_that_failed_leaves_up_alone():
    process = service.Process({"job": "shop"}, 0, 3, memory=[5.0] * 3, dark={1})
    found = {one.name: list(one.values) for one in service.series_of(process, random.Random(1))}
    assert [1.0, 0.0, 1.0] == found["up"]
    assert [5.0, None, 5.0] == found["process_resident_memory_bytes"]


def test_a_leak_grows_by_its_share_of_the_start_each_hour():
    assert [1.0, 1.0, pytest.approx(1.1)] == [curves.growth(121, 60, 0.1)[minute] for minute in (0, 60, 120)]


def one_case(*faults) -> Case:
    process = service.Process({"job": "case"}, 0, 600)
    return Case("case", (process,), faults)


def firing(alert: str, minute: int, **labels: str) -> Firing:
    return Firing(alert, {"job": "case", **labels}, 60 * minute, 60 * minute + 60)


def test_a_fault_is_caught_late_or_missed_and_an_alert_before_it_is_false():
    case = one_case(told("Slow", 100, 15), told("Leak", 100, 15), told("Gone", 100, 15))
    fired = [firing("Slow", 110), firing("Leak", 50), firing("Leak", 130), firing("Slow", 90)]
    scores = score.judge([case], fired, ["Slow", "Leak", "Gone"])
    assert ([10], [("case", 90)]) == (scores["Slow"].delays, scores["Slow"].false)
    assert ([("case", 30)], [("case", 50)]) == (scores["Leak"].late, scores["Leak"].false)
    assert ["case"] == scores["Gone"].missed


def test_an_alert_of_the_other_cluster_does_not_count_as_caught():
    case = one_case(told("Leak", 100, 15, cluster="us"))
    scores = score.judge([case], [firing("Leak", 105, cluster="eu")], ["Leak"])
    assert (["case"], [("case", 105)]) == (scores["Leak"].missed, scores["Leak"].false)


def test_one_false_alarm_in_a_quiet_case_fails_the_goals():
    quiet = one_case()
    scores = score.judge([quiet], [firing("Leak", 105)], ["Leak"])
    assert ["false alarms in 1 of 1 quiet cases, 0 of others"] == score.goals(
        [quiet], scores.values(), quiet=1, share=0.95
    )
    assert [] == score.goals([quiet], score.judge([quiet], [], ["Leak"]).values(), quiet=1, share=0.95)


def test_a_name_that_no_case_has_is_told(capsys):
    assert 2 == gauntlet.main(["--case", "nosuch"])
    assert "no case or no detector matches" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quick_gauntlet_reaches_its_goals(capsys, tmp_path):
    tools.require("prometheus", package="prometheus")
    tools.require("promtool", package="prometheus")
    chosen = ["quiet/steady/0", "quiet/step/0", "fault/near the memory limit/0", "fault/error burst/0"]
    status = gauntlet.main(["--seed", "3", "--case", *chosen, "--keep", str(tmp_path)])
    shown = capsys.readouterr()
    assert 0 == status, shown.out + shown.err
    assert "all goals are reached" in shown.out


def test_a_case_is_drawn_by_its_name_whatever_else_is_drawn():
    assert draw(1, "a").rng.random() == draw(1, "a").rng.random()
    assert draw(1, "a").rng.random() != draw(1, "b").rng.random()
