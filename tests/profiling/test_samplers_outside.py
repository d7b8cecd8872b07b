"""Samplers outside of the process: py-spy for real, CPython's remote debugging with a stand-in for its module."""

import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.samplers import pyspy, remote, remote_child
from runtime_exporter.profiling.samplers.collapsed import Line, modules_by_file, parse
from runtime_exporter.profiling.samplers.outside import OutsideSampler, _Starts
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.sampler import NOT_SAMPLED, OWN
from runtime_exporter.profiling.samplers.tracer import OUTPUT, Tracer
from runtime_exporter.profiling.threadclock import native_threads
from runtime_exporter.sigmask import start_without_signals
from tools import wait_for


def burn(cpu_seconds):
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        sum(range(500))


# --- the text that both write ---------------------------------------------------------------------------------------


def test_a_line_is_a_thread_a_stack_and_a_count():
    text = "thread (4711): worker-1;<module> (/srv/shop.py:3);Shop.search (/srv/shop.py:30) 12\n"
    stack = (Frame("shop:Shop.search", "/srv/shop.py", 30), Frame("shop:<module>", "/srv/shop.py", 3))
    assert [Line(4711, "worker-1", stack, 12)] == list(parse(text, {"/srv/shop.py": "shop"}))


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("f (/lib/json/__init__.py:7)", Frame("json:f", "/lib/json/__init__.py", 7)),
        ("f (/a/tool.py)", Frame("tool:f", "/a/tool.py", 0)),
        (
            "_find (<frozen importlib._bootstrap>:9)",
            Frame("importlib._bootstrap:_find", "<frozen importlib._bootstrap>", 9),
        ),
        ("<lambda> (/a (b)/c.py:1)", Frame("c:<lambda>", "/a (b)/c.py", 1)),
        ("no file", Frame("no file")),
        ("f (<string>:1)", Frame("<string>:f", "<string>", 1)),
    ],
)
def test_a_frame_is_called_by_its_module_and_function(frame, expected):
    (line,) = parse(f"{frame} 1", {})
    assert (expected,) == line.stack


@pytest.mark.parametrize("text", ["", "no count", "py-spy> Wrote raw flamegraph data. Samples: 3 Errors: none", " 4"])
def test_what_is_no_stack_is_left_out(text):
    assert [] == list(parse(text, {}))


def test_a_thread_may_be_called_by_its_identifier_and_have_no_name():
    (line,) = parse("thread (0x7F00);f (a.py:1) 2", {})
    assert (0x7F00, "", 2) == (line.thread, line.thread_name, line.samples)


def test_the_module_of_a_file_is_what_imported_it():
    assert "runtime_exporter.profiling.samplers.pyspy" == modules_by_file()[pyspy.__file__]


@pytest.mark.parametrize("how", ["file", "module"])
def test_the_program_is_main_at_its_exit_too(tmp_path, how):
    program = tmp_path / "shop.py"
    program.write_text(
        "import atexit\n"
        "from runtime_exporter.profiling.samplers.collapsed import modules_by_file\n"
        "atexit.register(lambda: print(modules_by_file().get(FILE)))\n"
        "FILE = __file__\n"
    )
    command = [str(program)] if how == "file" else ["-m", "shop"]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )

    assert "__main__\n" == done.stdout


# --- a helper process -----------------------------------------------------------------------------------------------


def write(expression):
    code = f"import sys; open(sys.argv[1], 'w').write({expression})"
    return [sys.executable, "-c", code, OUTPUT]


def test_a_helpers_result_is_what_it_wrote_and_its_cpu_is_known():
    tracer = Tracer()
    tracer.start(write("'x' * 1_000_000"))  # more than a pipe holds
    assert "x" * 1_000_000 == tracer.collect()
    assert tracer.cpu_ns > 1_000_000
    assert False is tracer.running


def test_a_helper_that_fails_says_why():
    tracer = Tracer()
    tracer.start([sys.executable, "-c", "import sys; sys.exit('Permission denied: see the manual')", OUTPUT])
    with pytest.raises(ProfileError, match="the profiling helper failed: Permission denied: see the manual"):
        tracer.collect()


def test_a_program_that_is_not_there_is_named():
    tracer = Tracer()
    with pytest.raises(ProfileError, match="/nowhere/py-spy cannot be started"):
        tracer.start(["/nowhere/py-spy", OUTPUT])
    tracer.close()


def test_a_helper_that_hangs_is_ended():
    tracer = Tracer()
    tracer.start([sys.executable, "-c", "import time; time.sleep(600)", OUTPUT])
    pid = tracer._process.pid
    with pytest.raises(ProfileError, match=r"wrote nothing within 0.2 s"):
        tracer.collect(timeout=0.2)
    assert not Path(f"/proc/{pid}").exists()


