"""Profiled locks: no contention is missed, nobody gets in twice, and nothing else can be told from a plain lock."""

from __future__ import annotations

import _thread
import asyncio
import copy
import os
import pickle
import queue
import random
import signal
import sys
import threading
import time
import types
from abc import ABC
from contextlib import contextmanager, suppress

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.locks import Ledger, LockProfiler, green_threads
from runtime_exporter.profiling.locks.deadlock import Edge, deadlocks
from runtime_exporter.profiling.locks.wrappers import HOLD_EVERY, ProfiledLock
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import frames


@contextmanager
def profiled(*modules, **options):
    profiler = LockProfiler(modules or (__name__,), **options)
    profiler.install()
    try:
        yield profiler
    finally:
        profiler.uninstall()


@pytest.fixture
def profiler():
    with profiled() as one:
        yield one


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.002)


@contextmanager
def running(*functions):
    threads = [threading.Thread(target=function, daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def contentions(profiler, kind="block"):
    profile = profiler.profile(kind)
    check(profile)
    return profile.total(0)


def delay(profiler, kind="block"):
    return profiler.profile(kind).total(1)


KINDS = ["Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_threads_are_inside_at_once(profiler, kind):
    lock = getattr(threading, kind)()
    inside, most, entries = [], [], []

    def work(seed):
        chance = random.Random(seed)
        for number in range(300):
            if number % 3:
                lock.acquire()
            elif not lock.acquire(timeout=60):
                continue
            inside.append(seed)
            if chance.random() < 0.2:
                time.sleep(0)
            most.append(len(inside))
            inside.pop()
            entries.append(seed)
            lock.release()

    with running(*[lambda seed=seed: work(seed) for seed in range(6)]):
        pass
    assert (1, 1800) == (max(most), len(entries))


@pytest.mark.parametrize("kind", KINDS)
def test_every_wait_is_counted_however_many_there_are(profiler, kind):
    lock = getattr(threading, kind)()
    waiters, rounds = 3, 25
    for _ in range(rounds):
        lock.acquire()

        def work():
            with lock:
                pass

        with running(*[work] * waiters):
            until(lambda: len(profiler._ledger.waiting) == waiters)
            lock.release()  # the three go in one after the other, each having waited once
    count = waiters * rounds
    assert (count, count) == (contentions(profiler), contentions(profiler, "mutex"))


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_wait_nothing_is_counted(profiler, kind):
    lock = getattr(threading, kind)()
    for _ in range(1000):
        with lock:
            pass
        assert lock.acquire()
        lock.release()
    assert 0 == contentions(profiler)


def test_many_threads_with_many_locks_are_counted_as_often_as_they_waited(profiler):
    locks = [threading.Lock() for _ in range(4)]
    waited = [0] * 8

    class Watching:
        """A lock of C that knows whether it was free, to count what must be found."""

        def __init__(self, lock):
            self.lock = lock

        def acquire(self, blocking=True, timeout=-1):
            if not blocking:
                got = self.lock.acquire(False)
                waited[numbers[threading.get_ident()]] += not got
                return got
            return self.lock.acquire(blocking, timeout)

    numbers = {}
    for lock in locks:
        lock.acquire()
        lock._try = Watching(lock._lock).acquire

    def work(number):
        numbers[threading.get_ident()] = number
        chance = random.Random(number)
        for _ in range(400):
            with chance.choice(locks):
                if chance.random() < 0.1:
                    time.sleep(0)

    with running(*[lambda number=number: work(number) for number in range(8)]):
        until(lambda: sum(waited) == 8)  # on a busy machine each might be done before the next one begins
        for lock in locks:
            lock.release()
    assert sum(waited) == contentions(profiler)


def test_the_delay_is_the_time_that_was_waited():
    now = [1_000]
    with profiled(ledger=Ledger(clock=lambda: now[0])) as profiler:
        lock = threading.Lock()
        lock.acquire()

        def work():
            with lock:
                pass

        with running(work):
            until(lambda: profiler._ledger.waiting)
            now[0] += 7_000_000
            lock.release()
        assert (1, 7_000_000) == (contentions(profiler), delay(profiler))
        assert (1, 7_000_000) == (contentions(profiler, "mutex"), delay(profiler, "mutex"))


def test_a_block_profile_names_who_waited_and_a_mutex_profile_who_let_go(profiler):
    stock = threading.Lock()

    def waits_for_stock():
        with stock:
            pass

    def counts_stock():
        with stock:
            until(lambda: profiler._ledger.waiting)

    with running(counts_stock):
        until(stock.locked)
        with running(waits_for_stock):
            pass
    (block,), (mutex,) = profiler.profile("block").samples, profiler.profile("mutex").samples
    names = [frames(sample)[0].name.rpartition(".")[2].rpartition(":")[2] for sample in (block, mutex)]
    assert ["waits_for_stock", "counts_stock"] == names
    assert block.labels == mutex.labels
    assert block.labels[0].str.startswith("Lock profiling/test_locks.py:")


def test_a_timeout_that_passes_is_a_contention(profiler):
    lock = threading.Lock()
    with lock:
        assert not lock.acquire(timeout=0.01)
        assert not lock.acquire(True, 0.01)
    assert 2 == contentions(profiler)
    assert delay(profiler) >= 2 * 10_000_000


def test_an_attempt_that_does_not_wait_is_no_contention(profiler):
    lock = threading.Lock()
    with lock:
        assert not lock.acquire(False)
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(True, 0)
    assert 0 == contentions(profiler)


BAD = [(False, 5), (True, -2), (True, float("nan")), (True, 1e300), (True, "soon")]


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
@pytest.mark.parametrize("arguments", BAD, ids=str)
def test_wrong_arguments_are_refused_as_the_plain_lock_refuses_them(kind, arguments):
    with pytest.raises(Exception) as plain:
        getattr(threading, kind)().acquire(*arguments)
    with profiled():
        lock = getattr(threading, kind)()
        with pytest.raises(plain.type):
            lock.acquire(*arguments)
        assert lock.acquire(False)


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_to_release_what_is_free_is_refused_as_the_plain_lock_refuses_it(kind):
    with pytest.raises(RuntimeError) as plain:
        getattr(threading, kind)().release()
    with profiled(), pytest.raises(RuntimeError, match=str(plain.value)):
        getattr(threading, kind)().release()


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_a_lock_is_pickled_and_copied_as_little_as_a_plain_one(profiler, kind):
    lock = getattr(threading, kind)()
    for move in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot pickle"):
            move(lock)


def test_an_rlock_is_taken_again_by_its_owner_and_by_nobody_else(profiler):
    lock = threading.RLock()
    results = []
    with lock, lock:
        assert lock._is_owned()
        with running(lambda: results.append(lock.acquire(False)), lambda: results.append(lock._is_owned())):
            pass
    assert [False, False] == results
    with running(lambda: results.append(lock.acquire(False)) or lock.release()):
        pass
    assert [False, False, True] == results


def test_another_thread_cannot_release_an_rlock(profiler):
    lock = threading.RLock()
    errors = []

    def release():
        try:
            lock.release()
        except RuntimeError as error:
            errors.append(str(error))

    with lock:
        with running(release):
            pass
        assert lock._is_owned()
    assert ["cannot release un-acquired lock"] == errors


@pytest.mark.parametrize("make", ["Lock", "RLock", None])
def test_a_condition_hands_items_from_thread_to_thread(profiler, make):
    condition = threading.Condition(getattr(threading, make)() if make else None)
    items, got = [], []

    def consume():
        for _ in range(100):
            with condition:
                assert condition.wait_for(lambda: items, 20)
                got.append(items.pop(0))

    def produce():
        for number in range(100):
            with condition:
                items.append(number)
                condition.notify()

    with running(consume, consume, produce, produce):
        pass
    assert sorted([*range(100), *range(100)]) == sorted(got)


def test_a_condition_gives_all_levels_of_its_rlock_away_and_takes_them_again(profiler):
    condition = threading.Condition()
    events = []

    def wait():
        with condition, condition:
            events.append("waits")
            condition.wait(20)
            events.append("woke")
            until(lambda: profiler._ledger.waiting or "late" in events)
        events.append("out")

    def notify():
        until(lambda: events)
        with condition:
            condition.notify()
            events.append("notified")
        with condition:
            events.append("late")

    with running(wait, notify):
        pass
    assert condition.acquire(blocking=False)
    condition.release()
    assert ["waits", "notified"] == events[:2]
    assert {"woke", "out", "late"} == set(events[2:])


def test_a_queue_works_on_profiled_locks():
    with profiled("queue", __name__) as profiler:
        jobs = queue.Queue(5)
        assert type(jobs.mutex) is ProfiledLock
        got = []

        def consume():
            while (item := jobs.get()) is not None:
                got.append(item)

        with running(consume, consume):
            for number in range(500):
                jobs.put(number)
            jobs.put(None)
            jobs.put(None)
        assert [*range(500)] == sorted(got)
        check(profiler.profile())


def test_a_stand_in_is_a_class_as_good_as_the_original(profiler):
    before = types.SimpleNamespace(lock=_thread.allocate_lock(), rlock=_thread.RLock())
    assert isinstance(before.lock, threading.Lock)
    assert isinstance(threading.Lock(), threading.Lock)
    assert isinstance(threading.Lock(), type(before.lock))
    assert isinstance(threading.RLock(), type(before.rlock))
    assert not isinstance(threading.RLock(), threading.Lock)
    assert isinstance(threading.BoundedSemaphore(), threading.Semaphore)
    assert isinstance(threading.Condition(), threading.Condition)
    assert issubclass(threading.BoundedSemaphore, threading.Semaphore)
    assert isinstance(threading.Semaphore(), threading.Semaphore | None)
    assert ("threading", "Semaphore") == (threading.Semaphore.__module__, threading.Semaphore.__qualname__)


def test_what_is_derived_from_a_stand_in_is_as_if_derived_from_the_original(profiler):
    class Gate(threading.Semaphore, ABC):
        def __init__(self, name):
            super().__init__(2)
            self.name = name

    class Room(threading.Condition):
        pass

    gate, room = Gate("north"), Room()
    with gate, room:
        assert ("north", 1) == (gate.name, gate._value)
    assert isinstance(gate, Gate)
    assert isinstance(gate, threading.Semaphore)
    assert not isinstance(threading.Semaphore(), Gate)


def test_uninstall_puts_everything_back_and_locks_work_on_without_counting():
    results = []
    before = [getattr(threading, name) for name in KINDS]
    with profiled() as profiler:
        assert not any(getattr(threading, name) is old for name, old in zip(KINDS, before, strict=True))
        locks = [getattr(threading, name)() for name in KINDS]
    assert all(getattr(threading, name) is old for name, old in zip(KINDS, before, strict=True))
    for lock in locks:
        lock.acquire()
        with running(lambda lock=lock: results.append(lock.acquire(timeout=0.01))):
            pass
        lock.release()
    assert [False] * len(KINDS) == results
    assert 0 == contentions(profiler)
    assert type(threading.Lock()) is type(_thread.allocate_lock())


def test_what_somebody_else_put_in_the_place_since_stays(monkeypatch):
    original = threading.Semaphore
    other = type("Other", (original,), {})
    with profiled():
        threading.Semaphore = other
    try:
        assert other is threading.Semaphore
    finally:
        threading.Semaphore = original


def create_in(module, expression):
    return eval(expression, {"__name__": module, "threading": threading})


@pytest.mark.parametrize(
    ("module", "expected"),
    [("shop", True), ("shop.orders", True), ("shopping", False), ("logging", False), (None, False), (object(), False)],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_only_modules_that_are_asked_for_get_profiled_locks(module, expected):
    with profiled("shop"):
        for expression in ("threading.Lock()", "threading.RLock()"):
            assert expected == issubclass(type(create_in(module, expression)), ProfiledLock)


def test_locks_within_threading_stay_plain_even_when_asked_for():
    with profiled("threading", __name__):
        assert type(threading.Event()._cond._lock) is type(_thread.allocate_lock())


def test_beyond_the_limit_of_places_locks_are_counted_as_other():
    with profiled(ledger=Ledger(site_limit=2)) as profiler:
        first = threading.Lock()
        second = threading.Lock()
        third = threading.Lock()
        fourth = threading.Lock()
        for lock in (first, second, third, fourth):
            with lock:
                assert not lock.acquire(timeout=0.001)
        labels = [(sample.labels[0].str.partition(":")[0], sample.values[0]) for sample in profiler.profile().samples]
    assert [("Lock other", 2), ("Lock profiling/test_locks.py", 1), ("Lock profiling/test_locks.py", 1)] == sorted(
        labels
    )


def test_beyond_the_limit_of_stacks_the_place_of_creation_stands_for_them():
    with profiled(ledger=Ledger(trace_limit=0)) as profiler:
        lock = threading.Lock()
        with lock:
            assert not lock.acquire(timeout=0.001)
        (sample,) = profiler.profile().samples
        assert frames(sample)[0].name.endswith("test_beyond_the_limit_of_stacks_the_place_of_creation_stands_for_them")


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_one_hold_in_128_is_timed(kind):
    now = [5]
    with profiled(ledger=Ledger(clock=lambda: now[0])) as profiler:
        lock = getattr(threading, kind)()
        for _ in range(3 * HOLD_EVERY):
            with lock:
                now[0] += 1_000_000
        (hold,) = profiler.holds()
        assert (3, 0.003) == (hold.samples, hold.seconds)


def test_a_hold_of_an_rlock_is_that_of_its_outermost_level():
    now = [5]
    with profiled(ledger=Ledger(clock=lambda: now[0])) as profiler:
        lock = threading.RLock()
        for _ in range(HOLD_EVERY - 1):
            with lock:
                pass
        with lock:  # the one that is timed
            with lock:
                now[0] += 1_000_000
            now[0] += 1_000_000
        (hold,) = profiler.holds()
        assert (1, 0.002) == (hold.samples, hold.seconds)


def broken(*_):
    raise ZeroDivisionError("a fault of the profiler")


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Condition", "Semaphore"])
@pytest.mark.parametrize("part", ["trace", "add", "clock_late", "site"])
def test_a_fault_of_the_profiler_leaves_a_lock_that_works(monkeypatch, kind, part):
    ledger = Ledger()
    with profiled(ledger=ledger):
        if part == "site":
            monkeypatch.setattr(ledger, "site", broken)
        lock = getattr(threading, kind)()
        if part == "clock_late":
            ledger.clock = broken
        elif part != "site":
            monkeypatch.setattr(ledger, part, broken)
        total = []

        def work():
            for _ in range(300):
                with lock:
                    value = len(total)
                    time.sleep(0)
                    total.append(value)

        with running(work, work, work):
            pass
        assert [*range(900)] == total
        assert lock.acquire(blocking=False)
        lock.release()


def test_a_signal_handler_that_waits_for_a_lock_does_not_stop_the_thread_it_interrupted(profiler):
    outer, inner = threading.Lock(), threading.Lock()
    outer.acquire()
    inner.acquire()
    handled = []

    def handler(*_):
        with inner:
            handled.append(True)

    before = signal.signal(signal.SIGUSR1, handler)
    try:

        def help_out():
            until(lambda: profiler._ledger.waiting)
            os.kill(os.getpid(), signal.SIGUSR1)
            until(lambda: any(ticket.lock is inner for ticket in list(profiler._ledger.waiting.values())))
            inner.release()
            until(lambda: handled)
            outer.release()

        with running(help_out), outer:
            pass
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [True] == handled
    assert {} == profiler._ledger.waiting
    assert 2 == contentions(profiler)


def test_a_lock_is_not_left_held_when_a_wait_is_interrupted(profiler):
    lock = threading.Lock()
    lock.acquire()

    class Interrupt(BaseException):
        pass

    def handler(*_):
        raise Interrupt

    before = signal.signal(signal.SIGUSR1, handler)
    try:

        def interrupt():
            until(lambda: profiler._ledger.waiting)
            os.kill(os.getpid(), signal.SIGUSR1)

        with running(interrupt), pytest.raises(Interrupt):
            lock.acquire()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert {} == profiler._ledger.waiting
    lock.release()
    assert lock.acquire(False)


def test_a_child_process_counts_from_zero_with_locks_that_work(profiler):
    lock = threading.Lock()
    with lock:
        lock.acquire(timeout=0.001)
    child = os.fork()
    if not child:
        code = 1
        try:
            profiler.forked()
            lock._at_fork_reinit()
            with lock:
                fine = not lock.acquire(timeout=0.001)
            code = 0 if fine and contentions(profiler) == 1 else 2
        finally:
            os._exit(code)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert 1 == contentions(profiler)


@pytest.mark.parametrize("kind", ["Lock", "Semaphore", "BoundedSemaphore"])
def test_coroutines_that_wait_are_counted_and_never_inside_together(profiler, kind):
    inside, most = [], []

    async def work(lock):
        async with lock:
            inside.append(1)
            most.append(len(inside))
            await asyncio.sleep(0.001)
            inside.pop()

    async def main():
        lock = getattr(asyncio, kind)()
        await asyncio.gather(*[work(lock) for _ in range(20)])

    asyncio.run(main())
    assert 1 == max(most)
    assert 19 == contentions(profiler)
    assert f"asyncio.{kind}" == profiler.profile().samples[0].labels[0].str.partition(" ")[0]
    assert delay(profiler) >= sum(range(20)) * 1_000_000 / 2


def test_a_coroutine_that_is_cancelled_while_it_waits_is_counted(profiler):
    async def main():
        lock = asyncio.Lock()
        await lock.acquire()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(lock.acquire(), 0.01)
        lock.release()
        await lock.acquire()
        return lock.locked()

    assert asyncio.run(main())
    assert 1 == contentions(profiler)


def test_a_condition_of_asyncio_takes_a_profiled_lock(profiler):
    async def main():
        condition = asyncio.Condition(asyncio.Lock())
        got = []

        async def wait():
            async with condition:
                await condition.wait()
                got.append(1)

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        async with condition:
            condition.notify()
        await waiting
        return got

    assert [1] == asyncio.run(main())


def test_a_deadlock_of_two_threads_is_found_and_one_of_none_is_not(profiler):
    one, other = threading.Lock(), threading.RLock()
    both = threading.Barrier(2)

    def takes(first, second):
        with suppress(RuntimeError), first:  # the test breaks the circle by releasing what it does not hold
            both.wait()
            with second:
                pass

    threads = [threading.Thread(target=takes, args=pair, daemon=True) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    until(lambda: len(profiler._ledger.waiting) == 2)
    (circle,) = profiler.deadlocks()
    assert {thread.ident for thread in threads} == {edge.waiter for edge in circle}
    assert [edge.holder for edge in circle] == [circle[1].waiter, circle[0].waiter]
    assert all(edge.stack[0].name.endswith("takes") for edge in circle)
    one._lock.release()  # out of it again
    for thread in threads:
        thread.join(10)
    assert () == profiler.deadlocks()


def test_a_thread_that_waits_with_a_timeout_is_in_no_deadlock(profiler):
    lock = threading.Lock()
    found = []
    with lock, running(lambda: until(lambda: profiler._ledger.waiting) or found.append(profiler.deadlocks())):
        lock.acquire(timeout=0.3)
    assert [()] == found


def test_a_lock_that_one_thread_takes_and_another_releases_is_no_deadlock(profiler):
    ready = threading.Lock()
    ready.acquire()
    found = []

    def signals():
        until(lambda: profiler._ledger.waiting)
        found.append(profiler.deadlocks(standing=0))
        ready.release()

    with running(signals):
        ready.acquire()  # waits for what it has itself, which is how a signal looks
    assert [()] == found


def test_a_thread_that_waits_for_the_lock_it_is_within_is_a_deadlock(profiler):
    lock = threading.Lock()

    def again():
        with suppress(RuntimeError), lock, lock:
            pass

    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    until(lambda: profiler._ledger.waiting)
    ((edge,),) = profiler.deadlocks()
    assert (thread.ident, thread.ident) == (edge.waiter, edge.holder)
    lock._lock.release()
    until(lambda: not profiler._ledger.waiting)
    thread.join(10)


def edge(waiter, holder, bound=True, seconds=60.0):
    return Edge(waiter, holder, f"lock {holder}", seconds, bound, ())


@pytest.mark.parametrize(
    ("edges", "circles"),
    [
        ([], []),
        ([edge(1, 2), edge(2, 3)], []),
        ([edge(1, 2), edge(2, 1), edge(3, 1)], [[1, 2]]),
        ([edge(3, 1), edge(1, 2), edge(2, 1)], [[1, 2]]),
        ([edge(4, 2), edge(2, 3), edge(3, 4), edge(8, 9), edge(9, 8)], [[2, 3, 4], [8, 9]]),
        ([edge(1, 1)], [[1]]),
        ([edge(1, 1, bound=False)], []),
        ([edge(1, 2), edge(2, 1, bound=False)], [[1, 2]]),
        ([edge(1, 2), edge(2, 1, bound=False, seconds=1)], []),
    ],
    ids=str,
)
def test_deadlocks_are_the_circles(edges, circles):
    assert circles == sorted([edge.waiter for edge in circle] for circle in deadlocks(edges))


def test_profilers_are_not_put_on_top_of_each_other(profiler):
    with pytest.raises(ProfileError, match="already"):
        LockProfiler(["shop"]).install()


def test_no_modules_are_refused():
    with pytest.raises(ProfileError, match="name the application's packages"):
        LockProfiler([]).install()


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_where_green_threads_stand_in_nothing_is_replaced(library):
    modules = {
        "gevent": {"gevent.monkey": types.SimpleNamespace(is_module_patched=lambda name: name == "threading")},
        "eventlet": {"eventlet.patcher": types.SimpleNamespace(is_monkey_patched=lambda name: name == "thread")},
    }[library]
    before = threading.Lock
    with pytest.raises(ProfileError, match=library):
        LockProfiler(["shop"], loaded=modules).install()
    assert before is threading.Lock


def test_a_library_of_green_threads_that_has_patched_nothing_is_no_hindrance():
    loaded = {"gevent.monkey": types.SimpleNamespace(is_module_patched=lambda _: False)}
    assert "" == green_threads(loaded)


def test_a_lock_says_where_it_was_created(profiler):
    assert f"test_locks.py:{sys._getframe().f_lineno}" in repr(threading.Lock())


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_a_profiled_lock_has_every_attribute_of_a_plain_one(kind):
    plain = getattr(threading, kind)()
    with profiled():
        assert set() == set(dir(plain)) - set(dir(getattr(threading, kind)()))


def test_older_names_of_the_methods_work(profiler):
    lock = threading.Lock()
    assert lock.acquire_lock()
    assert lock.locked_lock()
    lock.release_lock()
    assert not lock.locked()
