"""Profiles on disk: whole or not there, below the cap, merged with age."""

import errno
import logging
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.errors import ProfileError
from runtime_exporter.logs import StateLog
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import Frame, ValueType, build
from runtime_exporter.profiling.rollup import combine, due, merged_already
from runtime_exporter.profiling.store import Store
from runtime_exporter.profiling.stored import CAPTURE, Entry, entry, parse
from tools import together

HOUR = 3600.0
NOON = 1_700_000_000 // 3600 * HOUR


class Clock:
    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        return self.now


def profile(begin=NOON, *, seconds=60.0, kind="cpu", values=(3, 150_000_000), name="a:work", comments=()):
    return build(
        kind,
        [((Frame(name, "a.py", 7, 5), Frame("a:main", "a.py", 20, 18)), values, ())],
        time_nanos=round(begin * 1e9),
        duration_nanos=round(seconds * 1e9),
        comments=comments,
    )


def total(one, index=1):
    return sum(sample.values[index] for sample in one.samples)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    return Store(tmp_path / "profiles", clock=clock)


def test_a_kept_profile_is_read_back_as_it_was(store):
    kept = store.put(profile(), "cpu", labels={"version": "1.4", "alert": "RuntimeCpuSpike"})
    assert ("cpu", NOON, NOON + 60, "raw") == (kept.kind, kept.begin, kept.end, kept.resolution)
    assert {"version": "1.4", "alert": "RuntimeCpuSpike"} == dict(kept.labels)
    assert profile() == store.read(kept.name)
    assert pprof.decode(store.read_bytes(kept.name)) == store.read(kept.name)


def test_another_process_finds_what_is_there_by_the_names_alone(store, clock):
    kept = [store.put(profile(NOON + 60 * n), "cpu", labels={"version": "1"}) for n in range(3)]
    assert tuple(kept) == Store(store.directory, clock=clock).entries()


def test_making_a_store_touches_nothing(tmp_path):
    store = Store(tmp_path / "profiles")
    assert () == store.entries()
    assert 0 == store.maintain()
    assert [] == list(tmp_path.iterdir())


def test_profiles_are_for_their_owner_only(store):
    kept = store.put(profile(), "cpu")
    assert 0o600 == (store.directory / kept.name).stat().st_mode & 0o777
    assert 0o700 == store.directory.stat().st_mode & 0o777


def test_entries_are_chosen_by_kind_time_and_labels(store):
    first = store.put(profile(NOON), "cpu", labels={"version": "1"})
    second = store.put(profile(NOON + 600), "cpu", labels={"version": "2", "alert": "x"})
    wall = store.put(profile(NOON, kind="wall"), "wall")
    assert (first, second) == store.entries("cpu")
    assert (second,) == store.entries("cpu", begin=NOON + 100)
    assert {first, wall} == set(store.entries(end=NOON + 100))
    assert (second,) == store.entries(labels={"alert": "x"})


def test_a_name_that_is_not_in_the_store_is_refused(store, tmp_path):
    store.put(profile(), "cpu")
    (tmp_path / "secret").write_text("x")
    for name in ("../secret", "/etc/passwd", "nothing", ""):
        with pytest.raises(ProfileError, match="is kept"):
            store.read_bytes(name)


def test_a_damaged_file_is_skipped_and_reported_once(store, caplog):
    whole, half = (store.put(profile(NOON + 60 * n), "cpu") for n in range(2))
    path = store.directory / half.name
    path.write_bytes(path.read_bytes()[:-20])
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            assert 150_000_000 == total(store.merged("cpu", NOON, NOON + 600))
            with pytest.raises(ProfileError, match="damaged"):
                store.read(half.name)
    assert 1 == len([line for line in caplog.messages if half.name in line])
    assert profile() == store.read(whole.name)


def test_strangers_and_empty_files_are_left_alone(store):
    kept = store.put(profile(), "cpu")
    (store.directory / "notes.txt").write_text("mine")
    (store.directory / kept.name.replace("cpu", "wall")).write_bytes(b"")
    assert (kept,) == Store(store.directory).entries()
    assert "mine" == (store.directory / "notes.txt").read_text()


