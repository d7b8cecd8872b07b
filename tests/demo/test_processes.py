import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from runtime_exporter.demo.processes import Children
from runtime_exporter.errors import ExporterError
from tools import wait_for

SLEEPS = (sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('awake', flush=True); time.sleep(60)",
)

PARENT = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from runtime_exporter.demo.processes import Children, interruptible
    try:
        with interruptible(), Children(Path(sys.argv[1])) as children:
            child = children.start("child", [sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)"])
            while "awake" not in child.last_words():
                time.sleep(0.01)
            print(child.process.pid, flush=True)
            time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(130)
    """
)


@pytest.fixture
def children(tmp_path):
    with Children(tmp_path) as children:
        yield children


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_what_a_child_says_is_in_its_log(children):
    child = children.start("speaker", [sys.executable, "-c", "print('one'); print('two'); print('three')"])
    child.process.wait(10)
    assert "two\nthree" == child.last_words(2)


def test_children_are_ended_when_the_block_is_left_by_an_exception(tmp_path):
    def fail():
        with Children(tmp_path) as children:
            started.append(children.start("sleeper", SLEEPS))
            raise ZeroDivisionError

    started = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert [False] == [child.alive for child in started]


def test_a_child_that_ignores_the_request_is_killed(children):
    child = children.start("stubborn", STUBBORN)
    wait_for(lambda: "awake" in child.last_words(), what="the stubborn child's start")
    children.stop(grace=0.2)
    assert -signal.SIGKILL == child.process.returncode


def test_a_child_that_obeys_is_not_killed(children):
    child = children.start("sleeper", SLEEPS)
    wait_for(lambda: "awake" in child.last_words(), what="the sleeper's start")
    children.stop()
    assert -signal.SIGTERM == child.process.returncode


def test_a_child_that_ended_by_itself_is_reported_with_its_last_words(children):
    child = children.start("loser", [sys.executable, "-c", "import sys; sys.exit('no luck')"])
    child.process.wait(10)
    with pytest.raises(ExporterError, match=r"loser ended with status 1:\nno luck"):
        children.check()


def test_children_that_run_are_no_error(children):
    children.start("sleeper", SLEEPS)
    children.check()


def test_a_program_that_does_not_exist_says_so(children):
    child = children.start("nothing", ["/nowhere/at-all"])
    child.process.wait(10)
    with pytest.raises(ExporterError, match="/nowhere/at-all: No such file or directory"):
        children.check()


def test_a_child_gets_the_environment_that_is_given(children):
    child = children.start("env", [sys.executable, "-c", "import os; print(os.environ['ONE'])"], environ={"ONE": "1"})
    child.process.wait(10)
    assert "1" == child.last_words()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_child_outlives_its_parent(tmp_path, number):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        try:
            child = int(parent.stdout.readline())
            assert not gone(child)
            parent.send_signal(number)
            assert (-signal.SIGKILL if number == signal.SIGKILL else 130) == parent.wait(20)
        finally:
            parent.kill()
    wait_for(lambda: gone(child), what="the child's end")


def test_a_child_whose_parent_is_gone_already_does_not_start():
    leash = Path(sys.modules[Children.__module__].leash.__file__)
    outcome = subprocess.run(
        [sys.executable, leash, str(os.getpid() + 1), "echo", "alive"], capture_output=True, check=False
    )
    assert (1, b"") == (outcome.returncode, outcome.stdout)
