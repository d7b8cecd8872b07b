"""All profiling of a process: what is switched on is there, what is not is not even imported."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import tracemalloc

import pytest

from runtime_exporter.profiling.process import Profiling
from runtime_exporter.profiling.profile import build
from runtime_exporter.profiling.stoppable import can_stop
from runtime_exporter.settings import Settings

HEAVY = ("samplers.choose", "samplers.thread", "samplers.signal", "samplers.outside", "advice", "comparison", "continuous",
         "ondemand", "locks", "evidence", "assembly")  # fmt: skip
SCRIPT = """
import json, sys
from runtime_exporter import Exporter
from runtime_exporter.settings import Settings
exporter = Exporter(Settings(port=0, collectors=("-malloc",), log_level="error", **json.loads(sys.argv[1]))).start()
import urllib.request
for path in ("/metrics", "/debug/pprof/", "/debug/pprof/goroutine"):
    assert urllib.request.urlopen(exporter.url + path).status == 200
exporter.close()
print(json.dumps(sorted(sys.modules)))
"""


def imported(**settings):
    """Return what a process has imported that was started with these settings and has served a scrape."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(settings)], capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, done.stderr
    return set(json.loads(done.stdout))


def test_what_is_switched_off_is_not_imported():
    modules = imported(profiling=False)
    heavy = {f"runtime_exporter.profiling.{name}" for name in HEAVY}

    assert set() == heavy & modules
    assert "ctypes" not in modules
    assert heavy - {f"runtime_exporter.profiling.{name}" for name in ("ondemand", "locks")} <= imported(profiling=True)


def test_settings_that_are_off_make_nothing():
    profiling = Profiling(Settings(profiling=False))

    assert (None,) * 4 == (profiling.store, profiling.continuous, profiling.locks, profiling.heap)
    assert profiling.report is None
    profiling.open()
    profiling.forked()
    profiling.close()


def test_all_parts_share_one_store(tmp_path):
    profiling = Profiling(Settings(profiling=True, profile_directory=str(tmp_path)))

    assert profiling.store is profiling.continuous.pipeline.store
    profiling.on_demand.take("wall", 0.2)
    assert ["wall"] == [one.kind for one in profiling.store.entries()]


def test_the_numbers_are_read_and_profiles_offered_only_where_there_is_a_profiler():
    asked, offered = [], []

    def read():
        asked.append(1)
        return lambda: None

    Profiling(Settings(profiling=False), read=read)
    assert [] == asked
    profiling = Profiling(Settings(profiling=True), read=read, offer=lambda *what: offered.append(what))
    assert [1] == asked
    profile = build("cpu", [], time_nanos=1)
    profiling.continuous.pipeline.offer(profile, "cpu", {})
    assert [(profile, "cpu", {})] == offered


def test_locks_are_profiled_while_it_is_open():
    profiling = Profiling(Settings(profile_locks=True, profile_lock_packages=(__name__,)))
    plain = type(threading.Lock())
    own = threading.Lock
    profiling.open()
    try:
        lock = threading.Lock()
        assert threading.Lock is not own
        thread = threading.Thread(target=lock.acquire)
        lock.acquire()
        thread.start()
        thread.join(0.05)
        lock.release()
        thread.join(10)
        assert 1 == profiling.on_demand.now("block").total(0)
    finally:
        profiling.close()
    assert threading.Lock is own
    assert plain is type(threading.Lock())


def test_without_packages_the_locks_of_all_but_the_standard_library_are_profiled():
    profiling = Profiling(Settings(profile_locks=True))
    profiling.open()
    try:
        ours, of_a_queue = threading.Lock(), __import__("queue").Queue().mutex
    finally:
        profiling.close()

    assert "created as Lock" in repr(ours)
    assert "created as" not in repr(of_a_queue)


def test_locks_that_cannot_be_profiled_are_one_line(caplog):
    one, other = (Profiling(Settings(profile_locks=True)) for _ in range(2))
    one.open()
    try:
        other.open()
        other.close()
    finally:
        one.close()

    assert ["locks are not profiled: locks are profiled already in this process"] == caplog.messages


def test_memory_is_traced_while_it_is_open():
    profiling = Profiling(Settings(profile_heap=True, profiling=True))
    assert not tracemalloc.is_tracing()
    profiling.open()
    try:
        kept = bytearray(100_000)
        assert profiling.on_demand.now("heap").total(1) >= len(kept)
        assert (profiling.heap,) == profiling.continuous._paced
        profiling.close()
        assert can_stop() != tracemalloc.is_tracing()
    finally:
        profiling.close()
        tracemalloc.stop()


def test_after_a_fork_nothing_waits_for_a_lock_of_the_parent(tmp_path):
    profiling = Profiling(Settings(profile_locks=True, profile_directory=str(tmp_path)))
    on_demand = profiling.on_demand
    profiling._making.acquire()
    held = threading.Thread(target=profiling.store._lock.acquire)
    held.start()
    held.join(10)
    profiling.forked()

    assert on_demand is profiling.on_demand
    assert () == profiling.store.entries()


@pytest.mark.parametrize("running", [True, False])
def test_a_request_uses_the_sampler_that_runs(monkeypatch, running):
    profiling = Profiling(Settings(profiling=True))
    sampler = object()
    profiling.continuous.sampler = sampler
    monkeypatch.setattr(type(profiling.continuous), "running", running)

    assert (sampler if running else None) is profiling._sampler()
