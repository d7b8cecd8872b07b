"""In which process the exporter starts, and when."""

from __future__ import annotations

import io
import os
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from runtime_exporter import bootstrap
from runtime_exporter.bootstrap import autostart as autostart_module
from runtime_exporter.bootstrap.autostart import Autostart
from runtime_exporter.errors import AlreadyStartedError, ConfigError
from tools import together, wait_for


class Handle:
    """An exporter that counts."""

    def __init__(self) -> None:
        self.starts = 0
        self.closes = 0
        self.error: Exception | None = None

    def start(self):
        self.starts += 1
        if self.error:
            raise self.error
        return self

    def close(self) -> None:
        self.closes += 1


@pytest.fixture
def handle():
    return Handle()


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def autostart(handle, complaints, monkeypatch):
    for name, value in bootstrap.environment({"PYTHONPATH": "/own"}, os.getpid()).items():
        monkeypatch.setenv(name, value)
    return Autostart(handle.start, complaints.append, delay=0)


def test_the_environment_is_what_it_was_once_the_exporter_is_taken_out_of_it():
    for environ in ({"A": "b"}, {"PYTHONPATH": "/x:/y"}, {}):
        assert environ == bootstrap.without(bootstrap.environment(environ, 7))


def test_a_directory_that_nobody_named_is_taken_out_of_the_environment_too():
    named = {bootstrap.RUN_DIRECTORY: "/run/shop"}
    assert named == bootstrap.without(bootstrap.environment(named, 7))
    made = {bootstrap.RUN_DIRECTORY: "/dev/shm/x", bootstrap.RUN_DIRECTORY_MADE: "/dev/shm/x", "A": "b"}
    assert bootstrap.without(bootstrap.environment(made, 7)) == {"A": "b"}


def test_our_directory_comes_first_on_the_path_and_holds_nothing_but_sitecustomize():
    environ = bootstrap.environment({"PYTHONPATH": "/x"}, 7)
    first, second = environ["PYTHONPATH"].split(os.pathsep)
    assert ["sitecustomize.py"] == [path.name for path in Path(first).iterdir() if path.suffix == ".py"]
    assert (second, environ[bootstrap.MARK]) == ("/x", "7")


def test_an_armed_process_starts_after_a_moment(autostart, handle):
    autostart.arm()
    wait_for(lambda: handle.starts == 1, what="the start")


def test_a_process_that_serves_starts_once_however_often_it_says_so(autostart, handle):
    together(*[autostart.serving] * 8)
    assert handle.starts == 1


def test_who_started_takes_the_mark_out_of_the_environment_of_its_children(autostart):
    autostart.serving()
    assert bootstrap.MARK not in os.environ
    assert os.environ["PYTHONPATH"] == "/own"


def test_a_supervisor_does_not_start_and_leaves_the_mark(handle, complaints, autostart):
    late = Autostart(handle.start, complaints.append, delay=60)
    late.arm()
    late.supervising()
    assert handle.starts == 0
    assert bootstrap.MARK in os.environ
    assert "runtime-exporter-start" not in {thread.name for thread in threading.enumerate()}


def test_a_supervisor_that_started_too_early_closes_and_puts_the_mark_back(autostart, handle):
    autostart.arm()
    wait_for(lambda: bootstrap.MARK not in os.environ, what="the start")
    autostart.supervising()
    assert (handle.starts, handle.closes) == (1, 1)
    assert os.environ["PYTHONPATH"] == os.pathsep.join([bootstrap.INJECTED, "/own"])
    assert os.environ[bootstrap.MARK] == str(os.getpid())


def test_a_forked_worker_of_a_supervisor_starts_when_it_serves(autostart, handle):
    autostart.supervising()
    autostart.forked()
    autostart.serving()
    assert handle.starts == 1


def test_a_forked_worker_waits_for_no_lock_that_a_thread_of_its_parent_held(autostart, handle):
    with autostart._disarm._cond:
        autostart.forked()
        worker = threading.Thread(target=autostart.serving, daemon=True)
        worker.start()
        worker.join(10)
        assert not worker.is_alive()
    assert handle.starts == 1


@pytest.fixture
def makers(monkeypatch, tmp_path):
    """What is done at the end of the process, while shared memory is a directory of the test."""
    from runtime_exporter.bootstrap import rundirectory

    ends = []
    monkeypatch.setattr(rundirectory, "SHARED_MEMORY", str(tmp_path))
    monkeypatch.setattr("atexit.register", lambda function, *arguments: ends.append(partial(function, *arguments)))
    for name in (bootstrap.RUN_DIRECTORY, bootstrap.RUN_DIRECTORY_MADE):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield ends
    for end in ends:
        end()


