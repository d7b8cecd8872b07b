"""The run directory: bounded after any number of restarts, clean after a service that is over, and what if it cannot be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from runtime_exporter.metrics import workers
from runtime_exporter.metrics.cells import CellStore
from runtime_exporter.metrics.workers import folding, journal, retired, slots
from workers_in_tests import Pretended, samples

RESTARTS = 10_000 if "SOAK_SECONDS" in os.environ else 1_000


@pytest.fixture
def merged(tmp_path):
    found = workers.Merged(tmp_path)
    yield found
    found.close()


def test_any_number_of_restarts_leave_what_one_leaves(tmp_path, merged):
    listed = set()
    for number in range(RESTARTS):
        # Without cells: they take longer than all else. The next test has them.
        slot = slots.take(tmp_path)
        journal.Journal(tmp_path, slot.name, CellStore()).close()
        slot.close()
        if number % 100 == 0:
            folding.fold(tmp_path)
            listed.add(tuple(sorted(path.name for path in tmp_path.iterdir())))
    merged.collected_families()
    assert {("0.worker", "fold.lock", "retired")} == listed == {tuple(sorted(path.name for path in tmp_path.iterdir()))}
    assert {"live": 0, "dead": 0, "retired": RESTARTS} == merged.states()
    assert (tmp_path / "retired").stat().st_size < 5000  # with whom the last hundred were


def test_workers_that_come_and_go_add_up_in_one_file_that_does_not_grow(tmp_path, merged):
    sizes = set()
    for _ in range(50):
        worker = Pretended(tmp_path)
        worker.counter("c", ["a"]).labels("x").inc()
        worker.histogram("h").observe(1.0)
        worker.die()
        assert folding.fold(tmp_path)
        sizes.add((tmp_path / "retired").stat().st_size)
    assert max(sizes) - min(sizes) < 10
    found = samples(merged)
    assert (50.0, 50.0, 50.0) == (found['c_total{a="x"}'], found["h_count"], found["h_sum"])


@pytest.mark.parametrize("restarts", [1, 40])
def test_who_has_written_the_same_as_the_one_before_adds_up_as_if_each_were_read_by_itself(
    tmp_path, monkeypatch, restarts
):
    place, copy = tmp_path / "together", tmp_path / "each"
    place.mkdir()
    for number in range(restarts):
        worker = Pretended(place)
        kind = "x" if number % 5 else "y"  # now and then a log that is another one
        counter, sizes = worker.counter("c", ["a"]), worker.histogram("h", ["a"], buckets=(1, 2))
        gauges = [worker.gauge(mode, multiprocess_mode=mode) for mode in ("min", "max", "sum", "mostrecent", "livesum")]
        counter.labels("never"), sizes.labels("never"), sizes.labels("last")
        counter.labels(kind).inc(number)
        sizes.labels(kind).observe(number % 3)
        for gauge in gauges:
            gauge.set((number * 7) % 11 - 5)
        if number == restarts - 1:
            sizes.labels("last").observe(1)
        if number % 3 == 0:
            counter.remove(kind)
        worker.die()
    shutil.copytree(place, copy)
    folding.fold(place)
    monkeypatch.setattr(folding.Life, "log", lambda life: (str(life.name).encode(), 0))  # no two are the same
    folding.fold(copy)
    found, expected = retired.read(place), retired.read(copy)
    assert restarts == found.deaths
    assert _said(expected) == _said(found)
    assert {"c", "h", "min", "max", "sum", "mostrecent"} == {name for name, _ in _said(found)}


def _said(file):
    return {
        (entry.definition.name, entry.values): file.values[entry.cell : entry.end]
        for entry in file.keys.entries.values()
    }


def test_a_number_is_small_and_taken_again(tmp_path):
    first, second = Pretended(tmp_path), Pretended(tmp_path)
    first.die()
    third = Pretended(tmp_path)
    assert ("0", "1", "0") == (first.number, second.number, third.number)
    second.die()
    third.die()


def test_a_lone_worker_that_crashed_goes_on_where_it_was(tmp_path, merged):
    old = Pretended(tmp_path)
    old.counter("c").inc(5)
    old.die()
    with slots.folding(tmp_path) as alone:
        assert alone
        assert not slots.clean(tmp_path)
    new = Pretended(tmp_path)
    new.counter("c").inc(2)
    assert {"c_total": 7.0} == samples(merged)
    new.die()


@pytest.mark.parametrize("why", ["old", "boot"])
def test_what_a_service_left_that_is_over_is_removed_and_nothing_else(tmp_path, monkeypatch, why):
    old = Pretended(tmp_path)
    old.counter("c").inc(5)
    foreign = tmp_path / "notes.txt"
    foreign.write_text("mine")
    assert not slots.clean(tmp_path)  # somebody lives
    old.die()
    if why == "old":
        for path in tmp_path.iterdir():
            os.utime(path, (time.time() - slots.FORGOTTEN - 1,) * 2)
    else:
        monkeypatch.setattr(slots, "boot", lambda: "another")
    assert slots.clean(tmp_path)
    assert {"notes.txt"} == {path.name for path in tmp_path.iterdir()} - {"fold.lock"}


def test_a_reader_that_outlives_a_service_reads_the_numbers_of_the_next(tmp_path, merged):
    for number in (1, 5):
        worker = Pretended(tmp_path)
        worker.counter("c").inc(number)
        worker.die()
        folding.fold(tmp_path)
        assert number == samples(merged)["c_total"]
        for path in tmp_path.iterdir():
            path.unlink()


def test_series_that_come_and_go_for_a_day_do_not_grow_the_files(tmp_path, merged, monkeypatch):
    monkeypatch.setattr(journal, "PATIENCE", 0.0)
    monkeypatch.setattr(journal, "LONG", 20_000)
    worker, other = Pretended(tmp_path), Pretended(tmp_path)
    count, level = worker.counter("c", ["a"]), worker.gauge("g", ["a"], multiprocess_mode="sum")
    kept = other.counter("c", ["a"])
    kept.labels("7").inc()
    sizes = []
    for hour in range(40):
        for number in range(50):
            count.labels(str(number)).inc()
            level.labels(f"{hour} {number}").set(1)
        assert 50.0 == sum(value for name, value in samples(merged).items() if name.startswith("g{"))
        count.clear()
        level.clear()
        worker.worker.tick()
        assert {'c_total{a="7"}': hour + 2.0} == samples(merged)
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    assert max(sizes) < 2 * 64 * 1024 + 50_000
    assert 64 * 1024 == worker.store.mapped_bytes
    worker.die()
    other.die()


def test_a_process_that_never_ticks_does_not_pile_up_what_it_removes(tmp_path, merged, monkeypatch):
    monkeypatch.setattr(journal, "MANY", 50)
    monkeypatch.setattr(journal, "HEAP", 100)
    monkeypatch.setattr(journal, "LONG", 20_000)
    worker = Pretended(tmp_path)
    count = worker.counter("c", ["a"])
    count.labels("kept").inc()
    for number in range(3000):
        count.labels(str(number)).inc()
        count.remove(str(number))
    assert len(worker.worker._journal.graves) <= 100
    assert {'c_total{a="kept"}': 1.0} == samples(merged)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 64 * 1024 + 50_000
    worker.die()


def test_a_removed_series_counts_for_as_long_as_another_worker_has_it(tmp_path, merged, monkeypatch):
    monkeypatch.setattr(journal, "PATIENCE", 0.0)
    one, other = Pretended(tmp_path), Pretended(tmp_path)
    first, second = one.counter("c", ["a"]), other.counter("c", ["a"])
    for count in (first, second):
        count.labels("x").inc(2)
    first.remove("x")
    assert {'c_total{a="x"}': 4.0} == samples(merged)
    one.worker.tick()
    assert {'c_total{a="x"}': 4.0} == samples(merged)
    second.remove("x")
    assert {} == samples(merged)
    other.worker.tick()
    assert {} == samples(merged)
    first.labels("x").inc()
    assert {'c_total{a="x"}': 1.0} == samples(merged)
    one.die()
    other.die()


def test_a_worker_that_ends_after_it_removed_a_series_leaves_what_others_have_too(tmp_path, merged):
    one, other = Pretended(tmp_path), Pretended(tmp_path)
    first, second = one.counter("c", ["a"]), other.counter("c", ["a"])
    for name in ("x", "y"):
        first.labels(name).inc(2)
    second.labels("x").inc()
    first.clear()
    one.die()
    assert {'c_total{a="x"}': 3.0} == samples(merged)
    other.die()


def test_more_than_a_file_may_hold_is_counted_by_the_process_alone(tmp_path, merged, monkeypatch, caplog):
    monkeypatch.setattr(journal, "MOST_BYTES", 3 * 64 * 1024)
    worker = Pretended(tmp_path)
    count = worker.counter("c", ["a"])
    for number in range(15_000):
        count.labels(str(number)).inc()
    assert 1.0 == count.labels("14999").value()
    assert 0 < worker.worker.left_out < 10_000
    assert 15_000 - worker.worker.left_out == len(samples(merged))
    assert "seen by this process alone" in caplog.text
    worker.die()


@pytest.mark.parametrize("broken", ["retired", "keys", "cells"])
def test_no_content_of_a_file_makes_a_reader_raise(tmp_path, merged, broken):
    worker = Pretended(tmp_path)
    worker.counter("c").inc()
    for path in tmp_path.glob(f"*{broken}"):
        with path.open("r+b") as file:
            file.seek(7)
            file.write(b"\xff" * 99)
    (tmp_path / "retired").write_bytes(b"nonsense")
    merged.collected_families()
    assert {"live": 1, "dead": 0, "retired": 0} == merged.states()
    worker.die()
    merged.collected_families()


def test_a_reader_outlives_its_directory(tmp_path):
    merged = workers.Merged(tmp_path / "missing")
    assert [] == [*merged.collected_families()]


PROGRAM = """
import os, resource, sys
from pathlib import Path
from runtime_exporter import metrics
from runtime_exporter.errors import RunDirectoryError
from runtime_exporter.metrics import workers

