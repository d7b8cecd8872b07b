"""CPU time from the kernel's clocks: handed out once, all of it."""

import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.cpuclock import cpu_time_ns, process_cpu_time_ns
from runtime_exporter.profiling.threadclock import ThreadClock, native_threads
from tools import wait_for


class Clocks:
    """Threads with clocks that are set; the process's is what all of them ever used."""

    def __init__(self):
        self.alive = {}
        self.gone = 0

    def use(self, tid, ns):
        self.alive[tid] = self.alive.get(tid, 0) + ns

    def end(self, tid):
        self.gone += self.alive.pop(tid, 0)

    def thread(self, tid):
        if tid not in self.alive:
            raise OSError(22, "Invalid argument")
        return self.alive[tid]

    def process(self):
        return self.gone + sum(self.alive.values())


STEPS = st.lists(
    st.tuples(st.sampled_from(["use", "ask", "end", "rest"]), st.integers(1, 4), st.integers(0, 10**9)), max_size=60
)


@given(before=st.dictionaries(st.integers(1, 4), st.integers(0, 10**9)), steps=STEPS)
def test_what_is_handed_out_adds_up_to_the_cpu_of_the_process_since_the_restart(before, steps):
    clocks = Clocks()
    for tid, ns in before.items():
        clocks.use(tid, ns)
    clock = ThreadClock(clock=clocks.thread, process_clock=clocks.process)
    clock.restart(list(clocks.alive))
    begin, handed_out = clocks.process(), 0
    for step, tid, ns in steps:
        if step == "use":
            clocks.use(tid, ns)
        elif step == "end":
            clocks.end(tid)
        elif step == "rest":
            handed_out += sum(clock.used(tid) for tid in clocks.alive) + clock.rest(clocks.alive)
        elif tid in clocks.alive:
            handed_out += clock.used(tid)
    handed_out += sum(clock.used(tid) for tid in clocks.alive)
    assert clocks.process() - begin == handed_out + clock.rest(clocks.alive)


def test_what_two_clocks_disagree_about_is_settled_at_the_next_call():
    process = iter([0, 90, 150])
    clock = ThreadClock(clock=lambda _: 100, process_clock=lambda: next(process))
    clock.restart([])
    assert (100, 0, 50) == (clock.used(7), clock.rest([7]), clock.rest([7]))


def test_a_number_that_belongs_to_another_thread_now_counts_from_zero():
    values = iter([100, 30])
    clock = ThreadClock(clock=lambda _: next(values), process_clock=lambda: 0)
    assert (100, 30) == (clock.used(7), clock.used(7))


@pytest.mark.skipif(sys.platform != "linux", reason="clocks of other threads are Linux's")
def test_a_thread_that_has_ended_has_no_clock():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    # The kernel's part of it ends a moment after Python's.
    wait_for(lambda: thread.native_id not in native_threads(), what="the end of the thread")
    with pytest.raises(OSError, match="Invalid argument"):
        cpu_time_ns(thread.native_id)


@pytest.mark.skipif(sys.platform != "linux", reason="clocks of other threads are Linux's")
def test_the_clock_of_a_process_can_be_read_until_it_is_waited_for():
    process = subprocess.Popen([sys.executable, "-c", "sum(range(300_000))"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    used = process_cpu_time_ns(process.pid)
    assert 0 == process.wait()
    assert used > 1_000_000  # an interpreter does not start in less than a millisecond
    with pytest.raises(OSError, match="Invalid argument"):
        process_cpu_time_ns(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_this_thread_is_one_of_the_process():
    assert threading.get_native_id() in native_threads()
