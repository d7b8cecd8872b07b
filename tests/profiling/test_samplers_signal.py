"""The sampler that is a signal handler: what it finds, and that it leaves signals as they were."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers.cputimer import ProcessTimer, ThreadTimer, best_timer
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.sampler import NOT_SAMPLED
from runtime_exporter.profiling.samplers.signal import MAIN_GROUP, SignalSampler

SECOND = 10**9


def burn(cpu_seconds):
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        sum(range(500))


def other_work(cpu_seconds):
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        sorted(range(500))


@pytest.fixture
def sampler():
    sampler = SignalSampler(pace=Pace(rate=50, budget=1.0))
    yield sampler
    sampler.close()
    assert signal.SIG_DFL == signal.getsignal(signal.SIGPROF)


def cpu_of(window, name):
    return sum(
        usage.cpu_ns for (_, stack), usage in window.stacks.items() if any(frame.name.endswith(name) for frame in stack)
    )


def test_the_busy_function_has_the_cpu(sampler):
    sampler.start()
    burn(1.0)
    window = sampler.take()
    total = sum(usage.cpu_ns for (group, _), usage in window.stacks.items() if group == MAIN_GROUP)
    assert window.samples >= 10
    assert cpu_of(window, ":burn") > 0.8 * total
    assert 0 < window.own_cpu_ns < total


def test_the_total_is_the_kernels(sampler):
    before = time.process_time_ns()
    sampler.start()
    inner = time.process_time_ns()
    burn(0.3)
    inner = time.process_time_ns() - inner
    window = sampler.take()
    assert inner <= sum(usage.cpu_ns for usage in window.stacks.values()) <= time.process_time_ns() - before


def test_two_functions_with_the_same_cpu_have_the_same_share(sampler):
    sampler.start()
    for _ in range(40):
        burn(0.05)
        other_work(0.05)
    window = sampler.take()
    one, other = cpu_of(window, ":burn"), cpu_of(window, ":other_work")
    assert 0.3 < one / (one + other) < 0.7  # some 200 samples: six standard deviations


def test_of_other_threads_only_the_cpu_is_known(sampler):
    sampler.start()
    worker = threading.Thread(target=burn, args=(0.3,), name="worker-1")
    worker.start()
    while worker.is_alive():
        worker.join(0.05)
        last = sampler.take()
        if ("worker", NOT_SAMPLED) in last.stacks:
            break
    assert last.stacks["worker", NOT_SAMPLED].cpu_ns > 0
    worker.join()


def test_a_thread_that_burns_cpu_does_not_fire_the_main_threads_timer(sampler):
    sampler.start()
    worker = threading.Thread(target=burn, args=(0.5,))
    worker.start()
    worker.join()
    assert sampler.take().samples < 5


def test_a_system_call_goes_on_after_the_signal(sampler):
    sampler.start()
    read, write = os.pipe()
    writer = threading.Thread(target=lambda: (burn(0.3), os.write(write, b"x")))
    writer.start()
    for _ in range(20):
        os.kill(os.getpid(), signal.SIGPROF)
    assert b"x" == os.read(read, 1)
    writer.join()
    os.close(read)
    os.close(write)


def test_somebody_elses_handler_is_not_taken_away():
    calls = []
    before = signal.signal(signal.SIGPROF, lambda *_: calls.append(1))
    try:
        with pytest.raises(ProfileError, match="SIGPROF is handled by somebody else"):
            SignalSampler().start()
        signal.raise_signal(signal.SIGPROF)
        assert [1] == calls
    finally:
        signal.signal(signal.SIGPROF, before)


def test_a_handler_that_was_installed_later_stays(sampler):
    sampler.start()

    def theirs(*_):
        pass

    signal.signal(signal.SIGPROF, theirs)
    sampler.close()
    assert theirs is signal.signal(signal.SIGPROF, signal.SIG_DFL)


def test_it_starts_on_the_main_thread_only():
    errors = []

    def start():
        try:
            SignalSampler().start()
        except ProfileError as error:
            errors.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert ["the signal sampler can only be started on the main thread"] == errors


def test_closed_on_another_thread_it_samples_no_more(sampler):
    sampler.start()
    burn(0.2)
    thread = threading.Thread(target=sampler.close)
    thread.start()
    thread.join()
    sampler.take()
    burn(0.2)
    assert 0 == sampler.take().samples
    sampler.start()  # its own handler, which could not be removed there, is no obstacle
    burn(0.3)
    assert sampler.take().samples > 0


def test_a_timer_of_the_process_that_is_in_use_is_left_alone():
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    before = signal.signal(signal.SIGPROF, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_PROF, 1000.0)
    try:
        with pytest.raises(ProfileError, match="ITIMER_PROF is in use"):
            ProcessTimer().open()
        assert signal.getitimer(signal.ITIMER_PROF)[0] > 900
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.mark.skipif(sys.platform != "linux", reason="timers of a thread's clock are Linux's")
def test_on_linux_the_timer_is_the_main_threads_own():
    timer = best_timer()
    timer.close()
    timer.close()
    assert isinstance(timer, ThreadTimer)


def test_the_timer_of_the_process_does_as_well():
    def timer():
        timer = ProcessTimer()
        timer.open()
        return timer

    sampler = SignalSampler(pace=Pace(rate=50, budget=1.0), timer=timer)
    sampler.start()
    try:
        burn(0.5)
        assert sampler.take().samples >= 5
    finally:
        sampler.close()
    assert (0.0, 0.0) == signal.getitimer(signal.ITIMER_PROF)
    assert signal.SIG_DFL == signal.getsignal(signal.SIGPROF)


def test_a_burst_leaves_the_running_windows_whole(sampler):
    sampler.start()
    windows = []
    thread = threading.Thread(target=lambda: windows.append(sampler.burst(0.5, 200.0)))
    thread.start()
    while thread.is_alive():
        burn(0.05)
    thread.join()
    (burst,) = windows
    window = sampler.take()
    assert cpu_of(burst, ":burn") > 0
    assert burst.samples <= window.samples
    # What looking takes is told apart in the window, and not in the burst.
    assert cpu_of(burst, ":burn") <= cpu_of(window, ":burn") + window.own_cpu_ns


def test_a_burst_of_a_sampler_that_does_not_run_is_refused():
    with pytest.raises(ProfileError, match="not running"):
        SignalSampler().burst(0.01, 100.0)


def run(code, **options):
    program = """
        import os, signal, sys, time
        from runtime_exporter.profiling.samplers.pace import Pace
        from runtime_exporter.profiling.samplers.signal import SignalSampler

        def burn(cpu_seconds):
            end = time.process_time() + cpu_seconds
            while time.process_time() < end:
                sum(range(500))

        sampler = SignalSampler(pace=Pace(rate=50, budget=1.0))
        sampler.start()
        burn(0.1)
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_a_program_that_ends_without_closing_it_ends_well():
    done = run("""
        class AtTheVeryEnd:
            def __del__(self, burn=burn):
                burn(0.3)

        sys.modules["kept until the interpreter clears its modules"] = AtTheVeryEnd()
        print("end")
    """)
    assert (0, "end\n") == (done.returncode, done.stdout)


