"""Suspects are what grows for long, by enough, and stays; the rest is silent."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime_exporter.profiling.leaks import (
    MEMORY,
    OBJECT_TYPES,
    THREAD_GROUPS,
    History,
    Point,
    Suspect,
    ranked,
    suspect,
)

MINUTE = 60.0
MB = 1e6


def series(values, *, step=10 * MINUTE, settled=False):
    return [Point(index * step, float(value), settled) for index, value in enumerate(values)]


def judge(points, **options):
    return suspect(points, kind="rss", **{"started": 0.0, **options})


def growing(count=24, per_window=2 * MB, noise=0.0, seed=1):
    chance = random.Random(seed)
    return [100 * MB + index * per_window + chance.gauss(0, noise) for index in range(count)]


def test_what_grows_steadily_for_hours_is_a_suspect():
    found = judge(series(growing(noise=2 * MB)))
    assert 2 * MB / 600 == pytest.approx(found.slope, rel=0.1)
    assert found.slope_low < found.slope < found.slope_high
    assert found.p < 0.01
    assert (23, 600.0, 23 * 600.0) == (found.windows, found.begin, found.end)  # the warm-up is left out


def test_the_time_to_the_limit_is_what_is_left_at_this_slope():
    found = judge(series(growing()), limit=246 * MB, used=146 * MB)
    assert 100 * MB / (2 * MB / 600) == pytest.approx(found.seconds_to_limit)


def test_without_a_limit_the_time_to_it_is_infinite_and_not_spoken_of():
    found = judge(series(growing()))
    assert math.inf == found.seconds_to_limit
    assert "limit" not in str(found)


def test_a_suspect_says_what_it_is_on_what_evidence_and_never_that_it_is_a_leak():
    text = str(judge(series(growing()), site="dict", limit=246 * MB, used=146 * MB))
    assert text.startswith(
        "leak suspect: rss of dict grew from 1.02e+08 to 1.46e+08 bytes in 3.7 h (3.33e+03 bytes/s, p="
    )
    assert text.endswith("23 windows); at its limit in 8.3 h if that goes on")


@pytest.mark.parametrize(
    ("why", "points"),
    [
        ("nothing", []),
        ("too few windows", series(growing(12), step=10 * MINUTE)),
        ("too short", series(growing(40), step=MINUTE)),
        ("flat", series([100 * MB] * 40)),
        ("noise", series(growing(40, per_window=0, noise=20 * MB))),
        ("falls", series(growing(per_window=-2 * MB))),
        ("too little", series(growing(per_window=0.1 * MB))),
        ("went away", series([*growing(30), 102 * MB, 101 * MB, 101 * MB])),
        ("grew in the warm-up only", series([10 * MB, 200 * MB, *[200 * MB] * 30])),
        ("a cache that filled", series([100 * MB + 90 * MB * (index > 5) for index in range(40)])),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_suspect_is(why, points):
    assert None is judge(points)


def test_growth_below_two_percent_of_the_resident_memory_is_none():
    points = series(growing(per_window=MB))
    assert None is judge(points, whole=2e9)
    assert None is not judge(points, whole=2e8)


def test_the_warm_up_counts_from_the_start_of_the_process():
    points = series(growing(14))
    assert None is not judge(points, started=-3600.0)
    assert None is judge(points, started=1800.0)


def test_with_enough_points_after_full_collections_only_those_count():
    garbage = [point for point in series(growing(60), step=5 * MINUTE) if point.time % 600]
    after = series([100 * MB] * 30, settled=True)
    points = sorted([*garbage, *after])
    assert None is judge(points)
    assert None is not judge(garbage)


def test_growth_that_full_collections_leave_is_said_to_be_no_garbage():
    assert judge(series(growing(), settled=True)).settled
    assert not judge(series(growing())).settled


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_noise_around_a_level_is_hardly_ever_a_suspect(seed):
    chance = random.Random(seed)
    assert None is judge(series([100 * MB + chance.gauss(0, 2 * MB) for _ in range(40)]))


def test_objects_are_suspect_from_five_thousand_on():
    assert None is judge(series(range(0, 4800, 200)), thresholds=OBJECT_TYPES)
    assert None is not judge(series(range(0, 7200, 300)), thresholds=OBJECT_TYPES)


def test_ten_more_threads_over_ten_looks_are_suspect():
    found = judge(series(range(20), step=MINUTE), thresholds=THREAD_GROUPS, unit="threads")
    assert (19, 1 / 60) == (found.windows, pytest.approx(found.slope))
    assert None is judge(series([index // 2 for index in range(15)], step=MINUTE), thresholds=THREAD_GROUPS)


def made(site, slope):
    return Suspect("objects", site, "objects", 0, 1, 0, 1, 12, 0.001, slope, slope, slope, False, math.inf)


def test_suspects_are_ranked_by_slope_times_what_one_weighs():
    suspects = [made("small", 10.0), made("large", 2.0), made("middle", 5.0)]
    assert ["small", "middle", "large"] == [one.site for one in ranked(suspects)]
    assert ["large", "small"] == [one.site for one in ranked(suspects, {"large": 100.0}, most=2)]


def test_a_history_finds_which_of_many_sites_grows():
    history = History()
    for look in range(30):
        history.add(look * 600.0, {"Order": 1000 + 1000 * look, "Cart": 900, "Visit": 5000 * (look % 2)})
    (found,) = history.suspects(kind="objects", unit="objects", thresholds=OBJECT_TYPES, started=0.0)
    assert ("Order", 2000.0, 30_000.0) == (found.site, found.first, found.last)


def test_a_site_that_is_gone_has_none_and_is_forgotten_in_time():
    history = History(most_points=4)
    history.add(0.0, {"Order": 7})
    for look in range(1, 4):
        history.add(float(look), {})
    assert [7, 0, 0, 0] == [point.value for point in history.points("Order")]
    history.add(4.0, {})
    assert () == history.points("Order")


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(0, 100), max_size=20), max_size=30))
def test_a_history_is_bounded_whatever_comes(looks):
    history = History(most_sites=5, most_points=7)
    for at, values in enumerate(looks):
        history.add(float(at), values)
        assert len(history._series) <= 5
        assert all(len(points) <= 7 for points in history._series.values())


def test_what_finds_no_place_in_a_history_is_counted():
    history = History(most_sites=2)
    history.add(0.0, {"a": 1, "b": 3, "c": 2})
    assert (1, ()) == (history.left_out, history.points("a"))


def test_the_thresholds_are_those_of_the_reference():
    assert (12, 3600.0, 0.01, 5e6, 0.02) == (
        MEMORY.windows,
        MEMORY.span,
        MEMORY.significance,
        MEMORY.floor,
        MEMORY.floor_ratio,
    )
