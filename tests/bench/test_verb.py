"""`python -m benchmarks`: what it runs, where it writes, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks import __main__ as verb
from benchmarks.figures import Figure, Goal, Missing, Spread
from benchmarks.results import QUICK, read

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "benchmarks"]


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the verb in this process, each report as if by itself: returns exit code, output and what was run."""
    ran = []
    items = (
        Figure("a scrape", "ms", Spread.exactly(5.0)),
        Goal("at most 6 ms", "a scrape", of="ours", at_most=6.0),
        Missing("ddtrace"),
    )
    reports = {
        name: SimpleNamespace(title=name.title(), run=lambda quick: items, long=name == "slow")
        for name in ("one", "two", "slow", "bad")
    }
    monkeypatch.setattr(verb, "REPORTS", reports)
    monkeypatch.setattr(verb.page, "write", lambda _: pytest.fail("the page is of full results in their own place"))

    def in_this_process(name, directory, _place, *, quick):
        ran.append(name)
        if name != "bad":
            verb._measure(name, directory, quick=quick)
        return name == "bad"

    monkeypatch.setattr(verb, "_alone", in_this_process)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--results", str(tmp_path), *arguments])
        code = verb.main()
        return code, capsys.readouterr(), ran

    return call


def test_all_reports_run_and_one_that_fails_stops_no_other(run):
    code, output, ran = run()

    assert ["one", "two", "bad"] == ran
    assert 1 == code
    assert "error: report bad failed; its figures are those of an earlier run, or none\n" == output.err
    assert 2 == output.out.count("  -> at most 6 ms: HOLDS\n")
    assert "\nnot here to compare with: ddtrace (`make bench` installs benchmarks/peers.txt)\n" in output.out


def test_what_takes_longest_runs_in_full_only_where_it_is_asked_for(run):
    _, output, ran = run()
    assert "slow" not in ran
    assert output.out.endswith("\nnot measured now, LONG=1 or NAME=slow does: slow\n")

    for arguments in (["--long"], ["slow"], ["--quick"]):
        ran.clear()
        _, output, _ = run(*arguments)
        assert "slow" in ran
        assert "not measured now" not in output.out


def test_only_what_was_asked_for_runs_and_is_summed_up(run):
    run("one")
    code, output, ran = run("two")

    assert (0, ["one", "two"]) == (code, ran)
    assert "\nTwo\n" in output.out
    assert "\nOne\n" not in output.out


def test_what_was_measured_is_in_the_reports_file_with_the_machine(run, tmp_path):
    run("--quick", "one")
    result = read(tmp_path / "one.json")

    assert ("one", True, ["HOLDS"]) == (result.report, result.quick, [one.verdict for one in result.judged])
    assert {"processor", "memory", "system", "python", "commit"} == {*result.machine}
    assert "prometheus-client" in result.versions


def test_a_quick_run_has_a_place_of_its_own(monkeypatch, run):
    places = []
    monkeypatch.setattr(verb, "_all", lambda names, directory, quick: places.append((directory, quick)) or verb.Ran())
    monkeypatch.setattr(verb, "read_all", lambda _: {})
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick"])

    assert 0 == verb.main()
    assert [(QUICK, True)] == places


def test_a_name_that_is_none_is_answered_with_those_that_are(run, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("three")
    assert "no such report: three; there are one, two, slow, bad" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_measured_and_tells_of_it(run, monkeypatch):
    first = verb._alone

    def interrupted(name, *arguments, **options):
        if name == "two":
            raise KeyboardInterrupt
        return first(name, *arguments, **options)

    monkeypatch.setattr(verb, "_alone", interrupted)
    code, output, ran = run()

    assert (130, ["one"]) == (code, ran)
    assert "\nOne\nat most 6 ms" in output.out
    assert "Two (two)\n" in output.out
    assert "bad" not in output.out
    assert output.err.endswith("\ninterrupted: reports that were done have kept their figures\n")


def test_how_long_it_will_take_is_known_from_the_last_time(run, monkeypatch):
    told = []
    first = verb._alone
    monkeypatch.setattr(verb, "_alone", lambda *given, quick: told.append(given[2]) or first(*given, quick=quick))
    monkeypatch.setattr(verb, "_expected", lambda names, _: dict.fromkeys(names, 60.0))
    run()

    assert ["1 of 3, one", "2 of 3, two", "3 of 3, bad"] == [place.name for place in told]
    assert (0.0, 60.0, 120.0) == (told[0].before, told[0].this, told[0].after)
    assert told[1].this < 30


def test_ctrl_c_ends_what_runs_in_one_line_and_leaves_no_half_of_a_report(tmp_path):
    with subprocess.Popen(
        [*COMMAND, "--quick", "--results", str(tmp_path), "locks"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as running:
        for line in running.stdout:
            if line.strip().startswith("profiled Lock"):
                break
        os.killpg(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=60)

    assert 130 == running.returncode
    assert "\ninterrupted: reports that were done have kept their figures\n" == errors
    assert [] == [*tmp_path.iterdir()]
