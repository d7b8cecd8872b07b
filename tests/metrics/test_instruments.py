"""Counter, Gauge, Histogram, Summary, Info and Enum: what they do, beside what prometheus_client does."""

from __future__ import annotations

import asyncio
import copy
import gc
import math

import prometheus_client as peer
import pytest
from prometheus_client.registry import DuplicateTimeseries

from runtime_exporter import metrics
from runtime_exporter.metrics.cells import STORE

BOTH = pytest.mark.parametrize("library", [metrics, peer], ids=["ours", "prometheus_client"])


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


@BOTH
def test_a_counter_adds_up(library, registry):
    counter = library.Counter("c_total", "C", registry=registry)
    counter.inc()
    counter.inc(2.5)
    assert samples(counter) == {("c_total", ()): 3.5}
    counter.reset()
    assert samples(counter) == {("c_total", ()): 0.0}


@BOTH
def test_a_counter_refuses_to_go_down(library, registry):
    counter = library.Counter("c_total", "C", registry=registry)
    counter.inc(3)
    with pytest.raises(ValueError, match="non-negative"):
        counter.inc(-1)
    assert samples(counter) == {("c_total", ()): 3.0}


@BOTH
def test_a_gauge_goes_up_and_down(library, registry):
    gauge = library.Gauge("g", "G", registry=registry)
    gauge.set(10)
    gauge.inc(2)
    gauge.dec(0.5)
    assert samples(gauge) == {("g", ()): 11.5}
    gauge.set_function(lambda: 7)
    assert samples(gauge) == {("g", ()): 7.0}


@BOTH
def test_a_histogram_counts_an_observation_in_the_bucket_whose_bound_it_does_not_exceed(library, registry):
    histogram = library.Histogram("h", "H", registry=registry, buckets=(1, 2.5))
    for value in (0.5, 1, 1.0001, 2.5, 3):
        histogram.observe(value)
    assert {
        ("h_bucket", (("le", "1.0"),)): 2.0,
        ("h_bucket", (("le", "2.5"),)): 4.0,
        ("h_bucket", (("le", "+Inf"),)): 5.0,
        ("h_count", ()): 5.0,
        ("h_sum", ()): pytest.approx(8.0001),
    } == samples(histogram)


def test_nan_falls_into_the_last_bucket_so_that_count_and_buckets_agree(registry):
    histogram = metrics.Histogram("h", "H", registry=registry, buckets=(1,))
    histogram.observe(math.nan)
    found = samples(histogram)
    assert (
        found["h_bucket", (("le", "1.0"),)],
        found["h_bucket", (("le", "+Inf"),)],
        found["h_count", ()],
    ) == (0.0, 1.0, 1.0)


@BOTH
@pytest.mark.parametrize("buckets", [(), (3, 2), (math.inf,)])
def test_buckets_that_are_no_buckets_are_refused(library, buckets):
    with pytest.raises(ValueError):
        library.Histogram("h", "H", registry=None, buckets=buckets)


@BOTH
def test_a_histogram_with_negative_buckets_has_no_sum(library):
    histogram = library.Histogram("h", "H", registry=None, buckets=(-1, 1))
    histogram.observe(-3)
    assert ("h_sum", ()) not in samples(histogram)


@BOTH
def test_a_summary_keeps_count_and_sum(library):
    summary = library.Summary("s", "S", ["a"], registry=None)
    summary.labels("x").observe(2)
    summary.labels("x").observe(3)
    assert samples(summary) == {("s_count", (("a", "x"),)): 2.0, ("s_sum", (("a", "x"),)): 5.0}


@BOTH
def test_info_is_one_series_with_the_pairs_as_labels(library):
    info = library.Info("build", "B", ["site"], registry=None)
    info.labels("eu").info({"version": "1.2"})
    assert samples(info) == {("build_info", (("site", "eu"), ("version", "1.2"))): 1.0}
    with pytest.raises(ValueError, match=r"[Oo]verlapping"):
        info.labels("eu").info({"site": "us"})
    with pytest.raises(ValueError, match="None"):
        info.labels("eu").info({"version": None})


