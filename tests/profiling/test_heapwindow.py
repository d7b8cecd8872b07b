"""A window of tracemalloc shows what was allocated in it and lives, and leaves nothing on."""

from __future__ import annotations

import os
import threading
import time
import tracemalloc
import types

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import heapwindow
from runtime_exporter.profiling.heapwindow import HeapWindow
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import frames


class Shop:
    def __init__(self):
        self.orders = []
        self.busy = threading.Event()
        self.stop = threading.Event()

    def place_order(self):
        self.orders.append(bytearray(10_000))

    def price(self):
        return [bytearray(5000) for _ in range(10)]

    def serve(self):
        while not self.stop.wait(0.001):
            self.place_order()
            self.price()
            self.busy.set()


@pytest.fixture
def shop():
    one = Shop()
    thread = threading.Thread(target=one.serve)
    thread.start()
    one.busy.wait(10)
    yield one
    one.stop.set()
    thread.join(10)


def by_function(profile, sample_type):
    index, sums = profile.index(sample_type), {}
    for sample in profile.samples:
        name = frames(sample)[0].name
        sums[name] = sums.get(name, 0) + sample.values[index]
    return sums


def test_what_lives_is_found_by_the_function_that_allocated_it(shop):
    profile = HeapWindow().capture(0.5, frames=3)
    check(profile)
    space = by_function(profile, "inuse_space")
    place = f"{__name__}:Shop.place_order"
    assert place == max(space, key=space.get)
    objects = by_function(profile, "inuse_objects")[place]
    # An order is two allocations; one more is of the list, which counts where the machine has time for few orders.
    assert space[place] >= (objects - 1) / 2 * 10_000 > 0
    assert not tracemalloc.is_tracing()


def test_stacks_are_leaf_first_and_as_deep_as_asked(shop):
    profile = HeapWindow().capture(0.3, frames=2)
    index = profile.index("inuse_space")
    largest = max(profile.samples, key=lambda sample: sample.values[index])
    assert [f"{__name__}:Shop.place_order", f"{__name__}:Shop.serve"] == [frame.name for frame in frames(largest)]


def test_the_four_types_of_go_and_the_cost_are_in_the_profile(shop):
    profile = HeapWindow().capture(0.2)
    assert ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"] == [
        kind.type for kind in profile.sample_types
    ]
    assert heapwindow.COST in profile.comments
    assert "7 to 24 times slower" in heapwindow.COST
    assert 0.2e9 <= profile.duration_nanos


def test_our_own_allocations_are_left_out(shop):
    profile = HeapWindow().capture(0.2)
    leaves = {frames(sample)[0].file for sample in profile.samples}
    assert set() == leaves & {heapwindow.__file__, tracemalloc.__file__}


def test_a_tracemalloc_that_somebody_else_turned_on_is_left_alone():
    tracemalloc.start(2)
    try:
        with pytest.raises(ProfileError, match="on already"):
            HeapWindow().capture(0.1)
        assert (True, 2) == (tracemalloc.is_tracing(), tracemalloc.get_traceback_limit())
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("seconds", "depth", "said"),
    [
        (0, 1, "seconds"),
        (-1, 1, "seconds"),
        (301, 1, "seconds"),
        (float("nan"), 1, "seconds"),
        (1, 0, "frames"),
        (1, 33, "frames"),
    ],
)
def test_bounds_are_kept(seconds, depth, said):
    with pytest.raises(ProfileError, match=said):
        HeapWindow().capture(seconds, frames=depth)
    assert not tracemalloc.is_tracing()


def test_one_window_at_a_time_and_close_ends_it():
    window, results = HeapWindow(), []
    thread = threading.Thread(target=lambda: results.append(window.capture(60)))
    thread.start()
    deadline = time.monotonic() + 60
    while not tracemalloc.is_tracing() and time.monotonic() < deadline:
        time.sleep(0.005)
    with pytest.raises(ProfileError, match="open already"):
        window.capture(1)
    window.close()
    thread.join(10)
    assert not tracemalloc.is_tracing()
    assert results[0].duration_nanos < 60e9


def test_a_window_ends_early_when_the_traces_take_too_much(shop):
    profile = HeapWindow(most_bytes=1).capture(60)
    assert profile.duration_nanos < 30e9
    assert any(comment.startswith("ended early") for comment in profile.comments)


def test_tracing_ends_when_the_snapshot_fails():
    def fail():
        raise MemoryError

    tracer = types.SimpleNamespace(**{name: getattr(tracemalloc, name) for name in dir(tracemalloc)})
    tracer.take_snapshot = fail
    window = HeapWindow(tracer=tracer)
    for _ in range(2):
        with pytest.raises(MemoryError):
            window.capture(0.01)
        assert not tracemalloc.is_tracing()


def test_a_child_of_a_traced_process_is_not_traced():
    window = HeapWindow()
    thread = threading.Thread(target=lambda: window.capture(60))
    thread.start()
    deadline = time.monotonic() + 60
    while not tracemalloc.is_tracing() and time.monotonic() < deadline:
        time.sleep(0.005)
    child = os.fork()
    if not child:
        try:
            window.forked()
            code = int(tracemalloc.is_tracing())
            window.capture(0.01)
        except BaseException:
            code = 2
        os._exit(code)
    try:
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        window.close()
        thread.join(10)
