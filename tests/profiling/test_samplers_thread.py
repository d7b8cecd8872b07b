"""The sampler that is a thread: what it attributes, and that it leaves nothing behind."""

import gc
import os
import random
import sys
import threading
import time
import weakref

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers import thread as module
from runtime_exporter.profiling.samplers.frames import current_frames
from runtime_exporter.profiling.samplers.ledger import Ledger
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.roster import Roster
from runtime_exporter.profiling.samplers.sampler import ENDED, NATIVE, NOT_SAMPLED, OWN
from runtime_exporter.profiling.samplers.thread import THREAD_NAME, ThreadSampler
from runtime_exporter.profiling.threadclock import ThreadClock
from tools import needs_gil, wait_for

pytestmark = needs_gil

MS = 10**6


class FakeThread:
    def __init__(self, ident, name):
        self.ident, self.native_id, self.name = ident, ident + 1000, name


class World:
    """Threads with frames, clocks and names that are set. Time goes on when `pass_time` says so."""

    def __init__(self):
        self.threads = {1: FakeThread(1, "MainThread")}
        self.frames = {}
        self.cpu = {1001: 0}
        self.ended = 0
        self.natives = {}
        self.now = 10**9
        self.place(1, here())

    def place(self, ident, frame):
        self.frames[ident] = frame

    def add(self, ident, name, frame=None):
        self.threads[ident] = FakeThread(ident, name)
        self.cpu[ident + 1000] = 0
        self.place(ident, frame or here())

    def pass_time(self, ms, **cpu):
        self.now += ms * MS
        for name, used in cpu.items():
            (ident,) = [ident for ident, thread in self.threads.items() if thread.name == name]
            self.cpu[ident + 1000] += used * MS

    def clock(self, tid):
        clocks = self.cpu | self.natives
        if tid not in clocks:
            raise OSError(22, "Invalid argument")
        return clocks[tid]

    def process(self):
        return sum(self.cpu.values()) + sum(self.natives.values()) + self.ended

    def sampler(self, **options):
        roster = Roster(
            enumerate_threads=lambda: list(self.threads.values()), main_thread=lambda: self.threads[1], pid=lambda: 1001
        )
        ledger = Ledger(
            roster=roster,
            clock=ThreadClock(clock=self.clock, process_clock=self.process),
            tids=lambda: [*self.cpu, *self.natives],
        )
        sampler = ThreadSampler(
            ledger=ledger,
            frames=lambda: dict(self.frames),
            clock=lambda: self.now,
            unix_clock=lambda: self.now / 1e9,
            switch_interval=lambda: 0.005,
            chance=random.Random(1),
            **options,
        )
        sampler.prepare()
        return sampler


def here():
    return sys._getframe()


def there():
    return sys._getframe()


def by_leaf(window):
    """Return usage by group and the plain name of the leaf."""
    return {
        (group, stack[0].name.rpartition(":")[2]): tuple(usage)
        for (group, stack), usage in window.stacks.items()
        if stack
    }


@pytest.fixture
def world():
    return World()


def test_a_threads_cpu_and_the_time_that_passed_go_to_the_stack_it_is_seen_in(world):
    sampler = world.sampler()
    world.pass_time(50, MainThread=30)
    sampler.look(world.now)
    world.place(1, there())
    world.pass_time(20, MainThread=20)
    sampler.look(world.now)
    assert {
        ("MainThread", "here"): (1, 30 * MS, 50 * MS),
        ("MainThread", "there"): (1, 20 * MS, 20 * MS),
    } == by_leaf(sampler.take())


def test_a_window_begins_where_the_last_one_ended(world):
    sampler = world.sampler()
    world.pass_time(50)
    first = sampler.take()
    world.pass_time(70)
    second = sampler.take()
    assert (0.05, 0.07) == (pytest.approx(first.seconds), pytest.approx(second.seconds))
    assert first.end == second.begin


def test_a_thread_that_used_no_cpu_is_where_it_was(world):
    sampler = world.sampler()
    world.pass_time(50, MainThread=1)
    sampler.look(world.now)
    world.place(1, there())  # cannot be: its clock stands still
    world.pass_time(50)
    sampler.look(world.now)
    assert {("MainThread", "here"): (2, MS, 100 * MS)} == by_leaf(sampler.take())


def test_cpu_between_the_last_look_and_the_end_of_the_window_goes_where_the_thread_was_seen_last(world):
    sampler = world.sampler()
    world.pass_time(50, MainThread=5)
    sampler.look(world.now)
    world.pass_time(10, MainThread=7)
    assert {("MainThread", "here"): (1, 12 * MS, 50 * MS)} == by_leaf(sampler.take())


