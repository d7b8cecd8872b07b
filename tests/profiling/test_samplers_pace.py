"""The rate follows from what looking costs; the gaps are exponential."""

import math
import random
import statistics
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime_exporter.profiling.samplers.pace import HIGHEST_HZ, LOWEST_HZ, Pace


def run(pace, costs, step=5.0):
    """Account one cost (share of a core) after the other, a step each; return the rates."""
    now, rates = 0.0, []
    pace.restart(now)
    for cost in costs:
        now = max(now, pace.paused_until) + step
        pace.account(cost * step, now)
        rates.append(pace.rate)
    return rates


def test_the_gaps_have_the_rates_mean_and_an_exponential_distributions_spread():
    pace = Pace(rate=20, chance=random.Random(1))
    gaps = [pace.gap() for _ in range(20_000)]
    assert abs(statistics.mean(gaps) * 20 - 1) < 0.03
    assert abs(statistics.stdev(gaps) * 20 - 1) < 0.06
    assert max(gaps) <= 5 / 20


def test_two_workers_look_first_at_different_moments():
    assert 100 == len({Pace(chance=random.Random(seed)).first_gap() for seed in range(100)})


def test_the_rate_stays_as_long_as_it_is_cheap():
    assert [20.0] * 5 == run(Pace(rate=20, budget=0.01), [0.002] * 5)


def test_a_rate_that_costs_more_falls_so_far_that_it_is_below_the_budget():
    assert 20 * 0.7 / 1.25 == pytest.approx(run(Pace(rate=20, budget=0.01), [0.0125])[0])


def test_one_bad_moment_costs_half_of_the_rate_at_most_and_no_pause():
    pace = Pace(rate=20, budget=0.01)
    assert [10.0, 15.0, 20.0] == run(pace, [0.08, 0.0001, 0.0001])
    assert 0 == pace.take_pauses()


def test_looks_of_unknown_cost_begin_low_and_rise_as_they_prove_to_be_cheap():
    rates = run(Pace(rate=10, first=2, lowest=0.2, budget=0.01), [0.0001] * 5)
    assert [3.0, 4.5, 6.75, 10.0, 10.0] == pytest.approx(rates)


def test_a_lower_bound_of_its_own_lets_dear_looks_become_rare_before_there_is_a_pause():
    # A look of 16 ms at 1 Hz is 1.6 % of a core.
    pace = Pace(rate=10, first=1, lowest=0.1, budget=0.005, chance=random.Random(1))
    now = spent = 0.0
    pace.restart(now)
    while now < 600:
        now = max(now + pace.gap(), pace.paused_until)
        pace.account(0.016, now)
        spent += 0.016
    assert 0.1 <= pace.rate < 0.4
    assert 0.6 * 0.005 < spent / 600 < 0.005
    assert 0 == pace.take_pauses()


def test_a_smaller_budget_lowers_the_rate_and_a_larger_one_lets_it_come_back():
    pace = Pace(rate=20, budget=0.01)
    pace.restart(0.0)
    rates = []
    for step in range(1, 13):
        pace.afford(0.002 if step <= 6 else 0.01)
        pace.account(5 * 0.0003 * pace.rate, step * 5.0)
        rates.append(pace.rate)
    assert 20 > rates[0] > rates[5] >= 5.0
    assert 20.0 == rates[-1]


def test_the_rate_comes_back_step_by_step_but_not_above_what_was_asked_for():
    rates = run(Pace(rate=20, budget=0.01), [0.02, 0.02, *[0.0001] * 6])
    assert [10.0, LOWEST_HZ, LOWEST_HZ * 1.5] == rates[:3]
    assert 20.0 == rates[-1]


def test_what_is_saved_pays_for_a_while_and_then_comes_a_pause_until_half_of_it_is_saved_anew():
    pace = Pace(rate=20, budget=0.01)
    run(pace, [0.02] * 5)  # 0.1 s of CPU a step, of which 0.04 s come in; 0.4 s were saved, 0.06 s are left
    assert 0 == pace.take_pauses()
    pace.pay(0.16, 30.0)
    assert 1 == pace.take_pauses()
    assert 30.0 + (0.2 + 0.06) / 0.008 == pytest.approx(pace.paused_until)
    assert 0 == pace.take_pauses()


def test_no_pause_is_longer_than_five_minutes():
    pace = Pace(rate=20, budget=0.001)
    run(pace, [1000.0])
    assert 5.0 + 300.0 == pytest.approx(pace.paused_until)


