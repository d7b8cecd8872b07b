"""What tests of applications read in the objects, though nothing promises it."""

from __future__ import annotations

import pytest

from metrics.conformance.reading import samples


@pytest.mark.parametrize("kind", ["Counter", "Gauge"])
def test_the_value_of_a_counter_and_a_gauge_can_be_read_and_set(library, kind):
    metric = getattr(library, kind)("m", "M.", registry=None)
    value = metric._value
    metric.inc(2.5)
    assert (value.get(), metric._value.get(), metric._value._value) == (2.5, 2.5, 2.5)
    metric._value.set(0)
    metric._value.inc(4)
    assert list(samples(metric).values()) == [4.0]
    child = getattr(library, kind)("m", "M.", ["a"], registry=None).labels("x")
    child.inc()
    assert child._value.get() == 1.0


def test_a_histogram_has_its_sum_its_buckets_and_their_bounds(library):
    histogram = library.Histogram("h", "H.", registry=None, buckets=(1, 2))
    held = histogram._sum
    for amount in (0.5, 1.5, 1.75, 9):
        histogram.observe(amount)
    assert (held.get(), histogram._sum.get()) == (12.75, 12.75)
    assert [bucket.get() for bucket in histogram._buckets] == [1.0, 2.0, 1.0]
    assert histogram._upper_bounds == [1.0, 2.0, float("inf")]
    for bucket in histogram._buckets:
        bucket.set(0)
    histogram._sum.set(0)
    histogram.observe(1.5)
    assert [bucket.get() for bucket in histogram._buckets] == [0.0, 1.0, 0.0]
    assert samples(histogram)["h_sum",] == 1.5


def test_setting_a_bucket_keeps_the_sum(library):
    histogram = library.Histogram("h", "H.", registry=None, buckets=(1, 2))
    histogram.observe(0.5)
    histogram._buckets[1].set(4)
    histogram._buckets[0].inc(1)
    histogram.observe(3)
    found = samples(histogram)
    assert (found["h_sum",], found["h_count",]) == (3.5, 7.0)


def test_a_summary_has_its_sum_and_count(library):
    summary = library.Summary("s", "S.", ["a"], registry=None).labels("x")
    summary.observe(2)
    summary.observe(3)
    assert (summary._sum.get(), summary._count.get()) == (5.0, 2.0)
    summary._count.set(0)
    summary._sum.set(0)
    summary.observe(7)
    assert samples(summary) == {("s_count",): 1.0, ("s_sum",): 7.0}


def test_info_and_enum_have_their_values(library):
    info = library.Info("i", "I.", registry=None)
    info.info({"version": "1"})
    assert info._value == {"version": "1"}
    state = library.Enum("e", "E.", registry=None, states=["on", "off"])
    state.state("off")
    assert (state._value, list(state._states)) == (1, ["on", "off"])


def test_a_metric_has_its_names(library):
    metric = library.Gauge("g", "G.", ["a", "b"], "shop", unit="bytes", registry=None, multiprocess_mode="livesum")
    child = metric.labels("1", 2)
    assert (metric._name, metric._documentation, metric._type, metric._unit) == ("shop_g_bytes", "G.", "gauge", "bytes")
    assert (metric._labelnames, metric._labelvalues, child._labelvalues) == (("a", "b"), (), ("1", "2"))
    assert (metric._multiprocess_mode, child._name) == ("livesum", "shop_g_bytes")


def test_a_metric_with_labels_has_its_children_by_their_values(library):
    metric = library.Counter("c", "C.", ["a"], registry=None)
    first, second = metric.labels("x"), metric.labels("y")
    assert metric._metrics == {("x",): first, ("y",): second}
    metric._metrics.clear()
    assert samples(metric) == {}
    assert metric.labels("x") is not first
    assert not hasattr(first, "_metrics")


@pytest.mark.parametrize(("kind", "name"), [("Counter", "_value"), ("Gauge", "_value"), ("Summary", "_count")])
def test_a_metric_with_labels_has_no_value_of_its_own(library, kind, name):
    metric = getattr(library, kind)("m", "M.", ["a"], registry=None)
    assert not hasattr(metric, name)
    assert hasattr(metric.labels("x"), name)
    assert (metric._is_parent(), metric.labels("x")._is_parent()) == (True, False)
    assert (bool(metric._is_observable()), bool(metric.labels("x")._is_observable())) == (False, True)
    with pytest.raises(ValueError, match="missing label values"):
        metric._raise_if_not_observable()


def test_samples_can_be_had_without_the_name_of_the_metric(library):
    histogram = library.Histogram("h", "H.", ["a"], registry=None, buckets=[1])
    histogram.labels("x").observe(0.5)
    assert [(s.name, s.labels, s.value) for s in histogram._samples()] == [
        ("_bucket", {"a": "x", "le": "1.0"}, 1.0),
        ("_bucket", {"a": "x", "le": "+Inf"}, 1.0),
        ("_count", {"a": "x"}, 1.0),
        ("_sum", {"a": "x"}, 0.5),
    ]
    assert [s.value for s in histogram.labels("x")._child_samples() if s.name == "_count"] == [1.0]
    assert histogram.labels("x")._child_samples()[0].labels == {"le": "1.0"}


def test_the_time_of_creation_can_be_read(library):
    counter = library.Counter("c", "C.", registry=None)
    summary = library.Summary("s", "S.", registry=None)
    assert 0 <= summary._created - counter._created < 60
