import math

import pytest

from runtime_exporter.collectors.supervision.budget import AIM, SHARES, Budget
from runtime_exporter.collectors.supervision.overhead import Overhead

MINUTE = 60


@pytest.fixture
def spent():
    return {}


@pytest.fixture
def budget(clock, spent):
    return Budget(0.01, Overhead(lambda: spent, clock=clock), clock=clock)


def live(clock, spent, budget, minutes, demands):
    """Let each part use what it wants as far as it is allowed (and others what they want); return the rate of the last half."""
    begin = None
    for second in range(minutes * MINUTE):
        if second == minutes * MINUTE // 2:
            begin = sum(spent.values())
        clock.advance(1.0)
        for part, wanted in demands.items():
            may = budget.allowed(part) if part in SHARES else math.inf
            spent[part] = spent.get(part, 0.0) + min(wanted, may)
    return (sum(spent.values()) - begin) / (minutes * MINUTE / 2)


def test_together_all_shares_are_the_budget():
    assert 1.0 == pytest.approx(sum(SHARES.values()))


def test_who_is_alone_may_use_nearly_all_of_it(clock, spent, budget):
    used = live(clock, spent, budget, 20, {"background": 1.0})

    assert AIM * 0.01 == pytest.approx(used, rel=0.01)


@pytest.mark.parametrize(
    "demands",
    [
        {"background": 1.0, "scrape": 1.0, "profiling": 1.0},
        {"background": 1.0, "scrape": 0.0001, "profiling": 1.0},
        {"background": 1.0, "profiling": 0.004, "push": 0.002},
        {"background": 1.0, "scrape": 1.0, "profiling": 1.0, "push": 0.003, "web": 0.002},
        {"scrape": 1.0, "web": 0.003, "hooks": 0.001, "profiling": 0.0001},
    ],
)
def test_all_together_use_no_more_than_the_budget_whoever_is_hungry(clock, spent, budget, demands):
    used = live(clock, spent, budget, 60, demands)

    assert 0.007 < used <= 0.01


def test_who_is_hungry_gets_his_share_beside_others_that_are(clock, spent, budget):
    live(clock, spent, budget, 60, {"background": 1.0, "scrape": 1.0, "profiling": 1.0})
    now = {part: budget.allowed(part) / 0.01 for part in SHARES}

    assert {part: pytest.approx(AIM * share, abs=0.02) for part, share in SHARES.items()} == now


def test_what_cannot_be_held_leaves_each_part_its_share_of_a_tenth(clock, spent, budget):
    live(clock, spent, budget, 30, {"web": 0.5})

    allowed = {part: pytest.approx(AIM * share * 0.001) for part, share in SHARES.items()}
    assert allowed == {part: budget.allowed(part) for part in SHARES}


def test_what_an_agents_targets_use_is_of_no_concern(clock, spent, budget):
    live(clock, spent, budget, 30, {"targets": 0.5})

    assert AIM * 0.01 == pytest.approx(budget.allowed("background"))


def test_in_the_first_minute_each_has_its_share(clock, budget):
    clock.advance(30.0)

    assert AIM * SHARES["profiling"] * 0.01 == budget.allowed("profiling")


def test_in_the_child_of_a_fork_nothing_has_been_used(clock, spent, budget):
    live(clock, spent, budget, 10, {"web": 0.5})
    budget.forget()

    assert {"web": 0.0} == budget.used()
