"""generate_latest in both formats: what is written means the same."""

from __future__ import annotations

import importlib
import math

import prometheus_client
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runtime_exporter import metrics


def writers(library):
    openmetrics = importlib.import_module(library.__name__ + ".openmetrics.exposition")
    return (library.generate_latest, parse_text), (openmetrics.generate_latest, parse_openmetrics)


FORMATS = pytest.mark.parametrize("form", [0, 1], ids=["text", "openmetrics"])


def fill(library, registry):
    """Metrics of every type, with what is hard to write."""
    counter = library.Counter("orders_total", 'Orders\\ of "all"\nkinds.', ["state", "Shop"], registry=registry)
    counter.labels('pa"id', "a\\b\nc").inc(1e6)
    counter.labels("", "ü😀").inc(0.1)
    gauge = library.Gauge("depth", "", ["a"], registry=registry)
    for value in (math.inf, -math.inf, 1e-300, -0.0, 123456789.0, 1e17, 0.1 + 0.2):
        gauge.labels(value).set(value)
    library.Gauge("unused", "U.", ["a"], registry=registry)
    histogram = library.Histogram("wait", "W.", ["a"], unit="seconds", registry=registry, buckets=(0, 0.1, 1e7))
    histogram.labels("x").observe(0.05)
    library.Histogram("size_bytes", "S.", registry=registry, buckets=(1, 1000)).observe(3)
    library.Summary("length", "L.", ["a"], registry=registry).labels("x").observe(2)
    library.Info("build", "B.", registry=registry).info({"version": "1", "branch": 'a"b'})
    library.Enum("door", "D.", ["floor"], registry=registry, states=["open", "shut"]).labels("1").state("shut")


def meaning(families):
    """The families in their order, with their samples in any."""
    return [
        (
            family.name,
            family.type,
            family.documentation,
            family.unit,
            {(sample.name, *sorted(sample.labels.items())): repr(float(sample.value)) for sample in family.samples},
        )
        for family in families
    ]


@FORMATS
def test_what_is_written_means_what_the_other_library_writes(library, form):
    registry, expected = prometheus_client.CollectorRegistry(), prometheus_client.CollectorRegistry()
    fill(library, registry)
    fill(prometheus_client, expected)
    write, parse = writers(library)[form]
    peer_write, _ = writers(prometheus_client)[form]
    written = write(registry)
    assert isinstance(written, bytes)
    assert meaning(parse(written.decode())) == meaning(parse(peer_write(expected).decode()))


@FORMATS
def test_what_is_written_is_what_the_registry_has(library, registry, form):
    fill(library, registry)
    write, parse = writers(library)[form]
    found = {key: value for *_, each in meaning(parse(write(registry).decode())) for key, value in each.items()}
    assert found == {key: value for *_, each in meaning(registry.collect()) for key, value in each.items()}


@FORMATS
@pytest.mark.parametrize(("mine", "writer"), [(metrics, prometheus_client), (prometheus_client, metrics)], ids=["ours", "theirs"])  # fmt: skip
def test_the_writer_of_one_library_writes_the_metrics_of_the_other(library, registry, form, mine, writer):
    fill(mine, registry)
    write, parse = writers(writer)[form]
    own_write, _ = writers(mine)[form]
    assert meaning(parse(write(registry).decode())) == meaning(parse(own_write(registry).decode()))


@FORMATS
def test_an_empty_registry_has_an_empty_exposition(library, registry, form):
    write, _ = writers(library)[form]
    assert write(registry) == (b"# EOF\n" if form else b"")


@FORMATS
@pytest.mark.parametrize("escaping", ["underscores", "values", "dots", "allow-utf-8"])
def test_a_way_to_escape_names_can_be_given(library, registry, form, escaping):
    gauge = prometheus_client.Gauge("größe.x", "G.", ["ä"], registry=registry)
    gauge.labels("1").set(2)
    library.Gauge("plain_name", "P.", registry=registry).set(3)
    write, _ = writers(library)[form]
    peer_write, _ = writers(prometheus_client)[form]
    assert write(registry, escaping) == peer_write(registry, escaping=escaping)


def test_exemplars_are_in_openmetrics_alone(library, registry):
    library.Counter("c", "C.", registry=registry).inc(3, {"trace_id": "a"})
    library.Histogram("h", "H.", registry=registry, buckets=(1,)).observe(0.5, {"trace_id": "b", "A": "c"})
    (text, _), (openmetrics, parse) = writers(library)
    assert b"trace_id" not in text(registry)
    found = {
        (sample.name, sample.labels.get("le")): (sample.exemplar.labels, sample.exemplar.value)
        for family in parse(openmetrics(registry).decode())
        for sample in family.samples
        if sample.exemplar
    }
    assert found == {
        ("c_total", None): ({"trace_id": "a"}, 3.0),
        ("h_bucket", "1.0"): ({"trace_id": "b", "A": "c"}, 0.5),
    }


@FORMATS
def test_removed_series_are_not_written_whichever_way_they_went(library, registry, form):
    gauge = library.Gauge("g", "G.", ["a"], registry=registry)
    write, _ = writers(library)[form]
    for value in "abcd":
        gauge.labels(value).set(1)
    assert write(registry).count(b"g{") == 4
    gauge.remove("a")
    assert write(registry).count(b"g{") == 3
    gauge.remove_by_labels({"a": "b"})
    assert write(registry).count(b"g{") == 2
    gauge._metrics.pop(("c",))
    assert write(registry).count(b"g{") == 1
    gauge._metrics.clear()
    assert write(registry).count(b"g{") == 0
    gauge.labels("a").set(5)
    assert b'\ng{a="a"} 5.0\n' in write(registry)


def test_the_default_registry_is_written_when_none_is_given(library):
    gauge = library.Gauge("conformance_written", "W.")
    try:
        (text, _), (openmetrics, _) = writers(library)
        assert b"\nconformance_written 0.0\n" in text()
        if library is metrics:  # prometheus_client's has no default
            assert b"\nconformance_written 0.0\n" in openmetrics()
    finally:
        library.REGISTRY.unregister(gauge)


def test_the_content_types_name_the_formats(library):
    openmetrics = importlib.import_module(library.__name__ + ".openmetrics.exposition")
    assert openmetrics.CONTENT_TYPE_LATEST == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert library.CONTENT_TYPE_PLAIN_0_0_4 == "text/plain; version=0.0.4; charset=utf-8"
    assert library.CONTENT_TYPE_PLAIN_1_0_0 == "text/plain; version=1.0.0; charset=utf-8"
