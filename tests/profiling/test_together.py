"""Windows of several workers: each is a file, and what is shown of them is one profile of the whole service."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.continuous import aligned
from runtime_exporter.profiling.kept import Kept
from runtime_exporter.profiling.process import SHARED_BYTES, shared_store
from runtime_exporter.profiling.profile import Frame, build, frames
from runtime_exporter.profiling.shelf import Shelf
from runtime_exporter.profiling.stored import parse
from runtime_exporter.profiling.together import of_workers

SECOND = 10**9
HOUR = 1_795_312_800  # 2026-11-22T02:00:00Z
CLOCK = [HOUR]
MEMORY = Path("/dev/shm")


def cpu(name, *, begin=HOUR, seconds=60.0, spent=1, kind="cpu", comments=()):
    return build(
        kind,
        [((Frame(f"shop:{name}", "/shop.py", 7),), (spent,) if kind == "goroutine" else (spent, spent * SECOND), ())],
        time_nanos=round(begin * SECOND),
        duration_nanos=round(seconds * SECOND),
        comments=comments,
    )


class Worker:
    """What one worker writes into the run directory."""

    def __init__(self, directory, number, interval=60.0, process=os.getpid):
        CLOCK[0] = HOUR + 600
        self.store = shared_store(directory, interval, lambda: number)
        self.store._process = process
        self.store._clock = lambda: CLOCK[0]

    def put(self, *given, kind="cpu", **options):
        return self.store.put(cpu(*given, kind=kind, **options), kind)


@pytest.fixture
def tmp_path():
    """In memory, as run directories are: a disk that is busy would hold up who writes."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Path(directory)


@pytest.fixture
def kept(tmp_path):
    return Kept(Worker(tmp_path, None).store)


def functions(profile):
    return {frames(sample)[0].name: sample.values[-1] / SECOND for sample in profile.samples}


def test_windows_of_one_time_are_one_profile_in_which_each_sample_says_whose_it_is(tmp_path, kept):
    Worker(tmp_path, 0).put("pay", begin=HOUR + 0.3)
    Worker(tmp_path, 1).put("search", begin=HOUR + 2.1, seconds=59.0)
    Worker(tmp_path, 2).put("pay", begin=HOUR + 35, seconds=25, spent=4)  # began meanwhile
    (shown,) = kept.entries("cpu")
    profile = kept.read(shown.name)

    assert ((0, 1, 2), HOUR, HOUR + 60) == (shown.workers, shown.begin, shown.end)
    assert {("shop:pay", "0"): 1, ("shop:search", "1"): 1, ("shop:pay", "2"): 4} == {
        (frames(sample)[0].name, sample.labels[-1].str): sample.values[0] for sample in profile.samples
    }
    assert 60.8 == pytest.approx(profile.duration_nanos / SECOND)
    assert "workers 0, 1, 2" == profile.comments[0]
    assert profile.samples == pprof.decode(kept.read_bytes(shown.name)).samples


def test_each_worker_can_be_looked_at_alone(tmp_path, kept):
    alone = [Worker(tmp_path, number).put(f"of_{number}") for number in (0, 1)]
    (shown,) = kept.entries()

    assert [one.name for one in alone] == [one.name for one in kept.parts(shown.name)]
    assert {"shop:of_1": 1} == functions(kept.read(alone[1].name))
    assert (alone[1].name,) == tuple(one.name for one in kept.entries(worker=1))
    assert (1, ()) == (parse(alone[1].name).worker, kept.parts(alone[1].name))


def test_a_window_that_one_wrote_later_joins_the_others_under_the_same_name(tmp_path, kept):
    Worker(tmp_path, 0).put("first")
    (before,) = kept.entries()
    assert {"shop:first": 1} == functions(kept.read(before.name))
    Worker(tmp_path, 1).put("second")

    assert {"shop:first": 1, "shop:second": 1} == functions(kept.read(before.name))


def test_a_window_is_listed_when_other_workers_have_had_the_time_to_end_theirs(tmp_path, kept):
    Worker(tmp_path, 0).put("first")
    CLOCK[0] = HOUR + 65
    assert () == kept.entries()
    CLOCK[0] = HOUR + 66
    assert [(0,)] == [one.workers for one in kept.entries()]


def test_what_is_no_window_of_a_worker_stays_by_itself(tmp_path, kept):
    Worker(tmp_path, None).put("alone")
    Worker(tmp_path, 0).store.put(cpu("capture"), "cpu", capture=True)
    Worker(tmp_path, 0).put("window", begin=HOUR + 60)

    assert [(), (), (0,)] == [one.workers for one in kept.entries()]