def test_the_cap_is_never_exceeded_and_the_oldest_go_first(store, clock):
    size = store.put(profile(), "cpu").size
    limited = Store(store.directory, limit=int(size * 3.5), clock=clock)
    for number in range(1, 8):
        limited.put(profile(NOON + 60 * number), "cpu")
        assert limited.limit >= sum(path.stat().st_size for path in store.directory.iterdir())
    assert [NOON + 60 * n for n in (5, 6, 7)] == [one.begin for one in limited.entries()]


def test_the_cap_is_one_for_all_who_share_the_directory(store, clock):
    size = store.put(profile(), "cpu").size
    ours, theirs = (Store(store.directory, limit=int(size * 3.5), clock=clock) for _ in range(2))
    for number in range(1, 8):
        (ours if number % 2 else theirs).put(profile(NOON + 60 * number), "cpu")
        assert ours.limit >= sum(path.stat().st_size for path in store.directory.iterdir())


def test_many_threads_may_keep_and_merge_at_once(store, clock):
    clock.now = NOON + 3 * HOUR

    def keep(number):
        for minute in range(20):
            store.put(profile(NOON + 60 * minute), "cpu", labels={"thread": str(number)})
            store.maintain()

    together(*(partial(keep, number) for number in range(4)))
    assert "" == store.problem
    for number in range(4):
        found = store.entries("cpu", labels={"thread": str(number)})
        assert {one.resolution for one in found} <= {"10m", "raw"}
        assert found


def test_a_profile_above_the_cap_is_not_kept_and_removes_nothing(store, clock):
    kept = store.put(profile(), "cpu")
    limited = Store(store.directory, limit=kept.size + 1, clock=clock)
    frames = [((Frame(random.Random(n).randbytes(20).hex()),), (1, n), ()) for n in range(100)]
    assert limited.put(build("cpu", frames, time_nanos=1), "cpu") is None
    assert (kept,) == limited.entries()


def test_after_two_hours_raw_windows_become_ten_minutes_and_after_a_day_hours(store, clock):
    for minute in range(60):
        store.put(profile(NOON + 60 * minute), "cpu", labels={"version": "1"})
    clock.now = NOON + 2 * HOUR + 599
    assert 0 == store.maintain(most=99)
    clock.now += 1
    assert 1 == store.maintain(most=99)
    assert ["10m"] + ["raw"] * 50 == [one.resolution for one in store.entries()]
    clock.now = NOON + 3 * HOUR
    assert 2 == store.maintain(most=2)
    assert 3 == store.maintain(most=99)
    assert ["10m"] * 6 == [one.resolution for one in store.entries()]
    clock.now = NOON + 25 * HOUR
    assert 1 == store.maintain()
    (hour,) = store.entries()
    assert ("1h", NOON, NOON + HOUR, (("version", "1"),)) == (hour.resolution, hour.begin, hour.end, hour.labels)
    merged = store.read(hour.name)
    assert 60 * 150_000_000 == total(merged)
    assert 3600 * 10**9 == merged.duration_nanos


def test_versions_and_kinds_are_not_merged_with_each_other(store, clock):
    for minute, version in enumerate(["1", "1", "2", "2"]):
        store.put(profile(NOON + 60 * minute), "cpu", labels={"version": version})
        store.put(profile(NOON + 60 * minute, kind="wall"), "wall", labels={"version": version})
    clock.now = NOON + 3 * HOUR
    store.maintain(most=99)
    assert 4 == len(store.entries())
    assert {300_000_000} == {total(store.read(one.name)) for one in store.entries()}


def test_captures_stay_as_they_are(store, clock):
    capture = store.put(profile(), "cpu", labels={"alert": "RuntimeCpuSpike"}, capture=True)
    clock.now = NOON + 1000 * HOUR
    assert 0 == store.maintain(most=99)
    assert (capture,) == store.entries()
    with pytest.raises(ProfileError, match="no cpu profile"):
        store.merged("cpu", NOON, NOON + 60)


def test_levels_are_averaged_where_counts_add_up():
    heaps = [profile(kind="heap", values=(10, 1000, used, used * 100)) for used in (2, 4)]
    assert (20, 2000, 3, 300) == combine(heaps).samples[0].values


def test_what_was_merged_before_the_process_was_killed_is_not_merged_again(store, clock):
    for minute in range(10):
        store.put(profile(NOON + 60 * minute), "cpu")
    copies = {path: path.read_bytes() for path in store.directory.iterdir()}
    clock.now = NOON + 3 * HOUR
    store.maintain()
    for path, data in copies.items():  # as if it had been killed before it removed them
        path.write_bytes(data)
    store.maintain()
    (one,) = store.entries()
    assert 10 * 150_000_000 == total(store.read(one.name))


