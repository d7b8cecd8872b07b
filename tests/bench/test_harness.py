"""What the benchmarks' figures rest on: rounds in which each candidate runs once, and ratios within a round."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

SOURCE = Path(__file__).parents[2] / "benchmarks" / "harness.py"


@pytest.fixture(scope="module")
def harness():
    """The module, which is in no package that is installed."""
    spec = importlib.util.spec_from_file_location("benchmarks_harness", SOURCE)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(autouse=True)
def collected(harness, monkeypatch):
    """What the harness collects is counted instead: the tests' own heap takes long."""
    times = []
    monkeypatch.setattr(harness, "gc", SimpleNamespace(collect=lambda: times.append(1)))
    return times


def test_each_candidate_is_warm_and_runs_once_a_round_in_an_order_that_changes_and_is_the_same_again(
    harness, collected
):
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


def test_the_time_is_that_of_each_candidate_in_each_round(harness, monkeypatch):
    now = [0.0]

    def takes(seconds):
        def run():
            now[0] += seconds

        return run

    monkeypatch.setattr(harness.time, "thread_time", lambda: now[0])
    timings = harness.rounds({"slow": takes(4.0), "fast": takes(1.0)}, count=3)

    assert (4.0, 4.0, 4.0) == timings["slow"].seconds
    assert 1.0 == timings["fast"].median


def test_a_ratio_is_taken_within_each_round_so_that_a_machine_that_slows_down_changes_none(harness):
    timings = {
        "base": harness.Timing("base", (1.0, 10.0, 100.0, 1000.0)),
        "other": harness.Timing("other", (2.0, 20.0, 200.0, 2000.0)),
    }
    found = harness.ratio(timings, "other", "base")

    assert (2.0, 2.0, 2.0) == found.quartiles
    assert "2 (2 to 2)" == str(found)


def test_a_round_in_which_the_clock_stood_still_is_left_out(harness):
    timings = {
        "base": harness.Timing("base", (0.0, 1.0, 1.0, 2.0)),
        "other": harness.Timing("other", (5.0, 1.0, 3.0, 10.0)),
    }

    assert (1.0, 3.0, 5.0) == harness.ratio(timings, "other", "base").quartiles
