"""What the benchmarks' figures rest on: rounds in which each candidate runs once, and ratios within a round."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from benchmarks import harness
from benchmarks.figures import Noise, Spread


@pytest.fixture(autouse=True)
def collected(monkeypatch):
    """What the harness collects is counted instead: the tests' own heap takes long."""
    times = []
    monkeypatch.setattr(harness, "gc", SimpleNamespace(collect=lambda: times.append(1)))
    return times


def test_each_candidate_is_warm_and_runs_once_a_round_in_an_order_that_changes_and_is_the_same_again(collected):
    def run():
        ran = []
        harness.rounds({name: lambda name=name: ran.append(name) for name in "abc"}, count=40)
        return ran

    ran = run()
    turns = [tuple(ran[place : place + 3]) for place in range(3, len(ran), 3)]
    assert ("a", "b", "c") == tuple(ran[:3])  # before anything is timed
    assert [Counter("abc")] * 40 == [Counter(turn) for turn in turns]
    assert 6 == len(set(turns))
    assert 3 * 40 == len(collected)  # what one candidate leaves behind is no other's to collect
    assert ran == run()


def test_the_time_is_that_of_each_candidate_in_each_round(monkeypatch):
    now = [0.0]

    def takes(seconds):
        def run():
            now[0] += seconds

        return run

    monkeypatch.setattr(harness.time, "thread_time", lambda: now[0])
    timings = harness.rounds({"slow": takes(4.0), "fast": takes(1.0)}, count=3)

    assert (4.0, 4.0, 4.0) == timings["slow"].seconds
    assert 1.0 == timings["fast"].median


def test_a_ratio_is_taken_within_each_round_so_that_a_machine_that_slows_down_changes_none():
    assert Spread(2.0, 2.0, 2.0) == harness.ratio((2.0, 20.0, 200.0, 2000.0), (1.0, 10.0, 100.0, 1000.0))


def test_a_round_in_which_the_clock_stood_still_is_left_out():
    assert Spread(1.0, 3.0, 5.0) == harness.ratio((5.0, 1.0, 3.0, 10.0), (0.0, 1.0, 1.0, 2.0))


def timed(**seconds):
    return {name: harness.Timing(name, each) for name, each in seconds.items()}


def test_a_figure_is_ours_over_the_peers_with_ours_against_itself_as_the_noise():
    timings = timed(ours=(1.0, 2.0, 3.0), again=(1.1, 1.8, 3.0), peer=(10.0, 20.0, 30.0))
    found = harness.figure("a scrape", timings, again="again", peer="peer", unit="ms", at=17)

    assert ("a scrape", "peer", "ms", 3, 17) == (found.name, found.peer, found.unit, found.count, found.at)
    assert Spread(1000.0, 2000.0, 3000.0) == found.ours
    assert Spread(10_000.0, 20_000.0, 30_000.0) == found.theirs
    assert Spread(0.1, 0.1, 0.1) == found.ratio
    assert Noise(0.9, 1.1) == found.noise


def test_what_is_added_to_something_bare_is_taken_off_within_each_round_and_divided_by_the_units_of_work():
    timings = timed(bare=(1.0, 10.0), ours=(2.0, 20.0), again=(2.0, 20.0), peer=(5.0, 50.0))
    found = harness.figure("a request", timings, again="again", peer="peer", over="bare", unit="µs", per=1000)

    assert (1_000.0, 5_500.0, 10_000.0) == pytest.approx((found.ours.low, found.ours.middle, found.ours.high))
    assert Spread(0.25, 0.25, 0.25) == found.ratio
    assert Noise(1.0, 1.0) == found.noise


def test_a_figure_without_a_peer_has_its_noise_all_the_same():
    found = harness.figure("write", timed(ours=(1.0, 1.0), again=(1.0, 1.0)), again="again")

    assert (None, None, "") == (found.theirs, found.ratio, found.peer)
    assert Noise(1.0, 1.0) == found.noise


def test_what_a_peer_adds_may_be_lost_in_the_noise_and_then_nothing_is_so_many_times_as_much():
    timings = {
        name: harness.Timing(name, seconds)
        for name, seconds in {"ours": (3.0, 4.0), "A/A": (3.0, 4.0), "peer": (1.0, 2.0), "bare": (1.0, 2.0)}.items()
    }
    lost = harness.figure("x", timings, peer="peer", over="bare")
    assert (None, Noise(1.0, 1.0)) == (lost.ratio, lost.noise)
    assert None is harness.figure("x", timings, ours="bare", again="A/A", over="bare").noise
