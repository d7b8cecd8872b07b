"""What becomes of the values of several workers: by the type, the mode, and by who lives."""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime_exporter import metrics
from runtime_exporter.metrics import workers
from runtime_exporter.metrics.workers import merging, slots
from runtime_exporter.metrics.workers.folding import fold
from workers_in_tests import Pretended, samples


@pytest.fixture
def two(tmp_path):
    found = Pretended(tmp_path), Pretended(tmp_path)
    yield found
    for worker in found:
        worker.die()


MODES = {
    # mode: what two workers that say 3 and then 5 are, and what is left when the second is dead
    "sum": ({"g": 8.0}, {"g": 8.0}),
    "livesum": ({"g": 8.0}, {"g": 3.0}),
    "max": ({"g": 5.0}, {"g": 5.0}),
    "livemax": ({"g": 5.0}, {"g": 3.0}),
    "min": ({"g": 3.0}, {"g": 3.0}),
    "livemin": ({"g": 3.0}, {"g": 3.0}),
    "mostrecent": ({"g": 5.0}, {"g": 5.0}),
    "livemostrecent": ({"g": 5.0}, {"g": 3.0}),
    "all": ({'g{worker="0"}': 3.0, 'g{worker="1"}': 5.0}, {'g{worker="0"}': 3.0}),
    "liveall": ({'g{worker="0"}': 3.0, 'g{worker="1"}': 5.0}, {'g{worker="0"}': 3.0}),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_gauge_is_put_together_as_its_mode_says(two, merged, mode):
    for worker, value in zip(two, (3, 5), strict=True):
        worker.level = worker.gauge("g", multiprocess_mode=mode)
        worker.level.set(value)
    together, alone = MODES[mode]
    assert together == samples(merged)
    two[1].die()
    assert alone == samples(merged)


def test_a_scrape_that_finds_no_quiet_moment_says_what_the_last_one_said(two, merged, tmp_path, monkeypatch):
    count = two[0].counter("c")
    count.inc(5)
    assert {"c_total": 5.0} == samples(merged)
    read = merged._read
    monkeypatch.setattr(merging, "_PATIENCE", 0.0)
    monkeypatch.setattr(merged, "_read", lambda: read() and False)
    count.inc()
    with slots.folding(tmp_path):
        assert {"c_total": 5.0} == samples(merged)
    assert {"c_total": 6.0} == samples(merged)  # nobody can fold meanwhile


def test_a_counter_may_be_the_same_in_all_workers(two, merged):
    kept = [worker.counter("c", multiprocess_mode="max") for worker in two]
    for count, total in zip(kept, (10, 12), strict=True):
        count.set_total(total)
    assert {"c_total": 12.0} == samples(merged)


def test_what_is_told_per_worker_is_told_in_all_too(two, merged):
    kept = [worker.counter("c", ["a"], per_worker=True) for worker in two]
    for count, amount in zip(kept, (1, 2), strict=True):
        count.labels("x").inc(amount)
    one, other = 'worker_c_total{a="x",worker="0"}', 'worker_c_total{a="x",worker="1"}'
    assert {'c_total{a="x"}': 3.0, one: 1.0, other: 2.0} == samples(merged)
    two[1].die()
    assert {'c_total{a="x"}': 3.0, one: 1.0} == samples(merged)


def test_infos_are_told_once_each_and_states_by_worker(two, merged):
    kept = [(worker.info("i"), worker.enum("e", states=["on", "off"])) for worker in two]
    for (info, state), said in zip(kept, ("on", "off"), strict=True):
        info.info({"version": "1"})
        state.state(said)
    found = samples(merged)
    assert {'i_info{version="1"}': 1.0} == {name: value for name, value in found.items() if name.startswith("i_")}
    assert {('e{worker="0",e="on"}'), 'e{worker="1",e="off"}'} == {
        name for name, value in found.items() if name.startswith("e{") and value
    }
    kept[1][0].info({"version": "2"})
    assert {'i_info{version="1"}', 'i_info{version="2"}'} <= samples(merged).keys()


def test_a_family_that_a_worker_hides_counts_there_no_more(two, merged):
    kept = [worker.gauge("g", multiprocess_mode="min") for worker in two]
    for level, value in zip(kept, (3, 5), strict=True):
        level.set(value)
    kept[0].hidden = True
    assert {"g": 5.0} == samples(merged)
    kept[1].hidden = True
    assert {} == samples(merged)
    kept[0].hidden = kept[1].hidden = False
    assert {"g": 3.0} == samples(merged)


@pytest.mark.parametrize(
    "others",
    [
        {"labelnames": ["b"]},
        {"buckets": (1, 5)},
    ],
)
def test_a_family_that_a_newer_version_defines_otherwise_is_the_newer_ones(two, merged, others):
    old = two[0].histogram("h", ["a"], buckets=(1, 2))
    old.labels("x").observe(1)
    new = two[1].histogram("h", **{"labelnames": ["a"], "buckets": (1, 2)} | others)
    new.labels("x").observe(3)
    label = new.family.labelnames[0]
    assert 1.0 == samples(merged)[f'h_count{{{label}="x"}}']
    assert 1 == merged.left_out
    two[0].die()
    assert 1.0 == samples(merged)[f'h_count{{{label}="x"}}']
    two[1].die()
    assert 1.0 == samples(merged)[f'h_count{{{label}="x"}}']


def test_a_newer_version_is_the_newer_one_though_the_clock_was_set_back(tmp_path, merged, monkeypatch):
    old = Pretended(tmp_path)
    old.histogram("h", buckets=(1, 2)).observe(1)
    before = time.time_ns()
    monkeypatch.setattr(slots.time, "time_ns", lambda: before - 3600 * 10**9)
    for number in (1.0, 2.0):
        new = Pretended(tmp_path)
        new.histogram("h", buckets=(1, 2, 3)).observe(1)
        found = samples(merged)
        assert (number, number) == (found["h_count"], found['h_bucket{le="3.0"}'])
        if number == 1.0:
            old.die()
        new.die()
        fold(tmp_path)


def test_a_counter_that_became_a_gauge_is_never_added_to_it(two, merged):
    old = two[0].counter("x")
    old.inc(100)
    new = two[1].gauge("x", multiprocess_mode="sum")
    new.set(1)
    assert {"x": 1.0} == samples(merged)


def test_created_is_when_the_first_worker_began(two, merged):
    kept = [worker.counter("c") for worker in two]
    metrics.enable_created_metrics()
    try:
        assert kept[0].created == samples(merged)["c_created"] < kept[1].created
    finally:
        metrics.disable_created_metrics()


def test_created_of_the_dead_is_told_also_where_it_was_not_when_they_were_read(two, merged):
    kept = [worker.histogram("h", buckets=(1,)) for worker in two]
    for histogram in kept:
        histogram.observe(0.5)
    two[0].die()
    assert 2.0 == samples(merged)["h_count"]
    metrics.enable_created_metrics()
    try:
        assert kept[0].created == samples(merged)["h_created"]
    finally:
        metrics.disable_created_metrics()
    assert 2.0 == samples(merged)["h_count"]


def test_functions_are_evaluated_by_each_worker(two, merged):
    level = two[0].gauge("g", multiprocess_mode="sum")
    level.set_function(lambda: 42)
    other = two[1].counter("c")
    other.set_function(lambda: 1 / 0)
    for worker in two:
        worker.worker.tick()
    assert {"g": 42.0, "c_total": 0.0} == samples(merged)


AMOUNTS = st.integers(0, 3)
STEPS = st.lists(
    st.tuples(st.sampled_from(["count", "observe", "add", "die", "fold", "read"]), st.integers(0, 2), AMOUNTS),
    max_size=25,
)


class Worker:
    def __init__(self, directory):
        self.pretended = Pretended(directory)
        self.count = self.pretended.counter("c", ["a"])
        self.sizes = self.pretended.histogram("h", ["a"], buckets=(1, 2))
        self.sums = self.pretended.summary("s")
        self.level = self.pretended.gauge("g", multiprocess_mode="livesum")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_counters_are_what_was_counted_by_whomever_and_whoever_lives(steps, tmp_path):
    directory = Path(tempfile.mkdtemp(dir=tmp_path))
    merged = workers.Merged(directory)
    living = [Worker(directory) for _ in range(3)]
    counted, observed, added, levels = [0, 0, 0, 0], [], [], [0, 0, 0]
    for what, who, amount in [*steps, ("read", 0, 0)]:
        if what == "count":
            living[who].count.labels(str(amount)).inc(amount)
            counted[amount] += amount
        elif what == "observe":
            living[who].sizes.labels("x").observe(amount)
            observed.append(amount)
            levels[who] += amount
            living[who].level.inc(amount)
        elif what == "add":
            living[who].sums.observe(amount)
            added.append(amount)
        elif what == "die":
            living[who].pretended.die()
            living[who], levels[who] = Worker(directory), 0
        elif what == "fold":
            fold(directory)
        else:
            found = samples(merged)
            assert counted == [found.get(f'c_total{{a="{value}"}}', 0) for value in range(4)]
            assert (len(observed), sum(observed)) == (
                found.get('h_count{a="x"}', 0),
                found.get('h_sum{a="x"}', 0),
            )
            assert sum(value <= 1 for value in observed) == found.get('h_bucket{a="x",le="1.0"}', 0)
            assert (len(added), sum(added)) == (found["s_count"], found["s_sum"])
            assert sum(levels) == found["g"]
    merged.close()
    for worker in living:
        worker.pretended.die()


def test_a_family_that_a_worker_cannot_keep_up_to_date_is_left_out_of_what_all_say(two, merged):
    kept = [worker.gauge("g", multiprocess_mode="sum") for worker in two]
    for level, value in zip(kept, (3, 5), strict=True):
        level.set(value)
    kept[1].family.withheld = True
    assert {"g": 3.0} == samples(merged)


def test_a_reader_that_gave_its_files_back_reads_them_again(two, merged):
    count = two[0].counter("c")
    count.inc()
    assert {"c_total": 1.0} == samples(merged)
    merged.forked()
    count.inc()
    assert {"c_total": 2.0} == samples(merged)


def test_a_family_that_is_called_as_another_is_told_per_worker_does_not_break_the_scrape(two, merged):
    told = [worker.counter("x", per_worker=True) for worker in two]
    own = two[1].gauge("worker_x", ["a", "b"], multiprocess_mode="sum")
    for count in told:
        count.inc()
    own.labels("1", "2").set(5)
    assert 2.0 == samples(merged)["x_total"]


def test_what_was_removed_in_an_older_version_is_not_put_into_the_newer_ones(two, merged):
    old = two[0].histogram("h", ["a"], buckets=(1, 2))
    old.labels("x").observe(1)
    new = two[1].histogram("h", ["a"], buckets=(1, 2, 3, 4))
    new.labels("x").observe(3)
    old.remove("x")
    assert (1.0, 3.0) == tuple(samples(merged)[f'h_{name}{{a="x"}}'] for name in ("count", "sum"))


def test_a_family_that_ended_before_it_was_folded_takes_nobody_elses_with_it(two, merged):
    kept = two[1].counter("kept")
    kept.inc()
    gone = two[0].counter("gone", ["a"])
    gone.labels("x").inc()
    del gone
    gc.collect()
    two[0].worker.tick()
    assert {"kept_total": 1.0} == samples(merged)


def test_a_series_that_outlives_its_family_takes_nobody_elses_with_it(two, merged):
    kept, alone = two[1].counter("kept"), two[0].counter("alone")
    kept.inc()
    alone.inc()
    # A collection of cycles ends objects in any order.
    two[0].store.journal.died(*alone.family.cells, 1)
    two[0].store.journal.bury()
    assert {"kept_total": 1.0} == samples(merged)
