"""What is written: read back by prometheus_client's own parsers, whatever was put in."""

from __future__ import annotations

import math
import subprocess

import prometheus_client as peer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runtime_exporter import metrics
from runtime_exporter.metrics.exposition import OPENMETRICS, TEXT, negotiate
from runtime_exporter.metrics.openmetrics.exposition import generate_latest as generate_openmetrics
from tools import require

FORMATS = pytest.mark.parametrize(
    ("written", "parse"),
    [(TEXT, parse_text), (OPENMETRICS, parse_openmetrics)],
    ids=["text", "openmetrics"],
)


def values(families):
    """{(sample name, labels): value as text}, so that NaN equals NaN."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): repr(float(sample.value))
        for family in families
        for sample in family.samples
    }


def collected(registry):
    return values(registry.collect())


LABELS = st.text(max_size=30).filter(lambda text: text.encode("utf-8", "replace").decode() == text)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=5, unique=True),
    gauge_values=st.lists(FLOATS, min_size=5, max_size=5),
    amounts=st.lists(st.floats(min_value=0, max_value=1e15), min_size=5, max_size=5),
    documentation=st.text(
        alphabet=st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), include_characters='\n\\"')
    ),
)
@FORMATS
def test_what_was_put_in_is_what_a_parser_reads(written, parse, labels, gauge_values, amounts, documentation):
    registry = metrics.CollectorRegistry()
    counter = metrics.Counter("c", documentation, ["a", "b"], registry=registry)
    gauge = metrics.Gauge("g", "G", ["a", "b"], registry=registry)
    histogram = metrics.Histogram("h", "H", ["a", "b"], registry=registry)
    summary = metrics.Summary("s", "S", ["a", "b"], registry=registry)
    info = metrics.Info("i", "I", ["a"], registry=registry)
    enum = metrics.Enum("e", "E", ["a"], registry=registry, states=["x", "y"])
    for pair, value, amount in zip(labels, gauge_values, amounts, strict=False):
        counter.labels(*pair).inc(amount)
        gauge.labels(*pair).set(value)
        histogram.labels(*pair).observe(amount)
        summary.labels(*pair).observe(amount)
        info.labels(pair[0]).info({"k": pair[1]})
        enum.labels(pair[0]).state("y")
    assert collected(registry) == values(parse(written.render([registry]).decode()))


@FORMATS
def test_the_same_numbers_as_prometheus_client_writes(written, parse):
    ours, theirs = metrics.CollectorRegistry(), metrics.CollectorRegistry()
    for library, registry in ((metrics, ours), (peer, theirs)):
        counter = library.Counter("c_total", "C", ["a"], registry=registry)
        histogram = library.Histogram("h", "H", ["a"], registry=registry, buckets=(0.1, 1, 1e6, 1e7))
        gauge = library.Gauge("g", "G", registry=registry)
        for number in range(50):
            counter.labels(f'v"{number % 7}\n').inc(number)
            histogram.labels(str(number % 3)).observe(number * 0.3)
        gauge.set(-math.inf)
    peer_write = peer.generate_latest if written is TEXT else peer.openmetrics.exposition.generate_latest
    expected = {
        key: value for key, value in values(parse(peer_write(theirs).decode())).items() if "_created" not in key[0]
    }
    assert expected == values(parse(written.render([ours]).decode()))


def test_exemplars_come_back_in_openmetrics_and_stay_out_of_the_text_format():
    registry = metrics.CollectorRegistry()
    metrics.Counter("c", "C", registry=registry).inc(3, {"trace_id": "abc"})
    metrics.Histogram("h", "H", ["m"], registry=registry, buckets=(1,)).labels("x").observe(0.5, {"trace_id": "q"})
    found = {
        sample.name: (sample.exemplar.labels, sample.exemplar.value)
        for family in parse_openmetrics(generate_openmetrics(registry).decode())
        for sample in family.samples
        if sample.exemplar
    }
    assert found == {"c_total": ({"trace_id": "abc"}, 3.0), "h_bucket": ({"trace_id": "q"}, 0.5)}
    assert b"trace_id" not in metrics.generate_latest(registry)


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
def test_a_family_that_asks_a_function_is_written_as_if_it_had_none(form):
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    counter.labels("x").inc(2)
    counter.labels("y").inc(3, {"trace_id": "abc"})
    metrics.enable_created_metrics()
    try:
        expected = form.render([counter])
        counter.labels("x").set_function(lambda: 2.0)
        assert expected == form.render([counter])
    finally:
        metrics.disable_created_metrics()


def test_a_quote_in_an_exemplar_is_escaped():
    # Not read back: prometheus_client's parser refuses an escaped quote there, which the specification allows.
    counter = metrics.Counter("c", "C", registry=None)
    counter.inc(3, {"trace_id": 'a"b'})
    assert b'c_total 3.0 # {trace_id="a\\"b"} 3.0 ' in OPENMETRICS.render([counter])


@FORMATS
def test_created_samples_are_valid_in_both_formats(written, parse):
    registry = metrics.CollectorRegistry()
    metrics.Counter("c", "C", ["a"], registry=registry).labels("x").inc()
    metrics.Histogram("h", "H", registry=registry).observe(1)
    metrics.Summary("s", "S", registry=registry).observe(1)
    metrics.enable_created_metrics()
    try:
        found = values(parse(written.render([registry]).decode()))
    finally:
        metrics.disable_created_metrics()
    assert {"c_created", "h_created", "s_created"} <= {name for name, _ in found}


def test_promtool_finds_nothing_to_say():
    registry = metrics.CollectorRegistry()
    metrics.Counter("app_orders_total", "Orders.", ["state"], registry=registry).labels('o"k\n\\').inc()
    metrics.Histogram("app_wait_seconds", "Wait.", registry=registry).observe(1)
    metrics.Info("app", "App.", registry=registry).info({"v": "😀"})
    metrics.Summary("app_size_bytes", "Size.", registry=registry).observe(1)
    check = subprocess.run(
        [require("promtool", package="prometheus"), "check", "metrics"],
        input=metrics.generate_latest(registry),
        capture_output=True,
        timeout=30,
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_a_collector_that_raises_costs_only_itself(caplog):
    class Broken:
        def collect(self):
            raise RuntimeError("no")

    class Unwritable:
        def collect(self):
            family = GaugeMetricFamily("bad", "B")
            family.add_metric([], "not a number")
            return [family, GaugeMetricFamily("good", "G", value=1)]

    gauge = metrics.Gauge("g", "G", registry=None)
    fails = metrics.Gauge("fails", "F", ["a"], registry=None)
    fails.labels("no").set_function(lambda: 1 / 0)
    fails.labels("yes").set_function(lambda: 5)
    collectors = [Broken(), Unwritable(), fails, gauge]
    for _ in range(3):
        found = values(parse_text(TEXT.render(collectors).decode()))
    assert found == {("good", ()): "1.0", ("fails", (("a", "yes"),)): "5.0", ("g", ()): "0.0"}
    assert len([record for record in caplog.records if "left out" in record.message]) == 3


def test_of_two_families_with_one_name_the_first_stands():
    ours = metrics.Counter("process_cpu_seconds_total", "ours", registry=None)
    ours.inc(1)
    registry = metrics.CollectorRegistry()
    peer.Counter("process_cpu_seconds", "theirs", registry=registry).inc(2)
    peer.Gauge("own", "G", registry=registry).set(3)
    text = TEXT.render([ours, registry]).decode()
    assert values(parse_text(text)) == {("process_cpu_seconds_total", ()): "1.0", ("own", ()): "3.0"}


def test_a_hidden_family_leaves_no_trace():
    gauge = metrics.Gauge("g", "G", registry=None)
    gauge.hidden = True
    assert (TEXT.render([gauge]), OPENMETRICS.render([gauge])) == (b"", b"# EOF\n")
    assert gauge.collect()[0].samples == []
    gauge.hidden = False
    assert b"\ng 0.0\n" in TEXT.render([gauge])


def test_only_the_named_samples_are_written_when_names_are_given():
    registry = metrics.CollectorRegistry()
    metrics.Counter("a", "A", registry=registry).inc()
    metrics.Histogram("h", "H", registry=registry).observe(1)
    peer.Gauge("p", "P", registry=registry).set(2)
    text = TEXT.render([registry], names={"a_total", "h_count", "p"}).decode()
    assert values(parse_text(text)) == {("a_total", ()): "1.0", ("h_count", ()): "1.0", ("p", ()): "2.0"}
    assert TEXT.render([registry], names={"nothing"}) == b""


def test_a_registry_without_the_private_attribute_is_collected_the_public_way():
    class Registry:
        def collect(self):
            return metrics.Gauge("g", "G", registry=None).collect()

    assert values(parse_text(metrics.generate_latest(Registry()).decode())) == {("g", ()): "0.0"}
    with_target = metrics.CollectorRegistry(target_info={"env": "prod"})
    metrics.Gauge("g", "G", registry=with_target)
    text = generate_openmetrics(with_target).decode()
    assert 'target_info{env="prod"} 1.0' in text
    assert "g 0.0" in text


def test_lone_surrogates_and_ten_kilobytes_do_not_break_the_scrape():
    gauge = metrics.Gauge("g", "G", ["a"], registry=None)
    gauge.labels("\ud800").set(1)
    gauge.labels("x" * 10_000).set(2)
    found = values(parse_text(TEXT.render([gauge]).decode("utf-8")))
    assert {"1.0", "2.0"} == set(found.values())


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.3", TEXT),
        ("application/openmetrics-text; version=9.9.9, text/plain; q=0.1", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=x", TEXT),
        # Prometheus 2.42 and 3.x, word for word.
        (
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            OPENMETRICS,
        ),
        (
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
                "version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            OPENMETRICS,
        ),
    ],
)
def test_the_format_is_the_one_that_the_client_likes_best(accept, expected):
    assert expected is negotiate(accept)
