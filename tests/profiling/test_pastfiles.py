"""The past of a service in files: an hour each, read as it was written, and bounded."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from runtime_exporter.profiling import pastfiles
from runtime_exporter.profiling.pastfiles import PastFiles
from runtime_exporter.profiling.tally import Window, tally

HOUR = 1_795_312_800.0  # 2026-11-22T02:00:00Z


def of(hour, *, version="", kind="cpu", functions=3):
    names = [f"shop:function{number}" for number in range(functions)]
    begin = HOUR + 3600 * hour
    share = dict.fromkeys(names, 32.0)  # of 1024: no rounding
    one = Window(kind, begin, begin + 60, 1024.0, share, share, 60.0, None, version)
    return tally([one, one._replace(begin=begin + 60, end=begin + 120)])


@pytest.fixture
def files(tmp_path):
    return PastFiles(tmp_path / "past")


def test_hours_are_read_as_they_were_written_the_oldest_first(files):
    written = [of(1), of(0), of(1, version="1.4"), of(1, kind="wall")]
    for one in written:
        files.write(one)
    files.write(replace(of(0), windows=5))
    expected = [replace(of(0), windows=5), *written[2:], written[0]]
    assert sorted(map(str, expected)) == sorted(map(str, files.read()))
    assert 0 == files.read()[0].begin - HOUR


def test_what_is_damaged_or_of_another_version_is_left_out(files, tmp_path):
    files.write(of(0))
    (tmp_path / "past" / "cpu-1-00000000.past").write_bytes(b"x")
    (tmp_path / "past" / "cpu-2-00000000.past").write_bytes(b"")
    assert 1 == len(files.read())
    assert [] == PastFiles(tmp_path / "none").read()


def test_the_oldest_hours_make_room(files, tmp_path, monkeypatch):
    monkeypatch.setattr(pastfiles, "MOST_FILES", 3)
    for hour in range(5):
        files.write(of(hour))
        for age, path in enumerate(sorted((tmp_path / "past").glob("*.past"))):
            os.utime(path, (HOUR + age, HOUR + age))
    assert [2, 3, 4] == [(one.begin - HOUR) / 3600 for one in files.read()]
    size = sum(path.stat().st_size for path in (tmp_path / "past").iterdir())
    monkeypatch.setattr(pastfiles, "MOST_BYTES", size // 2)
    files.write(of(5))
    assert len(files.read()) < 3


def test_an_hour_of_a_huge_service_takes_little(files, tmp_path):
    files.write(of(0, functions=2000))
    (path,) = (tmp_path / "past").iterdir()
    assert path.stat().st_size < 20_000
    assert pastfiles.condensed(of(0, functions=2000)).functions.keys() == files.read()[0].functions.keys()
