"""Exemplars of counters and histograms, and their limits."""

from __future__ import annotations

import time

import pytest

from metrics.conformance.reading import exemplars, samples


def test_the_last_exemplar_of_a_counter_stands(library):
    counter = library.Counter("c", "C.", ["a"], registry=None)
    counter.labels("x").inc(2, {"trace_id": "1"})
    counter.labels("x").inc(3, exemplar={"trace_id": "2", "span_id": "3"})
    counter.labels("x").inc(4)
    counter.labels("y").inc(5, {})
    assert exemplars(counter) == {("c_total", ("a", "x")): ({"trace_id": "2", "span_id": "3"}, 3)}


def test_an_exemplar_stays_through_a_reset(library):
    counter = library.Counter("c", "C.", registry=None)
    counter.inc(2, {"trace_id": "1"})
    counter.reset()
    assert exemplars(counter) == {("c_total",): ({"trace_id": "1"}, 2)}


def test_every_bucket_has_its_last_exemplar(library):
    histogram = library.Histogram("h", "H.", registry=None, buckets=(1, 2))
    for number, amount in enumerate((0.5, 1.5, 1.75, 9)):
        histogram.observe(amount, {"trace_id": str(number)})
    histogram.observe(1.25)
    assert exemplars(histogram) == {
        ("h_bucket", ("le", "1.0")): ({"trace_id": "0"}, 0.5),
        ("h_bucket", ("le", "2.0")): ({"trace_id": "2"}, 1.75),
        ("h_bucket", ("le", "+Inf")): ({"trace_id": "3"}, 9),
    }


def test_an_exemplar_has_the_time_of_its_observation(library):
    counter = library.Counter("c", "C.", registry=None)
    before = time.time()
    counter.inc(1, {"trace_id": "1"})
    (sample,) = counter.collect()[0].samples
    assert before <= sample.exemplar.timestamp <= time.time()


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        ({"trace_id": "x" * 121}, ValueError),  # 8 + 121 characters; 128 are the limit
        ({"a" * 129: ""}, ValueError),
        ({"a": "ü" * 64, "b": "x" * 63}, ValueError),
        ({"__name__": "x"}, ValueError),
        ({"trace_id": 5}, TypeError),
        ({"trace_id": None}, TypeError),
        ({5: "x"}, (TypeError, AttributeError)),
        ("trace_id", AttributeError),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["Counter", "Histogram"])
def test_an_exemplar_that_is_none_is_refused_after_its_observation_was_counted(library, kind, labels, error):
    metric = getattr(library, kind)("m", "M.", registry=None)
    with pytest.raises(error):
        (metric.inc if kind == "Counter" else metric.observe)(1, labels)
    assert exemplars(metric) == {}
    assert 1.0 in samples(metric).values()


@pytest.mark.parametrize(
    "labels", [{"trace_id": "x" * 120}, {"a": "ü" * 127}, {"trace_id": ""}, {"trace_id": 'a"b\\c\nd'}], ids=str
)
def test_an_exemplar_of_128_characters_is_one(library, labels):
    counter = library.Counter("c", "C.", registry=None)
    counter.inc(1, labels)
    assert exemplars(counter) == {("c_total",): (labels, 1)}


def test_gauges_and_summaries_have_none(library):
    with pytest.raises(TypeError):
        library.Gauge("g", "G.", registry=None).inc(1, {"trace_id": "1"})
    with pytest.raises(TypeError):
        library.Summary("s", "S.", registry=None).observe(1, {"trace_id": "1"})
