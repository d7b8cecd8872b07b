"""Constructors: their arguments by position and by name, and what they refuse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from metrics.conformance.reading import samples

ALL = pytest.mark.parametrize("kind", ["Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"])


def make(library, kind, *args, registry=None, **more):
    if kind == "Enum":
        more.setdefault("states", ["on", "off"])
    return getattr(library, kind)(*args, registry=registry, **more)


def described(metric):
    (family,) = metric.describe()
    return family.name, family.documentation, family.type, family.unit, family.samples


@ALL
def test_arguments_stand_in_the_same_order(library, kind, registry):
    unit = () if kind in ("Info", "Enum") else ("seconds",)
    more = {"states": ["on", "off"]} if kind == "Enum" else {}
    metric = getattr(library, kind)("wait", "Wait.", ["a"], "shop", "web", *unit, registry=registry, **more)
    expected = "shop_web_wait_seconds" if unit else "shop_web_wait"
    kinds = {"Info": "info", "Enum": "stateset"}
    assert described(metric) == (expected, "Wait.", kinds.get(kind, kind.lower()), "".join(unit), [])
    assert [family.name for family in registry.collect()] == [expected]


@pytest.mark.parametrize(
    ("kind", "arguments", "name"),
    [
        ("Counter", {"name": "c_total"}, "c"),
        ("Counter", {"name": "c"}, "c"),
        ("Counter", {"name": "c_total", "unit": "seconds"}, "c_seconds"),
        ("Counter", {"name": "c_seconds_total", "unit": "seconds"}, "c_seconds"),
        ("Counter", {"name": "total"}, "total"),
        ("Gauge", {"name": "g_total"}, "g_total"),
        ("Gauge", {"name": "size_bytes", "unit": "bytes"}, "size_bytes"),
        ("Gauge", {"name": "bytes", "unit": "bytes"}, "bytes_bytes"),
        ("Gauge", {"name": "g", "namespace": "a", "subsystem": ""}, "a_g"),
        ("Gauge", {"name": "g", "namespace": "", "subsystem": "b"}, "b_g"),
        ("Gauge", {"name": "a:rate"}, "a:rate"),
        ("Histogram", {"name": "h_bucket"}, "h_bucket"),
        ("Summary", {"name": "s_count", "unit": "s"}, "s_count_s"),
        ("Info", {"name": "build_info"}, "build_info"),
    ],
)
def test_a_name_is_joined_of_its_parts(library, kind, arguments, name):
    assert described(make(library, kind, documentation="", **arguments))[0] == name


@ALL
@pytest.mark.parametrize("kept", [tuple, list, dict.fromkeys, set], ids=["tuple", "list", "dict", "set"])
@pytest.mark.parametrize("names", [(), ("a",), ("a", "b_2", "C")])
def test_label_names_come_from_any_collection(library, kind, kept, names):
    metric = make(library, kind, "m", "M.", kept(names))
    if names:
        assert metric.labels(**dict(zip(names, "xyz", strict=False))) is not metric
    else:
        assert len(samples(metric)) > 0


@pytest.mark.parametrize("kind", ["Counter", "Gauge", "Histogram", "Summary", "Info"])
def test_label_names_come_from_an_iterator(library, kind):
    metric = make(library, kind, "m", "M.", (name for name in "ab"))
    assert metric.labels("x", "y") is metric.labels(a="x", b="y")


@ALL
@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": None},
        {"labelnames": ["__name__"]},
        {"labelnames": ["__secret"]},
        {"unknown": 1},
        {"name": 5, "namespace": "a"},
    ],
    ids=str,
)
def test_what_makes_no_metric_is_refused_alike(library, kind, arguments):
    expected = TypeError if "unknown" in arguments or arguments.get("name") == 5 else ValueError
    with pytest.raises(expected):
        make(library, kind, **{"name": "m", "documentation": "M.", **arguments})


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        ("Histogram", {"labelnames": ["le"]}, ValueError),
        ("Summary", {"labelnames": ["quantile"]}, ValueError),
        ("Info", {"unit": "seconds"}, ValueError),
        ("Enum", {"unit": "seconds"}, ValueError),
        ("Enum", {"states": []}, ValueError),
        ("Enum", {"states": None}, ValueError),
        ("Enum", {"labelnames": ["m"]}, ValueError),
        ("Gauge", {"multiprocess_mode": "median"}, ValueError),
        ("Gauge", {"multiprocess_mode": ""}, ValueError),
        ("Histogram", {"buckets": []}, ValueError),
        ("Histogram", {"buckets": [math.inf]}, ValueError),
        ("Histogram", {"buckets": [2, 1]}, ValueError),
        ("Histogram", {"buckets": [1, math.inf, 2]}, ValueError),
        ("Histogram", {"buckets": ["one"]}, ValueError),
        ("Histogram", {"buckets": 5}, TypeError),
        ("Counter", {"buckets": [1]}, TypeError),
        ("Gauge", {"states": ["on"]}, TypeError),
    ],
    ids=str,
)
def test_what_a_type_cannot_have_is_refused_and_nothing_is_registered(library, registry, kind, arguments, error):
    with pytest.raises(error):
        make(library, kind, "m", "M.", registry=registry, **arguments)
    assert [] == list(registry.collect())
    make(library, kind, "m", "M.", registry=registry)  # the name is still free


@pytest.mark.parametrize(
    ("kind", "name"), [("Counter", "le"), ("Gauge", "quantile"), ("Histogram", "quantile"), ("Summary", "le")]
)
def test_a_name_that_only_another_type_reserves_is_a_label_like_any(library, kind, name):
    assert make(library, kind, "m", "M.", [name]).labels("x") is not None


@dataclass
class Buckets:
    given: Any
    written: list[str]


@pytest.mark.parametrize(
    "buckets",
    [
        Buckets((1, 2.5), ["1.0", "2.5", "+Inf"]),
        Buckets(["0.1", "1e3", "+Inf"], ["0.1", "1000.0", "+Inf"]),
        Buckets([-1, 0, math.inf], ["-1.0", "0.0", "+Inf"]),
        Buckets([1e6, 1e7, 12345678], ["1e+06", "1e+07", "1.2345678e+07", "+Inf"]),
        Buckets([1e-9, 123456.5, 1e6, 1e21], ["1e-09", "123456.5", "1e+06", "1e+21", "+Inf"]),
        Buckets(range(1, 4), ["1.0", "2.0", "3.0", "+Inf"]),
    ],
    ids=lambda buckets: str(buckets.given),
)
def test_buckets_are_written_as_go_writes_floats(library, buckets):
    histogram = library.Histogram("h", "H.", registry=None, buckets=buckets.given)
    found = [dict(labels)["le"] for name, *labels in samples(histogram) if name == "h_bucket"]
    assert found == sorted(buckets.written, key=float)


def test_the_default_buckets_are_the_same(library):
    histogram = library.Histogram("h", "H.", registry=None)
    bounds = [float(dict(labels)["le"]) for name, *labels in samples(histogram) if name == "h_bucket"]
    assert sorted(bounds) == [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, math.inf]
    assert sorted(bounds) == list(library.Histogram.DEFAULT_BUCKETS)


@pytest.mark.parametrize(
    "mode",
    ["all", "liveall", "min", "livemin", "max", "livemax", "sum", "livesum", "mostrecent", "livemostrecent"],
)
def test_every_multiprocess_mode_is_taken(library, mode):
    gauge = library.Gauge("g", "G.", ["a"], registry=None, multiprocess_mode=mode)
    gauge.labels("x").set(2)
    assert samples(gauge) == {("g", ("a", "x")): 2.0}
    if mode.endswith("mostrecent"):
        for change in (gauge.labels("x").inc, gauge.labels("x").dec):
            with pytest.raises(RuntimeError):
                change()


@ALL
def test_a_metric_says_its_type_and_name(library, kind):
    metric = make(library, kind, "m", "M.", ["a"])
    assert str(metric).endswith(":m")
    assert str(metric.labels("x")) == str(metric)
    assert repr(metric).endswith(f".{kind}(m)")
