"""The dashboards as linters see them: the checks of tests/board_lints.py find what they should, and in ours what is excluded."""

from __future__ import annotations

import copy

import pytest
import yaml

from board_lints import CHECKS, LINTER, selected
from runtime_exporter.mixin import bundle
from runtime_exporter.mixin.dashboards import panels_of

NAMES = sorted(path.stem for path in (bundle.root() / "dashboards").glob("*.py"))
EXCLUSIONS = yaml.safe_load((bundle.root() / "dashboards" / ".lint").read_text())["exclusions"]
EXCLUDED = {
    (rule, entry["dashboard"], entry["panel"]) for rule, said in EXCLUSIONS.items() for entry in said["entries"]
}


def own(board, title):
    """Whether a panel is of a user's own metric: its title is in nobody's file. Rules record a metric of a service as a whole."""
    return board["uid"] == "runtime-exporter-business" and title.endswith((" against last week", " in the time range"))


def found(check, board):
    return {(check, board["title"], title) for title in CHECKS[check](board) if not own(board, title)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", CHECKS)
def test_a_linter_finds_only_what_it_is_told_to_overlook(check, name, boards):
    assert found(check, boards[name]) <= EXCLUDED


def test_every_exclusion_has_a_reason_and_is_still_needed(boards):
    needed = {each for check in EXCLUSIONS for board in boards.values() for each in found(check, board)}
    assert needed == EXCLUDED
    assert set(EXCLUSIONS) <= set(LINTER)
    assert all(said["reason"].strip().endswith(".") for said in EXCLUSIONS.values())


def test_the_linter_has_seventeen_rules_and_the_bundle_its_dashboards(boards):
    assert len(LINTER) == 17
    assert ["alerts", "business", "exporter", "http", "overview", "profiling", "prometheus", "runtime", "slo"] == NAMES
    assert all(len(list(panels_of(board))) > 3 and selected(board) for board in boards.values())


# --- each check finds what it is there for ------------------------------------------------------------------------------


def variable(board, name):
    return next(each for each in board["templating"]["list"] if each["name"] == name)


def panel(board):
    return next(iter(panels_of(board)))


def ask(expression):
    return lambda board: panel(board)["targets"][0].update(expr=expression)


def on_variable(name, /, **changes):
    return lambda board: variable(board, name).update(**changes)


def on_panel(**changes):
    return lambda board: panel(board).update(**changes)


SELECTED = 'job=~"$job",instance=~"$instance"'
WRONG = [
    ("template-datasource-rule", on_variable("datasource", label="datasource")),
    ("template-datasource-rule", on_variable("datasource", name="ds")),
    ("template-job-rule", on_variable("job", multi=False)),
    ("template-job-rule", on_variable("job", allValue=".*")),
    ("template-instance-rule", on_variable("instance", query="label_values(up, pod)")),
    ("template-label-promql-rule", on_variable("job", query="label_values(up{, job)")),
    ("template-on-time-change-reload-rule", on_variable("job", refresh=1)),
    ("panel-datasource-rule", on_panel(datasource={"type": "prometheus", "uid": "abc"})),
    ("panel-title-description-rule", on_panel(description="")),
    ("panel-title-description-rule", on_panel(title=" ")),
    ("panel-units-rule", lambda board: panel(board)["fieldConfig"]["defaults"].update(unit="sec")),
    ("panel-units-rule", lambda board: panel(board)["fieldConfig"]["defaults"].pop("unit")),
    ("panel-no-targets-rule", on_panel(targets=[])),
    ("target-logql-rule", lambda board: panel(board)["targets"][0].update(datasource={"type": "loki", "uid": "x"})),
    ("target-logql-auto-rule", ask(f"rate(a_total{{{SELECTED}}}[$__auto])")),
    ("target-promql-rule", ask(f"sum(a{{{SELECTED}}}")),
    ("target-rate-interval-rule", ask(f"rate(a_total{{{SELECTED}}}[5m])")),
    ("target-job-rule", ask('a{instance=~"$instance"}')),
    ("target-job-rule", ask('a{job="$job",instance=~"$instance"}')),
    ("target-instance-rule", ask('a{job=~"$job"}')),
    ("target-counter-agg-rule", ask(f"sum(a_total{{{SELECTED}}})")),
    ("uneditable-dashboard", lambda board: board.update(editable=True)),
    ("dashboard-title", lambda board: board.update(title="")),
    ("dashboard-uid", lambda board: board.pop("uid")),
]


@pytest.mark.parametrize(("check", "spoil"), WRONG, ids=[check for check, _ in WRONG])
def test_a_linter_finds_what_is_wrong(check, spoil, boards):
    board = copy.deepcopy(boards["runtime"])
    assert CHECKS[check](board) == []
    spoil(board)
    assert len(CHECKS[check](board)) == 1


def test_no_check_is_left_that_has_never_complained():
    assert {check for check, _ in WRONG} == set(CHECKS)
