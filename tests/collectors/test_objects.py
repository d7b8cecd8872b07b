import gc
import math
import sys
from types import SimpleNamespace

import pytest

from runtime_exporter.collectors import objects
from runtime_exporter.collectors.objects import CENSUS_SECONDS, ObjectsCollector


class World:
    """An interpreter with these objects, in three generations, whose census takes this CPU time."""

    def __init__(self, clock):
        self.clock = clock
        self.generations = ([], [], [])
        self.blocks = 1000
        self.cpu = 0.0
        self.census_seconds = 0.001
        self.censuses = 0
        self.module = SimpleNamespace(get_objects=self.get_objects, get_freeze_count=self.get_freeze_count)

    def get_freeze_count(self):
        self.censuses += 1
        self.cpu += self.census_seconds
        return 42

    def get_objects(self, generation):
        return list(self.generations[generation])

    def collector(self, limit=20, *, generational=True):
        return ObjectsCollector(
            limit,
            module=self.module,
            blocks=lambda: self.blocks,
            clock=self.clock,
            cpu=lambda: self.cpu,
            generational=generational,
        )


@pytest.fixture
def world(clock):
    return World(clock)


def types(values, collector):
    return {
        name[len("python_object_types{type=") : -1]: value
        for name, value in values(collector).items()
        if "types" in name
    }


def test_objects_are_counted_by_generation_and_type(world, values):
    world.generations = ([[]], [{}, {}], [{}] * 6 + [()])
    collector = world.collector()

    collector.update()
    ours = values(collector)

    assert (1000, 42) == (ours["python_allocated_blocks"], ours["python_gc_frozen_objects"])
    assert (1, 2, 7) == tuple(ours[f"python_gc_objects{{generation={g}}}"] for g in range(3))
    assert {"dict": 8, "list": 1, "tuple": 1, "other": 0} == types(values, collector)


def test_a_large_heap_is_estimated_from_a_sample(world, values):
    world.generations = ([], [], [[], {}, {}, {}] * 100_000)
    collector = world.collector()

    collector.update()

    assert {"dict": pytest.approx(300_000, rel=0.05), "list": pytest.approx(100_000, rel=0.05)} == {
        name: value for name, value in types(values, collector).items() if name != "other"
    }


def test_a_type_with_few_objects_is_other(world, values):
    world.generations = ([], [], [{}] * 99 + [[]])
    collector = world.collector()

    collector.update()

    assert {"dict": 99, "other": 1} == types(values, collector)
    assert {"python_object_types": 0} == collector.folded()


def test_a_member_stays_when_it_has_few_objects_or_none(world, clock, values):
    world.generations = ([], [], [{}] * 9 + [[]])
    collector = world.collector()
    collector.update()
    world.generations = ([], [], [{}] * 100)
    clock.advance(CENSUS_SECONDS)

    collector.update()

    assert {"dict": 100, "list": 0, "other": 0} == types(values, collector)


def test_a_type_that_leaks_later_finds_a_series(world, clock, values):
    kinds = [type(f"Kind{number}", (), {"__module__": "shop"}) for number in range(500)]
    world.generations = ([], [], [kind() for kind in kinds] + [{}] * 500)
    collector = world.collector()
    collector.update()
    world.generations[2].extend(kinds[7]() for _ in range(1000))
    clock.advance(CENSUS_SECONDS)

    collector.update()

    assert {"dict": 500, "shop.Kind7": 1001, "other": 499} == types(values, collector)


def test_types_beyond_the_limit_are_other_and_counted(world, values):
    world.generations = ([], [], [{}] * 50 + [[]] * 30 + [()] * 20)
    collector = world.collector(limit=2)

    collector.update()

    assert {"dict": 50, "list": 30, "other": 20} == types(values, collector)
    assert {"python_object_types": 1} == collector.folded()


def test_a_class_that_cannot_be_hashed_is_counted(world, values):
    class Unhashable(type):
        __hash__ = None

        def __eq__(cls, other):
            raise RuntimeError

    odd = Unhashable("Odd", (), {"__module__": "shop"})
    world.generations = ([], [], [odd(), odd()])
    collector = world.collector()

    collector.update()

    assert 2 == types(values, collector)["shop.Odd"]


def test_the_census_is_taken_once_a_minute_and_blocks_each_time(world, clock, values):
    collector = world.collector()
    collector.update()
    world.blocks = 2000
    clock.advance(CENSUS_SECONDS - 1)
    collector.update()
    early = world.censuses
    clock.advance(1)
    collector.update()

    assert (1, 2, 2000) == (early, world.censuses, values(collector)["python_allocated_blocks"])


def test_a_census_that_would_stop_the_program_for_long_is_not_taken(world, values):
    world.blocks = 10_000_000
    collector = world.collector()

    collector.update()

    assert 0 == world.censuses
    assert {"python_allocated_blocks": 10_000_000} == values(collector)


def test_what_a_census_cost_decides_about_the_next(world, clock, values):
    world.census_seconds = 0.05
    world.generations = ([], [], [{}])
    collector = world.collector()
    collector.update()
    clock.advance(CENSUS_SECONDS)
    collector.update()
    censuses, hidden = world.censuses, types(values, collector)
    world.blocks = 100
    clock.advance(CENSUS_SECONDS)

    collector.update()

    assert (1, {}) == (censuses, hidden)
    assert {"dict": 1, "other": 0} == types(values, collector)


def test_a_collector_without_generations_has_all_objects_in_the_oldest_and_each_once(world, values):
    everything = [[], {}, {}]
    world.generations = (everything, everything, everything)
    collector = world.collector(generational=False)
    collector.update()
    found = {name: value for name, value in values(collector).items() if name.startswith("python_gc_objects{")}
    assert {"python_gc_objects{generation=2}": 3} == found


def test_this_process_is_counted(values, monkeypatch):
    monkeypatch.setattr(objects, "MOST_PAUSE_SECONDS", math.inf)  # however large other tests have made it
    collector = ObjectsCollector()
    collector.update()
    ours = values(collector)

    assert pytest.approx(sys.getallocatedblocks(), rel=0.1) == ours["python_allocated_blocks"]
    generations = [count for name, count in ours.items() if name.startswith("python_gc_objects{")]
    assert pytest.approx(len(gc.get_objects()), rel=0.1) == sum(generations)
    assert ours["python_object_types{type=function}"] > 1000


def test_it_is_taken_in_the_background():
    assert ObjectsCollector.interval is not None
