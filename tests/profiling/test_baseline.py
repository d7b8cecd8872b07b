"""Which past the present is compared with."""

from __future__ import annotations

import pytest

from profile_windows import MINUTE, steady
from runtime_exporter.profiling.baseline import (
    DAY,
    FEWEST_WINDOWS,
    HOUR,
    OLDEST,
    PRECEDENCE,
    Baseline,
    pick,
    previous_version,
    remember,
    rolling,
    same_hour,
)

NOW = 1000 * DAY + 10 * HOUR


def hour(begin, share=0.1, version="1"):
    return steady({"f": share}, 60, begin=begin, version=version)


def day(end, windows=240):
    return steady({"f": 0.1}, windows, begin=end - windows * MINUTE)


def test_the_past_is_kept_by_the_hour():
    past = ()
    for minute in range(150):
        past = remember(past, steady({"f": 0.1}, 1, begin=NOW + minute * MINUTE))
    assert [60, 60, 30] == [one.windows for one in past]
    assert [NOW, NOW + HOUR, NOW + 2 * HOUR] == [one.begin for one in past]


def test_what_comes_late_is_joined_to_its_hour_and_is_not_the_newest():
    past = ()
    for minute in (0, 70, 80, 10, 90, 130, 75):
        past = remember(past, steady({"f": 0.1}, 1, begin=NOW + minute * MINUTE))
    assert [2, 4, 1] == [one.windows for one in past]
    assert [NOW, NOW + 70 * MINUTE, NOW + 130 * MINUTE] == [one.begin for one in past]


def test_a_new_version_begins_a_new_part():
    past = remember(remember((), hour(NOW, version="1")), steady({}, 1, begin=NOW + HOUR - 1, version="2"))
    assert ["1", "2"] == [one.version for one in past]


def test_what_is_too_old_is_forgotten():
    past = remember((), hour(NOW - 9 * DAY))
    assert [NOW] == [one.begin for one in remember(past, hour(NOW))]


def test_the_past_is_bounded():
    past = ()
    for place in range(400):
        past = remember(past, hour(NOW + place * HOUR))
    assert len(past) <= 8 * 24 + 2


def test_rolling_is_the_last_day_only():
    past = [hour(NOW - 30 * HOUR), hour(NOW - 20 * HOUR), hour(NOW - 3 * HOUR)]
    baseline = rolling(past, NOW)
    assert (baseline.name, baseline.tally.begin, baseline.tally.windows) == ("rolling", NOW - 20 * HOUR, 120)


def test_rolling_ends_before_a_regression_began():
    past = [hour(NOW - 5 * HOUR, 0.1), hour(NOW - 3 * HOUR, 0.5)]
    assert rolling(past, NOW, until=NOW - 3 * HOUR).tally.share("f") == pytest.approx(0.1)
    assert rolling(past, NOW, until=NOW - 9 * HOUR) is None


def test_rolling_has_nothing_of_the_present():
    assert rolling([hour(NOW)], NOW) is None


def test_the_same_hour_is_that_of_earlier_days():
    past = [hour(NOW - day * DAY + shift * HOUR - HOUR / 2) for day in range(1, 5) for shift in (-4, -1, 0, 1, 4)]
    baseline = same_hour(past, NOW)
    assert baseline.tally.windows == 4 * 3 * 60
    assert (baseline.tally.begin, baseline.tally.end) == (NOW - 4 * DAY - 1.5 * HOUR, NOW - DAY + 1.5 * HOUR)


def test_the_same_hour_needs_three_days_of_the_last_week():
    days = [hour(NOW - day * DAY) for day in (1, 2, 3)]
    assert same_hour(days, NOW) is not None
    assert same_hour(days[:2], NOW) is None
    assert same_hour([*days[:2], hour(NOW - 8 * DAY)], NOW) is None
    assert same_hour([hour(NOW)], NOW) is None


def test_the_previous_version_is_the_one_that_ran_last_before_this():
    past = [hour(NOW - 9 * HOUR, version="1"), hour(NOW - 5 * HOUR, version="2"), hour(NOW - 2 * HOUR, version="3")]
    assert previous_version(past, "3").label == "2"
    assert previous_version(past, "4").label == "3"
    assert previous_version(past, "2").identity == "version 3"  # rolled back: the newest is what it is compared with


def test_without_versions_there_is_no_previous_one():
    assert previous_version([hour(NOW, version="")], "2") is None
    assert previous_version([hour(NOW, version="2")], "2") is None
    assert previous_version([hour(NOW, version="1")], "") is None


def every_baseline(age=HOUR):
    part = day(NOW - age)
    return [Baseline(name, part) for name in reversed(PRECEDENCE)]


def test_the_version_comes_first_then_the_hour_and_the_day():
    left, order = every_baseline(), []
    while left:
        order.append(pick(left, NOW).baseline.name)
        left = [one for one in left if one.name != order[-1]]
    assert list(PRECEDENCE) == order


def test_the_age_is_that_of_the_newest_window():
    assert pick(every_baseline(), NOW).age == HOUR
    assert pick(every_baseline(age=-3 * HOUR), NOW).age == 0


@pytest.mark.parametrize("name", PRECEDENCE)
def test_a_baseline_that_is_too_old_does_not_apply(name):
    assert pick([Baseline(name, day(NOW - OLDEST[name]))], NOW) is not None
    assert pick([Baseline(name, day(NOW - OLDEST[name] - 1))], NOW) is None


@pytest.mark.parametrize("name", PRECEDENCE)
def test_too_few_windows_are_no_baseline(name):
    enough = FEWEST_WINDOWS[name]
    assert pick([Baseline(name, day(NOW, enough))], NOW) is not None
    assert pick([Baseline(name, day(NOW, enough - 1))], NOW) is None


def test_the_caller_may_be_content_with_fewer_windows():
    assert pick([Baseline("rolling", day(NOW, 5))], NOW, fewest=5) is not None
    assert pick([Baseline("rolling", day(NOW, 4))], NOW, fewest=5) is None


def test_without_a_past_nothing_applies():
    assert pick([None, rolling([], NOW), same_hour([], NOW)], NOW) is None
