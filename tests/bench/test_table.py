"""Figures and goals as a terminal shows them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks import table
from benchmarks.figures import Figure, Goal, Noise, Spread
from benchmarks.results import judge
from hypothesis import given
from hypothesis import strategies as st

FIGURE = Figure(
    "counters, text",
    "ms",
    Spread(4.0, 5.0, 6.0),
    "prometheus_client",
    Spread(190.0, 200.0, 210.0),
    Spread(1 / 42, 1 / 40, 1 / 38),
    Noise(0.985, 1.02),
    21,
    10_000,
    "series",
)


def test_a_figure_is_a_line_with_the_peers_how_many_times_less_it_is_and_the_noise():
    assert (
        "counters, text at 10,000 series: 5.00 ms; prometheus_client 200 ms; 1/40.0 of it (1/42.0 to 1/38.0);"
        " A/A -1.5 to +2.0 %; n = 21" == table.line_of(FIGURE)
    )


@pytest.mark.parametrize(
    ("at", "along", "expected"),
    [
        (1.0, "routes", " at 1 route"),
        (100.0, "routes", " at 100 routes"),
        (1.0, "series", " at 1 series"),
        (None, "", ""),
    ],
)
def test_one_of_a_thing_is_no_plural(at, along, expected):
    assert expected == table.place_of(replace(FIGURE, at=at, along=along))


def test_a_figure_by_itself_has_its_own_quartiles():
    found = Figure("memory", "MB", Spread(11.0, 12.0, 13.5), noise=Noise(-0.004, 0.25, relative=False), count=7)

    assert "memory: 12.0 MB (11.0 to 13.5); A/A -0.00 to +0.25 MB; n = 7" == table.line_of(found)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.012345, "0.0123"),
        (0.99, "0.990"),
        (5, "5.00"),
        (12.34, "12.3"),
        (-0.5, "-0.500"),
        (1234.5, "1,234"),
        (1e6, "1,000,000"),
        (1e-9, "0.000000"),
    ],
)
def test_a_number_has_three_digits_and_all_of_those_before_the_point(value, expected):
    assert expected == table.number(value)


@pytest.mark.parametrize(
    ("value", "expected"), [(1 / 40, "1/40.0"), (0.49, "1/2.04"), (0.5, "x0.500"), (1.0, "x1.00"), (12.0, "x12.0")]
)
def test_a_ratio_of_less_than_a_half_is_how_many_times_less(value, expected):
    assert expected == table.times(value)


def test_quartiles_of_a_ratio_are_told_as_its_median_is():
    assert " (1/2.50 to 1/1.82)" == table.quartiles(Spread(0.4, 0.48, 0.55))
    assert " (x0.400 to x0.600)" == table.quartiles(Spread(0.4, 0.52, 0.6))
    assert "" == table.quartiles(Spread.exactly(0.4))


@given(st.lists(st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=40), min_size=1, max_size=30))
def test_goals_are_within_120_columns_and_none_is_cut(words):
    goal = Goal(" ".join(words), FIGURE.name, FIGURE.peer, FIGURE.at, at_most=1 / 35)
    lines = [*table.goals([("What a scrape pays", [judge(goal, (FIGURE,))])])]

    assert all(len(line) <= 120 for line in lines)
    assert ["goal", "measured", "A/A", "n", "verdict"] == lines[0].split()
    assert "What a scrape pays" == lines[2]
    assert lines[3].endswith("1/40.0 (1/42.0 to 1/38.0)  -1.5 to +2.0 %  21  HOLDS")
    assert "".join(words) == "".join([lines[3].split("  1/40")[0], *lines[4:]]).replace(" ", "")
