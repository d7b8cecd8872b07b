"""Profiles on demand, of this very process."""

from __future__ import annotations

import threading
import time
import tracemalloc

import pytest

from runtime_exporter.profiling.ondemand import OnDemand
from runtime_exporter.profiling.profile import frames
from runtime_exporter.profiling.samplers.thread import ThreadSampler


@pytest.fixture
def busy():
    """A thread that burns CPU in a function of a known name."""
    stop = threading.Event()

    def burns_cpu():
        while not stop.is_set():
            sum(number * number for number in range(1000))

    thread = threading.Thread(target=burns_cpu, name="burner-1", daemon=True)
    thread.start()
    yield thread
    stop.set()
    thread.join(10)


def value_of(profile, name):
    """Return the last value of the samples that have a function in their stack."""
    return sum(
        sample.values[-1] for sample in profile.samples if any(frame.name.endswith(name) for frame in frames(sample))
    )


def takers(profiles):
    return {"cpu": profiles.cpu, "wall": profiles.wall}


@pytest.mark.parametrize("kind", ["cpu", "wall"])
def test_the_busy_function_is_in_it_and_the_backend_is_named(busy, kind):
    profile = takers(OnDemand())[kind](1.0)

    assert busy.is_alive()
    profile.check()
    assert [("samples", "count"), (kind, "nanoseconds")] == [tuple(one) for one in profile.sample_types]
    assert value_of(profile, "burns_cpu") > 0
    assert profile.comments[0].startswith("backend ")


def test_where_nothing_better_works_the_thread_does_and_says_that_it_may_be_wrong(busy):
    profile = OnDemand(order=(ThreadSampler.name,)).cpu(0.5)

    assert busy.is_alive()
    assert profile.comments[0].startswith("backend thread, bias ratio ")


@pytest.mark.parametrize("kind", ["cpu", "wall"])
def test_nothing_is_left_behind(kind):
    before = set(threading.enumerate())
    takers(OnDemand())[kind](0.05)

    assert set() == set(threading.enumerate()) - before


@pytest.mark.parametrize("name", ["wall", "heap"])
def test_closing_ends_what_is_being_taken_and_opening_begins_anew(name):
    profiles = OnDemand()
    taken = []
    thread = threading.Thread(target=lambda: taken.append(getattr(profiles, name)(200)))
    thread.start()
    profiles.close()
    thread.join(20)

    assert 1 == len(taken)
    assert taken[0].duration_nanos < 100 * 10**9
    profiles.open()
    assert getattr(profiles, name)(0.2).duration_nanos >= 200_000_000


def test_the_heap_is_what_was_allocated_meanwhile_and_is_alive():
    kept = []
    stop = threading.Event()

    def keeps_memory():
        while not stop.wait(0.01):
            kept.append(bytearray(100_000))

    thread = threading.Thread(target=keeps_memory)
    thread.start()
    try:
        profile = OnDemand().heap(0.5)
    finally:
        stop.set()
        thread.join(10)

    assert not tracemalloc.is_tracing()
    assert value_of(profile, "keeps_memory") >= 100_000
    assert any("slower" in comment for comment in profile.comments)


def test_seconds_are_kept(busy):
    began = time.monotonic()
    profile = OnDemand().wall(0.5)

    assert 500_000_000 <= profile.duration_nanos <= (time.monotonic() - began) * 1e9 + 1e7
