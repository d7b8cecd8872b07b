"""Two readings of a process become the facts of the time between them."""

import statistics
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.profiling.advice.facts import Collections, Gil, Instruments, Memory, Pool, Quota
from runtime_exporter.profiling.readings import LEAST_PROBES, Queue, Reading, Seen, Spread

INF = float("inf")
BOUNDS = (0.001, 0.01, 0.1, 1.0, INF)
SEEN = Seen(60.0, {}, None)


def spread(*values):
    counts = [sum(low < value <= high for value in values) for low, high in pairwise((-1.0, *BOUNDS))]
    return Spread(BOUNDS, tuple(counts), sum(values))


def collections(seconds, number, collected=(0, 0, 0)):
    return Collections(
        seconds=seconds,
        collections=number,
        collected=collected,
        thresholds=(700, 10, 10),
        oldest_objects=5000,
        frozen=7,
    )


def test_what_was_counted_meanwhile_is_the_fact_and_what_is_now_is_as_it_is_now():
    before = Reading(time=0.0, gc=collections(1.0, (100, 10, 1), (5, 5, 5)), full_pauses=spread(0.5))
    now = Reading(time=60.0, gc=collections(4.0, (500, 50, 3), (5, 5, 905)), full_pauses=spread(0.5, 0.02, 0.03))
    gc = now.since(before, SEEN).gc
    assert (3.0, (400, 40, 2), (0, 0, 900)) == (gc.seconds, gc.collections, gc.collected)
    assert ((700, 10, 10), 5000, 7) == (gc.thresholds, gc.oldest_objects, gc.frozen)
    assert 0.03 <= gc.full_pause < 0.041


def test_without_a_full_collection_there_is_no_pause_to_tell():
    before = Reading(time=0.0, gc=collections(1.0, (1, 1, 1)), full_pauses=spread(5.0))
    assert (
        None
        is Reading(time=9.0, gc=collections(2.0, (9, 1, 1)), full_pauses=spread(5.0)).since(before, SEEN).gc.full_pause
    )


def test_numbers_of_another_process_are_not_subtracted():
    parent = Reading(
        time=0.0, gc=collections(9.0, (900, 90, 9)), full_pauses=spread(*[0.5] * 9), lag=spread(*[0.5] * 99)
    )
    child = Reading(time=60.0, gc=collections(1.0, (10, 1, 0)), full_pauses=spread(), lag=spread(*[0.05] * 30))
    facts = child.since(parent, SEEN)
    assert (1.0, (10, 1, 0)) == (facts.gc.seconds, facts.gc.collections)
    assert facts.loop.lag <= 0.1


def test_a_loop_is_judged_by_its_beats_of_this_time_and_only_by_enough_of_them():
    before = Reading(time=0.0, lag=spread(*[9.0] * 50))
    late = [0.0005] * (LEAST_PROBES - 1)
    assert None is Reading(time=60.0, lag=spread(*[9.0] * 50, *late)).since(before, SEEN).loop
    loop = Reading(time=60.0, lag=spread(*[9.0] * 50, *late, 0.0005), loop_debug=True).since(before, SEEN).loop
    assert (True, True) == (loop.lag <= 0.001, loop.debug)


def test_the_lock_is_judged_by_probes_and_threads_that_want_to_run_and_not_without_either():
    now = Reading(time=60.0, gil=spread(*[0.0001] * 15, *[0.005] * 5))
    assert Gil(wait_ratio=0.25, runnable=2.5) == now.since(None, Seen(60.0, {}, 2.5)).gil
    assert None is now.since(None, Seen(60.0, {}, None)).gil
    assert None is Reading(time=60.0, gil=spread(*[0.005] * 5)).since(None, Seen(60.0, {}, 2.5)).gil


def test_a_quota_needs_two_readings_for_its_group_may_be_older_than_the_process():
    before = Quota(cores=2.0, periods=1000, throttled_periods=900, throttled_seconds=90.0)
    now = replace(before, periods=1600, throttled_periods=960, throttled_seconds=93.0)
    assert None is Reading(time=60.0, quota=now).since(None, SEEN).quota
    facts = Reading(time=60.0, quota=now).since(Reading(time=0.0, quota=before), SEEN)
    assert Quota(cores=2.0, periods=600, throttled_periods=60, throttled_seconds=3.0) == facts.quota
    assert None is Reading(time=60.0, quota=before).since(Reading(time=0.0, quota=now), SEEN).quota


def test_a_pool_is_as_busy_as_the_profile_saw_it_and_told_while_its_size_stays():
    before = Reading(time=0.0, pools={"serve": Queue(8, 0), "grow": Queue(1, 0)})
    now = Reading(time=60.0, pools={"serve": Queue(8, 12), "grow": Queue(2, 0), "new": Queue(3, 0)})
    seen = Seen(60.0, {"serve": 450.0}, 1.0)
    assert (Pool(name="serve", workers=8, busy=7.5, queue_first=0, queue_last=12),) == now.since(before, seen).pools
    assert () == now.since(before, seen._replace(runnable=None)).pools


def test_nothing_that_was_not_measured_is_a_fact():
    facts = Reading(time=1.0).since(Reading(time=0.0), SEEN)
    assert (None, None, None, None, (), None, None) == (
        facts.gc, facts.loop, facts.gil, facts.quota, facts.pools, facts.memory, facts.instruments,
    )  # fmt: skip
    memory, tools = Memory(resident=10, allocator_free=2, limit=20), Instruments(tracers=("coverage",))
    facts = Reading(time=1.0, memory=memory, instruments=tools).since(None, SEEN)
    assert (memory, tools) == (facts.memory, facts.instruments)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_a_quantile_is_in_the_bucket_of_the_true_one(values, part):
    found = spread(*values).quantile(part)
    rank = max(0, -int(-part * len(values) // 1) - 1)
    truth = sorted(values)[rank]
    low, high = next((low, high) for low, high in pairwise((0.0, *BOUNDS)) if truth <= high)
    assert low <= found <= max(high, low) or found == pytest.approx(low)
    if part == 1.0:
        assert found <= sum(values) or found == pytest.approx(low)


def test_a_single_long_pause_is_told_as_long_as_it_was():
    assert 0.11 == pytest.approx(spread(0.11).quantile(0.99))
    assert 7.0 == pytest.approx(spread(7.0).quantile(0.99))
    assert statistics.fmean((0.0, 0.001)) == pytest.approx(spread(*[0.0008] * 10).quantile(0.5))


def test_spreads_of_different_buckets_are_not_subtracted():
    other = Spread((1.0, INF), (5, 5), 50.0)
    assert other == other.since(spread(0.5))
    assert 0 == spread().number == spread().quantile(0.5) == spread().share_above(0.1)


def test_a_quantile_at_the_end_of_its_bucket_is_not_beyond_it_by_rounding():
    assert 0.01 == spread(1.0, 0.0078125).quantile(0.5)