def open_files():
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


def test_a_helper_that_is_asked_to_end_before_it_looks_has_seen_nothing_and_has_not_failed():
    tracer = Tracer()
    tracer.start(["/bin/sh", "-c", "kill -INT $$"])
    tracer.interrupt()
    assert "" == tracer.collect()
    tracer.start(["/bin/sh", "-c", "kill -INT $$"])
    with pytest.raises(ProfileError, match="exit code -2"):
        tracer.collect()


def test_a_helper_leaves_no_file_open():
    before = open_files()
    tracer = Tracer()
    tracer.start(write("'done'"))
    tracer.collect()
    tracer.start([sys.executable, "-c", "import time; time.sleep(600)", OUTPUT])
    tracer.close()
    assert set() == open_files() - before


def test_where_yama_restricts_tracing_the_helper_begins_after_it_was_allowed_to(tmp_path):
    scope = tmp_path / "ptrace_scope"
    scope.write_text("1\n")
    tracer = Tracer(yama=scope)
    code = "import os, sys; open(sys.argv[1], 'w').write(f'{os.getpid()} {sys.stdin.read()!r}')"
    tracer.start([sys.executable, "-c", code, OUTPUT])
    pid = tracer._process.pid
    assert f"{pid} ''" == tracer.collect()  # the very process that was named, and nothing left of how it was held


def test_a_helper_can_be_interrupted_though_the_thread_that_starts_it_takes_no_signals():
    results = []
    code = """
        import sys, time
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            open(sys.argv[1], "w").write("interrupted")
    """

    def run():
        tracer = Tracer()
        tracer.start([sys.executable, "-c", textwrap.dedent(code), OUTPUT])
        wait_for(lambda: b"ready" in os.pread(tracer._messages.fileno(), 100, 0), what="the helper")
        tracer.interrupt()
        results.append(tracer.collect())

    thread = threading.Thread(target=run)
    start_without_signals(thread)
    thread.join()
    assert ["interrupted"] == results


# --- from counts to CPU time ----------------------------------------------------------------------------------------


def sampler_that_reads(text, tmp_path, **options):
    """Return a sampler whose helper writes `text` when it is interrupted."""
    program = tmp_path / "helper.py"
    program.write_text(
        f"import sys, time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n"
        f"    open(sys.argv[1], 'w').write({text!r})\n"
    )
    sampler = OutsideSampler("stand-in", lambda *_: (sys.executable, "-S", str(program), OUTPUT), **options)
    sampler.start()
    wait_for(lambda: os.fstat(sampler._tracer._messages.fileno()).st_size, what="the helper")
    return sampler


def test_a_threads_cpu_is_divided_as_its_samples_are(tmp_path):
    tid = threading.get_native_id()
    sampler = sampler_that_reads(f"thread ({tid}): M;a (a.py:1) 3\nthread ({tid}): M;b (b.py:1) 1\n", tmp_path)
    burn(0.05)
    window = sampler.take()
    sampler.close()
    main = {stack[0].name: usage for (group, stack), usage in window.stacks.items() if group == "MainThread"}
    assert {"a:a", "b:b"} == set(main)
    assert 4 == window.samples
    assert 0.05e9 <= main["a:a"].cpu_ns + main["b:b"].cpu_ns
    assert abs(main["a:a"].cpu_ns - 3 * main["b:b"].cpu_ns) <= 4


def test_the_cpu_of_a_helper_is_told_once_and_not_again_after_a_new_start(tmp_path):
    sampler = sampler_that_reads("", tmp_path)
    ready = lambda: os.fstat(sampler._tracer._messages.fileno()).st_size  # noqa: E731
    first = sampler.take().helper_cpu_ns
    wait_for(ready, what="the next helper")
    sampler.close()
    closed = sampler._tracer.cpu_ns
    sampler.start()
    wait_for(ready, what="the helper after the new start")
    again = sampler.take().helper_cpu_ns
    total = sampler._tracer.cpu_ns
    sampler.close()
    assert 0 < first < closed
    assert total - closed == again


def test_cpu_of_a_thread_without_a_sample_is_said_not_to_be_sampled(tmp_path):
    sampler = sampler_that_reads("", tmp_path)
    burn(0.05)
    window = sampler.take()
    sampler.close()
    assert window.stacks["MainThread", NOT_SAMPLED].cpu_ns >= 0.05e9


