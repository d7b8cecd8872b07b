import gc
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.gc_collector import GCCollector

from runtime_exporter.collectors.gc import GcCollector


@pytest.fixture
def world():
    return SimpleNamespace(
        callbacks=[],
        get_stats=lambda: [{"collections": 7 - g, "collected": 10 * g, "uncollectable": g} for g in range(3)],
        get_threshold=lambda: (700, 10, 5),
        isenabled=lambda: False,
    )


def collect(world, clock, generation, seconds):
    for callback in world.callbacks:
        callback("start", {"generation": generation, "collected": 0, "uncollectable": 0})
    clock.advance(seconds)
    for callback in world.callbacks:
        callback("stop", {"generation": generation, "collected": 0, "uncollectable": 0})


def test_totals_are_those_of_the_interpreter(world, clock, values):
    collector = GcCollector(module=world, clock=clock)

    collector.update()
    ours = values(collector)

    for generation in range(3):
        label = f"{{generation={generation}}}"
        assert 7 - generation == ours["python_gc_collections_total" + label]
        assert 10 * generation == ours["python_gc_objects_collected_total" + label]
        assert generation == ours["python_gc_objects_uncollectable_total" + label]
        assert (700, 10, 5)[generation] == ours["python_gc_threshold" + label]
    assert 0 == ours["python_gc_enabled"]


def test_pauses_are_counted_by_generation(world, clock, values):
    collector = GcCollector(module=world, clock=clock)
    collector.start()

    collect(world, clock, 0, 0.0002)
    collect(world, clock, 2, 0.25)
    collect(world, clock, 2, 0.5)
    ours = values(collector)

    assert (1, 0, 2) == tuple(ours[f"python_gc_duration_seconds_count{{generation={g}}}"] for g in range(3))
    assert pytest.approx(0.75) == ours["python_gc_duration_seconds_sum{generation=2}"]
    assert 0 == ours["python_gc_duration_seconds_bucket{generation=2,le=0.1}"]


def test_a_collection_that_was_under_way_at_the_start_is_not_counted(world, clock, values):
    collector = GcCollector(module=world, clock=clock)
    collector.start()

    world.callbacks[0]("stop", {"generation": 0})

    assert 0 == values(collector)["python_gc_duration_seconds_count{generation=0}"]


def test_starting_twice_times_once_and_closing_twice_is_fine(world, clock):
    theirs = lambda *_: None  # noqa: E731
    world.callbacks.append(theirs)
    collector = GcCollector(module=world, clock=clock)
    collector.start()
    collector.start()
    during = len(world.callbacks)
    collector.close()
    collector.close()

    assert (2, [theirs]) == (during, world.callbacks)


def test_a_real_collection_is_timed(values):
    collector = GcCollector()
    before = list(gc.callbacks)
    collector.start()
    try:
        gc.collect(1)
        ours = values(collector)
    finally:
        collector.close()

    assert 1 == ours["python_gc_duration_seconds_count{generation=1}"]
    assert 0 < ours["python_gc_duration_seconds_sum{generation=1}"] < 10
    assert before == gc.callbacks


def test_the_names_and_types_of_prometheus_client_are_kept():
    registry = CollectorRegistry()
    GCCollector(registry)
    theirs = {(family.name, family.type) for family in registry.collect()}

    assert theirs <= {(family.family.name, family.family.type) for family in GcCollector().families}
