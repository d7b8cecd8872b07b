"""The rate follows from what looking costs; the gaps are exponential."""

import random
import statistics

from hypothesis import given
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


def test_a_rate_that_costs_twice_the_budget_falls_below_half_at_once():
    assert 20 * 0.8 / 2 == run(Pace(rate=20, budget=0.01), [0.02])[0]


def test_the_rate_comes_back_step_by_step_but_not_above_what_was_asked_for():
    rates = run(Pace(rate=20, budget=0.01), [0.05, *[0.0001] * 6])
    assert LOWEST_HZ == rates[0]
    assert LOWEST_HZ * 1.5 == rates[1]
    assert 20.0 == rates[-1]


def test_what_is_over_budget_three_times_pauses_for_a_minute():
    pace = Pace(rate=20, budget=0.01)
    run(pace, [0.5, 0.5])
    assert 0 == pace.take_pauses()
    run(pace, [0.5, 0.5, 0.5])
    assert 15.0 + 60.0 == pace.paused_until
    assert 1 == pace.take_pauses()
    assert 0 == pace.take_pauses()


def test_one_cheap_step_between_is_no_reason_to_pause():
    pace = Pace(rate=20, budget=0.01)
    run(pace, [0.5, 0.5, 0.001, 0.5, 0.5])
    assert 0 == pace.take_pauses()


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