count = metrics.Counter("c", "C", ["a"], registry=None)
count.labels("before").inc(3)
if sys.argv[2] == "small":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    workers.join(Path(sys.argv[1]))
    print("joined")
except RunDirectoryError as error:
    print("refused:", error)
for number in range(20_000):
    count.labels(str(number)).inc()
print(sum(child.value() for child in count.family.children.values()), len(os.listdir(sys.argv[1])))
"""


def counted(directory, *arguments, **options):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, directory, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        **options,
    )
    return done.stdout.splitlines()


def test_files_that_may_not_be_so_large_refuse_whole_and_leave_nothing(tmp_path):
    said, total = counted(tmp_path, "small", 4096)
    assert said.startswith("refused: ")
    assert "with room" in said
    assert "20003.0 2" == total  # the number's file and the lock


def test_files_that_cannot_grow_leave_the_rest_to_the_process_and_never_kill_it(tmp_path, merged):
    said, total = counted(tmp_path, "small", 3 * 64 * 1024)
    assert ("joined", "20003.0 4") == (said, total)
    assert 3.0 == samples(merged)['c_total{a="before"}']


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_full_disk_never_kills_a_process(tmp_path, merged):
    full = tmp_path / "disk"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", full], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        assert ["joined", "20003.0 4"] == counted(full, "large")
        for path in full.iterdir():
            path.unlink()
        (full / "ballast").write_bytes(bytes(240 * 1024))
        said, total = counted(full, "large")
        assert said.startswith("refused: ")
        assert "No space left on device" in said
        assert total.startswith("20003.0 ")
    finally:
        subprocess.run(["umount", full], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_directory_that_is_read_only_is_refused(tmp_path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,ro", "none", tmp_path], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        said, total = counted(tmp_path, "large")
        assert said.startswith("refused: ")
        assert "Read-only file system" in said
        assert "20003.0 0" == total
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_descriptors_do_not_grow_with_series_or_with_the_dead(tmp_path, merged):
    def held():
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - nothing is opened for it but itself

    before = held()
    worker = Pretended(tmp_path)
    count = worker.counter("c", ["a"])
    for number in range(9_000):
        count.labels(str(number)).inc()
    assert held() - before == 2
    for _ in range(20):
        Pretended(tmp_path).die()
    merged.collected_families()
    assert held() - before <= 2 + 3
    worker.die()