def test_the_supervisor_of_several_makes_a_directory_and_its_workers_forget_it_when_they_have_started(
    autostart, makers, handle, tmp_path
):
    autostart.sharing()
    directory = Path(os.environ[bootstrap.RUN_DIRECTORY])
    assert directory.is_dir()
    assert tmp_path in directory.parents
    autostart.forked()
    autostart.serving()
    assert handle.starts == 1
    assert bootstrap.RUN_DIRECTORY not in os.environ
    makers.pop()()
    assert not directory.exists()


def test_a_directory_that_the_user_named_is_the_workers_and_stays(autostart, makers, monkeypatch, tmp_path):
    for named in (str(tmp_path / "own"), ""):
        monkeypatch.setenv(bootstrap.RUN_DIRECTORY, named)
        autostart.sharing()
        autostart.serving()
        assert named == os.environ[bootstrap.RUN_DIRECTORY]
    assert [] == makers


def test_a_supervisor_that_another_one_of_the_service_started_uses_the_same_directory(autostart, makers):
    autostart.sharing()
    first = Path(os.environ[bootstrap.RUN_DIRECTORY])
    autostart.sharing()
    assert first == Path(os.environ[bootstrap.RUN_DIRECTORY])
    makers.pop(0)()
    assert first.is_dir()
    makers.pop(0)()
    assert not first.exists()


def test_processes_that_are_root_no_more_share_one_of_their_own_user_s_though_each_makes_it_by_itself(
    autostart, makers, monkeypatch, tmp_path, handle, complaints
):
    own = tmp_path / f"runtime-exporter-{os.geteuid()}" / "7-abc"
    for _ in range(2):
        monkeypatch.setenv(bootstrap.RUN_DIRECTORY, "/root/closed/7-abc")
        monkeypatch.setenv(bootstrap.RUN_DIRECTORY_MADE, "/root/closed/7-abc")
        autostart.unprivileged()
        assert str(own) == os.environ[bootstrap.RUN_DIRECTORY] == os.environ[bootstrap.RUN_DIRECTORY_MADE]
        (own / "0.worker").touch()
    Autostart(handle.start, complaints.append).unprivileged()
    assert str(own) == os.environ[bootstrap.RUN_DIRECTORY]
    assert ([], []) == (makers, complaints)  # a worker that ends does not remove what is the others'


def test_a_directory_that_the_user_named_is_used_by_who_is_root_no_more(autostart, makers, monkeypatch):
    monkeypatch.setenv(bootstrap.RUN_DIRECTORY, "/root/closed")
    autostart.unprivileged()
    assert "/root/closed" == os.environ[bootstrap.RUN_DIRECTORY]


def test_a_directory_that_cannot_be_made_is_one_line_and_the_workers_start_alone(
    autostart, makers, monkeypatch, complaints, handle, tmp_path
):
    from runtime_exporter.bootstrap import rundirectory

    monkeypatch.setattr(rundirectory, "SHARED_MEMORY", str(tmp_path / "none"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "neither"))
    autostart.sharing()
    told = os.environ[bootstrap.RUN_DIRECTORY]  # that each worker has none is to be seen in its metrics, too
    assert not Path(told).exists()
    autostart.serving()
    (line,) = complaints
    assert line.startswith("no run directory, so each worker is alone: ")
    assert all(f"No such file or directory: '{tmp_path / place}" in line for place in ("none", "neither"))
    assert (handle.starts, bootstrap.RUN_DIRECTORY in os.environ) == (1, False)


def test_a_program_that_closed_its_standard_error_gets_no_exception_for_a_complaint(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    sys.stderr.close()
    autostart_module._complain("port 1 is in use")
    monkeypatch.setattr(sys, "stderr", None)
    autostart_module._complain("port 1 is in use")


def test_a_program_that_started_by_itself_hears_no_complaint(autostart, handle, complaints):
    handle.error = AlreadyStartedError("already")
    autostart.serving()
    assert [] == complaints
    assert bootstrap.MARK not in os.environ


@pytest.mark.parametrize(
    ("error", "line"), [(ConfigError("port 1 is in use"), "port 1 is in use"), (KeyError(), "KeyError")]
)
def test_a_start_that_fails_is_one_line_and_is_not_tried_again(autostart, handle, complaints, error, line):
    handle.error = error
    autostart.serving()
    autostart.serving()
    assert ([line], 1) == (complaints, handle.starts)
    assert bootstrap.MARK not in os.environ


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["python", "/venv/bin/gunicorn", "-w", "4"], True),
        (["python", "-m", "gunicorn", "shop:app"], True),
        (["python", "app.py", "gunicorn"], False),
        (["python", "-m", "flask", "run"], False),
        (["python"], False),
    ],
)
def test_gunicorn_is_told_by_how_it_was_called(words, told):
    assert told == autostart_module._is_gunicorn(words)
