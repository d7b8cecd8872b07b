"""Directories of targets that are no more: gone when they are old, and never what is not certainly ours."""

from __future__ import annotations

import pytest

from runtime_exporter.agent.config import load as load_targets
from runtime_exporter.agent.fleet import Fleet
from runtime_exporter.agent.leftovers import KEPT_SECONDS, remove
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.store import Store
from runtime_exporter.settings import load

NOW = 1_795_312_800.0
HOUR = 3600.0  # as long as what profiles are merged to


def kept(directory, ended):
    """A directory with a profile that ended so many seconds ago."""
    begin = NOW - ended - 60
    profile = build(
        "cpu", [((Frame("main.slow"),), (1, 10**9), ())], time_nanos=round(begin * 1e9), duration_nanos=60 * 10**9
    )
    store = Store(directory, clock=lambda: NOW)
    assert store.put(profile, "cpu") is not None
    store.maintain()
    return directory


def test_only_what_is_old_and_of_no_target_is_removed(tmp_path):
    kept(tmp_path / "target", KEPT_SECONDS + HOUR)
    kept(tmp_path / "gone", KEPT_SECONDS + HOUR)
    kept(tmp_path / "yesterday", KEPT_SECONDS - HOUR)
    kept(tmp_path, KEPT_SECONDS + HOUR)  # of another exporter, which shares the directory

    assert ("gone",) == remove(tmp_path, {"target"}, NOW)
    assert {"target", "yesterday"} == {one.name for one in tmp_path.iterdir() if one.is_dir()}
    assert 1 == len(Store(tmp_path).entries())


@pytest.mark.parametrize("name", ["notes.txt", "sub"])
def test_a_directory_with_anything_else_is_left_alone(tmp_path, name):
    directory = kept(tmp_path / "gone", KEPT_SECONDS + HOUR)
    (directory / name).mkdir()

    assert () == remove(tmp_path, (), NOW)
    assert 1 == len(Store(directory).entries())


def test_an_empty_directory_a_link_and_no_directory_at_all_are_left_alone(tmp_path):
    outside = kept(tmp_path / "outside", KEPT_SECONDS + HOUR)
    inside = tmp_path / "inside"
    (inside / "empty").mkdir(parents=True)
    (inside / "link").symlink_to(outside)

    assert () == remove(inside, (), NOW)
    assert () == remove(tmp_path / "nowhere", (), NOW)
    assert {"empty", "link"} == {one.name for one in inside.iterdir()}


def test_an_agent_removes_them_when_it_reads_its_targets(tmp_path):
    profiles = tmp_path / "profiles"
    kept(profiles / "gone", 10 * KEPT_SECONDS)
    file = tmp_path / "targets.yaml"
    file.write_text("targets:\n  - {name: one, url: 'http://127.0.0.1:9'}\n")
    fleet = Fleet(load({"profile_directory": str(profiles)}, {}))
    try:
        fleet.become(load_targets(file))
        assert not (profiles / "gone").exists()
    finally:
        fleet.close()
