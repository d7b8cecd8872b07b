"""One reading of this process, from real collectors, and from files of control groups that this machine does not have."""

import asyncio
import gc
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime_exporter.collectors import ALL, Supervisor, objects
from runtime_exporter.collectors.asyncio import AsyncioCollector
from runtime_exporter.collectors.facts import ProcessReadings
from runtime_exporter.collectors.gc import GcCollector
from runtime_exporter.collectors.gil import GilCollector
from runtime_exporter.collectors.malloc import Heap, MallocCollector
from runtime_exporter.collectors.objects import ObjectsCollector
from runtime_exporter.profiling.readings import Queue, Seen
from runtime_exporter.settings import Settings

SEEN = Seen(60.0, {}, 2.0)


@pytest.fixture
def read():
    """Readings with these collectors, which are closed with the test."""
    opened = []

    def make(*collectors, **options):
        readings = ProcessReadings({one.name: one for one in collectors}, **options)
        opened.extend((*collectors, readings))
        return readings

    yield make
    for one in opened:
        one.close()


def test_without_collectors_there_is_still_the_memory_and_the_time(read):
    before = time.time()
    reading = read()()
    assert before <= reading.time <= time.time()
    assert reading.memory.resident > 10_000_000
    assert 0 == reading.memory.allocator_free
    assert (None, None, None, {}) == (reading.gc, reading.lag, reading.gil, reading.objects)


def test_memory_that_the_system_does_not_tell_costs_nothing_else(read):
    def broken():
        raise OSError("/proc is not mounted")

    reading = read(GilCollector(), process=broken)()
    assert (None, True) == (reading.memory, reading.gil is not None)


def test_collections_of_the_time_between_two_readings_are_facts(read):
    collector = GcCollector()
    readings = read(collector)
    collector.start()
    before = readings()
    for _ in range(3):
        knot = []
        knot.append(knot)
        del knot
        gc.collect()
    facts = readings().since(before, SEEN).gc
    assert 3 <= facts.collections[2] <= 10
    assert facts.collected[2] >= 3
    assert 0 < facts.full_pause <= facts.seconds
    assert gc.get_threshold() == facts.thresholds


def test_what_a_full_collection_leaves_is_known_as_of_its_end(read):
    collector = GcCollector(blocks=lambda: 4711)
    readings = read(collector)
    collector.start()
    assert None is readings().settled
    gc.collect(0)
    assert None is readings().settled
    before = time.time()
    gc.collect()
    settled = readings().settled
    assert 4711 == settled.blocks
    assert before <= settled.time <= time.time()


def test_the_lock_is_probed_and_what_malloc_keeps_is_known(read):
    gil = GilCollector(sleep=lambda _: None)
    malloc = MallocCollector(lambda: Heap(in_use=5, free=300))
    readings = read(gil, malloc)
    before = readings()
    for _ in range(40):
        gil.update()
    malloc.update()
    after = readings()
    assert 0.0 <= after.since(before, SEEN).gil.wait_ratio <= 1.0
    assert 40 == after.gil.number - before.gil.number
    assert 300 == after.memory.allocator_free


def test_a_loop_that_is_watched_tells_its_lag_its_tasks_and_whether_it_is_in_debug_mode(read):
    collector = AsyncioCollector()
    readings = read(collector)
    assert None is readings().lag

    async def poll():
        await asyncio.sleep(30)

    async def main():
        collector.start()
        tasks = [asyncio.create_task(poll()) for _ in range(3)]
        await asyncio.sleep(0.6)
        collector.update()
        reading = readings()
        for task in tasks:
            task.cancel()
        return reading

    reading = asyncio.run(main(), debug=True)
    assert reading.loop_debug
    assert reading.lag.number >= 1
    assert 3 == next(count for name, count in reading.tasks.items() if name.endswith("poll"))


def test_objects_are_those_of_the_last_census(read, monkeypatch):
    monkeypatch.setattr(objects, "MOST_PAUSE_SECONDS", math.inf)  # however large other tests have made this process
    collector = ObjectsCollector()
    readings = read(collector)
    assert ({}, 0.0) == (readings().objects, readings().counted)
    before = time.time()
    collector.update()
    reading = readings()
    assert before <= reading.counted <= time.time()
    assert max(reading.objects.values()) > 100
    assert reading.blocks > 1000


def test_a_pool_has_its_workers_and_what_waits_for_them(read):
    readings, go = read(), threading.Event()
    with ThreadPoolExecutor(2, thread_name_prefix="facts") as executor:
        for _ in range(5):
            executor.submit(go.wait, 30)
        while executor._work_queue.qsize() > 3:
            time.sleep(0.001)
        pools = readings().pools
        go.set()
    assert Queue(2, 3) in pools.values()
    assert Queue(2, 3) not in readings().pools.values()


def test_the_quota_is_what_the_control_group_says_and_its_limit_holds_for_memory(read, tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("0::/\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("123456789\n")
    stat = tmp_path / "cpu.stat"
    stat.write_text("nr_periods 100\nnr_throttled 10\nthrottled_usec 1000000\n")
    readings = read(proc=str(tmp_path), cgroup_root=str(tmp_path))
    before = readings()
    assert 123456789 == before.memory.limit
    stat.write_text("nr_periods 160\nnr_throttled 40\nthrottled_usec 4000000\n")
    quota = readings().since(before, SEEN).quota
    assert (0.5, 60, 30, 3.0) == (quota.cores, quota.periods, quota.throttled_periods, quota.throttled_seconds)


def test_all_collectors_of_a_running_exporter_can_be_asked():
    supervisor = Supervisor([factory(Settings()) for factory in ALL.values()])
    readings = ProcessReadings(supervisor.collectors)
    supervisor.start()
    try:
        list(supervisor.collect())
        reading = readings()
    finally:
        supervisor.close()
        readings.close()
    assert (True, True, True) == (reading.gc is not None, reading.gil is not None, reading.blocks > 0)
