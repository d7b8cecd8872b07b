"""What a goal says of a figure: it holds, it does not, or the measurement cannot tell."""

from __future__ import annotations

import pytest
from benchmarks.figures import Figure, Goal, Noise, Spread
from hypothesis import given
from hypothesis import strategies as st

HOLDS, FAILS, OPEN = "HOLDS", "DOES NOT HOLD", "NOT RESOLVED"
QUIET = Noise(0.99, 1.01)


def figure(low, middle, high, noise=QUIET):
    return Figure(
        "a scrape", "ms", Spread.exactly(5.0), "peer", Spread.exactly(200.0), Spread(low, middle, high), noise
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (figure(1 / 42, 1 / 40, 1 / 38), HOLDS),
        (figure(1 / 30, 1 / 28, 1 / 26), FAILS),
        (figure(1 / 38, 1 / 36, 1 / 34), OPEN),  # the quartiles lie on both sides
        (figure(1 / 38, 1 / 34, 1 / 32), OPEN),
        (figure(1 / 42, 1 / 40, 1 / 38, Noise(0.8, 1.1)), OPEN),  # A/A is as large as what is to be told
        (figure(1 / 42, 1 / 40, 1 / 38, Noise(0.95, 1.1)), HOLDS),
        (figure(1 / 42, 1 / 40, 1 / 38, None), HOLDS),
    ],
)
def test_at_least_35_times_faster_is_a_ratio_of_at_most_a_35th(found, expected):
    assert expected == Goal("35 times faster", "a scrape", "peer", at_most=1 / 35).verdict(found)


@pytest.mark.parametrize(("middle", "expected"), [(0.97, HOLDS), (0.90, FAILS), (0.945, OPEN)])
def test_a_goal_may_be_a_least(middle, expected):
    found = figure(middle - 0.002, middle, middle + 0.002)

    assert expected == Goal("0.95 of bare", "a scrape", "peer", at_least=0.95).verdict(found)


@pytest.mark.parametrize(
    ("low", "middle", "high", "expected"),
    [
        (0.99, 1.0, 1.01, HOLDS),
        (0.70, 0.72, 0.75, FAILS),
        (1.3, 1.3, 1.3, FAILS),
        (0.75, 0.85, 0.95, OPEN),
        (1.1, 1.15, 1.25, OPEN),
    ],
)
def test_a_goal_may_have_two_ends(low, middle, high, expected):
    assert expected == Goal("near", "a scrape", "peer", at_least=0.8, at_most=1.2).verdict(figure(low, middle, high))


@pytest.mark.parametrize(
    ("ours", "noise", "expected"),
    [
        (Spread(7.0, 7.5, 7.9), Noise(-0.2, 0.3, relative=False), HOLDS),
        (Spread(7.0, 7.5, 7.9), Noise(-0.6, 0.3, relative=False), OPEN),
        (Spread(9.0, 9.5, 9.9), Noise(-0.6, 0.3, relative=False), FAILS),
        (Spread.exactly(8.0), None, HOLDS),  # what is on its bound keeps it
        (Spread(7.9, 8.0, 8.1), None, OPEN),
    ],
)
def test_a_goal_of_what_is_ours_alone_has_noise_in_its_own_unit(ours, noise, expected):
    found = Figure("import", "MB", ours, noise=noise)

    assert expected == Goal("at most 8 MB", "import", of="ours", at_most=8.0).verdict(found)


def test_a_goal_of_a_ratio_that_nobody_measured_is_a_mistake_of_the_report():
    with pytest.raises(ValueError, match="at most half: import has no ratio"):
        Goal("at most half", "import", at_most=0.5).verdict(Figure("import", "MB", Spread.exactly(1.0)))


def test_a_goal_concerns_the_figure_of_its_name_peer_and_place():
    goal = Goal("35 times", "a scrape", "peer", 100, at_most=1 / 35)
    places = [("a scrape", "peer", 100), ("a scrape", "peer", 10), ("a scrape", "other", 100), ("else", "peer", 100)]
    found = [Figure(name, "ms", Spread.exactly(1.0), peer, at=at) for name, peer, at in places]

    assert [True, False, False, False] == [goal.concerns(one) for one in found]


positive = st.floats(1e-3, 1e3)
spreads = st.tuples(positive, positive, positive).map(lambda three: Spread(*sorted(three)))


@given(spreads, positive, st.floats(0, 1), st.floats(0, 1))
def test_more_noise_decides_nothing_that_less_noise_did_not(ratio, bound, less, more):
    goal = Goal("at most so much", "a scrape", "peer", at_most=bound)
    quiet, loud = (
        goal.verdict(figure(ratio.low, ratio.middle, ratio.high, Noise(1 - width, 1 + width)))
        for width in (less, less + more)
    )

    assert loud in (quiet, OPEN)


@given(spreads, positive)
def test_at_most_and_at_least_are_never_both_refused(ratio, bound):
    found = figure(ratio.low, ratio.middle, ratio.high)
    most, least = (
        Goal("", "a scrape", "peer", **end).verdict(found) for end in ({"at_most": bound}, {"at_least": bound})
    )

    assert (FAILS, FAILS) != (most, least)
    assert (most == OPEN) == (least == OPEN)


@given(st.lists(positive, min_size=1, max_size=20))
def test_quartiles_are_within_what_was_seen(values):
    found = Spread.of(values)
    nearly = 1e-12 * max(values)  # between equal numbers one is found that differs in the last digit

    assert min(values) <= found.low <= found.middle + nearly <= found.high + 2 * nearly <= max(values) + 2 * nearly
