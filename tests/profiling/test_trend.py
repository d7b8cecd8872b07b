"""Growth, and how sure one can be of it."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.profiling.trend import (
    FEWEST_POINTS,
    MAXIMUM_POINTS,
    mann_kendall,
    seconds_until,
    thinned,
    trend,
)

VALUES = st.lists(st.integers(-50, 50).map(float), min_size=FEWEST_POINTS, max_size=40)


def series(values, step=60.0):
    return [(1e9 + step * index, value) for index, value in enumerate(values)]


def test_a_straight_line_has_its_slope():
    found = trend(series([5 + 3 * index for index in range(30)]))
    assert found.slope == pytest.approx(3 / 60)
    assert (found.low, found.high) == pytest.approx((3 / 60, 3 / 60))
    assert found.grows
    assert found.p < 1e-9


def test_outliers_do_not_turn_a_slope():
    values = [float(index) for index in range(40)]
    values[7], values[20], values[33] = 1e6, -1e6, 1e6
    assert trend(series(values)).slope == pytest.approx(1 / 60, rel=0.05)


def test_a_constant_series_has_no_trend():
    found = trend(series([7.0] * 20))
    assert (found.z, found.p, found.slope, found.grows) == (0, 1, 0, False)


@given(VALUES)
def test_the_score_is_the_number_of_rising_pairs_less_falling_ones(values):
    expected = sum((later > earlier) - (later < earlier) for earlier, later in itertools.combinations(values, 2))
    assert expected == mann_kendall(values)[0]


@pytest.mark.parametrize(
    "values", [(1, 2, 3, 4, 5), (1, 1, 2, 3, 4), (1, 1, 1, 2, 2), (1, 1, 2, 2, 3), (0, 0, 0, 0, 1)]
)
def test_the_deviation_is_the_one_over_all_orders_of_the_same_values(values):
    scores = [mann_kendall(order)[0] for order in itertools.permutations(values)]
    exact = math.sqrt(sum(score**2 for score in scores) / len(scores))
    assert mann_kendall(values)[1] == pytest.approx(exact)


@given(VALUES)
def test_a_series_backwards_falls_as_it_rose(values):
    forth, back = trend(series(values)), trend(series(values[::-1]))
    assert forth.z == pytest.approx(-back.z)
    assert forth.slope == pytest.approx(-back.slope)
    assert forth.p == pytest.approx(back.p)
    if not math.isnan(forth.low):
        assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))


@given(VALUES, st.sampled_from([0.25, 4.0, 1024.0]), st.integers(-100, 100))
def test_scale_and_offset_leave_the_score_and_scale_the_slope(values, factor, offset):
    plain, other = trend(series(values)), trend(series([factor * value + offset for value in values]))
    assert (plain.z, plain.p) == (other.z, other.p)
    assert other.slope == pytest.approx(factor * plain.slope)


@given(VALUES)
def test_the_slope_is_inside_its_interval(values):
    found = trend(series(values))
    assert math.isnan(found.low) or found.low <= found.slope <= found.high


def test_the_interval_holds_the_true_slope_as_often_as_it_says():
    source = random.Random(7)
    held = 0
    for _ in range(400):
        found = trend(series([0.02 * index + source.gauss(0, 1) for index in range(24)]), confidence=0.9)
        held += found.low <= 0.02 / 60 <= found.high
    assert 0.85 < held / 400 < 0.95


def test_noise_is_called_a_trend_as_seldom_as_p_says():
    source = random.Random(8)
    found = [trend(series([source.gauss(0, 1) for _ in range(15)])) for _ in range(1500)]
    assert 0.03 < sum(one.p < 0.05 for one in found) / 1500 < 0.06


def test_times_need_not_be_even():
    points = [(float(time), 2.0 * time) for time in (0, 1, 5, 30, 31, 90)]
    assert trend(points).slope == pytest.approx(2)


@pytest.mark.parametrize("length", range(FEWEST_POINTS))
def test_a_few_points_have_no_trend(length):
    assert trend(series(range(length))) is None


def test_few_points_have_no_interval_and_do_not_grow():
    found = trend(series([1.0, 2.0, 3.0, 4.0]))
    assert math.isnan(found.low)
    assert not found.grows


@pytest.mark.parametrize("times", [(0, 1, 1, 2), (0, 2, 1, 3)])
def test_times_that_do_not_rise_are_refused(times):
    with pytest.raises(ValueError, match="must rise"):
        trend([(float(time), 0.0) for time in times])


def test_long_series_are_thinned_and_keep_their_slope():
    source = random.Random(9)
    points = series([index + source.gauss(0, 50) for index in range(5000)])
    assert len(thinned(points)) == MAXIMUM_POINTS
    found = trend(points)
    assert found.points == MAXIMUM_POINTS
    assert found.slope == pytest.approx(1 / 60, rel=0.02)


@given(st.integers(1, 1000), st.integers(1, 300))
def test_thinning_keeps_order_and_bounds(length, points):
    kept = thinned([(float(index), float(index)) for index in range(length)], points)
    assert len(kept) == min(length, points)
    assert kept == sorted(kept)
    assert 0 <= kept[0][0] <= kept[-1][0] <= length - 1


def test_the_time_to_a_limit():
    assert seconds_until(100, 40, 2) == 30
    assert seconds_until(100, 100, 2) == 0
    assert seconds_until(100, 40, 0) == seconds_until(100, 40, -1) == math.inf
