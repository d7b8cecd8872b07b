"""What is kept of a benchmark: a file a report, which gives back what was written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from benchmarks.figures import Curve, Figure, Goal, Missing, Noise, Spread
from benchmarks.results import Result, dumps, judge, loads, read, read_all, write
from hypothesis import given
from hypothesis import strategies as st

FIGURE = Figure("a scrape", "ms", Spread(4.0, 5.0, 6.0), "peer", Spread(190.0, 200.0, 210.0), Spread(0.02, 0.025, 0.03))
GOAL = Goal("35 times faster", "a scrape", "peer", at_most=1 / 32)
RESULT = Result(
    "exposition", "2026-11-22T14:30Z", False, 61.5, 0.25, {"processor": "AMD, 2 cores"}, {"flask": "3.1.3"}, (FIGURE, GOAL)
)  # fmt: skip

short = st.floats(-1e9, 1e9).map(lambda value: float(f"{value:.6g}"))
spreads = st.builds(Spread, short, short, short)
names = st.text(min_size=1, max_size=20)
figures = st.builds(
    Figure,
    names,
    st.sampled_from(["ms", "µs", "%", ""]),
    spreads,
    names,
    st.none() | spreads,
    st.none() | spreads,
    st.none() | st.builds(Noise, short, short, st.booleans()),
    st.integers(1, 10**9),
    st.none() | short,
    names,
)
curves = st.builds(Curve, names, names, names, st.lists(st.tuples(short, short), max_size=5).map(tuple))
items = st.lists(figures | curves | st.builds(Missing, names, names) | st.text(), max_size=6).map(tuple)


@given(items)
def test_what_is_written_is_read(found):
    result = replace(RESULT, items=found)

    assert result == loads(dumps(result))


@pytest.mark.parametrize("end", [{"at_most": 0.03125}, {"at_least": 0.5}, {"of": "ours", "at_most": 0.0}])
def test_a_goal_is_read_as_it_was_and_its_verdict_stands_beside_it(end):
    goal = Goal("so much", "a scrape", "peer", **end)
    result = replace(RESULT, items=(FIGURE, goal))
    text = dumps(result)
    (written,) = (item for item in json.loads(text)["items"] if item["kind"] == "goal")

    assert result == loads(text)
    assert goal.verdict(FIGURE) == written["verdict"]


def test_a_goal_without_a_figure_is_told_of_by_its_name():
    with pytest.raises(ValueError, match="goal '35 times faster' is about a scrape, peer: 0 figures are"):
        judge(GOAL, ())


def test_a_goal_of_two_figures_is_none():
    with pytest.raises(ValueError, match="2 figures are"):
        judge(GOAL, (FIGURE, FIGURE))


def test_a_file_is_a_report_and_is_whole(tmp_path):
    path = write(RESULT, tmp_path / "results")

    assert tmp_path / "results" / "exposition.json" == path
    assert RESULT == read(path)
    assert {"exposition": RESULT} == read_all(tmp_path / "results")
    assert [path] == [*path.parent.iterdir()]


def test_a_file_that_is_no_result_is_named(tmp_path):
    (tmp_path / "requests.json").write_text('{"report": "requests"}')

    with pytest.raises(ValueError, match=r"requests\.json: not a result of a benchmark .*run that report again"):
        read_all(tmp_path)


def test_each_item_is_a_line_so_that_a_diff_shows_what_changed():
    lines = dumps(RESULT).splitlines()

    assert 1 == sum(
        '"a scrape"' in line and '"figure"' in line and "kind" in line for line in lines if '"goal"' not in line
    )
    assert 1 == sum('"verdict": "HOLDS"' in line for line in lines)
