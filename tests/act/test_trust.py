"""Whom a file is trusted of: real files with real modes; only owners that a test cannot be are made up."""

from __future__ import annotations

import os

import pytest

from runtime_exporter.act import trust
from runtime_exporter.act.trust import distrust


@pytest.fixture
def place(tmp_path):
    """A directory of ours with a program in it."""
    directory = tmp_path / "bin"
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    program = directory / "restart"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_what_is_ours_or_roots_alone_to_write_is_trusted(place):
    assert distrust(place) == ""
    assert distrust("/bin/sh") == ""
    assert distrust(os.path.relpath(place)) == ""


@pytest.mark.parametrize(("mode", "who"), [(0o775, "its group"), (0o757, "everybody"), (0o1777, None), (0o1775, None)])
def test_who_may_write_to_the_directory_may_put_another_there(place, mode, who):
    place.parent.chmod(mode)
    expected = (
        ""
        if who is None
        else f"{place.parent}: {who} may write to it, and so have commands run: chmod go-w {place.parent}"
    )
    assert distrust(place) == expected


def test_a_link_is_followed_to_what_is_run_and_both_ways_are_looked_at(place, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(place)
    assert distrust(link) == ""
    place.chmod(0o777)
    assert distrust(link).startswith(f"{link}: everybody may write to it")
    place.chmod(0o755)
    place.parent.chmod(0o777)
    assert distrust(link).startswith(f"{place.parent}: everybody may write to it")


def test_what_belongs_to_somebody_else_is_not_trusted(place, monkeypatch):
    owner = place.stat().st_uid
    monkeypatch.setattr(trust, "_ROOT", owner + 1)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 2)
    assert f"belongs to somebody else (user {owner}), who may so have commands run" in distrust(place)


def test_nobody_writes_to_a_file_system_that_is_mounted_read_only(place, monkeypatch):
    class ReadOnly:
        f_flag = os.ST_RDONLY

    place.chmod(0o777)
    monkeypatch.setattr(os, "statvfs", lambda _: ReadOnly)
    assert distrust(place) == ""


def test_one_that_is_not_there_is_an_error(place):
    place.unlink()
    with pytest.raises(FileNotFoundError):
        distrust(place)
