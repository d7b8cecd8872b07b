"""What grows for long enough is suspected: by kind, within the time that the setting gives, and anew after a fork."""

import pytest

from runtime_exporter.profiling.advice.facts import Memory
from runtime_exporter.profiling.growth import Growth
from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.readings import Reading, Settled
from runtime_exporter.profiling.threads import ThreadState

MB = 10**6


def state(number, group, function):
    return ThreadState(number, number, f"{group}-{number}", group, True, (Frame(function, "shop.py", 1),))


def reading(at, *, resident=100 * MB, blocks=1_000_000, settled=None, objects=None, tasks=None, limit=None):
    return Reading(
        time=at,
        memory=Memory(resident=resident, allocator_free=0, limit=limit),
        blocks=blocks,
        settled=settled,
        objects=objects or {},
        counted=at,
        tasks=tasks or {},
    )


def watched(growth, looks, step=60.0, **series):
    """The suspects after so many looks; each keyword is a function from the look's number to a value."""
    found = {}
    for number in range(looks):
        found = growth.look(reading(number * step, **{name: value(number) for name, value in series.items()}))
    return found


def counts(found):
    return {kind: len(suspects) for kind, suspects in found.items()}


def test_nothing_is_suspected_of_what_stays_and_every_kind_that_is_looked_at_is_told():
    found = watched(Growth(0.0, threads=list), 120)
    assert {"rss": 0, "blocks": 0, "objects": 0, "threads": 0, "tasks": 0} == counts(found)


def test_memory_that_grows_for_an_hour_after_the_warm_up_is_suspected_and_its_end_is_told():
    growth = Growth(0.0, threads=list)
    grow = {"resident": lambda number: (100 + number) * MB, "limit": lambda _: 1000 * MB}
    assert [] == watched(growth, 69, **grow)["rss"]
    growth = Growth(0.0, threads=list)
    (suspect,) = watched(growth, 72, **grow)["rss"]
    assert ("rss", "", "bytes") == (suspect.kind, suspect.site, suspect.unit)
    assert MB / 60 == pytest.approx(suspect.slope)
    assert (1000 - 171) * 60 == pytest.approx(suspect.seconds_to_limit)


def test_a_shorter_span_shortens_all_times():
    found = watched(
        Growth(0.0, span=60.0, threads=list), 75, step=1.0, resident=lambda number: (100 + number) * MB,
        tasks=lambda number: {"poll": 2.0 * number, "serve": 9.0},
    )  # fmt: skip
    assert {"rss": 1, "blocks": 0, "objects": 0, "threads": 0, "tasks": 1} == counts(found)


def test_looks_are_no_closer_than_a_sixtieth_of_the_span():
    taken = []

    def look():
        taken.append(1)
        return []

    growth = Growth(0.0, span=3600.0, threads=look)
    for second in range(600):
        growth.look(reading(float(second)))
    assert 10 <= len(taken) <= 12


def test_growth_that_full_collections_take_back_is_none():
    def settled(number):
        return Settled(number * 60.0 - 1, 1_000_000)

    garbage = {"blocks": lambda number: 1_000_000 + 20_000 * number}
    (suspect,) = watched(Growth(0.0, threads=list), 80, **garbage)["blocks"]
    assert ("blocks", False) == (suspect.unit, suspect.settled)
    assert [] == watched(Growth(0.0, threads=list), 80, settled=settled, **garbage)["blocks"]


def test_blocks_that_full_collections_leave_are_suspected_as_settled():
    found = watched(
        Growth(0.0, threads=list), 80, settled=lambda number: Settled(number * 60.0 - 1, 1_000_000 + 10_000 * number)
    )
    assert [True] == [one.settled for one in found["blocks"]]


def test_types_and_groups_of_threads_are_told_by_name():
    threads = []
    growth = Growth(0.0, threads=lambda: threads)
    for number in range(80):
        threads.append(state(number, "poll", "shop:poll"))
        growth.look(reading(number * 60.0, objects={"app.Order": 1000.0 * number, "dict": 50_000.0}))
    found = growth.look(reading(81 * 60.0, objects={"app.Order": 81_000.0, "dict": 50_000.0}))
    assert ["app.Order"] == [one.site for one in found["objects"]]
    assert ["poll in shop:poll"] == [one.site for one in found["threads"]]


def test_another_process_begins_anew():
    growth = Growth(0.0, threads=list)
    assert 1 == len(watched(growth, 72, resident=lambda number: (100 + number) * MB)["rss"])
    growth.forget(72 * 60.0)
    assert [] == growth.look(reading(73 * 60.0, resident=300 * MB))["rss"]
    found = {}
    for number in range(74, 130):  # the warm-up counts from the child's begin
        found = growth.look(reading(number * 60.0, resident=(300 + number) * MB))
    assert [] == found["rss"]
