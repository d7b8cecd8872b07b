"""Metrics as Python objects: subclasses, copies, pickles, identity."""

from __future__ import annotations

import copy
import gc
import pickle

import pytest

from metrics.conformance.reading import samples


def test_a_subclass_stays_itself_through_labels(library, registry):
    class Orders(library.Counter):
        def paid(self):
            self.labels("paid").inc()

        def inc(self, amount=1, exemplar=None):
            super().inc(amount * 10, exemplar)

    orders = Orders("orders", "O.", ["state"], registry=registry)
    orders.paid()
    assert type(orders.labels("paid")) is Orders
    assert registry.get_sample_value("orders_total", {"state": "paid"}) == 10.0


def test_what_the_constructor_of_a_subclass_keeps_its_children_have_too(library):
    class Bounded(library.Gauge):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.limit = 10

        def set(self, value):
            super().set(min(value, self.limit))

    gauge = Bounded("g", "G.", ["a"], registry=None)
    gauge.labels("x").set(99)
    assert samples(gauge) == {("g", ("a", "x")): 10.0}


def test_a_subclass_may_choose_other_buckets(library):
    class Fast(library.Histogram):
        def __init__(self, name, documentation, labelnames=(), buckets=(0.001, 0.01), **more):
            super().__init__(name, documentation, labelnames, buckets=buckets, **more)

    histogram = Fast("h", "H.", ["a"], registry=None)
    histogram.labels("x").observe(0.005)
    assert samples(histogram)["h_bucket", ("a", "x"), ("le", "0.01")] == 1.0


def test_a_subclass_may_collect_in_its_own_way_and_that_is_what_is_written(library, registry):
    class Fresh(library.Gauge):
        def collect(self):
            self.set(42)
            return super().collect()

    Fresh("g", "G.", registry=registry)
    assert b"\ng 42.0\n" in library.generate_latest(registry)
    assert samples(registry) == {("g",): 42.0}


def test_a_subclass_may_have_samples_of_its_own_and_those_are_what_is_written(library, registry):
    class Doubled(library.Gauge):
        def _child_samples(self):
            return tuple(sample._replace(value=sample.value * 2) for sample in super()._child_samples())

    gauge = Doubled("g", "G.", ["a"], registry=registry)
    gauge.labels("x").set(21)
    assert b'\ng{a="x"} 42.0\n' in library.generate_latest(registry)
    assert samples(registry) == {("g", ("a", "x")): 42.0}


def test_a_copy_counts_in_the_same_series(library):
    counter = library.Counter("c", "C.", registry=None)
    counter.inc(7)
    copy.copy(counter).inc()
    gc.collect()
    library.Counter("other", "O.", registry=None)
    assert samples(counter) == {("c_total",): 8.0}


@pytest.mark.parametrize("through", [copy.deepcopy, pickle.dumps], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("kind", ["Counter", "Gauge", "Histogram", "Summary"])
def test_a_metric_is_not_for_another_process(library, kind, through):
    with pytest.raises(TypeError):
        through(getattr(library, kind)("m", "M.", registry=None))


def test_what_was_collected_can_be_pickled_and_copied(library, registry):
    library.Counter("c", "C.", ["a"], registry=registry).labels("x").inc(2, {"trace_id": "1"})
    library.Histogram("h", "H.", registry=registry).observe(0.2)
    library.Info("i", "I.", registry=registry).info({"version": "1"})
    families = list(registry.collect())
    assert pickle.loads(pickle.dumps(families)) == families
    assert copy.deepcopy(families) == families


def test_an_error_about_duplicates_can_be_pickled(library, registry):
    library.Gauge("g", "G.", registry=registry)
    with pytest.raises(ValueError) as caught:
        library.Gauge("g", "G.", registry=registry)
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)


def test_metrics_are_equal_only_to_themselves_and_can_be_keys(library):
    first, second = (library.Gauge("g", "G.", registry=None) for _ in range(2))
    assert first != second
    assert {first: 1, second: 2}[first] == 1


def test_a_metric_that_is_only_registered_lives(library, registry):
    library.Gauge("g", "G.", registry=registry).set(5)
    gc.collect()
    assert registry.get_sample_value("g") == 5.0
