"""Profiles on demand, of this very process."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc

import pytest

from runtime_exporter.errors import BusyError, ProfileError
from runtime_exporter.profiling.locks import LockProfiler
from runtime_exporter.profiling.ondemand import OnDemand
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import frames
from runtime_exporter.profiling.samplers.choose import choose
from runtime_exporter.profiling.samplers.thread import ThreadSampler
from runtime_exporter.profiling.store import Store
from tools import wait_for


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
    profile = takers(OnDemand(heap_windows=True))[kind](1.0)

    assert busy.is_alive()
    check(profile)
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
    takers(OnDemand(heap_windows=True))[kind](0.05)

    assert set() == set(threading.enumerate()) - before


@pytest.mark.parametrize("name", ["wall", "heap"])
def test_closing_ends_what_is_being_taken_and_opening_begins_anew(name):
    profiles = OnDemand(heap_windows=True)
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
        profile = OnDemand(heap_windows=True).heap(0.5)
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


@pytest.mark.parametrize("kind", ["cpu", "wall", "heap"])
def test_what_nobody_waits_for_any_more_ends_and_is_not_kept(tmp_path, kind):
    store = Store(tmp_path)
    profiles = OnDemand(store=store, heap_windows=True)
    asked = []

    def unwanted():
        asked.append(kind)
        return len(asked) > 1

    began = time.monotonic()
    with pytest.raises(ProfileError, match="did not wait"):
        profiles.take(kind, 100, unwanted)
    assert time.monotonic() - began < 60
    assert () == store.entries()
    assert not tracemalloc.is_tracing()


def test_it_is_kept_unless_somebody_else_keeps_it(tmp_path, busy):
    store = Store(tmp_path)
    profiles = OnDemand(store=store)
    profiles.take("wall", 0.2, keep=False)
    assert () == store.entries()
    profiles.take("wall", 0.2)

    assert busy.is_alive()
    assert ["wall"] == [one.kind for one in store.entries()]


def test_where_switching_tracing_off_can_crash_the_process_it_is_not_switched_on():
    with pytest.raises(ProfileError, match=r"128679.*profile_heap traces from the start"):
        OnDemand(heap_windows=False).heap(0.1)
    assert not tracemalloc.is_tracing()


def test_where_tracemalloc_runs_the_heap_is_what_is_alive_and_a_window_is_its_growth():
    kept = [bytearray(1_000_000)]
    profiles = OnDemand()
    with pytest.raises(ProfileError, match="profile_heap"):
        profiles.now("heap")
    tracemalloc.start(2)
    try:
        kept.append(bytearray(700_000))
        alive = profiles.now("heap")
        growth = profiles.heap(0.1)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()

    name = test_where_tracemalloc_runs_the_heap_is_what_is_alive_and_a_window_is_its_growth.__name__
    assert 700_000 <= value_of(alive, name) < 1_000_000
    assert value_of(growth, name) < 100_000


def test_waits_for_locks_are_told_since_the_start_and_for_the_next_seconds():
    locks = LockProfiler([__name__])
    locks.install()
    stop, profiles = threading.Event(), OnDemand(locks=locks)
    lock = threading.Lock()

    def works():
        while not stop.is_set():
            with lock:
                time.sleep(0.01)
            time.sleep(0.002)  # or who lets it go may have it again, and the wait of the other one does not end

    workers = [threading.Thread(target=works) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        first = profiles.take("block", 0.4)
        since = profiles.now("block")
        second = profiles.take("mutex", 0.4)
    finally:
        stop.set()
        for worker in workers:
            worker.join(10)
        locks.uninstall()

    told = [one for one in first.samples if any(frame.name.endswith("works") for frame in frames(one))]

    assert 0 < sum(one.values[0] for one in told) <= since.total(0)
    assert value_of(first, "works") > 0
    assert [] == [one for one in told if any(label.key == "wait" for label in one.labels)]  # none is sampled, too
    assert 0 < second.total(0) < profiles.now("mutex").total(0)
    assert 400_000_000 <= second.duration_nanos


def reads_what_never_comes(receiver):
    receiver.recv(1)


def asks_for(lock):
    with lock:
        pass


@pytest.mark.parametrize("profiled", [True, False], ids=["locks are profiled", "locks are not profiled"])
def test_a_block_profile_of_some_seconds_has_all_waits_and_none_twice(profiled):
    locks = LockProfiler([__name__]) if profiled else None
    if locks is not None:
        locks.install()
    lock = threading.Lock()
    sender, receiver = socket.socketpair()
    waiters = [
        threading.Thread(target=reads_what_never_comes, args=(receiver,)),
        threading.Thread(target=asks_for, args=(lock,)),
    ]
    lock.acquire()
    with sender, receiver:
        try:
            for waiter in (*waiters, threading.Timer(0.7, lock.release)):
                waiter.start()
            profile = OnDemand(locks=locks).take("block", 1.2)
        finally:
            sender.send(b".")
            for waiter in waiters:
                waiter.join(10)
            if locks is not None:
                locks.uninstall()
    check(profile)
    kinds = {next((label.str for label in one.labels if label.key == "wait"), "counted") for one in profile.samples}
    waited = value_of(profile, "asks_for")

    assert "backend thread" == profile.comments[0]  # no word of a bias, which is one of CPU time

    assert 0 < value_of(profile, "reads_what_never_comes") <= 1.5 * profile.duration_nanos
    assert {"socket", "counted" if profiled else "lock"} <= kinds
    assert 0 < waited <= 1.5 * profile.duration_nanos
    if profiled:
        assert [1] == [
            one.values[0] for one in profile.samples if any("asks_for" in frame.name for frame in frames(one))
        ]


def test_waits_are_looked_at_while_the_cpu_is_and_only_once_at_a_time():
    def refused(kind):
        try:
            OnDemand().take(kind, 0.05)
        except BusyError:
            return True
        return False

    profiles, taken = OnDemand(order=(ThreadSampler.name,)), []
    takers = [
        threading.Thread(target=lambda kind=kind: taken.append(profiles.take(kind, 60))) for kind in ("wall", "block")
    ]
    try:
        for taker in takers:
            taker.start()
        wait_for(lambda: refused("wall") and refused("block"), what="both at once")
    finally:
        profiles.close()
        for taker in takers:
            taker.join(10)

    assert {"wall", "delay"} == {one.sample_types[-1].type for one in taken}


@pytest.mark.parametrize("ask", [lambda one: one.now("block"), lambda one: one.take("mutex", 0.1)])
def test_where_no_locks_are_profiled_the_setting_is_named(ask):
    with pytest.raises(ProfileError, match="profile_locks"):
        ask(OnDemand())


def test_the_backend_that_runs_already_is_used(busy):
    def choose(*_, **__):
        raise AssertionError("another sampler was chosen")

    running = ThreadSampler()
    profile = OnDemand(choose_sampler=choose, running=lambda: running).cpu(0.5)

    assert busy.is_alive()
    assert profile.comments[0].startswith("backend thread, bias ratio ")


def test_beside_signals_of_the_main_thread_the_others_are_seen_too(busy):
    sampler = choose(("signal",))
    sampler.start()
    taken = []
    asking = threading.Thread(target=lambda: taken.append(OnDemand(running=lambda: sampler).cpu(1.0)))
    asking.start()
    try:
        while asking.is_alive():
            sum(number * number for number in range(1000))
    finally:
        asking.join(20)
        whole = sampler.take()
        sampler.close()

    assert busy.is_alive()
    (profile,) = taken
    assert profile.comments[0].startswith("backend signal, bias ratio ")
    assert value_of(profile, "burns_cpu") > 0
    name = test_beside_signals_of_the_main_thread_the_others_are_seen_too.__name__
    assert value_of(profile, name) > 0
    assert any(name in frame.name for _, stack in whole.stacks for frame in stack)
