"""Running one program: bounded in time and output, and ended with all that it started."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from runtime_exporter.act import command
from tools import wait_for


def python(code, **options):
    options.setdefault("timeout", 60)
    return command.run([sys.executable, "-c", code], **options)


def test_it_says_how_it_ended_and_what_it_said():
    outcome = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (outcome.code, outcome.problem, outcome.ok) == (3, "", False)
    assert sorted(outcome.output.split()) == ["err", "out"]
    assert python("").ok


def test_what_is_said_to_it_is_its_standard_input():
    said = b"x" * 200_000  # more than a pipe holds
    assert python("import sys; print(len(sys.stdin.read()))", said=said).output == "200000\n"


def test_no_shell_reads_the_arguments():
    echo = ["/bin/echo", "$(id)", "; id", "*", "`id`"]
    assert command.run(echo, timeout=60).output == "$(id) ; id * `id`\n"


def test_it_has_only_the_environment_that_is_listed(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    names = python("import os; print(*os.environ)", environment={"UNIT": "shop"}).output.split()
    assert {"UNIT", "PATH"} <= set(names) <= {"UNIT", "LC_CTYPE", *command._PASSED_ON}


def test_one_that_takes_too_long_is_ended():
    outcome = command.run(["/bin/sh", "-c", "echo begun; exec sleep 600"], timeout=1.5)
    assert (outcome.code, outcome.problem) == (-15, "it took longer than 1.5 s")
    assert outcome.output == "begun\n"


def test_one_that_does_not_listen_is_killed_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GRACE_SECONDS", 0.3)
    child = "import time; time.sleep(600)"
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}]); open('pid', 'w').write(str(child.pid)); time.sleep(600)"
    )
    outcome = python(code, timeout=600, directory=str(tmp_path), stop=(tmp_path / "pid").exists)
    assert (outcome.code, outcome.problem) == (-9, "we were ended")
    wait_for(lambda: (pid := (tmp_path / "pid").read_text()) != "" and not _runs(int(pid)), what="the child is gone")


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_that_says_too_much_is_ended_and_only_the_end_is_kept():
    outcome = python("while True: print('x' * 1000)")
    assert outcome.problem == f"it said more than {command.MOST_OUTPUT_BYTES} bytes"
    assert len(outcome.output) == command.KEPT_OUTPUT_BYTES


def test_one_that_cannot_be_started_is_no_error_of_ours():
    outcome = command.run(["/no/such/program"], timeout=1)
    assert (outcome.code, outcome.problem) == (None, "it could not be started: No such file or directory")
    assert command.run(["/bin/true"], timeout=1, directory="/no/such").problem.startswith("it could not be started")


LEAVES = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session={session});"
    "print(child.pid, flush=True); {then}"
)
SLEEPS = "import time; time.sleep(600)"


def test_what_it_leaves_in_its_group_ends_with_it_and_is_named():
    outcome = python(LEAVES.format(child=SLEEPS, session=False, then=""))
    left = int(outcome.output)
    assert outcome.ok
    assert [name.endswith(f"({left})") for name in outcome.left] == [True]
    assert not _runs(left)


def test_one_that_is_left_behind_and_does_not_listen_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GRACE_SECONDS", 0.3)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); time.sleep(600)"
    then = "import os, time\nwhile not os.path.exists('deaf'): time.sleep(0.01)"
    outcome = python(LEAVES.format(child=deaf, session=False, then="") + "\n" + then, directory=str(tmp_path))
    left = int(outcome.output)
    assert outcome.ok
    wait_for(lambda: not _runs(left), what="the child is gone")


def test_at_the_time_limit_its_group_ends_too_and_not_only_itself():
    outcome = command.run(["/bin/sh", "-c", "sleep 600 & echo $!; wait"], timeout=1.5)
    assert outcome.problem == "it took longer than 1.5 s"
    assert not _runs(int(outcome.output))


def test_what_has_a_session_of_its_own_lives_on_and_holds_up_nothing():
    # A service that a script starts keeps its output open, and goes on.
    outcome = python(LEAVES.format(child="import time; time.sleep(30)", session=True, then=""))
    left = int(outcome.output)
    try:
        assert (outcome.ok, outcome.left) == (True, ())
        assert _runs(left)
    finally:
        os.kill(left, 9)


@pytest.mark.parametrize("closed", ["sys.stdout.close()", "os.close(1); os.close(2)"])
def test_one_that_closes_its_output_is_waited_for(closed):
    stop = threading.Event()
    outcome = python(f"import os, sys, time; {closed}; time.sleep(0.5); os._exit(7)", stop=stop.is_set)
    assert outcome.code == 7
