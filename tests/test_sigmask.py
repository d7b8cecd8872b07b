"""Threads that take no signals, and who starts them goes on to take them."""

from __future__ import annotations

import signal
import threading

import pytest

from runtime_exporter.sigmask import SIGNALS, start_without_signals


def blocked():
    return signal.pthread_sigmask(signal.SIG_BLOCK, ()) & SIGNALS


@pytest.fixture
def masked():
    """This thread, whose mask a test may change."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("before", [set(), {signal.SIGTERM}])
def test_a_thread_blocks_them_and_its_starter_those_that_it_blocked_before(masked, before):
    signal.pthread_sigmask(signal.SIG_BLOCK, before)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(blocked()))
    start_without_signals(thread)
    thread.join()
    assert [SIGNALS] == seen
    assert before == blocked()


def test_starts_of_green_threads_that_interleave_leave_nothing_blocked(masked):
    """Under gevent a start lets others run, on the same thread of the kernel: another start may begin in it and end after it."""
    greenlet = pytest.importorskip("greenlet")
    main = greenlet.getcurrent()

    class Green:
        def start(self):
            assert SIGNALS == blocked()
            main.switch()

    first, second = (greenlet.greenlet(lambda: start_without_signals(Green())) for _ in range(2))
    for each in (first, second, first, second):
        each.switch()
    assert (first.dead, second.dead) == (True, True)
    assert set() == blocked()
