"""Where runtime_exporter.metrics does not do what prometheus_client does. docs/drop-in.md gives the reason of each.

A behaviour returns what is to be seen of a library, as a plain value; an exception counts as its type.
"""

from __future__ import annotations

import asyncio
import copy
import importlib
import math
import os
import warnings
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

import prometheus_client
from prometheus_client.core import GaugeMetricFamily

from metrics.conformance.reading import samples

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Difference:
    """What is to be seen, in prometheus_client and here; `name` is the first column of the page's table."""

    name: str
    behaviour: Callable[[Any], Any]
    theirs: Any
    ours: Any


def outcome(call, *arguments):
    """What a call returns, or the type of what it raises."""
    try:
        return call(*arguments)
    except Exception as error:
        return type(error)


def _text(library, *collectors):
    registry = library.CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return library.generate_latest(registry).decode()


def _lines(library, *collectors):
    return [line for line in _text(library, *collectors).splitlines() if line[0] != "#"]


def created(library):
    return [sample.name for sample in library.Counter("c", "C.", registry=None).collect()[0].samples]


def names_in_utf8(library):
    counter = library.Counter("c", "C.", registry=None)
    return [
        outcome(lambda: library.Gauge("größe", "G.", registry=None)._name),
        outcome(lambda: library.Gauge("g", "G.", ["größe"], registry=None)._labelnames),
        outcome(lambda: counter.inc(1, {"größe": "x"})),
    ]


def text_as_labelnames(library):
    return library.Gauge("g", "G.", "ab", registry=None)._labelnames


def repeated_labelnames(library):
    return outcome(lambda: library.Gauge("g", "G.", ["a", "a"], registry=None)._labelnames)


def repeated_buckets(library):
    return outcome(lambda: library.Histogram("h", "H.", registry=None, buckets=[1, 1])._upper_bounds)


def nan(library):
    histogram = library.Histogram("h", "H.", registry=None, buckets=[1])
    histogram.observe(math.nan)
    return samples(histogram)["h_count",]


def refusals(library):
    histogram = library.Histogram("h", "H.", registry=None, buckets=[1])
    summary = library.Summary("s", "S.", registry=None)
    errors = [outcome(metric.observe, amount) for metric, amount in ((histogram, 1j), (summary, "x"))]
    return errors, samples(histogram)["h_sum",], samples(summary)["s_count",]


def missing_labels(library):
    return [
        outcome(library.Counter("c", "C.", ["a"], registry=None).reset),
        outcome(lambda: library.Info("i", "I.", ["a"], registry=None).info({"b": "c"})),
        outcome(lambda: library.Histogram("h", "H.", ["a"], registry=None).observe("x")),
    ]


def info_pairs(library):
    info = library.Info("i", "I.", registry=None)
    return [
        outcome(lambda: [info.info({"workers": 4}), _lines(library, info)][1]),
        outcome(lambda: info.info({"not-a-name": "x"})),
    ]


def enum_overlap(library):
    def make(label):
        return outcome(lambda: str(library.Enum("e", "E.", [label], "shop", states=["on"], registry=None)))

    return make("e"), make("shop_e")


def enum_iterator(library):
    return library.Enum("e", "E.", iter(["a", "b"]), states=["on"], registry=None)._labelnames


class Broken:
    def collect(self):
        raise RuntimeError("no")


def failing(library):
    good, bad = library.Gauge("good", "G.", registry=None), library.Gauge("bad", "B.", registry=None)
    bad.set_function(lambda: 1 / 0)
    return outcome(lambda: _lines(library, good, bad)), outcome(lambda: _lines(library, good, Broken()))


class Twice:
    def collect(self):
        return [GaugeMetricFamily("g", "G.", value=1), GaugeMetricFamily("g", "G.", value=2)]


def same_name(library):
    return _lines(library, Twice())


def surrogates(library):
    gauge = library.Gauge("g", "G.", ["a"], registry=None)
    gauge.labels("\ud800").set(1)
    return outcome(lambda: _lines(library, gauge))


def order_of_labels(library):
    gauge = library.Gauge("g", "G.", ["z", "a"], registry=None)
    gauge.labels("1", "2")
    return _lines(library, gauge)


def numbers(library):
    counter, histogram = library.Counter("c", "C.", registry=None), library.Histogram("h", "H.", registry=None)
    counter.inc(2e6)
    histogram.observe(1)
    return [line for line in _lines(library, counter, histogram) if line.startswith(("c_total", "h_count"))]


def exemplar_time(library):
    counter = library.Counter("c", "C.", registry=None)
    counter.inc(1, {"trace_id": "a"})
    openmetrics = importlib.import_module(library.__name__ + ".openmetrics.exposition")
    line = next(line for line in openmetrics.generate_latest(counter).decode().splitlines() if "trace_id" in line)
    return len(line.rpartition(".")[2]) <= 3


def _content_type(library, accept):
    environ = {"HTTP_ACCEPT": accept}
    setup_testing_defaults(environ)
    found = []
    b"".join(library.make_wsgi_app(library.CollectorRegistry())(environ, lambda _, headers: found.extend(headers)))
    return dict(found)["Content-Type"]


def content_types(library):
    return [
        library.CONTENT_TYPE_LATEST,
        _content_type(library, "text/plain;version=1.0.0"),
        _content_type(library, "application/openmetrics-text;version=1.0.0"),
    ]


