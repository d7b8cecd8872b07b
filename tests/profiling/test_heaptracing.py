"""Memory by place, with the real tracemalloc where what it says matters."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.heaptracing import HeapTracing
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import frames
from runtime_exporter.profiling.stoppable import can_stop
from runtime_exporter.profiling.table import tabulate


@pytest.fixture
def tracing():
    """One that is started, and closed with the test."""
    assert not tracemalloc.is_tracing()
    heap = HeapTracing(stoppable=True)
    heap.start()
    yield heap
    heap.close()
    assert not tracemalloc.is_tracing()


def keeps(size):
    return bytearray(size)


def value_of(profile, name):
    index = profile.index("inuse_space")
    return sum(one.values[index] for one in profile.samples if any(name in frame.name for frame in frames(one)))


def test_what_is_alive_is_told_by_the_function_that_allocated_it(tracing):
    kept = [keeps(1_000_000), keeps(500_000)]
    profile = tracing.profile()
    check(profile)

    assert [("inuse_objects", "count"), ("inuse_space", "bytes")] == [tuple(one) for one in profile.sample_types]
    assert 1_500_000 <= value_of(profile, "keeps") < 1_510_000
    table = tabulate(profile, kind="heap")
    assert ("bytes", f"{__name__}:keeps") == (table.unit, max(table.self_, key=table.self_.get))
    del kept[0]
    assert 500_000 <= value_of(tracing.profile(), "keeps") < 510_000


def test_growth_is_what_there_is_more_of(tracing):
    kept = [keeps(1_000_000)]
    profile = tracing.growth(lambda: kept.append(keeps(300_000)))

    assert 300_000 <= value_of(profile, "keeps") < 310_000
    assert profile.duration_nanos > 0
    assert value_of(tracing.growth(kept.clear), "keeps") <= -1_300_000


def test_a_program_that_traces_already_is_left_as_it_is():
    tracemalloc.start(3)
    try:
        heap = HeapTracing()
        heap.start()
        assert "tracemalloc, 3 frames a stack" == heap.profile().comments[0]
        heap.close()
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 10, 13), False), ((3, 11, 7), False), ((3, 12, 8), False), ((3, 12, 9), True), ((3, 13, 1), False), ((3, 13, 2), True), ((3, 14, 0), True)],
)  # fmt: skip
def test_tracing_is_switched_off_only_by_a_python_that_can(version, safe):
    assert safe == can_stop(version)


def test_tracing_that_cannot_be_stopped_without_risk_goes_on():
    heap = HeapTracing(stoppable=False)
    try:
        heap.start()
        heap.close()
        assert heap.tracing
    finally:
        tracemalloc.stop()


def test_without_tracing_there_is_no_profile_but_the_name_of_the_setting():
    heap = HeapTracing()
    heap.close()

    assert not heap.tracing
    assert {} == heap()
    with pytest.raises(ProfileError, match="profile_heap"):
        heap.profile()


def test_each_profile_is_paid_for_by_waiting(tracing):
    clock = itertools.chain([0.0, 0.5], [60.0], [100.5, 101.0]).__next__
    heap = HeapTracing(share=lambda: 0.005, clock=clock)

    assert {"heap"} == heap().keys()  # takes 0.5 s of the clock
    assert {} == heap()
    assert {"heap"} == heap().keys()