def test_what_is_paid_between_two_changes_of_the_rate_is_part_of_the_next():
    pace = Pace(rate=20, budget=0.01)
    pace.restart(0.0)
    for second in range(5, 60, 5):
        pace.pay(0.0625, float(second))
    assert 20.0 == pace.rate
    pace.account(0.0625, 60.0)
    assert 20 * 0.7 / 1.25 == pytest.approx(pace.rate)


def test_without_a_limit_nothing_is_governed():
    pace = Pace(rate=50, budget=math.inf)
    assert [50.0] * 3 == run(pace, [3.0] * 3)
    assert 0 == pace.take_pauses()


def test_without_a_budget_it_pauses_as_long_as_it_may():
    pace = Pace(rate=20, budget=0.0)
    run(pace, [0.01])
    assert 5.0 + 300.0 == pace.paused_until


# --- over any time, whatever a look costs --------------------------------------------------------------------------

BUDGET = 0.005
# (seconds of such a load, CPU seconds of a look), with looks of up to 0.1 s: as long as 20 s of the budget last.
LOADS = st.lists(st.tuples(st.floats(1, 400), st.floats(0, 20 * BUDGET)), min_size=1, max_size=8)


def simulate(loads, seed=1):
    """Sample a program whose looks cost what the loads say; return the pace, each look's (time, cost), and each rate."""
    pace = Pace(rate=20, budget=BUDGET, chance=random.Random(seed))
    now, spent, rates = 0.0, [], []
    pace.restart(now)
    end = 0.0
    for seconds, cost in loads:
        end += seconds
        while now < end:
            now = max(now + pace.gap(), pace.paused_until)
            pace.account(cost, now)
            spent.append((now, cost))
            rates.append(pace.rate)
    return pace, spent, rates


def most_in(spent, seconds):
    """Return the most that was spent in any stretch of so many seconds."""
    most = total = 0.0
    first = 0
    for now, cost in spent:
        total += cost
        while spent[first][0] < now - seconds:
            total -= spent[first][1]
            first += 1
        most = max(most, total)
    return most


@settings(max_examples=60, deadline=None)
@given(LOADS)
@example([(400.0, 0.1)])
@example([(300.0, 0.0), (300.0, 0.1)])
@example([(60.0, 0.0), (10.0, 0.1), (60.0, 0.0), (10.0, 0.1), (60.0, 0.0), (10.0, 0.1), (60.0, 0.001)])
def test_in_no_five_minutes_is_more_spent_than_the_budget(loads):
    _, spent, _ = simulate(loads)
    assert most_in(spent, 300.0) <= 300.0 * BUDGET * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(LOADS)
def test_the_rate_never_leaves_its_bounds_whatever_a_look_costs(loads):
    _, _, rates = simulate(loads)
    assert LOWEST_HZ <= min(rates)
    assert 20.0 >= max(rates)


@settings(max_examples=60, deadline=None)
@given(LOADS)
def test_a_program_that_affords_the_lowest_rate_is_never_left_alone(loads):
    _, spent, _ = simulate([(seconds, cost * 0.5 * BUDGET / (20 * BUDGET * LOWEST_HZ)) for seconds, cost in loads])
    longest = max(later - earlier for (earlier, _), (later, _) in pairwise([(0.0, 0.0), *spent]))
    assert longest <= 5 / LOWEST_HZ


@settings(max_examples=60, deadline=None)
@given(LOADS)
def test_two_minutes_after_costs_have_fallen_the_rate_is_what_it_was(loads):
    """50 s of the longest pause, 20 s of four steps up, and what is left of a step and of gaps."""
    pace, spent, _ = simulate([*loads, (120.0, BUDGET / 100)])
    assert 20.0 == pace.rate
    assert pace.paused_until <= spent[-1][0]


@given(rate=st.floats(0, 1000), costs=st.lists(st.floats(0, 2)))
def test_the_rate_is_always_within_its_bounds(rate, costs):
    assert all(LOWEST_HZ <= found <= HIGHEST_HZ for found in run(Pace(rate=rate), costs))


def test_a_burst_has_its_own_rate_and_costs_the_budget_nothing():
    pace = Pace(rate=20, budget=0.01)
    with pace.hurried(200):
        pace.account(5.0, 100.0)
        assert 200 == pace.rate
    assert 20 == pace.rate
    pace.account(0.001, 106.0)
    assert 20 == pace.rate