def preferences(library):
    likes_text = "application/openmetrics-text;version=1.0.0;q=0.1,text/plain;version=0.0.4;q=0.9"
    old = "application/openmetrics-text;version=0.0.1"
    return [_content_type(library, accept).partition(";")[0] for accept in (likes_text, old)]


def coroutines(library):
    gauge = library.Gauge("g", "G.", registry=None)

    @gauge.track_inprogress()
    async def inside():
        return gauge._value.get()

    return asyncio.run(inside())


def unfit_arguments(library):
    counter = library.Counter("c", "C.", registry=None)

    @counter.count_exceptions()
    def nothing():
        pass

    return outcome(lambda: nothing("unexpected")), counter._value.get()


def own_attributes(library):
    counter = library.Counter("c", "C.", registry=None)

    class Subclass(library.Counter):
        pass

    other = Subclass("c", "C.", registry=None)
    return [
        [outcome(setattr, metric, "note", 1), isinstance(outcome(weakref.ref, metric), weakref.ref)]
        for metric in (counter, other)
    ]


def copies(library):
    counter = library.Counter("c", "C.", registry=None)
    return copy.copy(counter) is counter


def classes(library):
    return issubclass(library.Counter, prometheus_client.Counter), library.Metric is prometheus_client.Metric


def subclass_constructors(library):
    made = []

    class Watched(library.Counter):
        def __init__(self, *args, **kwargs):
            made.append(1)
            super().__init__(*args, **kwargs)

    Watched("c", "C.", ["a"], registry=None).labels("x")
    return len(made)


def eighth_argument(library):
    return outcome(lambda: library.Histogram("h", "H.", ["a"], "", "", "", None, (1, 2))._labelvalues)


def multiprocess(library):
    gauge = library.Gauge("g", "G.", ["a"], registry=None)
    before = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = "/nonexistent"
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gauge.remove("x")
            gauge.clear()
    finally:
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
        os.environ.update({} if before is None else {"PROMETHEUS_MULTIPROC_DIR": before})
    return [warning.category for warning in caught]


TEXT_0, TEXT_1 = (f"text/plain; version={version}; charset=utf-8" for version in ("0.0.4", "1.0.0"))
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

DIFFERENCES = (
    Difference("created samples", created, ["c_total", "c_created"], ["c_total"]),
    Difference("names in UTF-8", names_in_utf8, ["größe", ("größe",), None], [ValueError] * 3),
    Difference("one text as label names", text_as_labelnames, ("a", "b"), ("ab",)),
    Difference("a label name twice", repeated_labelnames, ("a", "a"), ValueError),
    Difference("a bucket twice", repeated_buckets, [1.0, 1.0, math.inf], ValueError),
    Difference("NaN in a histogram", nan, 0.0, 1.0),
    Difference("an amount that is no number", refusals, ([TypeError] * 2, 1j, 1.0), ([TypeError] * 2, 0.0, 0.0)),
    Difference(
        "labels that are missing",
        missing_labels,
        [AttributeError, AttributeError, ValueError],
        [ValueError, ValueError, TypeError],
    ),
    Difference("pairs of an Info", info_pairs, [AttributeError, None], [['i_info{workers="4"} 1.0'], ValueError]),
    Difference(
        "an Enum's name as its label", enum_overlap, (ValueError, "stateset:shop_e"), ("stateset:shop_e", ValueError)
    ),
    Difference("an Enum's label names from an iterator", enum_iterator, (), ("a", "b")),
    Difference("what fails at a scrape", failing, (ZeroDivisionError, RuntimeError), (["good 0.0"], ["good 0.0"])),
    Difference("two families of one name", same_name, ["g 1.0", "g 2.0"], ["g 1.0"]),
    Difference("text that UTF-8 cannot carry", surrogates, UnicodeEncodeError, ['g{a="?"} 1.0']),
    Difference("order of labels", order_of_labels, ['g{a="2",z="1"} 0.0'], ['g{z="1",a="2"} 0.0']),
    Difference(
        "how numbers are written", numbers, ["c_total 2e+06", "h_count 1.0"], ["c_total 2000000.0", "h_count 1"]
    ),
    Difference("the time of an exemplar", exemplar_time, False, True),
    Difference(
        "Content-Type",
        content_types,
        [TEXT_1, TEXT_1 + "; escaping=underscores", OPENMETRICS + "; escaping=underscores"],
        [TEXT_0, TEXT_0, OPENMETRICS],
    ),
    Difference(
        "which format",
        preferences,
        ["application/openmetrics-text", "text/plain"],
        ["text/plain", "application/openmetrics-text"],
    ),
    Difference("coroutines", coroutines, 0.0, 1.0),
    Difference("arguments that do not fit", unfit_arguments, (TypeError, 0.0), (TypeError, 1.0)),
    Difference("attributes of one's own", own_attributes, [[None, True]] * 2, [[AttributeError, False], [None, True]]),
    Difference("copies", copies, False, True),
    Difference("classes", classes, (True, True), (False, False)),
    Difference("constructors of subclasses", subclass_constructors, 2, 1),
    Difference("the eighth positional argument", eighth_argument, (1, 2), ()),
    Difference("several processes", multiprocess, [UserWarning] * 2, []),
)
