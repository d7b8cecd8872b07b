"""Threads are listed by what they do and where they stand; groups that grow are suspects."""

from __future__ import annotations

import re
import threading
import time

import pytest

from frame_names import name_of
from runtime_exporter.profiling import threads
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import Frame, frames
from tools import asleep


@pytest.fixture
def workers():
    go, started = threading.Event(), threading.Barrier(4)

    def fetch_orders():
        started.wait(10)
        go.wait(20)

    crowd = [threading.Thread(target=fetch_orders, daemon=True) for _ in range(3)]
    for thread in crowd:
        thread.start()
    started.wait(10)
    yield crowd
    go.set()
    for thread in crowd:
        thread.join(10)


def at_rest():
    """The inventory once nobody moves any more."""
    before, deadline = None, time.monotonic() + 60
    while time.monotonic() < deadline:
        now = [state for state in threads.inventory() if state.group == "fetch_orders"]
        if now == before and all("wait" in state.stack[0].name and asleep(state.native_id) for state in now):
            return threads.inventory()
        before = now
        time.sleep(0.02)
    raise AssertionError("the threads do not come to rest")


def test_threads_with_one_job_are_one_group_with_one_signature(workers):
    found = {key: count for key, count in threads.groups(at_rest()).items() if key[0] == "fetch_orders"}
    assert {("fetch_orders", name_of(__name__, "workers.<locals>.fetch_orders")): 3} == found


def test_an_inventory_tells_who_each_thread_is(workers):
    state = next(state for state in at_rest() if state.identifier == workers[0].ident)
    assert (workers[0].name, workers[0].native_id, True) == (state.name, state.native_id, state.daemon)
    assert "idle" == state.wait.kind


def test_the_calling_thread_stands_in_the_function_that_asks():
    (mine,) = [state for state in threads.inventory() if state.identifier == threading.get_ident()]
    assert "test_the_calling_thread_stands_in_the_function_that_asks" == mine.stack[0].name.partition(":")[2]


def test_a_thread_whose_frames_cannot_be_read_is_listed_without_a_stack(workers):
    found = threads.inventory(frames=dict)
    assert {thread.ident for thread in threading.enumerate()} == {state.identifier for state in found}
    assert [()] * 3 == [state.stack for state in found if state.group == "fetch_orders"]
    assert 'fetch_orders)" tid' in threads.thread_text(found)


def test_a_profile_counts_threads_by_stack_and_group(workers):
    profile = threads.thread_profile(at_rest())
    check(profile)
    (sample,) = [one for one in profile.samples if one.labels[0].str == "fetch_orders"]
    assert ((3,), "idle") == (sample.values, sample.labels[1].str)
    assert name_of("threading", "Thread._bootstrap") == frames(sample)[-1].name
    assert "threads" == profile.sample_types[0].type
    assert "goroutine" == threads.thread_profile(at_rest(), kind="goroutine").sample_types[0].type


def test_the_text_has_a_head_and_two_lines_a_frame_for_each_thread(workers):
    blocks = threads.thread_text(at_rest()).split("\n\n")
    heads = [block.splitlines()[0] for block in blocks if "(fetch_orders)" in block]
    assert all(re.fullmatch(r'thread \d+ ".*" tid \d+ \[\w+(, daemon)?\]:', head) for head in heads)
    assert 3 == sum("(fetch_orders)" in head and head.endswith("[idle, daemon]:") for head in heads)
    lines = next(block for block in blocks if "(fetch_orders)" in block).splitlines()[1:]
    assert all(line.endswith("()") for line in lines[::2])
    assert all(re.fullmatch(r"\t.+:\d+", line) for line in lines[1::2])


def state(number, group, *names):
    stack = tuple(Frame(name, "shop.py", 1) for name in names)
    return threads.ThreadState(number, number, f"{group}-{number}", group, True, stack)


def test_a_signature_outlives_a_step_and_a_wait():
    running = state(1, "w", "shop:parse", "shop:handle", "threading:Thread.run")
    waiting = state(1, "w", "threading:Event.wait", "shop:parse", "shop:handle", "threading:Thread.run")
    assert "shop:handle > shop:parse" == threads.signature(running.stack) == threads.signature(waiting.stack)


def test_a_group_that_grows_with_one_signature_is_a_suspect_and_its_neighbours_are_not():
    history = threads.ThreadHistory()
    for look in range(20):
        poll = [state(number, "poll", "shop:poll") for number in range(look)]
        serve = [state(number, "serve", "shop:serve") for number in range(8)]
        burst = [state(number, "burst", "shop:burst") for number in range(30 * (look % 2))]
        history.look([*poll, *serve, *burst], look * 60.0)
    (suspect,) = history.suspects(started=0.0)
    assert ("poll in shop:poll", 19.0, "threads") == (suspect.site, suspect.last, suspect.unit)


def test_signatures_that_are_remembered_are_bounded():
    history = threads.ThreadHistory(most_signatures=3)
    for number in range(50):
        history.look([state(1, f"group {number}", "shop:serve")], float(number))
    assert len(history._history._series) <= 3
