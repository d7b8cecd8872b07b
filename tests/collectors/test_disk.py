import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime_exporter.collectors.disk import DiskCollector
from runtime_exporter.errors import NoData


def by_path(collector: DiskCollector) -> dict[str, dict[str, float]]:
    """Return, by name, the value of each path."""
    return {
        family.name: {sample.labels["path"]: sample.value for sample in family.samples}
        for metric in collector.families
        for family in metric.collect()
    }


def test_the_working_directory_and_what_was_chosen_have_series(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collector = DiskCollector(["/"])
    collector.update()

    found = by_path(collector)
    assert {str(tmp_path), "/"} == set(found["host_filesystem_available_bytes"])
    root = os.statvfs("/")
    assert root.f_blocks * root.f_frsize == found["host_filesystem_size_bytes"]["/"]
    assert 0 < found["host_filesystem_available_bytes"]["/"] < found["host_filesystem_size_bytes"]["/"]


def test_the_files_that_can_still_be_created_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collector = DiskCollector()
    before = os.statvfs(tmp_path)
    collector.update()

    found = by_path(collector)
    if before.f_files == 0:
        assert {} == found["host_filesystem_available_inodes"] == found["host_filesystem_size_inodes"]
    else:
        assert {str(tmp_path): before.f_files} == found["host_filesystem_size_inodes"]
        assert 0 < found["host_filesystem_available_inodes"][str(tmp_path)] <= before.f_files


def room(files, available):
    space = {"f_frsize": 1, "f_blocks": 100, "f_bfree": 20, "f_bavail": 15}
    return SimpleNamespace(f_files=files, f_ffree=available + 5, f_favail=available, **space)


def test_what_is_left_for_files_is_what_an_ordinary_user_can_use(monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda _: room(1000, 40))
    collector = DiskCollector()
    collector.update()

    assert [40] == list(by_path(collector)["host_filesystem_available_inodes"].values())
    assert [1000] == list(by_path(collector)["host_filesystem_size_inodes"].values())


def test_a_file_system_that_makes_room_for_files_as_it_needs_it_has_its_space_alone(monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda path: room(0, 0) if path == "/" else room(1000, 40))
    collector = DiskCollector(["/"])
    collector.update()

    found = by_path(collector)
    assert {str(Path.cwd()), "/"} == set(found["host_filesystem_size_bytes"])
    assert {str(Path.cwd())} == set(found["host_filesystem_size_inodes"])


def test_a_directory_that_is_named_twice_has_one_series(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collector = DiskCollector([".", f"{tmp_path}/"])
    collector.update()

    assert [str(tmp_path)] == list(by_path(collector)["host_filesystem_size_bytes"])


def test_what_is_available_is_what_an_ordinary_user_can_use(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=100, used=80, free=15))
    collector = DiskCollector()
    collector.update()

    assert [15] == list(by_path(collector)["host_filesystem_available_bytes"].values())
    assert [100] == list(by_path(collector)["host_filesystem_size_bytes"].values())


def test_a_directory_that_is_gone_has_no_series_and_the_others_stay(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    collector = DiskCollector([str(data)])
    collector.update()
    assert str(data) in by_path(collector)["host_filesystem_available_bytes"]

    data.rmdir()
    collector.update()

    assert {str(Path.cwd())} == set(by_path(collector)["host_filesystem_available_bytes"])
    assert {str(Path.cwd())} == set(by_path(collector)["host_filesystem_size_bytes"])
    assert set(by_path(collector)["host_filesystem_available_inodes"]) <= {str(Path.cwd())}


def test_without_any_file_system_there_is_no_data_and_it_says_why(monkeypatch):
    def deny(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(shutil, "disk_usage", deny)

    with pytest.raises(NoData, match="Permission denied"):
        DiskCollector().update()


def test_it_is_taken_in_the_background():
    assert 30.0 == DiskCollector.interval
