"""The gauntlet itself: its alert states are Prometheus' own, its cases come from seeds, its marks are fair; and a quick run of it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import tools
from gauntlet import __main__ as gauntlet
from gauntlet import alerts, batch, curves, page, recording, score, service, table, worlds
from gauntlet.alerts import Firing
from gauntlet.cases import DAY, Case, draw, told
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


GROUPS = [
    {"name": "late", "rules": [{"record": "c", "expr": "b + a"}]},
    {"name": "early", "rules": [{"record": "a", "expr": "up"}, {"record": "b", "expr": "a * 2"}]},
    {"name": "again", "rules": [{"record": "a", "expr": "down"}]},
]


def test_rules_that_read_each_other_are_recorded_one_pass_after_the_other():
    passes = [[rule["record"] for group in groups for rule in group["rules"]] for groups in recording.levels(GROUPS)]
    assert [["a", "a"], ["b"], ["c"]] == passes


def test_only_what_is_read_is_recorded_directly_or_not():
    found = [rule["record"] for group in worlds.needed(GROUPS, ["b > 1"]) for rule in group["rules"]]
    assert ["a", "b", "a"] == found
    assert [] == worlds.needed(GROUPS, ["up == 0"])


def only(seed: int, name: str) -> Case:
    [of_it] = batch.batches([seed], [name])
    [case] = batch.cases(of_it)
    return case


def rendered(seed: int, name: str) -> list[service.Series]:
    return [series for _, found in batch.histories(only(seed, name)) for series in found]


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
    return Case("case", (process,), faults, minutes=600)


def firing(alert: str, minute: int, **labels: str) -> Firing:
    return Firing(alert, {"job": "case", **labels}, 60 * minute, 60 * minute + 60)


def test_a_fault_is_caught_late_or_missed_and_an_alert_before_it_is_false():
    case = one_case(told("Slow", 100, 15), told("Leak", 100, 15), told("Gone", 100, 15))
    fired = [firing("Slow", 110), firing("Leak", 50), firing("Leak", 130), firing("Slow", 90)]
    scores = score.judge([case], fired, ["Slow", "Leak", "Gone"])
    assert ([("case, seed 1", 10)], [("case, seed 1", 90)]) == (scores["Slow"].caught, scores["Slow"].false)
    assert ([("case, seed 1", 30)], [("case, seed 1", 50)]) == (scores["Leak"].late, scores["Leak"].false)
    assert ["case, seed 1"] == scores["Gone"].missed


def test_an_alert_of_the_other_cluster_does_not_count_as_caught():
    case = one_case(told("Leak", 100, 15, cluster="us"))
    scores = score.judge([case], [firing("Leak", 105, cluster="eu")], ["Leak"])
    assert (["case, seed 1"], [("case, seed 1", 105)]) == (scores["Leak"].missed, scores["Leak"].false)


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


def test_every_fault_is_promised_of_an_alert_that_there_is_and_while_there_is_a_history_of_it():
    known = set(worlds.detectors())
    for name in batch.catalogue():
        case = only(1, name)
        assert case.tolerated <= known, name
        for fault in case.faults:
            assert fault.alerts <= known, name
            assert 0 < fault.begin < fault.begin + fault.within < (fault.until or case.minutes), name


def test_a_batch_has_histories_of_one_seed_one_world_and_one_length():
    known = batch.catalogue()
    found = batch.batches([1, 2], list(known))
    assert sorted((seed, name) for seed in (1, 2) for name in known) == sorted(
        (one.seed, name) for one in found for name in one.names
    )
    for one in found:
        given = [known[name][1] for name in one.names]
        assert {one.world} == {each.get("world", "one cluster") for each in given}
        assert {one.minutes} == {each.get("minutes", 2 * DAY) for each in given}
        assert one.work <= 1.5 * batch.DAYS * DAY


def test_seeds_are_told_apart_where_they_are_added_up():
    ours = [score.judge([replace(one_case(), seed=seed)], [firing("Leak", 105)], ["Leak"]) for seed in (1, 2)]
    assert {"case, seed 1", "case, seed 2"} == table.total(ours)["Leak"].false_cases


def test_the_page_names_what_was_run_what_is_asked_and_what_went_wrong():
    case = replace(one_case(told("Leak", 100, 90), told("Slow", 100, 15)), name="fault/leak 10 %/h/0")
    quiet = replace(one_case(), name="quiet/steady/0")
    fired = [firing("Leak", 220), firing("Slow", 110)]
    ours = score.judge(
        [case, quiet], [each._replace(labels={"job": case.job}) for each in fired], ["Leak", "Slow", "Idle"]
    )
    text = page.page("make gauntlet", [case.label, quiet.label], ours, {}, {}, ["too few"])
    assert "Written by `make gauntlet`" in text
    assert "- 1 histories with a fault: 1 of 2 faults told in time (50.0 %)." in text
    assert "- Not reached: too few." in text
    assert "- late Leak: fault/leak 10 %/h/0, seed 1 after 2.0 h" in text
    assert "| leak 10 %/h | `Leak` | 15 min to 1.5 h | 2 | 1 | 2.0 h |" in text
    assert "No history has a fault for these, which were listened to all the same (0 false alarms): `Idle`." in text


@pytest.mark.parametrize(
    ("caught", "faults", "share"),
    [(317, 318, "99.7 %"), (9999, 10_000, "99.9 %"), (318, 318, "100 %"), (0, 0, "100 %"), (0, 5, "0.0 %")],
)
def test_what_is_missing_is_not_rounded_away(caught, faults, share):
    assert share == page._share(caught, faults)


def test_the_command_in_the_page_is_the_one_that_was_run():
    options = gauntlet.parser().parse_args(["--seed", "1", "2", "--detector", "Memory", "--write", "docs/detectors.md"])
    assert "make gauntlet SEED='1 2' DETECTOR=Memory WRITE=docs/detectors.md" == gauntlet.command(options)


# Those that a quick run asks, with the words that choose them.
MAIN = ("MemoryLeak", "CpuSpike", "ThreadLeak", "HttpErrorBudget", "HttpLatencyHigh", "HttpThroughput", "TargetDown")
# One case of each kind of fault that has a detector of its own, and of what is most easily taken for one.
QUICK = (
    "fault/leak 10 %/h/0", "fault/leak 2 %/h/0", "fault/thread leak/0", "fault/cpu spike/0", "fault/error burst/0", "fault/budget burn, 2 to 4 %/0",
    "fault/latency step below 1 s/0", "fault/answers no more/0", "fault/no more requests/0",
    "quiet/day and night/0", "quiet/sawtooth 90m/0", "quiet/step/0", "quiet/warm-up/0", "quiet/batch nightly/0", "quiet/low traffic/0",
)  # fmt: skip
# Fixed: what is drawn at random fails at random. `make gauntlet SEED=7` is for other seeds, and so is this variable.
QUICK_SEED = os.environ.get("GAUNTLET_SEED", "1")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quick_gauntlet_reaches_its_goals(capsys, tmp_path, monkeypatch):
    tools.require("prometheus", package="prometheus")
    tools.require("promtool", package="prometheus")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    status = gauntlet.main(["--seed", QUICK_SEED, "--no-naive", "--jobs", "1", "--detector", *MAIN, "--case", *QUICK])
    shown = capsys.readouterr()
    assert 0 == status, shown.out + shown.err
    assert "all goals are reached" in shown.out
    assert [] == list(tmp_path.iterdir())


def test_what_is_interrupted_leaves_no_process_and_no_file(tmp_path):
    tools.require("prometheus", package="prometheus")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": str(tmp_path)}
    arguments = ["--case", "quiet/steady", "--detector", "Memory", "--no-naive", "--jobs", "2", "--seed", "1", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gauntlet", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    # Not before a Prometheus runs: it is what could be left behind.
    tools.wait_for(lambda: list(tmp_path.rglob("queries.active")), seconds=120, what="a Prometheus of a batch")
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert 130 == process.returncode
    assert said.endswith("interrupted\n")
    assert "Traceback" not in said
    assert [] == list(tmp_path.iterdir())
    assert [] == [path for path in Path("/proc").glob("[0-9]*") if str(tmp_path).encode() in command_line(path)]


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_case_is_drawn_by_its_name_whatever_else_is_drawn():
    assert draw(1, "a").rng.random() == draw(1, "a").rng.random()
    assert draw(1, "a").rng.random() != draw(1, "b").rng.random()
