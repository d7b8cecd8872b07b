import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.collectors.sources.thread_clocks import ENDED, ThreadClocks, thread_cpu_seconds
from runtime_exporter.profiling.threadclock import native_threads


class Threads:
    """Threads whose clocks are set; the process clock is what all of them ever used."""

    def __init__(self):
        self.seconds = {}
        self.gone = 0.0

    def use(self, tid, seconds):
        self.seconds[tid] = self.seconds.get(tid, 0.0) + seconds

    def end(self, tid):
        self.gone += self.seconds.pop(tid)

    def clock(self, tid):
        if tid not in self.seconds:
            raise OSError(22, "Invalid argument")
        return self.seconds[tid]

    def process(self):
        return self.gone + sum(self.seconds.values())


@pytest.fixture
def threads():
    return Threads()


@pytest.fixture
def clocks(threads):
    return ThreadClocks(clock=threads.clock, process_clock=threads.process)


def test_threads_of_a_group_add_up(threads, clocks):
    threads.use(1, 2.0)
    threads.use(2, 3.0)
    threads.use(3, 5.0)

    assert {"a": 5.0, "b": 5.0, ENDED: 0.0} == clocks.look([(1, "a"), (2, "a"), (3, "b")])


def test_a_group_keeps_what_an_ended_thread_had_used_at_the_last_look(threads, clocks):
    threads.use(1, 2.0)
    clocks.look([(1, "a")])
    threads.use(1, 0.5)
    threads.end(1)

    assert {"a": 2.0, ENDED: 0.5} == clocks.look([])


def test_a_thread_that_came_and_went_between_two_looks_counts_as_ended(threads, clocks):
    clocks.look([])
    threads.use(9, 1.5)
    threads.end(9)

    assert {ENDED: 1.5} == clocks.look([])


def test_a_thread_that_ends_while_it_is_looked_at_costs_nothing(threads, clocks):
    threads.use(1, 1.0)

    assert {"a": 1.0, ENDED: 0.0} == clocks.look([(1, "a"), (2, "b")])


def test_a_number_given_to_a_new_thread_starts_from_zero(threads, clocks):
    threads.use(1, 4.0)
    clocks.look([(1, "a")])
    threads.end(1)
    threads.use(1, 1.0)

    assert {"a": 4.0, "b": 1.0, ENDED: 0.0} == clocks.look([(1, "b")])


def test_a_thread_that_gets_a_new_name_goes_on_in_the_new_group(threads, clocks):
    threads.use(1, 4.0)
    clocks.look([(1, "a")])
    threads.use(1, 1.0)

    assert {"a": 4.0, "b": 1.0, ENDED: 0.0} == clocks.look([(1, "b")])


def test_a_group_called_ended_loses_nothing(threads, clocks):
    threads.use(1, 4.0)
    threads.use(2, 1.0)
    threads.end(2)
    totals = [clocks.look([(1, ENDED)]) for _ in range(3)]

    assert [{ENDED: 5.0}] * 3 == totals


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(1, 5), st.integers(0, 100)),
        st.tuples(st.just("end"), st.integers(1, 5), st.just(0)),
        st.tuples(st.just("look"), st.just(0), st.just(0)),
    )
)


@given(STEPS)
def test_no_group_ever_goes_down_and_together_they_are_the_process(steps):
    threads = Threads()
    clocks = ThreadClocks(clock=threads.clock, process_clock=threads.process)
    before = {}
    for step, tid, seconds in steps:
        if step == "use":
            threads.use(tid, float(seconds))
        elif step == "end" and tid in threads.seconds:
            threads.end(tid)
        elif step == "look":
            now = clocks.look([(tid, "odd" if tid % 2 else "even") for tid in threads.seconds])
            assert dict.fromkeys(before, True) == {group: now[group] >= before[group] for group in before}
            before = now
    final = clocks.look([(tid, "odd" if tid % 2 else "even") for tid in threads.seconds])

    # A number that was given again and used more than before looks like the thread it was: what that hides is not invented.
    assert sum(final.values()) <= threads.process() + 1e-9


def test_the_clock_of_this_thread_is_its_cpu_time():
    assert pytest.approx(time.thread_time(), abs=0.01) == thread_cpu_seconds(threading.get_native_id())


def test_the_clock_of_a_thread_that_is_no_more_raises():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    while thread.native_id in native_threads():
        time.sleep(0.001)

    with pytest.raises(OSError, match="Invalid argument"):
        thread_cpu_seconds(thread.native_id)