def test_a_damaged_source_costs_only_itself(store, clock):
    kept = [store.put(profile(NOON + 60 * minute), "cpu") for minute in range(10)]
    (store.directory / kept[3].name).write_bytes(b"\x1f\x8bgarbage")
    clock.now = NOON + 3 * HOUR
    assert 1 == store.maintain()
    (one,) = store.entries()
    assert 9 * 150_000_000 == total(store.read(one.name))


def test_an_unreadable_source_is_not_given_up(store, clock, monkeypatch):
    kept = [store.put(profile(NOON + 60 * minute), "cpu") for minute in range(2)]
    clock.now = NOON + 3 * HOUR
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.read_bytes", failing(errno.EMFILE))
        assert 0 == store.maintain()
    assert kept == list(store.entries())
    assert 1 == store.maintain()
    assert "" == store.problem


def test_profiles_of_different_types_stay_unmerged(store, clock):
    store.put(profile(NOON), "cpu")
    other = build((ValueType("cpu", "nanoseconds"),), [((Frame("a:b"),), (1,), ())], time_nanos=round(NOON * 1e9))
    store.put(other, "cpu", labels={})
    clock.now = NOON + 3 * HOUR
    assert 0 == store.maintain()
    assert 0 == store.maintain()
    assert 2 == len(store.entries())


def test_temporary_files_of_a_killed_process_go_after_a_while(store, clock):
    store.put(profile(), "cpu")
    left = store.directory / ".new-1-cpu.pb.gz"
    left.write_bytes(b"half")
    clock.now = left.stat().st_mtime + 300
    store.maintain()
    assert left.exists()
    clock.now += 400
    store.maintain()
    assert not left.exists()


