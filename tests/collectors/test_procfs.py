import os

import pytest

from runtime_exporter.collectors.sources.procfs import ProcFile, kilobytes, number, optional


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "file"
    file.write_text("first")
    return file


@pytest.fixture
def file(path):
    file = ProcFile(str(path))
    yield file
    file.close()


def test_a_read_returns_what_the_file_says_at_that_moment(path, file):
    first = file.read()
    path.write_text("second")

    assert (b"first", b"second") == (first, file.read())


def test_the_file_stays_open_between_reads(path, file, monkeypatch):
    file.read()
    monkeypatch.setattr(os, "open", None)

    assert b"first" == file.read()


def test_a_file_longer_than_the_first_guess_is_read_whole(path, file):
    content = b"0123456789" * 5000
    path.write_bytes(content)

    assert content == file.read()


def test_a_file_that_is_not_there_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        ProcFile(str(tmp_path / "absent")).read()


def test_a_file_that_appears_later_is_read_then(tmp_path):
    file = ProcFile(str(tmp_path / "late"))

    assert optional(file.read) is None
    (tmp_path / "late").write_text("now")
    assert b"now" == file.read()
    file.close()


def test_a_descriptor_closed_by_the_host_is_opened_again(path, file):
    file.read()
    os.close(file._descriptor)

    assert b"first" == file.read()


def test_a_descriptor_that_became_another_file_is_neither_read_nor_closed(tmp_path, path, file):
    file.read()
    stolen = file._descriptor
    (tmp_path / "theirs").write_text("secret")
    other = os.open(tmp_path / "theirs", os.O_RDONLY)
    os.dup2(other, stolen)

    assert b"first" == file.read()
    assert b"secret" == os.pread(stolen, 100, 0)
    os.close(other)
    os.close(stolen)


def test_closing_twice_closes_once(path, file):
    file.read()
    file.close()
    descriptor = os.open(path, os.O_RDONLY)
    file.close()

    assert b"first" == os.pread(descriptor, 100, 0)
    os.close(descriptor)


def test_a_descriptor_does_not_survive_exec(file):
    file.read()

    assert os.get_inheritable(file._descriptor) is False


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Pss:  12 kB\n", 12288.0),
        (b"Rss: 1 kB\nPss:\t3 kB\n", 3072.0),
        (b"Pss_Dirty: 5 kB\n", None),
        (b"xPss: 5 kB\n", None),
        (b"Pss:", None),
        (b"Pss: many kB\n", None),
        (b"", None),
    ],
)
def test_a_line_in_kilobytes_is_found_by_its_whole_key(content, expected):
    assert expected == kilobytes(content, b"Pss")


def test_a_number_needs_no_colon():
    assert 7.0 == number(b"nr_periods 7\nnr_throttled 2\n", b"nr_periods")


def test_a_number_cut_off_at_the_end_of_the_file_is_no_number():
    assert number(b"nr_periods 7", b"nr_periods") is None
