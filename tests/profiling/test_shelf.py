"""Profiles to look at, wherever they are: in a store, in memory, in the interval that has just ended."""

from __future__ import annotations

import os

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import pprof, shelf
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.shelf import Shelf
from runtime_exporter.profiling.store import Store

SECOND = 10**9
NOW = 1_795_312_800


def cpu(begin=NOW, name="shop:slow"):
    return build(
        "cpu",
        [((Frame(name, "/shop.py", 7),), (1, SECOND), ())],
        time_nanos=begin * SECOND,
        duration_nanos=10 * SECOND,
    )


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, clock=lambda: NOW + 60.0)


def test_a_capture_is_kept_in_the_store_with_its_labels_and_the_version(store):
    entry, kept = Shelf(store, labels={"version": "1.4"}).put(cpu(), "cpu", {"alert": "RuntimeCpuSpike"})

    assert kept
    assert {"alert": "RuntimeCpuSpike", "version": "1.4"} == dict(entry.labels)
    assert [entry.name] == [one.name for one in store.entries(labels={"alert": "RuntimeCpuSpike"})]


def test_without_a_store_the_last_captures_are_in_memory(monkeypatch):
    monkeypatch.setattr(shelf, "MOST_CAPTURES", 3)
    kept = Shelf()
    names = [kept.put(cpu(NOW + number), "cpu", {})[0].name for number in range(5)]

    assert names[:1:-1] == [entry.name for entry in kept.entries()]
    assert cpu(NOW + 4) == kept.read(names[4])
    with pytest.raises(ProfileError, match="no profile"):
        kept.read(names[0])


def test_captures_in_memory_have_a_bound_in_bytes(monkeypatch):
    one = len(pprof.encode(cpu()))
    monkeypatch.setattr(shelf, "MOST_BYTES", 2 * one + one // 2)
    kept = Shelf()
    for number in range(4):
        kept.put(cpu(NOW + number), "cpu", {})

    assert 2 == len(kept.entries())


def test_a_store_that_cannot_write_leaves_the_capture_in_memory(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    kept = Shelf(Store(blocked / "profiles"))
    entry, stored = kept.put(cpu(), "cpu", {"alert": "RuntimeCpuSpike"})

    assert not stored
    assert cpu() == kept.read(entry.name)


def test_the_last_interval_is_there_and_stays_readable_when_it_was_asked_for():
    intervals = [{"cpu": cpu(NOW)}, {"cpu": cpu(NOW + 60)}]
    kept = Shelf(latest=lambda: intervals[0])
    (first,) = kept.entries("cpu")
    assert cpu(NOW) == kept.read(first.name)
    intervals.pop(0)

    assert [NOW + 60, NOW] == [entry.begin for entry in kept.entries("cpu")]
    assert cpu(NOW) == kept.read(first.name)
    assert pprof.encode(cpu(NOW)) == kept.read_bytes(first.name)


def test_an_interval_that_is_in_the_store_is_listed_once(store):
    profile = cpu()
    store.put(profile, "cpu", labels={"version": "1.4"})
    kept = Shelf(store, latest=lambda: {"cpu": profile}, labels={"version": "1.4"})

    (entry,) = kept.entries()
    assert 0 < entry.size


def test_an_empty_interval_is_not_listed():
    assert () == Shelf(latest=lambda: {"cpu": build("cpu", [], time_nanos=NOW * SECOND)}).entries()


@pytest.mark.parametrize("process", [4711, 0])
def test_profiles_of_another_process_have_its_number(tmp_path, process):
    def given():
        return process

    store = Store(tmp_path, clock=lambda: NOW + 60.0, process=given)
    stored, _ = Shelf(store, process=given).put(cpu(), "cpu", {})
    held, _ = Shelf(process=given).put(cpu(), "cpu", {})
    (latest,) = Shelf(latest=lambda: {"cpu": cpu()}, process=given).entries()

    assert [process] * 3 == [stored.process, held.process, latest.process]


def test_profiles_are_of_this_process_unless_it_is_said(tmp_path):
    stored, _ = Shelf(Store(tmp_path, clock=lambda: NOW + 60.0)).put(cpu(), "cpu", {})
    held, _ = Shelf().put(cpu(), "cpu", {})

    assert [os.getpid()] * 2 == [stored.process, held.process]
