"""Children: how they are chosen, what their labels become, how they are removed."""

from __future__ import annotations

import enum

import pytest

from metrics.conformance.reading import samples


class State(str, enum.Enum):
    OK = "ok"


class Shouted(str):
    __slots__ = ()

    def __str__(self):
        return self.upper()


@pytest.fixture
def counter(library):
    return library.Counter("c", "C.", ["a", "b"], registry=None)


def test_labels_by_position_and_by_name_are_the_same_child(counter):
    counter.labels("1", "2").inc()
    counter.labels(b=2, a=1).inc()
    counter.labels(1, "2").inc()
    assert counter.labels("1", "2") is counter.labels(b="2", a="1")
    assert samples(counter) == {("c_total", ("a", "1"), ("b", "2")): 3.0}


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "ü",
        "x" * 10_000,
        1,
        1.0,
        1.5,
        True,
        None,
        b"bytes",
        ("a", "b"),
        10**30,
        State.OK,
        Shouted("ok"),
        object,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_becomes_the_text_that_str_makes_of_it(counter, value):
    counter.labels(value, "x").inc()
    counter.labels(a=value, b="x").inc()
    assert samples(counter) == {("c_total", ("a", str(value)), ("b", "x")): 2.0}


@pytest.mark.parametrize("value", [State.OK, Shouted("ok")], ids=["enum", "subclass"])
def test_a_value_that_equals_a_text_but_is_written_otherwise_is_a_series_of_its_own(counter, value):
    counter.labels("ok", "x").inc()
    counter.labels(value, "x").inc()
    counter.labels("ok", "x").inc()
    assert samples(counter) == {
        ("c_total", ("a", "ok"), ("b", "x")): 2.0,
        ("c_total", ("a", str(value)), ("b", "x")): 1.0,
    }


def test_values_that_are_equal_but_written_differently_are_several_series(counter):
    for value in (True, 1, 1.0):
        counter.labels(value, "x").inc()
    assert [dict(labels)["a"] for _, *labels in samples(counter)] == ["True", "1", "1.0"]


def test_values_that_cannot_be_hashed_become_text_like_any(counter):
    counter.labels([1], {"k": 2}).inc()
    assert samples(counter) == {("c_total", ("a", "[1]"), ("b", "{'k': 2}")): 1.0}


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.labels(),
        lambda c: c.labels("1"),
        lambda c: c.labels("1", "2", "3"),
        lambda c: c.labels(a="1"),
        lambda c: c.labels(a="1", b="2", c="3"),
        lambda c: c.labels(a="1", z="2"),
        lambda c: c.labels("1", b="2"),
        lambda c: c.labels("1", "2", b="2"),
        lambda c: c.labels("1", "2", z="3"),
        lambda c: c.labels("1", "2").labels("1", "2"),
        lambda c: c.labels("1", "2").labels(),
        lambda c: c.inc(),
        lambda c: c.inc(-1),
        lambda c: c.count_exceptions(),
        lambda c: c.remove(),
        lambda c: c.remove("1"),
        lambda c: c.remove("1", "2", "3"),
        lambda c: c.remove_by_labels({"z": "1"}),
    ],
)
def test_wrong_labels_are_a_value_error_and_make_no_series(counter, call):
    counter.labels("1", "2")
    with pytest.raises(ValueError):
        call(counter)
    assert {key for key in samples(counter) if key[1:] != (("a", "1"), ("b", "2"))} == set()


@pytest.mark.parametrize(
    ("kind", "use"),
    [
        ("Gauge", lambda m: m.inc()),
        ("Gauge", lambda m: m.dec()),
        ("Gauge", lambda m: m.set(1)),
        ("Gauge", lambda m: m.set_to_current_time()),
        ("Gauge", lambda m: m.set_function(lambda: 1)),
        ("Gauge", lambda m: m.track_inprogress()),
        ("Histogram", lambda m: m.observe(1)),
        ("Summary", lambda m: m.observe(1)),
        ("Enum", lambda m: m.state("on")),
    ],
)
def test_a_metric_with_labels_cannot_be_used_without_them(library, kind, use):
    more = {"states": ["on", "off"]} if kind == "Enum" else {}
    with pytest.raises(ValueError, match="missing label values"):
        use(getattr(library, kind)("m", "M.", ["a"], registry=None, **more))


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g.labels(),
        lambda g: g.labels("1"),
        lambda g: g.labels(a="1"),
        lambda g: g.remove(),
        lambda g: g.remove("1"),
        lambda g: g.remove_by_labels({}),
    ],
)
def test_a_metric_without_labels_has_none_to_choose_or_remove(library, call):
    gauge = library.Gauge("g", "G.", registry=None)
    with pytest.raises(ValueError):
        call(gauge)
    gauge.clear()
    assert samples(gauge) == {("g",): 0.0}


def test_series_are_removed_by_their_values(library):
    gauge = library.Gauge("g", "G.", ["a", "b"], registry=None)
    for a in "xyz":
        for b in "12":
            gauge.labels(a, b).set(1)
    gauge.remove("x", 1)
    gauge.remove("x", "unknown")
    assert [tuple(dict(labels).values()) for _, *labels in samples(gauge)] == [
        ("x", "2"), ("y", "1"), ("y", "2"), ("z", "1"), ("z", "2"),
    ]  # fmt: skip
    gauge.remove_by_labels({"a": "y"})
    gauge.remove_by_labels({"b": 2, "a": "z"})
    gauge.remove_by_labels({"a": "unknown"})
    gauge.remove_by_labels({})
    assert [tuple(dict(labels).values()) for _, *labels in samples(gauge)] == [("x", "2"), ("z", "1")]
    with pytest.raises(TypeError):
        gauge.remove_by_labels([("a", "z")])
    gauge.clear()
    assert samples(gauge) == {}


def test_a_removed_series_begins_again_at_zero_and_the_old_child_counts_for_nobody(counter):
    old = counter.labels("1", "2")
    old.inc(5)
    counter.remove("1", "2")
    new = counter.labels("1", "2")
    old.inc(7)
    new.inc(1)
    assert old is not new
    assert samples(counter) == {("c_total", ("a", "1"), ("b", "2")): 1.0}
    assert samples(old) == {("c_total",): 12.0}


def test_series_stand_in_the_order_of_their_birth(counter):
    for a in "cab":
        counter.labels(a, "x")
    counter.labels("b", "x").inc()
    assert [dict(labels)["a"] for _, *labels in samples(counter)] == ["c", "a", "b"]


def test_a_series_exists_from_the_moment_that_its_labels_are_chosen(library):
    histogram = library.Histogram("h", "H.", ["a"], registry=None, buckets=[1])
    assert samples(histogram) == {}
    histogram.labels("x")
    assert set(samples(histogram).values()) == {0.0}


def test_a_child_collects_itself_without_its_labels(library):
    summary = library.Summary("s", "S.", ["a"], registry=None)
    child = summary.labels("x")
    child.observe(2)
    assert samples(child) == {("s_count",): 1.0, ("s_sum",): 2.0}
    assert isinstance(child, library.Summary)
