"""What threads were started with, of threads of every make."""

from __future__ import annotations

import threading
from _thread import start_new_thread
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import frames
from runtime_exporter.profiling.threadcreate import entry, threadcreate_profile


def waits(event, *_):
    event.wait(30)


class Waiting:
    def wait_here(self, event):
        event.wait(30)

    def __call__(self, event):
        event.wait(30)


class Worker(threading.Thread):
    def __init__(self, event):
        super().__init__()
        self.event = event

    def run(self):
        self.event.wait(30)


@pytest.fixture
def event():
    """What threads of a test wait for; set at its end."""
    before = set(threading.enumerate())
    event = threading.Event()
    yield event
    event.set()
    for thread in set(threading.enumerate()) - before:
        if not isinstance(thread, threading._DummyThread):  # nobody can wait for those
            thread.join(10)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda event: threading.Thread(target=waits, args=(event,)), "waits"),
        (lambda event: threading.Thread(target=partial(partial(waits, event), 1)), "waits"),
        (lambda event: threading.Thread(target=Waiting().wait_here, args=(event,)), "Waiting.wait_here"),
        (lambda event: threading.Thread(target=Waiting(), args=(event,)), "Waiting"),
        (lambda event: threading.Thread(target=event.wait, args=(30,)), "Event.wait"),
        (Worker, "Worker.run"),
    ],
)
def test_a_thread_is_told_by_the_function_that_it_began_in(event, make, name):
    thread = make(event)
    thread.start()
    place = entry(thread)
    module, _, function = place.name.partition(":")

    assert name.rpartition(".")[2] == function.rpartition(".")[2]
    assert module in {__name__, "threading"}


def test_a_function_of_c_has_no_file(event):
    lock = threading.Lock()
    lock.acquire()
    thread = threading.Thread(target=lock.acquire)
    thread.start()
    place = entry(thread)
    lock.release()
    thread.join(10)

    assert ("?:lock.acquire", "") == (place.name, place.file)


def test_the_threads_of_a_pool_are_its_workers_and_counted(event):
    before = threadcreate_profile()
    with ThreadPoolExecutor(3, thread_name_prefix="orders") as pool:
        [pool.submit(waits, event) for _ in range(3)]
        profile = threadcreate_profile()
        event.set()

    check(profile)
    assert [("threadcreate", "count")] == [tuple(one) for one in profile.sample_types]
    (sample,) = (one for one in profile.samples if ("thread_group", "orders") == one.labels[0][:2])
    assert (3,) == sample.values
    assert ["concurrent.futures.thread:_worker"] == [frame.name for frame in frames(sample)]
    assert profile.total(0) == before.total(0) + 3


def test_threads_that_threading_did_not_start_say_so_and_the_main_one_is_itself(event):
    seen, known = [], threading.Event()

    def foreign():
        seen.append(threading.current_thread())
        known.set()
        event.wait(30)

    start_new_thread(foreign, ())
    assert known.wait(10)

    assert "(not started by threading)" == entry(seen[0]).name
    assert "(main thread)" == entry(threading.main_thread()).name


def test_a_thread_that_is_over_is_unknown(event):
    thread = threading.Thread(target=int)
    thread.start()
    thread.join(10)

    assert "(unknown function)" == entry(thread).name
