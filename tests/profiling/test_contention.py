"""Waits in an interval: those for profiled locks counted, the others sampled, none twice."""

from __future__ import annotations

import threading
import time

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.contention import Contention, counted
from runtime_exporter.profiling.locks import LockProfiler
from runtime_exporter.profiling.pipeline import Pipeline, Taken
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import Frame, frames
from runtime_exporter.profiling.samplers.sampler import Usage, Window
from runtime_exporter.profiling.samplers.thread import ThreadSampler

START = 1_700_000_000.0
MS = 10**6


@pytest.fixture
def locks():
    """Of this module alone, and taken out with the test."""
    profiler = LockProfiler([__name__])
    profiler.install()
    yield profiler
    profiler.uninstall()


def waits_for(lock):
    with lock:
        pass


def contend(lock, seconds=0.05):
    """Have one thread wait for the lock as long."""
    with lock:
        thread = threading.Thread(target=waits_for, args=(lock,))
        thread.start()
        time.sleep(seconds)
    thread.join(10)


def window(number, stacks=()):
    begin = START + 60 * number
    return Window(dict(stacks), begin, begin + 60.0)


SOCKET = {
    ("main", (Frame("socket:socket.recv", "socket.py", 5), Frame("shop:fetch", "shop.py", 9))): Usage(4, 0, 200 * MS)
}


def sites(profile):
    return {frames(one)[-1].name.rpartition(":")[2] for one in profile.samples}


def test_each_interval_has_its_own_waits(locks):
    lock, contention = threading.Lock(), Contention(locks)
    contend(lock)
    first = contention(window(0))
    contend(lock)
    contend(lock)
    second, third = contention(window(1)), contention(window(2))

    assert [1, 2, 0] == [one["block"].total(0) for one in (first, second, third)]
    assert [1, 2, 0] == [one["mutex"].total(0) for one in (first, second, third)]
    assert second["block"].total(1) == second["mutex"].total(1) > 0
    assert (START + 60, 60 * 10**9) == (second["block"].time_nanos / 1e9, second["mutex"].duration_nanos)


def test_what_else_threads_wait_for_is_beside_it(locks):
    lock, contention = threading.Lock(), Contention(locks)
    contend(lock)
    block = contention(window(0, SOCKET))["block"]
    check(block)

    assert 5 == block.total(0)
    assert any("waits_for" in frame.name for one in block.samples for frame in frames(one))
    assert "fetch" in sites(block)


def test_without_profiled_locks_waits_are_sampled_and_nobody_is_known_to_cause_them():
    profiles = Contention()(window(0, SOCKET))

    assert {"block"} == profiles.keys()
    assert 4 == profiles["block"].total(0)


def test_a_wait_for_a_profiled_lock_is_not_sampled_too(locks):
    lock, sampler = threading.Lock(), ThreadSampler()
    sampler.start()
    try:
        contend(lock, 1.0)
        seen = sampler.take()
    finally:
        sampler.close()
    waiting = [stack for _, stack in seen.stacks if any("waits_for" in frame.name for frame in stack)]
    block = Contention(locks)(seen)["block"]
    rows = [one.values for one in block.samples if any("waits_for" in frame.name for frame in frames(one))]

    assert waiting
    assert [1] == [contentions for contentions, _ in rows]


def test_both_kinds_become_series(locks):
    lock, contention, pipeline = threading.Lock(), Contention(locks), Pipeline()
    for number in range(3):
        contend(lock)
        pipeline.take_in(Taken(contention(window(number)), START + 60 * number, START + 60 * (number + 1)))
    block, mutex = (pipeline.report.tallies[kind] for kind in ("block", "mutex"))

    assert [3, 3] == [block.counts.total, mutex.counts.total]
    assert block.self_.total == mutex.self_.total > 0
    assert any(name.endswith(":waits_for") for name in block.self_.members)


def test_since_the_start_all_intervals_add_up_and_profiled_locks_are_as_of_now(locks):
    lock, contention = threading.Lock(), Contention(locks)
    for number in range(3):
        contend(lock)
        contention(window(number, SOCKET))
    contend(lock)
    total = contention.total()
    check(total)

    assert {"fetch": 12, "_bootstrap": 4} == {
        frames(one)[-1].name.rpartition(".")[2].rpartition(":")[2]: one.values[0] for one in total.samples
    }
    assert START == total.time_nanos / 1e9
    assert total.time_nanos + total.duration_nanos >= time.time_ns() - 10 * 10**9


def test_since_the_start_without_profiled_locks_it_is_what_was_sampled():
    contention = Contention()
    for number in range(3):
        contention(window(number, SOCKET))
    total = contention.total()

    assert (12, 600 * MS) == (total.total(0), total.total(1))
    assert (START, 180 * 10**9) == (total.time_nanos / 1e9, total.duration_nanos)


def test_before_the_first_interval_nothing_is_known_and_after_a_fork_again():
    contention = Contention()
    with pytest.raises(ProfileError, match="first interval"):
        contention.total()
    contention(window(0, SOCKET))
    contention.forked()
    with pytest.raises(ProfileError, match="first interval"):
        contention.total()


def test_a_program_that_waits_at_ever_new_places_takes_no_more_memory_and_loses_no_wait():
    contention = Contention(limit=8)
    for number in range(40):
        fresh = {
            (
                "main",
                (Frame("socket:socket.recv", "socket.py", 5), Frame(f"shop:new_{number}_{one}", "shop.py", one)),
            ): Usage(1, 0, MS)
            for one in range(5)
        }
        contention(window(number, {**SOCKET, **fresh}))
    total = contention.total()

    assert (40 * 9, 40 * 205 * MS) == (total.total(0), total.total(1))
    assert 9 == len(total.samples)
    assert {"fetch", "other"} <= sites(total)
    assert len(total.functions) <= 11


def test_what_is_counted_is_as_of_now(locks):
    before = counted(locks, "block")
    after = counted(locks, "block")

    assert 0 == before.duration_nanos
    assert after.time_nanos >= before.time_nanos > START * 1e9
