"""A thread of ours that lasts: told to end, not waited for if it hangs, and gone in the child of a fork."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import pytest

from runtime_exporter.costs import BACKGROUND, COSTS
from runtime_exporter.ownthread import OwnThread

LONG = 60.0


class Work:
    """What a thread runs: notes what it was given, and waits until it is told to end."""

    def __init__(self):
        self.begun = threading.Event()
        self.given = []

    def __call__(self, stop, *arguments):
        self.given.append((threading.current_thread(), stop, *arguments))
        self.begun.set()
        stop.wait(LONG)


@pytest.fixture
def own():
    thread = OwnThread("runtime-exporter-test", BACKGROUND)
    yield thread
    thread.close(LONG)


def test_it_is_one_daemon_with_a_name_until_it_is_closed(own):
    work = Work()
    before = own.running
    own.start(work, "more")
    own.start(work, "never")
    assert work.begun.wait(LONG)
    during = own.running
    closed, again = own.close(LONG), own.close(LONG)

    ((thread, stop, argument),) = work.given
    assert (False, True, False) == (before, during, own.running)
    assert ("runtime-exporter-test", True, False) == (thread.name, thread.daemon, thread.is_alive())
    assert ("more", True, True, True) == (argument, stop.is_set(), closed, again)


def test_to_close_what_was_never_started_is_no_mistake(own):
    assert (True, False) == (own.close(0.0), own.running)


def test_one_that_hangs_is_left_behind_and_stays_told_to_end_when_another_is_started(own):
    release, begun, stops = threading.Event(), threading.Event(), []

    def hang(stop):
        stops.append(stop)
        begun.set()
        release.wait(LONG)

    own.start(hang)
    assert begun.wait(LONG)
    ended = own.close(0.0)
    work = Work()
    own.start(work)
    assert work.begun.wait(LONG)
    hung, running = stops[0].is_set(), own.stopping
    release.set()

    assert (False, True, False) == (ended, hung, running)


def test_its_own_thread_may_close_it(own):
    closed = []
    done = threading.Event()

    def run(_stop):
        closed.append(own.close(LONG))
        done.set()

    own.start(run)
    assert done.wait(LONG)
    assert ([True], True) == (closed, own.stopping)


def test_told_to_end_it_is_not_waited_for(own):
    work = Work()
    own.start(work)
    assert work.begun.wait(LONG)
    own.stop()

    assert own.stopping
    assert own.close(LONG)


def test_where_no_thread_can_be_started_it_may_be_tried_again(own, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(COSTS, "start", refuse)
        with pytest.raises(RuntimeError):
            own.start(Work())
    refused = own.running
    work = Work()
    own.start(work)

    assert work.begun.wait(LONG)
    assert (False, True) == (refused, own.running)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_the_child_of_a_fork_it_may_be_started_again(own):
    work = Work()
    own.start(work)
    assert work.begun.wait(LONG)
    pid = os.fork()
    if pid == 0:
        own.forked()
        gone = not own.running and not own.stopping
        again = Work()
        own.start(again)
        os._exit(0 if gone and again.begun.wait(LONG) and own.close(LONG) else 1)

    assert 0 == os.waitpid(pid, 0)[1]


def test_what_it_ran_is_free_without_the_garbage_collector():
    class Owner:
        def __init__(self):
            self.own = OwnThread("runtime-exporter-test", BACKGROUND)

        def run(self, stop):
            stop.wait(LONG)

    owner = Owner()
    gone = weakref.ref(owner)
    gc.disable()
    try:
        owner.own.start(owner.run)
        assert owner.own.close(LONG)
        del owner
        assert gone() is None
    finally:
        gc.enable()
