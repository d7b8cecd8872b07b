"""The directory that a supervisor makes for its workers: its own, private, and gone when nobody needs it."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runtime_exporter.bootstrap import rundirectory
from runtime_exporter.bootstrap.rundirectory import RunDirectory

KEEPER = """
import sys, time
from runtime_exporter.bootstrap.rundirectory import RunDirectory
print(RunDirectory.made(places=[sys.argv[1]]).path, flush=True)
time.sleep(60)
"""


@pytest.fixture
def made(tmp_path):
    """Make a directory; given up with the test."""
    directories = []

    def made(*arguments):
        directories.append(RunDirectory.made(*arguments, places=[str(tmp_path)]))
        return directories[-1]

    yield made
    for directory in directories:
        if directory.path.exists():
            directory.give_up()


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / f"runtime-exporter-{os.geteuid()}").iterdir())


def test_a_directory_is_this_users_alone(made):
    path = made().path
    assert [0o700, 0o700] == [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)]


def test_two_supervisors_of_a_user_have_two(made, tmp_path):
    assert sorted([made().path.name, made().path.name]) == names(tmp_path)


def test_who_asks_by_the_same_name_gets_the_same_one_with_what_is_in_it(tmp_path):
    first, second = (RunDirectory.made(places=[str(tmp_path)], name="7-abc") for _ in range(2))
    (first.path / "file").touch()
    assert first.path == second.path
    first.give_up()
    assert RunDirectory.made(places=[str(tmp_path)], name="7-abc").path / "file" in [*second.path.iterdir()]


def test_it_goes_with_what_is_in_it_when_its_maker_gives_it_up(made, tmp_path):
    directory = made()
    (directory.path / "0.worker").touch()
    directory.give_up()
    assert [] == names(tmp_path)


def test_it_stays_while_somebody_else_keeps_it(made, tmp_path):
    first = made()
    second = RunDirectory.kept(first.path)
    first.give_up()
    assert [first.path.name] == names(tmp_path)
    second.give_up()
    assert [] == names(tmp_path)


def test_it_stays_while_a_worker_lives_that_was_started_without_a_fork(tmp_path):
    directory = RunDirectory.made(places=[str(tmp_path)])
    with (directory.path / "0.worker").open("w") as worker:
        fcntl.flock(worker, fcntl.LOCK_EX)
        directory.give_up()
        assert [directory.path.name] == names(tmp_path)


def test_a_forked_child_gives_nothing_up(made):
    directory = made()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - another process
        directory.give_up()
        os._exit(0)
    os.waitpid(pid, 0)
    assert directory.path.is_dir()


def test_the_next_one_removes_what_a_killed_supervisor_left(made, tmp_path):
    with subprocess.Popen([sys.executable, "-c", KEEPER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as keeper:
        left = Path(keeper.stdout.readline().strip())
        kept = made().path
        assert sorted([left.name, kept.name]) == names(tmp_path)
        keeper.send_signal(signal.SIGKILL)
    assert sorted([kept.name, made().path.name]) == names(tmp_path)


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o720])
def test_a_directory_that_others_can_write_or_read_is_not_trusted(tmp_path, mode):
    mine = tmp_path / f"runtime-exporter-{os.geteuid()}"
    mine.mkdir()
    mine.chmod(mode)
    with pytest.raises(OSError, match="others may read it or write to it"):
        RunDirectory.made(places=[str(tmp_path)])


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"runtime-exporter-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="runtime-exporter"):
        RunDirectory.made(places=[str(tmp_path)])


def test_the_second_place_does_where_the_first_is_not_there(tmp_path):
    directory = RunDirectory.made(places=[str(tmp_path / "none"), str(tmp_path)])
    assert directory.path.parent.parent == tmp_path
    directory.give_up()


def test_shared_memory_does_where_there_is_no_place_for_temporary_files(tmp_path, monkeypatch):
    def refuse():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(rundirectory, "SHARED_MEMORY", str(tmp_path))
    monkeypatch.setattr("tempfile.gettempdir", refuse)
    RunDirectory.made().give_up()
    monkeypatch.setattr(rundirectory, "SHARED_MEMORY", str(tmp_path / "none"))
    with pytest.raises(OSError, match=r"No such file or directory: '.*none"):
        RunDirectory.made()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory away")
def test_workers_of_another_user_can_use_it_and_only_pass_through_the_one_above(made):
    path = made(65534, 65534).path
    assert (65534, 0o700) == (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o711
    assert made().path.is_dir()
