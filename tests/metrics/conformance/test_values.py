"""What counters, gauges, histograms, summaries, infos and enums keep."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import pytest

from metrics.conformance.reading import samples
from tools import together


@pytest.mark.parametrize(
    ("amounts", "total"),
    [
        ([], 0.0),
        ([0], 0.0),
        ([1, 2.5], 3.5),
        ([True, 0.1, 0.2], 1.3),
        ([10**20], 1e20),
        ([math.inf], math.inf),
        ([Fraction(1, 2)], 0.5),
    ],
)
def test_a_counter_adds_up(library, amounts, total):
    counter = library.Counter("c_total", "C.", registry=None)
    for amount in amounts:
        assert counter.inc(amount) is None
    assert samples(counter) == {("c_total",): pytest.approx(total)}


def test_a_counter_goes_up_by_one_when_nothing_is_said(library):
    counter = library.Counter("c", "C.", registry=None)
    counter.inc()
    counter.inc(amount=2)
    assert samples(counter) == {("c_total",): 3.0}


@pytest.mark.parametrize(
    ("amount", "error"), [(-1, ValueError), (-math.inf, ValueError), ("1", TypeError), (None, TypeError), (1j, TypeError)]
)  # fmt: skip
def test_a_counter_refuses_what_is_negative_or_no_number_and_stays_as_it_was(library, amount, error):
    counter = library.Counter("c", "C.", registry=None)
    counter.inc(3)
    with pytest.raises(error):
        counter.inc(amount)
    assert samples(counter) == {("c_total",): 3.0}


def test_a_counter_can_be_reset(library):
    counter = library.Counter("c", "C.", ["a"], registry=None)
    counter.labels("x").inc(3)
    counter.labels("y").inc(4)
    counter.labels("x").reset()
    assert samples(counter) == {("c_total", ("a", "x")): 0.0, ("c_total", ("a", "y")): 4.0}


def test_a_gauge_goes_up_and_down_and_can_be_set(library):
    gauge = library.Gauge("g", "G.", registry=None)
    gauge.set(10)
    gauge.inc()
    gauge.inc(2)
    gauge.dec(0.5)
    gauge.dec()
    gauge.inc(-20)
    assert samples(gauge) == {("g",): -8.5}


@pytest.mark.parametrize(
    ("value", "kept"),
    [(5, 5.0), (-0.0, 0.0), ("3.5", 3.5), (True, 1.0), (math.inf, math.inf), (-math.inf, -math.inf), ("nan", None)],
)
def test_a_gauge_takes_what_float_takes(library, value, kept):
    gauge = library.Gauge("g", "G.", registry=None)
    gauge.set(value)
    (found,) = samples(gauge).values()
    assert math.isnan(found) if kept is None else found == kept


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda g: g.set("many"), ValueError),
        (lambda g: g.set(None), TypeError),
        (lambda g: g.set(10**400), OverflowError),
        (lambda g: g.inc("1"), TypeError),
        (lambda g: g.dec(None), TypeError),
    ],
)
def test_a_gauge_refuses_what_is_no_number_and_stays_as_it_was(library, use, error):
    gauge = library.Gauge("g", "G.", registry=None)
    gauge.set(3)
    with pytest.raises(error):
        use(gauge)
    assert samples(gauge) == {("g",): 3.0}


def test_a_gauge_can_be_set_to_the_time(library):
    gauge = library.Gauge("g", "G.", registry=None)
    before = time.time()
    gauge.set_to_current_time()
    assert before <= samples(gauge)["g",] <= time.time()


def test_a_function_gives_a_gauge_its_value_from_then_on(library):
    gauge = library.Gauge("g", "G.", ["a"], registry=None)
    queue = []
    gauge.labels("x").set_function(lambda: len(queue))
    gauge.labels("y").set(9)
    assert samples(gauge) == {("g", ("a", "x")): 0.0, ("g", ("a", "y")): 9.0}
    queue.append(1)
    gauge.labels("x").set(50)
    gauge.labels("x").inc()
    assert samples(gauge)["g", ("a", "x")] == 1.0
    gauge.labels("x").set_function(lambda: "7.5")
    assert samples(gauge)["g", ("a", "x")] == 7.5


def test_a_function_that_raises_is_heard_of_by_who_collects(library):
    gauge = library.Gauge("g", "G.", registry=None)
    gauge.set_function(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        samples(gauge)


@pytest.mark.parametrize("child", [False, True])
def test_a_histogram_counts_in_the_bucket_whose_bound_is_not_exceeded(library, child):
    histogram = library.Histogram("h", "H.", ["a"] if child else (), registry=None, buckets=(1, 2.5))
    labels = (("a", "x"),) if child else ()
    series = histogram.labels("x") if child else histogram
    for amount in (0.5, 1, 1.0001, 2.5, 3, -1, math.inf, True, Fraction(1, 4)):
        assert series.observe(amount) is None
    assert samples(histogram) == {
        ("h_bucket", *labels, ("le", "1.0")): 5.0,
        ("h_bucket", *labels, ("le", "2.5")): 7.0,
        ("h_bucket", *labels, ("le", "+Inf")): 9.0,
        ("h_count", *labels): 9.0,
        ("h_sum", *labels): math.inf,
    }


@pytest.mark.parametrize("amount", ["1", None, [1]])
def test_a_histogram_refuses_what_is_no_number_and_stays_as_it_was(library, amount):
    histogram = library.Histogram("h", "H.", registry=None, buckets=(1,))
    histogram.observe(0.5)
    before = samples(histogram)
    with pytest.raises(TypeError):
        histogram.observe(amount)
    assert samples(histogram) == before


def test_a_histogram_with_a_negative_bucket_has_no_sum(library):
    histogram = library.Histogram("h", "H.", registry=None, buckets=(-1, 1))
    histogram.observe(-3)
    assert samples(histogram) == {
        ("h_bucket", ("le", "-1.0")): 1.0,
        ("h_bucket", ("le", "1.0")): 1.0,
        ("h_bucket", ("le", "+Inf")): 1.0,
        ("h_count",): 1.0,
    }


def test_a_summary_keeps_count_and_sum(library):
    summary = library.Summary("s", "S.", ["a"], registry=None)
    for amount in (2, -3, 0.5):
        summary.labels("x").observe(amount)
    assert samples(summary) == {("s_count", ("a", "x")): 3.0, ("s_sum", ("a", "x")): -0.5}


def test_info_is_one_series_with_the_pairs_as_labels(library):
    info = library.Info("build", "B.", ["site"], registry=None)
    assert samples(info) == {}
    info.labels("eu").info({"version": "1.2", "branch": "main"})
    info.labels("eu").info({"version": "1.3"})
    info.labels("us").info({})
    assert samples(info) == {
        ("build_info", ("site", "eu"), ("version", "1.3")): 1.0,
        ("build_info", ("site", "us")): 1.0,
    }


def test_info_keeps_a_copy(library):
    info = library.Info("build", "B.", registry=None)
    pairs = {"version": "1"}
    info.info(pairs)
    pairs["version"] = "2"
    assert samples(info) == {("build_info", ("version", "1")): 1.0}


@pytest.mark.parametrize("pairs", [{"site": "us"}, {"version": None}])
def test_info_refuses_a_pair_that_overlaps_or_is_none_and_stays_as_it_was(library, pairs):
    info = library.Info("build", "B.", ["site"], registry=None)
    info.labels("eu").info({"version": "1"})
    with pytest.raises(ValueError):
        info.labels("eu").info(pairs)
    assert samples(info) == {("build_info", ("site", "eu"), ("version", "1")): 1.0}


def test_an_enum_is_one_series_a_state_and_begins_with_the_first(library):
    door = library.Enum("door", "D.", ["floor"], registry=None, states=["open", "shut"])
    one = ("floor", "1")
    door.labels(1)
    assert samples(door) == {("door", ("door", "open"), one): 1.0, ("door", ("door", "shut"), one): 0.0}
    door.labels(1).state("shut")
    assert samples(door) == {("door", ("door", "open"), one): 0.0, ("door", ("door", "shut"), one): 1.0}
    with pytest.raises(ValueError):
        door.labels(1).state("ajar")
    assert samples(door)["door", ("door", "shut"), one] == 1.0


def test_an_enums_label_has_its_full_name(library):
    door = library.Enum("door", "D.", namespace="house", registry=None, states=("open",))
    assert samples(door) == {("house_door", ("house_door", "open")): 1.0}


@pytest.mark.parametrize("kind", ["Counter", "Gauge", "Histogram", "Summary"])
def test_nothing_that_several_threads_count_is_lost(library, kind):
    metric = getattr(library, kind)("m", "M.", ["a"], registry=None)
    count = (lambda child: child.inc(2)) if kind in ("Counter", "Gauge") else (lambda child: child.observe(2))

    def work():
        for _ in range(1500):
            count(metric.labels("x"))

    together(*[work] * 4)
    assert 12_000.0 in samples(metric).values()
    if kind in ("Histogram", "Summary"):
        assert samples(metric)["m_count", ("a", "x")] == 6000.0