def test_all_cpu_of_the_process_is_in_the_window(world):
    sampler = world.sampler()
    world.add(2, "worker-1")
    world.add(3, "runtime-exporter-web")
    world.natives[77] = 5 * MS
    world.ended = 11 * MS
    world.pass_time(50, MainThread=3, **{"worker-1": 20, "runtime-exporter-web": 2})
    sampler.look(world.now)
    window = sampler.take()
    assert (3 + 20 + 2 + 5 + 11) * MS == sum(usage.cpu_ns for usage in window.stacks.values())
    assert (0, 2 * MS, 0) == window.stacks["runtime-exporter", OWN]
    assert (0, 5 * MS, 0) == window.stacks["native", NATIVE]
    assert (0, 11 * MS, 0) == window.stacks["ended", ENDED]
    assert (1, 20 * MS, 50 * MS) == by_leaf(window)["worker", "here"]


def test_threads_with_the_same_job_are_one_group(world):
    sampler = world.sampler()
    frame = here()
    for number in range(3):
        world.add(10 + number, f"ThreadPoolExecutor-0_{number}", frame)
    world.pass_time(50)
    sampler.look(world.now)
    assert (3, 0, 150 * MS) == by_leaf(sampler.take())["ThreadPoolExecutor", "here"]


def test_our_own_threads_have_no_stack(world):
    world.add(2, "runtime-exporter-web")
    sampler = world.sampler()
    world.pass_time(50)
    sampler.look(world.now)
    assert {("MainThread", "here")} == set(by_leaf(sampler.take()))


def test_of_many_threads_some_stand_for_all(world):
    frame = here()
    for number in range(99):
        world.add(10 + number, f"worker-{number}", frame)
    sampler = world.sampler(most_threads=10)
    for _ in range(50):
        world.pass_time(100)
        sampler.look(world.now)
    window = sampler.take()
    assert 50 * 10 == sum(usage.samples for usage in window.stacks.values())
    assert 50 * 90 == window.dropped
    assert 50 * 100 * 100 * MS == sum(usage.wall_ns for usage in window.stacks.values())


def test_a_thread_is_seen_in_the_very_look_in_which_it_is_new(world):
    sampler = world.sampler()
    world.pass_time(50)
    sampler.look(world.now)
    world.add(2, "request-1")
    world.pass_time(50, **{"request-1": 40})
    sampler.look(world.now)
    assert (1, 40 * MS, 50 * MS) == by_leaf(sampler.take())["request", "here"]


def test_a_thread_that_threading_does_not_know_is_seen_without_a_clock(world):
    sampler = world.sampler()
    world.place(99, there())
    for _ in range(2):
        world.pass_time(50)
        sampler.look(world.now)
    assert (2, 0, 100 * MS) == by_leaf(sampler.take())["unnamed", "there"]


def test_a_thread_that_ended_between_two_looks_takes_nothing_with_it(world):
    world.add(2, "worker-1")
    sampler = world.sampler()
    world.pass_time(50, **{"worker-1": 10})
    sampler.look(world.now)
    world.pass_time(50, **{"worker-1": 4})
    world.ended += world.cpu.pop(1002)
    del world.threads[2], world.frames[2]
    sampler.look(world.now)
    window = sampler.take()
    assert 14 * MS == sum(usage.cpu_ns for usage in window.stacks.values())


@pytest.mark.parametrize(
    ("late_ms", "bias_ratio"), [(0.1, 0.0), (0.3, 1.0), (2.0, 1.0), (4.9, 1.0), (5.2, 0.0), (8.0, 1.0)]
)
def test_cpu_seen_by_a_look_that_was_let_in_at_a_chosen_place_is_doubtful(world, late_ms, bias_ratio):
    sampler = world.sampler()
    world.pass_time(50, MainThread=30)
    sampler.look(world.now - int(late_ms * MS))
    assert bias_ratio == sampler.take().bias_ratio


def test_a_process_that_uses_no_cpu_has_no_bias(world):
    sampler = world.sampler()
    world.pass_time(50)
    sampler.look(world.now - 2 * MS)
    assert 0.0 == sampler.take().bias_ratio


def test_nothing_is_taken_from_a_sampler_that_was_not_started():
    window = ThreadSampler().take()
    assert ({}, 0, 0.0) == (dict(window.stacks), window.samples, window.seconds)


def test_it_refuses_to_read_frames_without_a_gil():
    with pytest.raises(ProfileError, match="GIL"):
        ThreadSampler(gil=lambda: False).start()


def test_a_look_that_fails_is_counted_and_the_next_one_comes():
    failures = iter([RuntimeError("torn"), RuntimeError("torn")])

    def frames():
        for failure in failures:
            raise failure
        return current_frames()

    sampler = ThreadSampler(frames=frames, pace=Pace(rate=50))
    sampler.start()
    try:
        dropped = samples = 0

        def both():
            nonlocal dropped, samples
            window = sampler.take()
            dropped, samples = dropped + window.dropped, samples + window.samples
            return samples

        wait_for(both, what="a look after two that failed")
    finally:
        sampler.close()
    assert 2 == dropped


