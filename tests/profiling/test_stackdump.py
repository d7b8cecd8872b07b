"""Where the threads are: all of them, named, with nothing kept of their frames."""

from __future__ import annotations

import threading
import weakref

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import stackdump
from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.stackdump import ThreadStack


@pytest.fixture
def waiting():
    """A thread that waits in a function of a known name."""
    gate = threading.Event()

    def waits_here():
        gate.wait(20)

    thread = threading.Thread(target=waits_here, name="worker-7", daemon=True)
    thread.start()
    yield thread
    gate.set()
    thread.join(10)


def test_every_thread_is_there_but_the_one_that_asks(waiting):
    found = stackdump.dump()

    assert threading.get_native_id() not in {row.native_id for row in found}
    (row,) = (row for row in found if row.native_id == waiting.native_id)
    assert ("worker-7", "worker") == (row.name, row.group)
    assert any(frame.name.endswith("waits_here") and frame.file == __file__ for frame in row.stack)


def test_no_frame_is_kept_alive_with_what_is_in_it():
    class Kept:
        pass

    gate, ready, kept = threading.Event(), threading.Event(), []

    def holds():
        mine = Kept()
        kept.append(weakref.ref(mine))
        ready.set()
        gate.wait(20)

    thread = threading.Thread(target=holds, daemon=True)
    thread.start()
    assert ready.wait(10)
    rows = stackdump.dump()
    gate.set()
    thread.join(10)

    assert any(frame.name.endswith("holds") for row in rows for frame in row.stack)
    assert [None] == [one() for one in kept]


def test_without_a_gil_no_frame_is_read():
    with pytest.raises(ProfileError, match="GIL"):
        stackdump.dump(frames=lambda: pytest.fail("it was read"), gil=lambda: False)


LEAF, ROOT = Frame("queue:get", "/q.py", 5), Frame("pool:run", "/p.py", 9)
THREADS = (
    ThreadStack(11, "pool-1", "pool", (LEAF, ROOT)),
    ThreadStack(12, "pool-2", "pool", (LEAF, ROOT)),
    ThreadStack(10, "MainThread", "MainThread", (ROOT,)),
)


def test_threads_with_one_stack_and_group_are_one_sample():
    profile = stackdump.profile_of(THREADS, clock=lambda: 17)

    profile.check()
    assert (17, 3) == (profile.time_nanos, profile.total(0))
    assert [((2,), "pool"), ((1,), "MainThread")] == [(one.values, one.labels[0].str) for one in profile.samples]


def test_texts_are_in_the_form_of_gos():
    assert stackdump.grouped(THREADS) == (
        "goroutine profile: total 3\n2 @\n#\tqueue:get\t/q.py:5\n#\tpool:run\t/p.py:9\n\n1 @\n#\tpool:run\t/p.py:9\n"
    )
    assert stackdump.listed(THREADS[1:]) == (
        "goroutine 12 [pool-2]:\nqueue:get(...)\n\t/q.py:5\npool:run(...)\n\t/p.py:9\n\n"
        "goroutine 10 [MainThread]:\npool:run(...)\n\t/p.py:9\n"
    )
