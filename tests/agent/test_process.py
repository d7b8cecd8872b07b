"""A process of this machine as a target: a real one, seen by py-spy and by the kernel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runtime_exporter.agent import processes
from runtime_exporter.agent.config import Target
from runtime_exporter.agent.process import ProcessTarget
from runtime_exporter.collectors.sources.process import foreign_process
from runtime_exporter.errors import BusyError, ProfileError
from runtime_exporter.profiling.profile import frames
from tools import wait_for

pytestmark = pytest.mark.skipif(
    not (Path(sys.executable).parent / "py-spy").exists(),
    reason="py-spy is not installed: pip install 'runtime-exporter[pyspy]'",
)

PROGRAM = """\
import socket, sys, threading
def burns_cpu():
    while True:
        sum(range(2000))
def waits():
    near, far = socket.socketpair()
    near.settimeout(0.05)
    while True:
        try:
            near.recv(1)
        except TimeoutError:
            pass
threading.Thread(target=waits, name="waiter-1", daemon=True).start()
print("ready", flush=True)
burns_cpu()
"""


@pytest.fixture
def program(tmp_path):
    """Start the program, in a file of its own name; each call starts another one."""
    started = []

    def start(name="busy"):
        path = tmp_path / f"{name}.py"
        path.write_text(PROGRAM)
        process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE)
        started.append(process)
        assert b"ready\n" == process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def target():
    """Make a target that looks for 1.5 s."""
    made = []

    def make(**where):
        made.append(ProcessTarget(Target(name="t", interval=1.5, **{"kinds": ("cpu",), **where})))
        return made[-1]

    yield make
    for one in made:
        one.close()


def times(profile):
    """Return the seconds of each innermost function."""
    found = {}
    for sample in profile.samples:
        name = frames(sample)[0].name
        found[name] = found.get(name, 0.0) + sample.values[-1] / 1e9
    return found


def test_the_cpu_time_of_a_process_is_where_it_goes_and_all_that_the_kernel_has_counted(program, target):
    process = program()
    read, close = foreign_process(process.pid)
    one = target(pid=process.pid)

    before = read().user_seconds
    first, second = one.take(), one.take()
    used = read().user_seconds - before
    close()

    found = times(second.profiles["cpu"])
    assert "__main__:burns_cpu" == max(found, key=found.get)
    total = sum(sum(times(taken.profiles["cpu"]).values()) for taken in (first, second))
    # The kernel's figure covers what is before the first window and after the last, too.
    assert 0.1 * used < total < used + 0.5
    assert first.end <= second.begin < second.end
    assert ("py-spy", True) == (second.backend, second.unbiased)
    assert 0 < second.helper_cpu_seconds


def test_threads_that_wait_are_seen_where_that_is_wanted_and_what_they_wait_for(program, target):
    taken = target(pid=program().pid, kinds=("cpu", "wall")).take()

    assert {"cpu", "wall", "block"} == taken.profiles.keys()
    wall = times(taken.profiles["wall"])
    assert {"__main__:burns_cpu", "__main__:waits"} <= wall.keys()
    assert all(seconds <= taken.seconds * 1.01 for seconds in wall.values())
    waits = [sample for sample in taken.profiles["block"].samples if "__main__:waits" == frames(sample)[0].name]
    assert {("thread_name", "waiter"), ("wait", "socket")} == {(one.key, one.str) for one in waits[0].labels}


def test_a_process_that_ends_is_told_at_once_and_the_next_one_with_the_command_is_found(program, target, tmp_path):
    first = program()
    one = target(command=re.escape(f"{tmp_path}/busy"))
    one.take()
    assert first.pid == one.process.pid

    first.kill()
    first.wait()
    with pytest.raises(ProfileError, match="no process has a command line with '/"):
        one.take()
    assert one.process is None

    second = program()
    one.take()
    assert second.pid == one.process.pid


def test_of_several_processes_it_is_the_one_that_works(program, target, tmp_path):
    idle = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(60) # {tmp_path}/busy"])
    try:
        busy = program()
        target(pid=busy.pid).take()  # in which it has worked
        assert busy.pid == processes.find(re.escape(f"{tmp_path}/busy")).pid
    finally:
        idle.kill()
        idle.wait()


def test_what_is_no_process_or_no_python_is_told(target):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(ProfileError, match=f"there is no process {gone.pid}"):
        target(pid=gone.pid).take()

    other = subprocess.Popen(["sleep", "60"])
    try:
        with pytest.raises(ProfileError, match="py-spy failed: "):
            target(pid=other.pid).take()
    finally:
        other.kill()
        other.wait()


def test_closing_ends_a_look_that_is_under_way_and_its_helper(program):
    one = ProcessTarget(Target(name="t", pid=program().pid, kinds=("cpu",), interval=60.0))
    results = []

    def take():
        try:
            results.append(one.take())
        except ProfileError as error:
            results.append(error)

    thread = threading.Thread(target=take)
    thread.start()
    one.close()
    thread.join(30)

    assert 1 == len(results)
    assert [] == [row for row in helpers() if "py-spy" in row]


def helpers():
    """Return the command lines of our children that are no zombies."""
    rows = []
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        try:
            rows.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode())
        except OSError:
            continue
    return rows


def test_a_profile_on_request_is_of_the_same_process(program, target):
    profile = target(pid=program().pid).capture("cpu", 1.0)
    assert "__main__:burns_cpu" in times(profile)


def test_what_cannot_be_seen_from_outside_is_refused(target):
    with pytest.raises(ProfileError, match="a cpu or wall profile can be taken, and no heap"):
        target(pid=os.getpid()).capture("heap", 1.0)


def test_a_number_that_belongs_to_another_process_now_is_another_process():
    own = processes.identify(os.getpid())
    assert processes.lives(own)
    assert not processes.lives(own._replace(started=own.started - 1))


def test_one_profile_is_taken_at_a_time_and_none_outlives_its_target(program, target):
    one = target(pid=program().pid)
    said = []

    def ask():
        with pytest.raises(ProfileError) as refused:
            one.capture("cpu", 60)
        said.append(str(refused.value))

    asking = threading.Thread(target=ask)
    asking.start()
    (helper,) = wait_for(lambda: _helpers("--duration 60"), what="py-spy to look")
    with pytest.raises(BusyError, match="one is at a time"):
        one.capture("wall", 1)
    one.close()
    asking.join(20)

    assert ["nobody waits for the profile any more"] == said
    assert not Path(f"/proc/{helper}").exists()


def _helpers(words):
    """Return the processes that we have started with such a command line."""
    children = [
        child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()
    ]
    lines = {child: Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode() for child in children}
    return [child for child, line in lines.items() if words in line]
