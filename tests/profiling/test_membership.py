"""Who has a series: slow in, slower out, at most a cap."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime_exporter.profiling.membership import RESERVED, Membership, Rules, advance

MINUTE = 60.0
RULES = Rules(top=3)


def run(windows, rules=RULES, before=None, start=0.0, seconds=MINUTE):
    """The memberships after each of the windows, which follow on one another."""
    membership, history = before or Membership(), []
    for number, shares in enumerate(windows, start=1):
        membership = advance(membership, shares, at=start + number * seconds, seconds=seconds, rules=rules)
        history.append(membership)
    return history


def members(windows, **arguments):
    return [set(membership.members) for membership in run(windows, **arguments)]


def test_a_function_enters_with_its_second_window_among_the_best_of_three():
    hot, cold = {"a": 0.5}, {"b": 0.5}
    assert [set(), {"a"}] == members([hot, hot])
    assert [set(), set(), {"a"}] == members([hot, cold, hot])


def test_two_hits_too_far_apart_do_not_let_it_in():
    assert "a" not in members([{"a": 0.5}, {}, {}, {"a": 0.5}])[-1]


def test_a_share_below_one_percent_never_enters():
    assert [set()] * 50 == members([{"a": 0.0099}] * 50)
    assert {"a"} == members([{"a": 0.01}] * 2)[-1]


def test_the_places_go_to_the_largest():
    shares = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}
    assert {"a", "b", "c"} == members([shares] * 10)[-1]


def test_the_average_halves_in_its_half_life_and_is_not_biased_at_the_start():
    first = run([{"a": 0.8}])[0]
    assert 0.8 == pytest.approx(first.average("a"))
    after = run([{"a": 0.8}] * 600 + [{}] * 30)[-1]
    assert 0.4 == pytest.approx(after.average("a"), rel=0.01)
    assert 0.0 == after.average("never seen")


def test_a_quiet_member_stays_for_fifteen_windows_below_and_then_leaves():
    rules = Rules(top=3, half_life=60.0)
    history = members([{"a": 0.5, "b": 0.5}] * 20 + [{"b": 1.0}] * 60, rules=rules)
    first_poor = next(
        number
        for number, membership in enumerate(run([{"a": 0.5, "b": 0.5}] * 20 + [{"b": 1.0}] * 60, rules=rules))
        if membership.average("a") < rules.leave_share
    )
    gone = next(number for number, now in enumerate(history) if number > 20 and "a" not in now)
    assert rules.leave_windows - 1 == gone - first_poor


def test_one_good_window_starts_the_count_of_poor_ones_again():
    rules = Rules(top=3, half_life=1.0, residency=0.0)
    lull = [{"b": 1.0}] * 14
    busy = [{"a": 0.5, "b": 0.5}]
    assert all("a" in now for now in members(busy * 2 + (lull + busy) * 5, rules=rules)[1:])


def test_nobody_leaves_before_the_residency_is_over():
    rules = Rules(top=3, half_life=1.0, leave_windows=1, residency=900.0)
    history = members([{"a": 0.5, "b": 0.5}] * 2 + [{"b": 1.0}] * 20, rules=rules)
    assert 15 == sum("a" in now for now in history)


def test_at_most_three_leave_in_a_window():
    rules = Rules(top=12, half_life=1.0, leave_windows=1, residency=0.0)
    many = {f"f{number}": 0.05 for number in range(12)}
    history = members([many, many, *[{"x": 1.0}] * 6], rules=rules)
    assert [12, 9, 7, 4, 1, 1, 1] == [len(now) for now in history[1:]]


def test_at_the_cap_a_newcomer_waits_for_the_residency_of_the_weakest_and_takes_its_place():
    rules = Rules(top=3, half_life=60.0)
    old = {"a": 0.4, "b": 0.3, "c": 0.2}
    middle = {"a": 0.4, "b": 0.3, "d": 0.3}
    new = {"d": 0.4, "e": 0.4, "a": 0.2}
    history = members([old] * 3 + [middle] * 3 + [new] * 20, rules=rules)
    assert {"a", "b", "c", "d"} == history[6]
    assert 4 == rules.cap == max(map(len, history))
    first = next(number for number, now in enumerate(history) if "e" in now)
    assert 16 == first  # entered in window 1, at home until window 16
    assert {"a", "b", "d", "e"} == history[first]


def test_a_pinned_function_is_in_from_its_first_sample_on_for_good():
    rules = Rules(top=3, half_life=1.0, residency=0.0, leave_windows=1, pinned=(re.compile("^shop:"),))
    busy = {"a": 0.5, "b": 0.3, "c": 0.19, "shop:pay": 0.0001}
    assert [{"shop:pay"}, {"a", "b", "c", "shop:pay"}] == members([busy] * 2, rules=rules)
    assert "shop:pay" in members([busy] + [{"a": 1.0}] * 100, rules=rules)[-1]


def test_a_pinned_function_takes_a_place_at_the_cap_and_the_cap_holds():
    rules = Rules(top=3, pinned=(re.compile("."),))
    everything = {f"f{number}": 0.1 for number in range(10)}
    assert [4, 4] == [len(now) for now in members([everything] * 2, rules=rules)]
    picky = Rules(top=3, pinned=(re.compile("p"),))
    full = run([{"a": 0.4, "b": 0.3, "c": 0.2}] * 2 + [{"d": 0.9}] * 5)[-1]
    assert 4 == len(full.members)
    after = run([{"a": 0.5, "p": 0.001}], rules=picky, before=full, start=420.0)[-1]
    assert "p" in after.members
    assert 4 == len(after.members)


def test_gc_and_idle_are_members_beside_the_others_and_other_is_none():
    shares = {"gc": 0.0001, "idle": 0.9, "other": 0.05, "a": 0.02, "b": 0.02, "c": 0.02}
    assert {"gc", "idle", "a", "b", "c"} == members([shares] * 3)[-1]


def test_equal_shares_are_ranked_by_name_so_that_two_runs_agree():
    shares = dict.fromkeys("hgfedcba", 0.1)
    assert {"a", "b", "c"} == members([shares] * 2)[-1]


def test_what_is_remembered_is_bounded():
    windows = [{f"f{window}_{number}": 0.001 for number in range(500)} for window in range(10)]
    assert 20 * RULES.top >= len(run(windows)[-1].standings)


names = st.sampled_from(["gc", "idle", "other", *"abcdefghijklmnop"])
windows = st.lists(st.dictionaries(names, st.floats(0, 1)), max_size=60)


@settings(max_examples=200)
@given(windows, st.integers(1, 5), st.integers(1, 5), st.booleans(), st.sampled_from([1.0, 60.0, 3600.0]))
def test_whatever_happens_the_cap_the_swaps_and_the_residency_hold(history, top, swaps, pin, seconds):
    rules = Rules(top=top, swaps=swaps, leave_windows=2, half_life=120.0, pinned=(re.compile("[op]"),) if pin else ())
    since, before, at = {}, frozenset(), 0.0
    for membership in run(history, rules=rules, seconds=seconds):
        at += seconds
        now = membership.members
        left = before - now
        assert rules.cap >= len(now - RESERVED)
        assert "other" not in now
        displaced = len(rules.pins(now - before))
        assert swaps + displaced >= len(left)
        assert not rules.pins(left) | (RESERVED & left)
        if not displaced:
            assert all(at - since[name] >= rules.residency for name in left)
        since.update(dict.fromkeys(now - before, at))
        before = now
