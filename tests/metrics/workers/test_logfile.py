"""The file of a log: what is in it is whole, on a full disk, too."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from runtime_exporter.metrics.workers import log, logfile
from runtime_exporter.metrics.workers.logfile import LogFile

ONE, TWO, THREE = (log.encode(word) for word in ("one", "two", "three"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "0.00.keys"


@pytest.fixture
def file(path):
    file = LogFile(path)
    yield file
    file.close()


@pytest.fixture
def full(monkeypatch):
    """A disk that takes so many bytes more and then none."""
    left = SimpleNamespace(bytes=10**6)
    write = os.write

    def writes(descriptor, data):
        if not left.bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, data[: left.bytes])
        left.bytes -= written
        return written

    monkeypatch.setattr(logfile.os, "write", writes)
    return left


def words(path):
    return [word for (word,) in log.decode(path.read_bytes())[0]]


@pytest.mark.parametrize("room", [0, 5])
def test_a_record_that_does_not_fit_leaves_nothing_behind_and_the_next_one_is_read(path, file, full, room):
    assert file.append(ONE)
    full.bytes = room
    assert not file.append(TWO)
    full.bytes = 1000
    assert file.append(THREE)
    assert (["one", "three"], len(ONE + THREE), True) == (words(path), file.size, file.refused)


def test_a_log_that_is_written_anew_has_what_was_given_and_goes_on(path, file):
    file.append(ONE)
    file.replace(TWO)
    assert (["two"], len(TWO)) == (words(path), file.size)
    assert file.append(THREE)
    assert ["two", "three"] == words(path)
    assert [path] == [*path.parent.iterdir()]


def test_a_log_that_there_is_no_room_for_anew_stays_as_it_was(path, file, full):
    file.append(ONE)
    full.bytes = 5
    with pytest.raises(OSError, match="No space left"):
        file.replace(TWO)
    full.bytes = 1000
    assert file.append(THREE)
    assert ["one", "three"] == words(path)
    assert [path] == [*path.parent.iterdir()]


def test_it_is_known_whether_somebody_removed_it(path, file):
    assert not file.is_removed
    path.unlink()
    assert file.is_removed


def test_no_log_takes_the_place_of_another(path, file):
    file.append(ONE)
    with pytest.raises(FileExistsError):
        LogFile(path)
    assert ["one"] == words(path)