def test_cpu_of_ended_threads_goes_to_those_that_were_sampled_and_are_gone(tmp_path):
    sampler = sampler_that_reads("thread (99999999): request-7;handle (a.py:1) 2\n", tmp_path)
    thread = threading.Thread(target=burn, args=(0.05,))
    thread.start()
    thread.join()
    wait_for(lambda: thread.native_id not in native_threads(), what="the end of the thread")
    window = sampler.take()
    sampler.close()
    assert window.stacks["request", (Frame("a:handle", "a.py", 1),)].cpu_ns >= 0.05e9


@pytest.mark.parametrize(("rate", "expected"), [(5, {"a:a"}), (50, {"a:a", "(not sampled)"})])
def test_a_thread_of_a_group_that_was_missed_by_chance_did_what_the_group_did(tmp_path, rate, expected):
    go, stop = threading.Event(), threading.Event()
    burnt = threading.Barrier(3)
    threads = [
        threading.Thread(target=lambda: (go.wait(60), burn(0.1), burnt.wait(60), stop.wait(60)), name=f"pool-{number}")
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    text = f"thread ({threads[0].native_id}): pool-0;a (a.py:1) 2\n"
    sampler = sampler_that_reads(text, tmp_path, pace=Pace(rate=rate, budget=1.0))
    go.set()
    burnt.wait(60)
    window = sampler.take()
    sampler.close()
    stop.set()
    for thread in threads:
        thread.join()
    pool = {stack[0].name: usage for (group, stack), usage in window.stacks.items() if group == "pool"}
    assert expected == pool.keys()
    assert 2 == pool["a:a"].samples
    assert sum(usage.cpu_ns for usage in pool.values()) >= 0.2e9


def test_our_own_threads_are_not_shown_though_the_helper_sees_them(tmp_path):
    stop = threading.Event()
    own = threading.Thread(target=lambda: (burn(0.01), stop.wait(60)), name="runtime-exporter-test")
    own.start()
    sampler = sampler_that_reads(f"thread ({own.native_id}): x;secret (a.py:1) 2\n", tmp_path)
    window = sampler.take()
    stop.set()
    own.join()
    sampler.close()
    assert not [stack for _, stack in window.stacks if stack[0].name == "a:secret"]
    assert all(stack == OWN for group, stack in window.stacks if group == "runtime-exporter")


def test_a_helper_that_dies_costs_one_window(tmp_path):
    sampler = sampler_that_reads("", tmp_path)
    sampler._tracer._process.kill()
    assert 1 == sampler.take().dropped
    wait_for(lambda: os.fstat(sampler._tracer._messages.fileno()).st_size, what="the next helper")
    assert 0 == sampler.take().dropped
    sampler.close()


def helper_is_ready(sampler):
    wait_for(lambda: os.fstat(sampler._tracer._messages.fileno()).st_size, what="the helper")


def test_a_helper_over_its_budget_pauses_within_a_window_and_goes_on_when_there_is_enough_for_it(tmp_path):
    now = [0.0]
    tid = threading.get_native_id()
    text = f"thread ({tid}): M;a (a.py:1) 3\n"
    pace = Pace(budget=0.01)
    sampler = sampler_that_reads(text, tmp_path, pace=pace, clock=lambda: now[0])
    pace.restart(0.0)
    pace.pay(0.5, 0.0)  # more than the 0.4 s that are saved, so that 37.5 s are needed to save half of them anew
    sampler.tend()
    assert False is sampler._tracer.running
    now[0] = 37.0
    sampler.tend()
    assert False is sampler._tracer.running
    now[0] = 38.0
    sampler.tend()
    assert True is sampler._tracer.running
    helper_is_ready(sampler)
    burn(0.01)
    window = sampler.take()
    sampler.close()
    assert (6, 1, 0) == (window.samples, window.pauses, window.dropped)  # what both helpers saw
    assert {"a:a"} == {stack[0].name for group, stack in window.stacks if group == "MainThread"}


def test_in_a_pause_no_helper_runs_and_windows_go_on(tmp_path):
    now = [0.0]
    pace = Pace(budget=0.01)
    sampler = sampler_that_reads("", tmp_path, pace=pace, clock=lambda: now[0])
    pace.pay(0.5, 0.0)
    pauses = []
    for now[0] in (10.0, 20.0, 30.0):
        pauses.append(sampler.take().pauses)
        assert False is sampler._tracer.running
    assert [1, 0, 0] == pauses
    now[0] = 60.0
    sampler.take()
    assert True is sampler._tracer.running
    sampler.close()


def test_the_start_of_a_helper_stretches_the_window_and_pauses_nothing(tmp_path):
    now = [0.0]
    sampler = sampler_that_reads("", tmp_path, pace=Pace(budget=0.25), clock=lambda: now[0])
    assert 0.0 == sampler.shortest
    now[0] += 5
    started = sampler._tracer.cpu_time_ns() / 1e9
    sampler.tend()
    now[0] += 55
    window = sampler.take()  # which it ends for next to nothing: it has slept since
    assert 0 == window.pauses
    assert started / (0.25 * 0.25) * 0.5 <= sampler.shortest <= window.helper_cpu_ns / 1e9 / (0.25 * 0.25)
    sampler.close()


def test_what_a_start_costs_is_what_was_used_early_less_what_its_looks_took():
    starts = _Starts()
    starts.begin(100.0, 7.0)
    starts.see(100.5, 7.05)  # too early to tell
    starts.see(105.0, 7.15)
    starts.see(110.0, 7.25)
    starts.end(125.0, 7.55)
    assert 0.05 == pytest.approx(starts.cost)


def test_a_helper_that_ran_too_short_to_tell_has_cost_its_start_alone():
    starts = _Starts()
    starts.begin(100.0, 7.0)
    starts.end(102.0, 7.08)
    assert 0.08 == pytest.approx(starts.cost)


def test_before_it_is_started_and_after_it_is_closed_there_is_nothing_to_tend(tmp_path):
    sampler = sampler_that_reads("", tmp_path)
    sampler.close()
    sampler.tend()
    assert False is sampler._tracer.running


def test_a_forked_child_leaves_the_parents_helper_alone(tmp_path):
    sampler = sampler_that_reads("", tmp_path)
    pid = os.fork()
    if pid == 0:
        sampler.forked()
        sampler.close()
        os._exit(0 if not sampler.take().stacks else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert None is sampler._tracer._process.poll()
    sampler.close()


# --- py-spy ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def needs_pyspy():
    if not os.access(Path(sys.executable).parent / "py-spy", os.X_OK) and shutil.which("py-spy") is None:
        message = "py-spy is not installed: pip install 'runtime-exporter[pyspy]'"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    try:
        pyspy.self_test()
    except ProfileError as error:
        pytest.skip(f"py-spy may not look at this process: {error}")


@pytest.mark.usefixtures("needs_pyspy")
def test_py_spy_finds_the_busy_function_of_each_thread(monkeypatch):
    # Other tests may have left threads behind, and with many of them it would look at the holder of the GIL only.
    monkeypatch.setattr(pyspy, "MOST_THREADS_SEEN", 1000)
    sampler = pyspy.sampler(pace=Pace(rate=50, budget=1.0))
    sampler.start()
    worker = threading.Thread(target=burn, args=(0.6,), name="worker-1")
    worker.start()
    burn(0.6)
    window = sampler.take()
    worker.join()
    sampler.close()
    cpu = Counter()
    for (group, stack), usage in window.stacks.items():
        cpu[group, stack[0].name] += usage.cpu_ns
    assert cpu["MainThread", f"{__name__}:burn"] > 0.5e9
    assert window.helper_cpu_ns > 0
    assert frozenset({"cpu"}) == sampler.capabilities.measures


@pytest.mark.usefixtures("needs_pyspy")
def test_with_many_threads_py_spy_looks_at_the_holder_of_the_gil_only():
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait, args=(60,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    sampler = pyspy.sampler()
    sampler.start()
    try:
        assert frozenset({"gil"}) == sampler.capabilities.measures
        # Empty for a moment, between the end of what it was and the beginning of what it becomes.
        command = wait_for(
            Path(f"/proc/{sampler._tracer._process.pid}/cmdline").read_bytes, what="py-spy's command line"
        )
        assert b"--gil" in command.split(b"\0")
    finally:
        sampler.close()
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.usefixtures("needs_pyspy")
def test_py_spy_ends_with_the_program_even_if_that_is_killed():
    program = """
        import time
        from runtime_exporter.profiling.samplers import pyspy
        sampler = pyspy.sampler()
        sampler.start()
        print(sampler._tracer._process.pid, flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    helper = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    # A zombie has no command line; who reaps it is not our affair.
    cmdline = Path(f"/proc/{helper}/cmdline")
    wait_for(lambda: not cmdline.exists() or not cmdline.read_bytes(), what="the end of py-spy")


def test_without_py_spy_the_pip_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProfileError, match=r"pip install 'runtime-exporter\[pyspy\]'"):
        pyspy.self_test()


# --- remote ---------------------------------------------------------------------------------------------------------


# As in CPython 3.14, and in 3.15.
def frame_314(file, line, name):
    return SimpleNamespace(filename=file, lineno=line, funcname=name)


def frame_315(file, location, name):
    return SimpleNamespace(filename=file, location=location, funcname=name, opcode=None)


def thread(tid, frames, **more):
    return SimpleNamespace(thread_id=tid, frame_info=frames, **more)


IN_314 = [thread(7, [frame_314("a.py", 3, "leaf"), frame_314("a.py", 9, "<module>")]), thread(8, [])]
IN_315 = [
    SimpleNamespace(
        interpreter_id=0,
        threads=[
            thread(7, [frame_315("a.py", (3, 3, 0, 4), "leaf"), frame_315("a.py", (9, 9, 0, 1), "<module>")], status=1)
        ],
    ),
    SimpleNamespace(interpreter_id=1, threads=[thread(8, [frame_315("~", None, "<GC>")], status=0)]),
]


def test_stacks_of_3_14_are_read():
    assert [(7, "<module> (a.py:9);leaf (a.py:3)")] == list(remote_child.stacks(IN_314))


def test_stacks_of_3_15_are_read():
    assert [(7, "<module> (a.py:9);leaf (a.py:3)"), (8, "<GC> (~:0)")] == list(remote_child.stacks(IN_315))


def test_the_remote_helper_counts_running_threads_leaves_out_torn_looks_and_ends_with_the_process():
    looks = iter([IN_315, RuntimeError("torn"), IN_315, OSError("torn"), ProcessLookupError()])

    def look():
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    seen = remote_child.record(look, lambda tid: tid == 7, 20.0, sleep=lambda _: None)
    assert {"thread (7);<module> (a.py:9);leaf (a.py:3)": 2} == seen


def test_the_remote_helper_tells_running_threads_from_waiting_ones():
    read, write_end = os.pipe()
    waiting = threading.Thread(target=os.read, args=(read, 1))
    waiting.start()
    wait_for(lambda: not remote_child.is_running(os.getpid(), waiting.native_id), what="a thread that waits")
    assert True is remote_child.is_running(os.getpid(), threading.get_native_id())
    os.write(write_end, b"x")
    waiting.join()
    os.close(read)
    os.close(write_end)
    assert False is remote_child.is_running(os.getpid(), 99_999_999)


def test_the_remote_sampler_works_with_a_stand_in_for_the_interpreters_module(tmp_path):
    tid = threading.get_native_id()
    stand_in = f"""
        import collections, runpy, sys, types
        Frame = collections.namedtuple("Frame", "filename lineno funcname")
        Thread = collections.namedtuple("Thread", "thread_id frame_info")

        class RemoteUnwinder:
            def __init__(self, pid, *, all_threads):
                assert pid == {os.getpid()} and all_threads
                print("ready", flush=True)

            def get_stack_trace(self):
                return [Thread({tid}, [Frame("a.py", 3, "leaf")])]

        sys.modules["_remote_debugging"] = types.SimpleNamespace(RemoteUnwinder=RemoteUnwinder)
        sys.argv = sys.argv[1:]
        runpy.run_path(sys.argv[0], run_name="__main__")
    """
    program = tmp_path / "python314.py"
    program.write_text(textwrap.dedent(stand_in))

    def command(pid, rate, gil):
        executable, *arguments = remote.command(pid, rate, gil)
        return (executable, *arguments[:2], str(program), *arguments[2:])

    sampler = OutsideSampler(remote.NAME, command, pace=Pace(rate=50, budget=10.0))
    sampler.start()
    wait_for(lambda: os.fstat(sampler._tracer._messages.fileno()).st_size, what="the helper")
    burn(0.5)
    window = sampler.take()
    sampler.close()
    assert window.stacks["MainThread", (Frame("a:leaf", "a.py", 3),)].cpu_ns >= 0.5e9


def test_the_remote_sampler_is_not_tried_before_3_14():
    with pytest.raises(ProfileError, match=r"needs CPython 3\.14, this is 3\.11"):
        remote.self_test(version=(3, 11))


def test_an_interpreter_without_the_module_is_said_to_have_none():
    if sys.version_info >= (3, 14):
        pytest.skip("this one has it")
    with pytest.raises(ProfileError, match="no _remote_debugging module"):
        remote.self_test(version=(3, 14))


def test_the_helpers_program_knows_the_standard_library_only():
    done = subprocess.run(
        [sys.executable, "-I", "-S", remote_child.__file__, "1", "20", "/dev/null"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named '_remote_debugging'" in done.stderr or sys.version_info >= (3, 14)