def failing(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(("call", "number"), [("os.fsync", errno.ENOSPC), ("pathlib.Path.replace", errno.EROFS)])
def test_a_full_disk_switches_the_store_off_with_one_line_until_it_works_again(
    store, monkeypatch, caplog, call, number
):
    kept = store.put(profile(), "cpu")
    caplog.set_level(logging.INFO)
    with monkeypatch.context() as patch:
        patch.setattr(call, failing(number))
        for minute in range(1, 4):
            assert store.put(profile(NOON + 60 * minute), "cpu") is None
            store.maintain()
    assert os.strerror(number) in store.problem
    assert 1 == len(caplog.messages)
    assert os.strerror(number) in caplog.messages[0]
    assert {kept.name} == {path.name for path in store.directory.iterdir()} - {".lock"}
    assert store.put(profile(NOON + 600), "cpu") is not None
    assert "" == store.problem
    assert 2 == len(caplog.messages)


def test_a_directory_that_cannot_be_made_switches_it_off(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "profiles")
    assert store.put(profile(), "cpu") is None
    assert store.put(profile(), "cpu") is None
    assert 1 == len(caplog.messages)
    assert "Not a directory" in caplog.messages[0]


def test_who_asks_for_what_is_in_a_directory_that_cannot_be_listed_finds_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file")

    assert () == store.entries()
    for ask in (lambda: store.read("cpu"), lambda: store.merged("cpu", 0, NOON)):
        with pytest.raises(ProfileError, match=r"^no .* is kept"):
            ask()
    assert 1 == len(caplog.records)


def test_a_range_of_time_with_a_profile_that_cannot_be_read_is_refused_in_words(store, monkeypatch):
    store.put(profile(), "cpu")

    def unreadable(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.read_bytes", unreadable)
    with pytest.raises(ProfileError, match="cannot read the cpu profiles of that time: Permission denied"):
        store.merged("cpu", NOON, NOON + 60)


def test_only_one_process_merges_at_a_time(store, clock):
    import fcntl

    for minute in range(2):
        store.put(profile(NOON + 60 * minute), "cpu")
    clock.now = NOON + 3 * HOUR
    with open(store.directory / ".lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert 0 == store.maintain()
    assert 1 == store.maintain()


WRITER = textwrap.dedent("""
    import itertools, sys
    from runtime_exporter.profiling.profile import Frame, build
    from runtime_exporter.profiling.store import Store

    class Clock:
        now = 1_700_000_000.0
        def __call__(self):
            return self.now

    directory, first = sys.argv[1], int(sys.argv[2])
    clock = Clock()
    store = Store(directory, clock=clock, limit=10**9)
    stacks = [((Frame(f"module:function_{n % 200}"), Frame(f"module:caller_{n}")), (1, 50_000_000), ()) for n in range(600)]
    print("ready", flush=True)
    for number in itertools.count(first):
        begin = 1_700_000_000 + 60 * number
        profile = build("cpu", stacks, time_nanos=begin * 10**9, duration_nanos=60 * 10**9)
        kept = store.put(profile, "cpu", labels={"version": "1"})
        print(number, kept is not None, flush=True)
        clock.now = begin + 60.0
        store.maintain()
""")


def test_kill_9_at_any_moment_loses_nothing_that_was_kept_and_leaves_whole_files_only(tmp_path):
    """Each round writes and merges for a random time. Every minute that was said to be kept is there once, in some file."""
    chance = random.Random(20261122)
    confirmed = set()
    rounds = 0
    while (
        rounds < 12 or max(confirmed) < 240
    ):  # two hours stay raw: a machine that is busy needs longer until some do not
        rounds += 1
        first = max(confirmed, default=-1) + 2
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(first)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert "ready\n" == writer.stdout.readline()
            deadline = time.monotonic() + chance.uniform(0.02, 0.8)
            while time.monotonic() < deadline:
                number, kept = writer.stdout.readline().split()
                assert "True" == kept
                confirmed.add(int(number))
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:
                if line.endswith("\n"):
                    confirmed.add(int(line.split()[0]))
    store = Store(tmp_path, clock=Clock(1_700_000_000.0 + 60 * (max(confirmed) + 2)))
    store.maintain(most=1000)
    assert "" == store.problem
    entries = store.entries()
    nanoseconds = sum(total(store.read(one.name)) for one in entries)  # raises for a file that is not whole
    minutes = nanoseconds / (600 * 50_000_000)
    assert {"raw", "10m"} <= {one.resolution for one in entries}
    assert (
        len(confirmed) <= minutes <= len(confirmed) + rounds
    )  # a killed round may have kept one that it could not report
    left = [path.name for path in tmp_path.iterdir() if parse(path.name) is None and path.name != ".lock"]
    assert all(name.startswith(".new-") for name in left)


def test_a_directory_of_somebody_else_switches_it_off_with_one_line(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    tmp_path.chmod(0o755)
    directory = tmp_path / "profiles"
    directory.mkdir(mode=0o755)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        store = Store(directory, log=StateLog())
        results = [store.put(profile(), "cpu") for _ in range(2)]
        os._exit(0 if results == [None, None] and "denied" in store.problem else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert [] == list(directory.iterdir())


label_texts = st.text(max_size=80)
times = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)


@given(
    st.sampled_from(["cpu", "goroutineleak"]),
    times,
    times,
    st.integers(0, 2**22),
    st.dictionaries(label_texts.filter(bool), label_texts, max_size=5),
)
def test_a_name_tells_everything_and_fits_the_file_system(kind, begin, end, process, labels):
    made = entry(kind, begin, end, CAPTURE, process, labels)
    assert made == parse(made.name)
    assert 255 >= len(os.fsencode(made.name)) + len(".new-4194304-")
    assert "/" not in made.name


@given(st.text(max_size=60))
def test_no_other_name_is_taken_for_ours(name):
    found = parse(name)
    assert found is None or found.name == name


minutes = st.lists(st.integers(0, 40 * 60), max_size=60, unique=True)


@given(minutes, st.integers(0, 60))
def test_every_minute_is_in_exactly_one_profile_after_any_merging(chosen, hours):
    files = {entry("cpu", NOON + 60 * minute, NOON + 60 * minute + 60): {minute} for minute in chosen}
    now = NOON + hours * HOUR
    for _ in range(3):
        for bucket in due(files, now):
            files[bucket.target] = set().union(*(files.pop(one) for one in bucket.sources))
    assert sorted(chosen) == sorted(minute for content in files.values() for minute in content)
    assert () == merged_already(files)
    assert all(one.resolution != "raw" for one in files if one.end < now - 3 * HOUR)
    assert all(isinstance(one, Entry) for one in files)