@pytest.mark.parametrize("name", ["bad-name", 'quoted"', "", "1st", "__reserved"])
def test_info_refuses_a_name_that_would_cost_the_whole_scrape(name):
    info = metrics.Info("build", "B", registry=None)
    with pytest.raises(ValueError, match="label name"):
        info.info({name: "x"})
    assert samples(info) == {("build_info", ()): 1.0}


@BOTH
def test_an_enum_is_one_series_a_state(library):
    enum = library.Enum("door", "D", registry=None, states=["open", "shut"])
    assert samples(enum) == {("door", (("door", "open"),)): 1.0, ("door", (("door", "shut"),)): 0.0}
    enum.state("shut")
    assert samples(enum) == {("door", (("door", "open"),)): 0.0, ("door", (("door", "shut"),)): 1.0}
    with pytest.raises(ValueError):
        enum.state("ajar")


@BOTH
def test_labels_by_position_and_by_name_are_the_same_child(library):
    counter = library.Counter("c", "C", ["a", "b"], registry=None)
    counter.labels("1", "2").inc()
    counter.labels(b=2, a=1).inc()
    counter.labels(1, 2).inc()
    assert samples(counter) == {("c_total", (("a", "1"), ("b", "2"))): 3.0}


@BOTH
def test_true_and_one_are_two_label_values_though_they_are_equal(library):
    counter = library.Counter("c", "C", ["a"], registry=None)
    counter.labels(True).inc()
    counter.labels(1).inc()
    counter.labels(1.0).inc()
    assert len(samples(counter)) == 3


@BOTH
@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.labels("1"),
        lambda c: c.labels("1", "2", "3"),
        lambda c: c.labels(a="1"),
        lambda c: c.labels(a="1", b="2", c="3"),
        lambda c: c.labels("1", b="2"),
        lambda c: c.labels(),
        lambda c: c.labels("1", "2").labels("1", "2"),
        lambda c: c.inc(),
        lambda c: c.count_exceptions(),
        lambda c: c.remove("1"),
        lambda c: c.remove_by_labels({"z": "1"}),
    ],
)
def test_wrong_labels_raise_value_error(library, call):
    counter = library.Counter("c", "C", ["a", "b"], registry=None)
    with pytest.raises(ValueError):
        call(counter)


@BOTH
@pytest.mark.parametrize(
    "call", [lambda g: g.labels(), lambda g: g.labels("1"), lambda g: g.remove("1"), lambda g: g.remove_by_labels({})]
)
def test_a_metric_without_labels_has_none_to_choose_or_remove(library, call):
    with pytest.raises(ValueError):
        call(library.Gauge("g", "G", registry=None))


@BOTH
def test_series_can_be_removed(library):
    gauge = library.Gauge("g", "G", ["a", "b"], registry=None)
    for a in "xyz":
        for b in "12":
            gauge.labels(a, b).set(1)
    gauge.remove("x", 1)
    gauge.remove("x", "unknown")
    gauge.remove_by_labels({"a": "y"})
    assert [tuple(dict(labels).values()) for _, labels in samples(gauge)] == [("x", "2"), ("z", "1"), ("z", "2")]
    gauge.remove_by_labels({})
    gauge.clear()
    assert samples(gauge) == {}


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


@BOTH
def test_names_are_joined_and_units_added(library):
    gauge = library.Gauge("size", "S", namespace="app", subsystem="cache", unit="bytes", registry=None)
    assert gauge.describe()[0].name == "app_cache_size_bytes"
    assert gauge.describe()[0].unit == "bytes"
    counter = library.Counter("requests_total", "R", registry=None)
    assert counter.describe()[0].name == "requests"


@pytest.mark.parametrize("name", ["", "1a", "a-b", "größe", "a b"])
def test_a_name_outside_the_classic_data_model_is_refused(name):
    with pytest.raises(ValueError, match=r"(?i)metric name"):
        metrics.Gauge(name, "G", registry=None)


@pytest.mark.parametrize("labels", [["1a"], ["a-b"], ["__name__"], ["a", "a"], ["ä"]])
def test_a_label_name_that_is_invalid_reserved_or_repeated_is_refused(labels):
    with pytest.raises(ValueError, match="label name"):
        metrics.Gauge("g", "G", labels, registry=None)


def test_le_and_quantile_belong_to_histograms_and_summaries():
    with pytest.raises(ValueError, match="Reserved"):
        metrics.Histogram("h", "H", ["le"], registry=None)
    with pytest.raises(ValueError, match="Reserved"):
        metrics.Summary("s", "S", ["quantile"], registry=None)


