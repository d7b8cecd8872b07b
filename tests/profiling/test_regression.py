"""The test behind "slower": calibrated, symmetric, silent between equals, and honest about what it can see."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_windows import MINUTE, drawn, steady, window
from runtime_exporter.profiling.regression import (
    Limits,
    benjamini_hochberg,
    chance,
    changes,
    critical_score,
    exceeding,
    inflation,
    median_detectable_ratio,
    normal_score,
    student_score,
)
from runtime_exporter.profiling.tally import tally

LIMITS = Limits()
SHARES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.001, 1), min_size=1)


def windows_of(shares, begin=0.0):
    return tally([window(one, begin=begin + index * MINUTE) for index, one in enumerate(shares)])


@given(st.lists(SHARES, min_size=1, max_size=6))
def test_equal_sides_have_no_rise(shares):
    side = windows_of(shares)
    found = changes(side, side, LIMITS)
    assert all(one.z == 0 and one.delta == 0 for one in found.values())
    assert exceeding(found, LIMITS) == frozenset()


@given(st.lists(SHARES, min_size=1, max_size=5), st.lists(SHARES, min_size=1, max_size=5))
def test_what_rose_one_way_fell_the_other_way(left, right):
    one, two = windows_of(left), windows_of(right)
    forth, back = changes(one, two, LIMITS), changes(two, one, LIMITS)
    assert forth.keys() == back.keys()
    for name, change in forth.items():
        assert change.z == pytest.approx(-back[name].z)
        assert change.delta == -back[name].delta
        assert change.dispersion == pytest.approx(back[name].dispersion)


@given(st.lists(SHARES, min_size=1, max_size=4), st.lists(SHARES, min_size=1, max_size=4), st.floats(1e-9, 1e9))
def test_the_unit_of_the_profile_changes_nothing(left, right, factor):
    def scaled(shares, scale):
        return tally(
            [window(one, begin=i * MINUTE)._replace(total=60 * scale) for i, one in enumerate(shares)],
        )

    plain = changes(scaled(left, 1), scaled(right, 1), LIMITS)
    other = changes(scaled(left, factor), scaled(right, factor), LIMITS)
    assert [one.z for one in plain.values()] == [one.z for one in other.values()]
    assert [one.cost_ratio for one in plain.values()] == pytest.approx([one.cost_ratio for one in other.values()])


@given(st.floats(0.02, 0.4), st.floats(1.01, 2), st.integers(2, 40))
def test_more_samples_make_a_rise_more_certain(share, factor, times):
    few, many = (
        changes(steady({"f": share}, 30, n=n), steady({"f": share * factor}, 5, n=n), LIMITS)["f"]
        for n in (600, 600 * times)
    )
    assert many.z > few.z > 0
    assert many.detectable <= few.detectable * (1 + 1e-9)


def test_the_score_is_that_of_two_proportions_when_windows_do_not_vary():
    change = changes(steady({"f": 0.05}, 300), steady({"f": 0.051}, 300), LIMITS)["f"]
    pooled, n = 0.0505, 300 * 1200
    assert change.dispersion == 1
    assert change.z == pytest.approx(0.001 / math.sqrt(pooled * (1 - pooled) * 2 / n), rel=0.01)


def test_the_dispersion_is_the_quasi_binomial_one_when_windows_are_of_one_size():
    rates = [0.05, 0.15] * 10
    source = random.Random(4)
    source.shuffle(rates)
    # With gaps between the windows nothing is known of neighbours, so only the spread counts.
    side = tally([window({"f": rate}, begin=index * 10 * MINUTE) for index, rate in enumerate(rates)])
    phi = 2 * sum((1200 * rate - 120) ** 2 / (1200 * 0.1 * 0.9) for rate in rates) / (2 * len(rates) - 2)
    assert changes(side, side, LIMITS)["f"].dispersion == pytest.approx(phi)


def test_windows_that_vary_make_a_rise_less_certain():
    calm = changes(steady({"f": 0.1}, 30), steady({"f": 0.15}, 5), LIMITS)["f"]
    rough = changes(windows_of([{"f": 0.03}, {"f": 0.17}] * 15), steady({"f": 0.15}, 5), LIMITS)["f"]
    assert calm.z > 3 > rough.z > 0
    assert rough.detectable > 2 * calm.detectable


def test_windows_like_their_neighbours_say_less_than_independent_ones():
    rates = [0.05] * 15 + [0.15] * 15
    slow = windows_of([{"f": rate} for rate in rates])
    mixed = rates[:]
    random.Random(1).shuffle(mixed)
    quick = windows_of([{"f": rate} for rate in mixed])
    now = steady({"f": 0.15}, 5, begin=9e3)
    assert changes(slow, now, LIMITS)["f"].error > 2 * changes(quick, now, LIMITS)["f"].error


def test_a_process_busier_than_its_baseline_is_not_more_certain_of_noise():
    """With noise of the share itself, ten times the samples must not make the error of the mean smaller."""
    before = drawn({"f": 0.1}, 60, seed=1, n=200, variation=0.5)
    as_busy = drawn({"f": 0.1}, 5, seed=2, n=200, variation=0.5)
    busier = drawn({"f": 0.1}, 5, seed=3, n=2000, variation=0.5)
    errors = [changes(before, now, LIMITS)["f"].error for now in (as_busy, busier)]
    assert errors[1] == pytest.approx(errors[0], rel=0.25)


def test_scores_of_equal_processes_are_standard_normal():
    scores = []
    for trial in range(150):
        names = {f"f{index}": 0.1 for index in range(4)}
        before = drawn(names, 20, seed=trial, n=200, variation=0.3)
        now = drawn(names, 5, seed=-1 - trial, n=200, variation=0.3)
        scores += [one.z for one in changes(before, now, LIMITS).values()]
    assert abs(statistics.mean(scores)) < 0.2
    assert 0.8 < statistics.stdev(scores) < 1.15


def test_the_detectable_rise_is_seen_about_as_often_as_it_says():
    limits = Limits(discoveries=0.5)
    seen = 0
    for trial in range(200):
        before = drawn({"f": 0.1}, 20, seed=f"before {trial}", n=300)
        detectable = changes(before, drawn({"f": 0.1}, 5, seed=f"same {trial}", n=300), limits)["f"].detectable
        now = drawn({"f": 0.1 + detectable}, 5, seed=f"now {trial}", n=300)
        seen += exceeding(changes(before, now, limits), limits) == {"f"}
    assert 0.65 < seen / 200 < 0.92


def test_a_new_function_rises_from_half_a_sample():
    change = changes(steady({"old": 0.5}, 10), steady({"old": 0.5, "new": 0.1}, 5), LIMITS)["new"]
    assert change.delta_ratio == pytest.approx(0.1 / (0.5 / 12000))
    assert change.cost_ratio == math.inf
    assert change.z > 8


def test_a_clear_rise_that_is_small_does_not_matter():
    by_points = changes(steady({"f": 0.01}, 3000), steady({"f": 0.0145}, 3000), LIMITS)
    by_ratio = changes(steady({"f": 0.4}, 3000), steady({"f": 0.47}, 3000), LIMITS)
    assert by_points["f"].z > 10
    assert by_ratio["f"].z > 10
    assert exceeding(by_points, LIMITS) | exceeding(by_ratio, LIMITS) == frozenset()


def test_rare_functions_are_not_tested_unless_asked_for():
    before, now = steady({"rare": 0.002, "f": 0.1}, 10), steady({"rare": 0.004, "f": 0.1}, 10)
    assert {"f"} == changes(before, now, LIMITS).keys()
    assert {"f", "rare", "unseen"} == changes(before, now, LIMITS, also=["rare", "unseen"]).keys()


@pytest.mark.parametrize("empty", ["before", "now"])
def test_without_samples_there_is_no_change(empty):
    sides = {"before": steady({"f": 0.1}, 10), "now": steady({"f": 0.1}, 5)}
    sides[empty] = steady({}, 5, n=0)
    assert changes(limits=LIMITS, **sides) == {}
    assert median_detectable_ratio([], LIMITS) == math.inf


@given(st.dictionaries(st.integers(), st.floats(0, 1), max_size=30), st.floats(0.001, 1))
def test_benjamini_hochberg_is_monotone(chances, q):
    found = benjamini_hochberg(chances, q)
    assert found <= benjamini_hochberg(chances, min(1, 2 * q))
    assert all(chances[name] <= q for name in found)
    largest = max((chances[name] for name in found), default=-1)
    assert found == {name for name, p in chances.items() if p <= largest}
    assert {name for name, p in chances.items() if p <= q / len(chances)} <= found


def test_benjamini_hochberg_finds_what_the_example_of_the_paper_finds():
    """Benjamini and Hochberg 1995, section 4.1: 4 of 15 at 5 %, where Bonferroni finds 3."""
    chances = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert {0, 1, 2, 3} == benjamini_hochberg(dict(enumerate(chances)), 0.05)


@pytest.mark.parametrize(
    ("t", "freedom", "tail"),
    [(2.0, 30, 0.027312), (3.0, 30, 0.002695), (4.0, 30, 0.000191), (2.228, 10, 0.025), (4.144, 10, 0.001)],
)
def test_the_normal_score_is_as_unlikely_as_students_t(t, freedom, tail):
    assert chance(normal_score(t, freedom)) == pytest.approx(tail, rel=0.03)


@given(st.floats(-30, 30), st.integers(1, 5000))
def test_students_score_is_the_inverse_of_the_normal_score(z, freedom):
    t = student_score(z, freedom)
    assert abs(t) == math.inf or normal_score(t, freedom) == pytest.approx(z, abs=1e-9)


def test_tails_keep_their_digits():
    assert chance(10) == pytest.approx(7.61985e-24, rel=1e-5)


def test_more_functions_ask_for_a_higher_score():
    assert critical_score(LIMITS, 1) == LIMITS.score
    assert critical_score(LIMITS, 1000) == pytest.approx(3.8906, abs=1e-3)


@given(st.floats(0.01, 0.95), st.integers(2, 30))
@settings(max_examples=50)
def test_the_inflation_is_the_sum_over_all_pairs_of_windows(correlation, windows):
    pairs = sum(correlation ** abs(one - two) for one in range(windows) for two in range(windows))
    assert inflation(correlation, windows) == pytest.approx(pairs / windows)


def test_independent_windows_are_not_inflated():
    assert inflation(0, 100) == inflation(-0.5, 100) == inflation(0.5, 1) == 1