@pytest.mark.parametrize(("waited", "paid"), [(False, 0.008), (True, 0.016)])
def test_what_waiting_for_the_gil_costs_those_who_hold_it_is_paid_for_too(waited, paid):
    pace = Pace(rate=2, budget=0.01)
    paying = []
    pace.account = lambda cpu_seconds, now: paying.append((cpu_seconds, now))
    sampler = ThreadSampler(pace=pace)
    sampler.prepare()
    sampler._pay(8_000_000, 5_000_000_000, waited=waited)

    assert [(paid, 5.0)] == paying
    assert 8_000_000 == sampler.take().own_cpu_ns


def blocked_in_this_function(event):
    event.wait(60)


def test_the_wall_time_of_a_blocked_thread_is_in_its_blocking_frame():
    event = threading.Event()
    worker = threading.Thread(target=blocked_in_this_function, args=(event,), name="blocked-7")
    worker.start()
    sampler = ThreadSampler(pace=Pace(rate=50))
    sampler.start()
    try:
        looked = 0
        wall = whole = 0

        def enough():
            nonlocal looked, wall, whole
            window = sampler.take()
            looked += window.samples
            for (group, stack), usage in window.stacks.items():
                if group == "blocked":
                    whole += usage.wall_ns
                    wall += usage.wall_ns if any("blocked_in_this_function" in frame.name for frame in stack) else 0
            return looked >= 10

        wait_for(enough, what="ten looks")
    finally:
        sampler.close()
        event.set()
        worker.join()
    assert wall == whole
    assert whole > 0


def test_the_total_is_the_kernels_and_the_busy_function_is_found():
    def burn(seconds):
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            sum(range(500))

    sampler = ThreadSampler(pace=Pace(rate=50))
    before = time.process_time_ns()
    sampler.start()
    try:
        burn(0.5)
        window = sampler.take()
    finally:
        sampler.close()
    used = time.process_time_ns() - before
    total = sum(usage.cpu_ns for usage in window.stacks.values())
    assert 0.5e9 <= total <= used
    burning = sum(
        usage.cpu_ns
        for (_, stack), usage in window.stacks.items()
        if any(frame.name.endswith("burn") for frame in stack)
    )
    assert burning > 0.8 * total


def test_the_thread_ends_with_the_sampler_and_it_may_be_started_again():
    sampler = ThreadSampler(pace=Pace(rate=50))
    for _ in range(2):
        sampler.start()
        sampler.start()
        assert 1 == [thread.name for thread in threading.enumerate()].count(THREAD_NAME)
        wait_for(lambda: sampler.take().samples, what="a look")
        sampler.close()
        sampler.close()
        assert THREAD_NAME not in [thread.name for thread in threading.enumerate()]


def test_variables_of_sampled_functions_are_not_kept():
    class Variable:
        pass

    references = []
    seen, go_on = threading.Event(), threading.Event()

    def hold():
        variable = Variable()
        references.append(weakref.ref(variable))
        seen.set()
        go_on.wait(60)

    sampler = ThreadSampler(pace=Pace(rate=50))
    worker = threading.Thread(target=hold)
    worker.start()
    seen.wait(60)
    sampler.start()
    try:
        wait_for(lambda: any("hold" in leaf for _, leaf in names(sampler.take())), what="a look at the function")
        go_on.set()
        worker.join()
        gc.collect()
        assert None is references[0]()
    finally:
        sampler.close()


def names(window):
    return {(group, frame.name) for group, stack in window.stacks for frame in stack}


def test_a_collection_cannot_start_within_the_call_that_it_would_deadlock(monkeypatch):
    enabled = []
    monkeypatch.setattr(sys, "_current_frames", lambda: enabled.append(gc.isenabled()) or {})
    monkeypatch.setattr(module.sys, "version_info", (3, 11, 7, "final", 0))
    current_frames()
    monkeypatch.setattr(module.sys, "version_info", (3, 12, 1, "final", 0))
    current_frames()
    assert [False, True] == enabled
    assert True is gc.isenabled()


def test_collections_that_were_off_stay_off(monkeypatch):
    monkeypatch.setattr(module.sys, "version_info", (3, 11, 7, "final", 0))
    gc.disable()
    try:
        current_frames()
        assert False is gc.isenabled()
    finally:
        gc.enable()


def test_a_forked_child_has_no_sampler_and_may_start_one():
    sampler = ThreadSampler(pace=Pace(rate=50))
    sampler.start()
    try:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                sampler.forked()
                empty = sampler.take()
                sampler.start()
                wait_for(lambda: sampler.take().samples, what="a look in the child")
                sampler.close()
                os.write(write, b"alive" if not empty.stacks else b"kept")
            finally:
                os._exit(0)
        os.close(write)
        answer = os.read(read, 10)
        os.close(read)
        os.waitpid(pid, 0)
        assert b"alive" == answer
        wait_for(lambda: sampler.take().samples, what="a look in the parent")
    finally:
        sampler.close()


def test_after_a_pause_the_cpu_of_that_time_is_nobodys(world):
    sampler = world.sampler()
    world.pass_time(60_000, MainThread=500)
    sampler._resume(world.now)
    window = sampler.take()
    assert (0, 500 * MS, 0) == window.stacks["MainThread", NOT_SAMPLED]
