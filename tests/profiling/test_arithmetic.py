"""Sums and differences of profiles go by stacks of names and lines, and lose no value."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.arithmetic import is_reset, largest, merge, scale, subtract
from runtime_exporter.profiling.pprof import decode, encode
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import (
    Frame,
    Label,
    Location,
    Mapping,
    Profile,
    Sample,
    ValueType,
    build,
    frames,
)

A, B, C = Frame("app:a", "app.py", 1), Frame("app:b", "app.py", 20), Frame("app:c", "app.py", 30)
SECOND = 10**9


def profile(kind, *stacks, at=0, **options):
    return build(kind, stacks, time_nanos=at, **options)


def by_stack(result):
    """Stack and labels -> values; every profile of a test is valid and can be written."""
    assert result == decode(encode(result))
    found = {(frames(sample), sample.labels): sample.values for sample in result.samples}
    assert len(found) == len(result.samples)
    return found


def test_a_sum_has_each_stack_once():
    one = profile("cpu", ((A, B), (1, 10), ()), ((C, B), (2, 20), ()))
    other = profile("cpu", ((C, B), (3, 30), ()), ((A, B), (4, 40), ()), ((A,), (5, 50), ()))

    assert {((A, B), ()): (5, 50), ((C, B), ()): (5, 50), ((A,), ()): (5, 50)} == by_stack(merge([one, other]))


def test_stacks_differ_by_line_and_by_label():
    elsewhere = A._replace(line=2)
    result = merge(
        [profile("cpu", ((A,), (1, 1), ()), ((elsewhere,), (1, 1), ()), ((A,), (1, 1), (Label("thread_name", "w"),)))]
    )

    assert 3 == len(by_stack(result))
    assert 1 == len(result.functions)


def test_addresses_and_ids_do_not_tell_stacks_apart_but_binaries_without_symbols_do():
    old, new = Mapping(1, 0x1000, 0x2000, 0, "libc.so"), Mapping(4, 0x7000, 0x8000, 0, "libc.so")
    sizes = (ValueType("samples", "count"),)
    location, moved = Location(1, old, 0x1010), Location(8, new, 0x7010)
    one = Profile(sizes, (Sample((location,), (1,)),), (old,), (location,))
    other = Profile(sizes, (Sample((moved,), (2,)),), (new,), (moved,))
    elsewhere = Location(1, old, 0x1020)
    third = Profile(sizes, (Sample((elsewhere,), (4,)),), (old,), (elsewhere,))

    assert [(3,), (4,)] == [sample.values for sample in merge([one, other, third]).samples]


def test_a_sum_begins_with_the_earliest_and_lasts_as_long_as_all_together():
    one = profile("cpu", at=50 * SECOND, duration_nanos=10 * SECOND, period=10, comments=("a", "b"))
    other = profile("cpu", at=40 * SECOND, duration_nanos=5 * SECOND, period=20, comments=("b", "c"))
    unknown = profile("cpu", at=0)

    result = merge([one, other, unknown])

    assert (40 * SECOND, 15 * SECOND, 20) == (result.time_nanos, result.duration_nanos, result.period)
    assert ("a", "b", "c") == result.comments


def test_profiles_of_different_kinds_are_not_added():
    with pytest.raises(
        ProfileError, match=r"one has samples/count, cpu/nanoseconds, the other samples/count, wall/nan"
    ):
        merge([profile("cpu"), profile("wall")])
    with pytest.raises(ProfileError, match=r"one is taken per cpu/nanoseconds, the other per events/count"):
        merge([profile("cpu"), profile("cpu", period_type=ValueType("events", "count"))])
    with pytest.raises(ProfileError, match="no profile"):
        merge([])


def test_a_profile_less_itself_is_empty():
    one = profile("cpu", ((A, B), (1, 10), ()), ((C, B), (2, 20), ()))

    assert {} == by_stack(merge([one, scale(one, -1)]))


def test_what_counts_since_the_start_is_subtracted():
    old = profile("mutex", ((A, B), (1, 10), ()), ((B,), (4, 40), ()), at=100 * SECOND)
    new = profile("mutex", ((A, B), (3, 35), ()), ((B,), (4, 40), ()), ((C,), (1, 5), ()), at=160 * SECOND)

    delta = subtract(new, old)

    assert not is_reset(new, old)
    assert {((A, B), ()): (2, 25), ((C,), ()): (1, 5)} == by_stack(delta)
    assert (100 * SECOND, 60 * SECOND) == (delta.time_nanos, delta.duration_nanos)


def test_what_says_how_things_are_stays():
    old = profile("heap", ((A,), (10, 1000, 5, 500), ()))
    new = profile("heap", ((A,), (12, 1200, 2, 200), ()))

    assert {((A,), ()): (2, 200, 2, 200)} == by_stack(subtract(new, old))


@pytest.mark.parametrize("new", [(((A,), (1, 5), ()),), (((B,), (3, 30), ()),), ()])
def test_a_value_that_fell_means_that_everything_is_new(new):
    old, new = profile("mutex", ((A,), (2, 20), ())), profile("mutex", *new)

    assert is_reset(new, old)
    assert new.samples == subtract(new, old).samples


stacks = st.lists(st.sampled_from([A, B, C]), max_size=3).map(tuple)
numbers = st.tuples(st.integers(0, 10**6), st.integers(0, 10**12))
mutexes = st.lists(st.tuples(stacks, numbers, st.just(())), max_size=8).map(lambda rows: profile("mutex", *rows))


@given(st.lists(mutexes, min_size=1, max_size=4))
def test_a_sum_keeps_the_total(profiles):
    result = merge(profiles)

    for index in (0, 1):
        assert sum(each.total(index) for each in profiles) == result.total(index)


@given(st.lists(mutexes, min_size=1, max_size=6), st.integers(1, 4))
def test_of_a_sum_the_largest_stacks_stay_as_long_as_they_are_and_nothing_is_lost(profiles, count):
    result = profiles[0]
    for one in profiles[1:]:
        result = largest(merge([result, one]), count)
    rest = [sample for sample in result.samples if frames(sample) == (Frame("other"),)]

    for index in (0, 1):
        assert sum(each.total(index) for each in profiles) == result.total(index)
        assert all(sample.values[index] >= 0 for sample in result.samples)
    check(result)
    assert len(profiles) == 1 or len(result.samples) - len(rest) <= count
    assert len(rest) <= 1


def test_the_largest_are_those_by_the_last_value_and_what_is_other_stays_it():
    one = profile("mutex", ((A,), (9, 10), ()), ((B,), (1, 30), ()), ((C,), (1, 20), ()), at=5 * SECOND)
    first = largest(one, 2)
    second = largest(merge([first, profile("mutex", ((A, B), (2, 25), ()))]), 2)

    assert {((B,), ()): (1, 30), ((C,), ()): (1, 20), ((Frame("other"),), ()): (9, 10)} == by_stack(first)
    assert {((B,), ()): (1, 30), ((A, B), ()): (2, 25), ((Frame("other"),), ()): (10, 30)} == by_stack(second)
    assert (one.time_nanos, one.duration_nanos, one.period) == (first.time_nanos, first.duration_nanos, first.period)
    assert one is largest(one, 3)


@given(mutexes, mutexes)
def test_what_was_and_what_came_after_is_what_is(old, later):
    new = merge([old, later])

    assert by_stack(merge([later])) == by_stack(replace(subtract(new, old)))


@given(mutexes, st.integers(-5, 5))
def test_a_multiple_has_a_multiple_of_the_total(one, factor):
    assert [factor * one.total(index) for index in (0, 1)] == [scale(one, factor).total(index) for index in (0, 1)]
