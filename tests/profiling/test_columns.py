"""The past in little memory: it says the same as what it was made of, and has a bound."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_windows import MINUTE, steady
from runtime_exporter.profiling.baseline import DAY, HOUR, remember, rolling
from runtime_exporter.profiling.columns import MOST_FUNCTIONS, Columns, Total, condensed
from runtime_exporter.profiling.naming import OTHER
from runtime_exporter.profiling.tally import NOTHING, Sums, add

numbers = st.floats(0, 1e12)
sums = st.builds(Sums, numbers, numbers, numbers, numbers, numbers)


@given(st.dictionaries(st.text(max_size=8), sums, max_size=12), st.text(max_size=8))
def test_columns_have_what_they_were_made_of(functions, name):
    columns = Columns(functions)

    assert functions == dict(columns.items()) == {key: columns[key] for key in columns}
    assert len(functions) == len(columns)
    assert functions.get(name, NOTHING) == columns.get(name, NOTHING)
    assert (name in functions) == (name in columns)


def busy(functions, begin=0.0, windows=5):
    """A past of so many functions, the first of which has most."""
    return steady({f"f{number}": 0.5 / (number + 1) for number in range(functions)}, windows, begin=begin)


def test_an_hour_that_is_over_says_the_same_in_less_memory():
    tally = busy(200)
    kept = condensed(tally)

    assert dict(tally.functions) == dict(kept.functions)
    assert add([tally, tally]) == add([kept, tally]) == add([tally, kept])
    size = sum(map(sys.getsizeof, (kept.functions._names, kept.functions._numbers)))
    assert size <= 50 * len(kept.functions) + 200
    assert kept is condensed(kept)


def test_of_very_many_functions_those_are_kept_that_weigh_most_and_the_leaves_still_add_up():
    tally = busy(3 * MOST_FUNCTIONS)
    kept = condensed(tally)

    assert MOST_FUNCTIONS == len(kept.functions)
    assert {f"f{number}" for number in range(MOST_FUNCTIONS - 1)} | {OTHER} == {*kept.functions}
    leaves = [math.fsum(one.leaf for one in side.functions.values()) for side in (tally, kept)]
    assert leaves[0] == pytest.approx(leaves[1])


def test_eight_days_of_very_many_functions_have_a_bound():
    past, tally = (), busy(2 * MOST_FUNCTIONS)
    for hour in range(0, 10 * 24, 2):
        past = remember(past, replace(tally, begin=hour * HOUR, end=(hour + 1) * HOUR))
    rows = sum(len(one.functions) for one in past[:-1])

    assert all(isinstance(one.functions, Columns) for one in past[:-1])
    assert rows <= (8 * 12 + 2) * MOST_FUNCTIONS


def test_the_total_of_a_day_is_that_of_its_hours_and_is_added_once():
    past = ()
    total = Total()
    for place in range(60):
        past = remember(past, busy(20, begin=DAY + place * 30 * MINUTE))
        now = past[-1].end
        expected = rolling(past, now)
        found = rolling(past, now, total=total)
        assert dict(expected.tally.functions) == dict(found.tally.functions)
        assert (expected.tally.windows, expected.tally.begin) == (found.tally.windows, found.tally.begin)
        assert found.tally is rolling(past, now, total=total).tally


def test_the_total_of_nothing_is_refused_as_a_sum_is():
    with pytest.raises(ValueError, match="nothing"):
        Total()([])
