"""prometheus_client's own metrics, read from their insides: the same samples as its writer's, or it is asked."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import prometheus_client as peer
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import metrics as peer_metrics
from prometheus_client.openmetrics import exposition as peer_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runtime_exporter.metrics import peersource
from runtime_exporter.metrics.exposition import OPENMETRICS, TEXT

FORMATS = pytest.mark.parametrize(
    ("form", "write", "parse"),
    [(TEXT, peer.generate_latest, parse_text), (OPENMETRICS, peer_openmetrics.generate_latest, parse_openmetrics)],
    ids=["text", "openmetrics"],
)

LABELS = st.text(max_size=12).filter(lambda text: text.encode("utf-8", "replace").decode() == text)
SERIES = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=6, unique=True)
AMOUNTS = st.one_of(st.integers(0, 10**9), st.floats(min_value=0, allow_infinity=False, max_value=1e300))
KINDS = st.sampled_from(["counter", "gauge", "histogram", "summary", "plain", "function", "info"])


def read(text, parse):
    """Everything that a parser gets out of an exposition: families with their heads, samples with their exemplars."""
    return {
        (family.name, family.type, family.documentation, family.unit): sorted(
            (
                sample.name,
                sorted(sample.labels.items()),
                repr(sample.value),
                sample.exemplar and (sorted(sample.exemplar.labels.items()), sample.exemplar.value),
            )
            for sample in family.samples
        )
        for family in parse(text.decode())
    }


@pytest.fixture
def asked(monkeypatch):
    """The metrics whose public `collect()` was called."""
    names = []
    collect = peer_metrics.MetricWrapperBase.collect

    def told(metric):
        names.append(metric._name)
        return collect(metric)

    peersource._understood()  # which asks, once
    monkeypatch.setattr(peer_metrics.MetricWrapperBase, "collect", told)
    return names


def fill(registry, number, kind, series, amounts):
    name = f"m{number}"
    if kind == "counter":
        metric = peer.Counter(name, 'C "\\\n', ["a", "b"], registry=registry)
        for labels, amount in zip(series, amounts, strict=False):
            metric.labels(*labels).inc(amount, {"trace": "t"} if amount > 5 else None)
    elif kind == "gauge":
        metric = peer.Gauge(name, "G", ["a", "b"], unit="seconds", registry=registry)
        for labels, amount in zip(series, amounts, strict=False):
            metric.labels(*labels).set(-amount)
    elif kind == "histogram":
        metric = peer.Histogram(name, "H", ["a", "b"], registry=registry, buckets=(0, 3.5) if number % 2 else (1, 1e7))
        for labels, amount in zip(series, amounts, strict=False):
            metric.labels(*labels).observe(amount, {"trace": "t"} if amount > 5 else None)
    elif kind == "summary":
        metric = peer.Summary(name, "S", ["a", "b"], registry=registry)
        for labels, amount in zip(series, amounts, strict=False):
            metric.labels(*labels).observe(amount)
    elif kind == "plain":
        peer.Counter(name, "C", registry=registry).inc(amounts[0])
        peer.Histogram(f"{name}h", "H", registry=registry).observe(amounts[0], {"trace": "t"})
        peer.Gauge(f"{name}g", "G", registry=registry).set(float("-inf"))
    elif kind == "function":
        metric = peer.Gauge(name, "G", ["a", "b"], registry=registry)
        for labels, amount in zip(series, amounts, strict=False):
            metric.labels(*labels).set_function(lambda amount=amount: amount)
    else:
        peer.Info(name, "I", registry=registry).info({"version": series[0][0]})


@FORMATS
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(KINDS, min_size=1, max_size=6),
    series=SERIES,
    amounts=st.lists(AMOUNTS, min_size=6, max_size=6),
    created=st.booleans(),
)
def test_any_registry_means_what_prometheus_client_writes_of_it(form, write, parse, kinds, series, amounts, created):
    registry = peer.CollectorRegistry()
    for number, kind in enumerate(kinds):
        fill(registry, number, kind, series, amounts)
    (peer.enable_created_metrics if created else peer.disable_created_metrics)()
    try:
        assert read(write(registry), parse) == read(form.render([registry]), parse)
    finally:
        peer.enable_created_metrics()


@FORMATS
def test_a_scrape_after_changes_means_what_prometheus_client_writes_then(form, write, parse):
    registry = peer.CollectorRegistry()
    counter = peer.Counter("c", "C", ["a"], registry=registry)
    histogram = peer.Histogram("h", "H", ["a"], registry=registry)
    for number in range(3000):
        counter.labels(str(number)).inc(number / 7)
    form.render([registry])
    for number in range(0, 3000, 11):
        counter.labels(str(number)).inc(0.5)
    counter.remove("17")
    counter.labels("17").inc(3)
    counter.labels("new").inc(float("inf"))
    counter.labels("4").reset()
    histogram.labels("x").observe(2)
    assert read(write(registry), parse) == read(form.render([registry]), parse)
    counter.clear()
    assert read(write(registry), parse) == read(form.render([registry]), parse)


def test_a_histogram_of_negative_numbers_has_no_sum():
    histogram = peer.Histogram("h", "H", ["a"], registry=None, buckets=(-1, 2))
    histogram.labels("x").observe(-3)
    assert b"h_sum" not in TEXT.render([histogram])
    assert read(peer.generate_latest(histogram), parse_text) == read(TEXT.render([histogram]), parse_text)


def test_the_four_kinds_are_read_and_nothing_is_asked(asked):
    registry = peer.CollectorRegistry()
    for number, kind in enumerate(("counter", "gauge", "histogram", "summary", "plain")):
        fill(registry, number, kind, [("x", "y")], [1.0])
    OPENMETRICS.render([registry])
    TEXT.render([registry], names={"m0_total", "m2_bucket"})
    assert [] == asked


def test_only_the_named_samples_are_read():
    registry = peer.CollectorRegistry()
    fill(registry, 0, "counter", [("x", "y")], [1.0])
    fill(registry, 2, "histogram", [("x", "y")], [1.0])
    found = TEXT.render([registry], names={"m0_total", "m2_count"}).decode()
    assert {"m0_total", "m2_count"} == {s.name for family in parse_text(found) for s in family.samples}
    assert b"" == TEXT.render([registry], names={"other"})


class Doubling(peer.Counter):
    def collect(self):
        (metric,) = super().collect()
        for sample in list(metric.samples):
            metric.add_sample("doubled_total", sample.labels, sample.value * 2)
        return [metric]


def with_own_samples():
    gauge = peer.Gauge("m", "M", ["a"], registry=None)
    gauge.labels("x").set(1)
    gauge.labels("y").set_function(lambda: 2)
    return gauge


def with_another_value():
    class Value:
        def get(self):
            return 5.0

        def get_exemplar(self):
            return None

    counter = peer.Counter("m", "M", ["a"], registry=None)
    counter.labels("x")._value = Value()
    return counter


def without_its_values():
    class Hidden:
        def get(self):
            return 0.0

        def get_exemplar(self):
            return None

    histogram = peer.Histogram("m", "M", registry=None, buckets=(1,))
    histogram._buckets = [Hidden(), Hidden()]
    return histogram


def with_a_method_of_its_own():
    summary = peer.Summary("m", "M", registry=None)
    summary.observe(3)
    collect = summary.collect
    summary.collect = lambda: collect()
    return summary


def subclassed():
    doubling = Doubling("m", "M", registry=None)
    doubling.inc(4)
    return doubling


def of_a_child():
    return peer.Counter("m", "M", ["a"], registry=None).labels("x")


@pytest.mark.parametrize(
    "make",
    [with_own_samples, with_another_value, without_its_values, with_a_method_of_its_own, subclassed, of_a_child],
)
def test_a_metric_with_other_insides_is_asked(make):
    metric = make()
    assert read(peer.generate_latest(metric), parse_text) == read(TEXT.render([metric]), parse_text)


def test_a_name_in_utf_8_is_escaped_as_prometheus_client_does():
    try:
        counter = peer.Counter("bücher", "B", ["größe"], registry=None)
    except ValueError:
        pytest.skip("this prometheus_client knows no such names")
    counter.labels("x").inc()
    assert peer.generate_latest(counter) == TEXT.render([counter])


@pytest.mark.parametrize("attribute", ["MutexValue", "ValueClass"])
def test_a_version_with_other_values_is_asked(monkeypatch, asked, attribute):
    counter = peer.Counter("m", "M", registry=None)
    counter.inc(2)
    monkeypatch.setattr(peer.values, attribute, object)
    peersource._understood.cache_clear()
    try:
        assert b"m_total 2.0\n" in TEXT.render([counter])
    finally:
        peersource._understood.cache_clear()
    assert ["m"] == asked


def test_a_version_whose_samples_are_others_is_asked(monkeypatch):
    def samples(metric):
        return (peer_metrics.Sample("_total", {"new": "label"}, metric._value.get(), None, None),)

    counter = peer.Counter("m", "M", registry=None)
    monkeypatch.setattr(peer.Counter, "_child_samples", samples)
    peersource._understood.cache_clear()
    try:
        assert b'm_total{new="label"} 0.0\n' in TEXT.render([counter])
    finally:
        peersource._understood.cache_clear()


def test_numbers_of_other_types_are_written_as_floats():
    class Odd(float):
        def __repr__(self):
            return "Odd(...)"

    counter = peer.Counter("m", "M", registry=None)
    counter._value._value = Odd(3)
    assert b"m_total 3.0\n" in TEXT.render([counter])


def test_what_is_kept_of_a_metric_goes_with_it():
    counter = peer.Counter("m", "M", ["a"], registry=None)
    plain = peer.Counter("p", "P", registry=None)
    counter.labels("x").inc()
    before = len(peersource._known)
    TEXT.render([counter, plain])
    gone = [weakref.ref(counter), weakref.ref(plain), weakref.ref(counter.labels("x"))]
    assert before + 2 == len(peersource._known)
    del counter, plain
    gc.collect()
    assert [None] * 3 == [reference() for reference in gone]
    assert before == len(peersource._known)


def test_scrapes_while_children_come_and_go_are_whole():
    registry = peer.CollectorRegistry()
    counter = peer.Counter("c", "C", ["a"], registry=registry)
    histogram = peer.Histogram("h", "H", ["a"], registry=registry)
    done = threading.Event()

    def churn():
        number = 0
        while not done.is_set():
            number += 1
            counter.labels(str(number % 300)).inc()
            histogram.labels(str(number % 50)).observe(1)
            if number % 3 == 0:
                counter.remove(str((number // 3) % 300))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(12):
            families = {family.name: family for family in parse_text(TEXT.render([registry]).decode())}
            assert {"c", "h"} <= families.keys()
            labels = [sample.labels["a"] for sample in families["c"].samples]
            assert len(labels) == len(set(labels))
    finally:
        done.set()
        thread.join()


def test_values_in_files_of_several_processes_are_asked(tmp_path):
    program = """
import prometheus_client as peer
from runtime_exporter.metrics import peersource
from runtime_exporter.metrics.exposition import TEXT
counter = peer.Counter("m", "M", ["a"], registry=None)
counter.labels("x").inc(2)
print(peersource._understood(), TEXT.render([counter]).decode())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.startswith("False")
    assert 'm_total{a="x"} 2.0' in done.stdout
