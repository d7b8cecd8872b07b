"""What our metrics do beside what prometheus_client's do, which conformance/ holds them to."""

from __future__ import annotations

import asyncio
import gc
import math

import prometheus_client as peer
import pytest
from prometheus_client.registry import DuplicateTimeseries

from runtime_exporter import metrics
from runtime_exporter.metrics.cells import STORE


@pytest.fixture
def registry():
    return metrics.CollectorRegistry()


def samples(metric):
    """All samples of a metric but when it was created, as {(name, labels): value}."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_nan_falls_into_the_last_bucket_so_that_count_and_buckets_agree(registry):
    histogram = metrics.Histogram("h", "H", registry=registry, buckets=(1,))
    histogram.observe(math.nan)
    found = samples(histogram)
    assert (
        found["h_bucket", (("le", "1.0"),)],
        found["h_bucket", (("le", "+Inf"),)],
        found["h_count", ()],
    ) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize("name", ["bad-name", 'quoted"', "", "1st", "__reserved"])
def test_info_refuses_a_name_that_would_cost_the_whole_scrape(name):
    info = metrics.Info("build", "B", registry=None)
    with pytest.raises(ValueError, match="label name"):
        info.info({name: "x"})
    assert samples(info) == {("build_info", ()): 1.0}


def test_a_removed_child_that_somebody_still_holds_never_writes_into_another_series():
    gauge = metrics.Gauge("g", "G", ["a"], registry=None)
    held = gauge.labels("old")
    gauge.remove("old")
    others = [gauge.labels(str(number)) for number in range(100)]
    held.set(99)
    assert {0.0} == set(samples(gauge).values())
    assert len(others) == 100


def test_the_cells_of_a_series_that_nobody_holds_any_more_are_used_again():
    gauge = metrics.Gauge("g", "G", ["a"], registry=None)
    for number in range(1000):
        gauge.labels(str(number)).set(number)
    gauge.clear()
    gc.collect()
    before = STORE.mapped_bytes
    for round_ in range(50):
        for number in range(1000):
            gauge.labels(f"{round_}-{number}").inc()
        assert {1.0} == set(samples(gauge).values())
        gauge.clear()
    assert before == STORE.mapped_bytes


@pytest.mark.parametrize("name", ["", "1a", "a-b", "größe", "a b"])
def test_a_name_outside_the_classic_data_model_is_refused(name):
    with pytest.raises(ValueError, match=r"(?i)metric name"):
        metrics.Gauge(name, "G", registry=None)


@pytest.mark.parametrize("labels", [["1a"], ["a-b"], ["__name__"], ["a", "a"], ["ä"]])
def test_a_label_name_that_is_invalid_reserved_or_repeated_is_refused(labels):
    with pytest.raises(ValueError, match="label name"):
        metrics.Gauge("g", "G", labels, registry=None)


def test_registering_the_same_name_twice_is_refused_by_the_registry(registry):
    metrics.Counter("c", "C", registry=registry)
    with pytest.raises(DuplicateTimeseries):
        metrics.Gauge("c_total", "G", registry=registry)
    with pytest.raises(DuplicateTimeseries):
        peer.Counter("c", "C", registry=registry)


def test_decorated_coroutines_are_timed_until_they_end_not_until_they_are_made():
    histogram = metrics.Histogram("h", "H", registry=None)
    gauge = metrics.Gauge("g", "G", registry=None)
    counter = metrics.Counter("c", "C", registry=None)
    inside = []

    @histogram.time()
    @gauge.track_inprogress()
    @counter.count_exceptions(KeyError)
    async def work():
        await asyncio.sleep(0.02)
        inside.append(samples(gauge)["g", ()])
        raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(work())
    assert inside == [1.0]
    assert samples(gauge)["g", ()] == 0.0
    assert samples(counter)["c_total", ()] == 1.0
    assert samples(histogram)["h_sum", ()] >= 0.02


@pytest.mark.parametrize("amount", [-1.0, 0.0, 1.0, 1.5, 2.0, 9.0, math.inf, math.nan])
def test_a_tally_is_an_observation_that_tells_its_bucket(amount):
    told, observed = (metrics.Histogram(name, "H", buckets=(1, 2), registry=None) for name in "ab")
    bucket = told.tally(amount)
    observed.observe(amount)
    told.exemplify(bucket, amount, {"trace_id": "abc"})
    assert told.snapshot()[0][bucket] == 1
    assert told.snapshot()[0] == observed.snapshot()[0]
    assert [bucket] == [*told.exemplars]


def test_a_gauges_cell_is_its_value():
    level = metrics.Gauge("g", "G", registry=None)
    floats, at = level.cell
    floats[at] += 2.0
    assert level.value() == 2


def test_created_samples_are_there_only_when_asked_for():
    counter = metrics.Counter("c", "C", registry=None)
    assert [sample.name for sample in counter.collect()[0].samples] == ["c_total"]
    metrics.enable_created_metrics()
    try:
        assert [sample.name for sample in counter.collect()[0].samples] == ["c_total", "c_created"]
    finally:
        metrics.disable_created_metrics()


def test_totals_that_others_keep_are_taken_over():
    counter = metrics.Counter("c", "C", registry=None)
    counter.set_total(42.5)
    assert samples(counter)["c_total", ()] == 42.5
    counter.set_function(lambda: 43)
    assert samples(counter)["c_total", ()] == 43.0


def test_a_child_is_an_instance_of_its_metrics_class_and_says_its_name():
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    assert isinstance(counter.labels("x"), metrics.Counter)
    assert str(counter) == "counter:c"
    assert "Counter(c)" in repr(counter)
    assert samples(counter.labels("x")) == {("c_total", ()): 0.0}