def test_what_a_program_becomes_by_exec_is_not_killed_by_our_timer():
    done = run("""
        os.execv(sys.executable, [sys.executable, "-c", "import time\\nwhile time.process_time() < 0.5: pass\\nprint('alive')"])
    """)
    assert (0, "alive\n") == (done.returncode, done.stdout)


def test_a_forked_child_has_no_handler_and_may_start_its_own():
    done = run("""
        pid = os.fork()
        if pid == 0:
            sampler.forked()
            assert signal.getsignal(signal.SIGPROF) is signal.SIG_DFL
            burn(0.2)
            assert not sampler.take().stacks
            sampler.start()
            burn(0.3)
            assert sampler.take().samples
            sampler.close()
            os._exit(7)
        assert 7 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        burn(0.3)
        assert sampler.take().samples
        print("parent goes on")
    """)
    assert (0, "parent goes on\n") == (done.returncode, done.stdout), done.stderr


def test_ctrl_c_is_the_programs_own():
    done = run("""
        import _thread, threading
        threading.Timer(0.3, _thread.interrupt_main).start()
        try:
            burn(30)
        except KeyboardInterrupt:
            print("interrupted")
        burn(0.1)
        sampler.close()
    """)
    assert (0, "interrupted\n") == (done.returncode, done.stdout), done.stderr


def test_a_pause_ends_when_its_time_has_come_though_the_program_used_little_cpu():
    now = [0.0]
    pace = Pace(rate=50, budget=0.01)
    sampler = SignalSampler(pace=pace, clock=lambda: now[0])
    sampler.start()
    try:
        pace.pay(0.5, 0.0)
        burn(0.5)
        paused = sampler.take()
        now[0] = 40.0
        burn(1.0)
        after = sampler.take()
    finally:
        sampler.close()
    assert (0, 1) == (paused.samples, paused.pauses)
    assert after.samples > 0
    assert cpu_of(after, ":burn") > 0