def test_registering_the_same_name_twice_is_refused_by_the_registry(registry):
    metrics.Counter("c", "C", registry=registry)
    with pytest.raises(DuplicateTimeseries):
        metrics.Gauge("c_total", "G", registry=registry)
    with pytest.raises(DuplicateTimeseries):
        peer.Counter("c", "C", registry=registry)


@BOTH
def test_exceptions_are_counted_and_go_on(library):
    counter = library.Counter("c", "C", registry=None)

    @counter.count_exceptions(ValueError)
    def fail(error):
        raise error

    for error in (ValueError(), KeyError()):
        with pytest.raises(type(error)):
            fail(error)
    with pytest.raises(RuntimeError), counter.count_exceptions():
        raise RuntimeError
    assert samples(counter) == {("c_total", ()): 2.0}


@BOTH
def test_in_progress_is_one_higher_inside_and_back_after_an_exception(library):
    gauge = library.Gauge("g", "G", registry=None)
    seen = []

    @gauge.track_inprogress()
    def work():
        seen.append(samples(gauge)["g", ()])
        raise KeyError

    with pytest.raises(KeyError):
        work()
    assert (seen, samples(gauge)["g", ()]) == ([1.0], 0.0)


@BOTH
def test_a_timer_observes_and_keeps_its_duration(library):
    histogram = library.Histogram("h", "H", ["a"], registry=None)
    with histogram.time() as timer:
        timer.labels("x")
    assert samples(histogram)["h_count", (("a", "x"),)] == 1.0
    assert timer.duration == samples(histogram)["h_sum", (("a", "x"),)]
    gauge = library.Gauge("g", "G", registry=None)
    with gauge.time():
        pass
    assert 0 <= samples(gauge)["g", ()] < 5


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


@BOTH
def test_an_exemplar_is_checked(library):
    counter = library.Counter("c", "C", registry=None)
    counter.inc(2, {"trace_id": "abc"})
    (sample,) = [s for s in counter.collect()[0].samples if s.name == "c_total"]
    assert (sample.exemplar.labels, sample.exemplar.value) == ({"trace_id": "abc"}, 2)
    with pytest.raises(ValueError, match="128"):
        counter.inc(1, {"trace_id": "x" * 200})


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


@BOTH
def test_a_histograms_exemplar_stands_at_its_bucket(library):
    histogram = library.Histogram("h", "H", registry=None, buckets=(1, 2))
    histogram.observe(1.5, {"trace_id": "abc"})
    found = {s.labels.get("le"): s.exemplar for s in histogram.collect()[0].samples if s.exemplar}
    assert list(found) == ["2.0"]
    assert found["2.0"].value == 1.5


def test_created_samples_are_there_only_when_asked_for():
    counter = metrics.Counter("c", "C", registry=None)
    assert [sample.name for sample in counter.collect()[0].samples] == ["c_total"]
    metrics.enable_created_metrics()
    try:
        assert [sample.name for sample in counter.collect()[0].samples] == ["c_total", "c_created"]
    finally:
        metrics.disable_created_metrics()


@pytest.mark.parametrize("mode", ["all", "livesum", "max", "mostrecent"])
def test_gauges_take_the_peers_multiprocess_modes(mode):
    assert samples(metrics.Gauge("g", "G", registry=None, multiprocess_mode=mode))["g", ()] == 0.0


def test_an_unknown_multiprocess_mode_is_refused():
    with pytest.raises(ValueError, match="median"):
        metrics.Gauge("g", "G", registry=None, multiprocess_mode="median")
    gauge = metrics.Gauge("g", "G", registry=None, multiprocess_mode="mostrecent")
    with pytest.raises(RuntimeError):
        gauge.inc()
    with pytest.raises(RuntimeError):
        gauge.dec()


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


@BOTH
def test_a_copy_of_a_metric_that_dies_takes_nothing_from_it(library):
    count = library.Counter("c", "C", registry=None)
    count.inc(7)
    copy.copy(count).inc()
    gc.collect()
    library.Counter("other", "O", registry=None)
    assert {("c_total", ()): 8.0} == {key: value for key, value in samples(count).items() if key[0] == "c_total"}