def test_what_says_how_things_are_adds_up_over_workers_and_is_averaged_over_time(tmp_path):
    for minute, alive in ((0, 4), (1, 8)):
        for number in (0, 1):
            Worker(tmp_path, number).put("site", kind="goroutine", begin=HOUR + 60 * minute, seconds=0, spent=alive)

    store = Worker(tmp_path, 0).store
    assert [12] == [one.values[0] for one in store.merged("goroutine", HOUR - 1, HOUR + 61).samples]
    CLOCK[0] = HOUR + 4 * 3600
    assert 1 == store.maintain()
    (merged,) = store.entries()
    assert ("10m", None, [12]) == (
        merged.resolution,
        merged.worker,
        [one.values[0] for one in store.read(merged.name).samples],
    )


def test_of_workers_that_run_different_versions_those_like_the_first_are_added(tmp_path):
    profile = of_workers(
        [(0, cpu("a", comments=("backend thread, bias ratio 0.010",))), (1, cpu("b", kind="goroutine"))]
    )

    assert {"shop:a": 1} == functions(profile)
    assert "worker 1: left out, a profile of another kind" in profile.comments


def test_the_sampler_that_is_to_be_believed_least_speaks_for_all():
    comments = ["backend py-spy, unbiased", "backend thread, bias ratio 0.200", "backend thread, bias ratio 0.010"]
    profile = of_workers([(number, cpu("a", comments=(one,))) for number, one in enumerate(comments)])

    assert ("workers 0, 1, 2", comments[1]) == profile.comments[:2]


@pytest.mark.parametrize("phase", [0.0, 2.5])
def test_intervals_end_at_the_same_times_of_the_clock_whenever_a_worker_begins(phase):
    for begin in (HOUR, HOUR + 12.5, HOUR + 29, HOUR + 59.9):
        now, ends = begin, []
        for cost in (0.0, 0.4, 3.0, 0.1):
            now += cost
            wait = aligned(now - phase, 60.0, 60.0)
            assert 30 <= wait <= 90
            now += wait
            ends.append(round((now - phase) % 60, 6) % 60)
        assert [0.0] * 4 == ends


@pytest.mark.parametrize(("pause", "step"), [(61, 120), (120, 120), (121, 240), (500, 960), (600, 960)])
def test_who_has_to_pause_longer_does_and_ends_with_others_that_have_to(pause, step):
    wait = aligned(HOUR + 7.0, pause, 60.0)

    assert wait >= pause
    assert (0.0, True) == ((HOUR + 7.0 + wait) % step, wait <= pause + step)


def test_ten_thousand_windows_of_workers_that_come_and_go_leave_a_bounded_directory(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime_exporter.profiling.store.MOST_FILES", 10)
    data = pprof.encode(cpu("pay"))
    monkeypatch.setattr("runtime_exporter.profiling.store.pprof.encode", lambda _: data)
    processes = [100]
    workers = [Worker(tmp_path, number, process=lambda: processes[0]) for number in range(2)]
    one = cpu("pay")
    counts = set()
    for window in range(5_000):
        CLOCK[0] = HOUR + 60 * window
        processes[0] += window % 50 == 0
        for worker in workers:
            assert worker.store.put(replace(one, time_nanos=CLOCK[0] * SECOND), "cpu") is not None
        if window % 50 == 49:
            counts.add(len([*(tmp_path / "profiles").iterdir()]))

    assert {10} == counts
    assert SHARED_BYTES > sum(one.size for one in workers[0].store.entries())


def test_a_directory_that_cannot_be_written_leaves_the_worker_its_own_and_says_so_once(tmp_path, caplog):
    gone = Worker(tmp_path / "gone", 3)
    own = {"cpu": cpu("own")}
    shelf = Shelf(gone.store, latest=lambda: own, worker=lambda: 3)

    assert [None, None] == [gone.put("own"), gone.put("own", begin=HOUR + 60)]
    (shown,) = shelf.entries()
    assert (3, {"shop:own": 1}) == (shown.worker, functions(shelf.read(shown.name)))
    assert 1 == len([one for one in caplog.records if "not kept" in one.message])
    assert not (tmp_path / "gone").exists()


def test_the_last_interval_is_shown_once_where_the_directory_has_it(tmp_path):
    worker, own = Worker(tmp_path, 0), {"cpu": cpu("own")}
    shelf = Shelf(worker.store, latest=lambda: own, worker=lambda: 0)
    worker.put("own")

    assert [(0,)] == [one.workers for one in shelf.entries()]


def test_a_window_whose_files_are_gone_or_damaged_is_an_error_of_one_line(tmp_path, kept):
    Worker(tmp_path, 0).put("first")
    (shown,) = kept.entries()
    (file,) = (tmp_path / "profiles" / one.name for one in kept.parts(shown.name))
    file.write_bytes(b"damaged")
    with pytest.raises(ProfileError, match="not kept any more"):
        kept.read(shown.name)
    file.unlink()
    with pytest.raises(ProfileError, match="no profile"):
        kept.read(shown.name)
    assert () == kept.entries()
