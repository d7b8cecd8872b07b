"""Registries: what they take, refuse, give back and restrict, with metrics of either library in them."""

from __future__ import annotations

import pytest
from prometheus_client.core import GaugeMetricFamily

from metrics.conformance.reading import samples


class Queue:
    def collect(self):
        yield GaugeMetricFamily("queue_depth", "Q.", value=3)


def test_the_default_registry_is_one_and_the_same_in_both(library):
    import prometheus_client

    assert library.REGISTRY is prometheus_client.REGISTRY
    assert library.CollectorRegistry is prometheus_client.CollectorRegistry
    gauge = library.Gauge("conformance_default_registry", "D.")
    try:
        gauge.set(4)
        assert library.REGISTRY.get_sample_value("conformance_default_registry") == 4.0
    finally:
        library.REGISTRY.unregister(gauge)
    assert library.REGISTRY.get_sample_value("conformance_default_registry") is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Counter", "Counter"),
        ("Counter", "Gauge"),
        ("Gauge", "Histogram"),
        ("Summary", "Info"),
    ],
)
def test_a_name_can_be_registered_once(library, registry, first, second):
    kept = getattr(library, first)("m", "M.", registry=registry)
    with pytest.raises(ValueError, match=r"[Dd]uplicate") as caught:
        getattr(library, second)("m", "M.", registry=registry)
    assert "m" in getattr(caught.value, "duplicates", {"m"})
    registry.unregister(kept)
    getattr(library, second)("m", "M.", registry=registry)
    with pytest.raises(KeyError):
        registry.unregister(kept)


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("Counter", ["m", "m_total", "m_created"]),
        ("Summary", ["m", "m_sum", "m_count", "m_created"]),
        ("Histogram", ["m", "m_bucket", "m_sum", "m_count", "m_created"]),
        ("Info", ["m", "m_info"]),
        ("Gauge", ["m"]),
    ],
)
def test_a_type_takes_the_names_of_its_samples_too(library, registry, kind, taken):
    getattr(library, kind)("m", "M.", registry=registry)
    for name in ["m", "m_total", "m_created", "m_sum", "m_count", "m_bucket", "m_info"]:
        if name in taken:
            with pytest.raises(ValueError):
                library.Gauge(name, "G.", registry=registry)
        else:
            library.Gauge(name, "G.", registry=registry)


def test_collectors_stand_in_the_order_of_their_registration(library, registry):
    for name in "cab":
        library.Gauge(name, "G.", registry=registry)
    registry.register(Queue())
    assert [family.name for family in registry.collect()] == ["c", "a", "b", "queue_depth"]


def test_a_metric_may_be_in_several_registries_and_in_none(library, registry):
    gauge = library.Gauge("g", "G.", registry=None)
    other = library.CollectorRegistry()
    for each in (registry, other):
        each.register(gauge)
    gauge.set(2)
    assert samples(registry) == samples(other) == {("g",): 2.0}


def test_a_value_is_found_by_its_name_and_all_of_its_labels(library, registry):
    counter = library.Counter("c", "C.", ["a", "b"], registry=registry)
    counter.labels("x", "y").inc(3)
    histogram = library.Histogram("h", "H.", registry=registry, buckets=[1])
    histogram.observe(0.5)
    find = registry.get_sample_value
    assert (find("c_total", {"b": "y", "a": "x"}), find("h_bucket", {"le": "1.0"}), find("h_sum")) == (3.0, 1.0, 0.5)
    assert [find("c_total"), find("c", {"a": "x", "b": "y"}), find("c_total", {"a": "x"}), find("none")] == [None] * 4


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["c_total"], ["c_total"]),
        (["h_sum", "h_count"], ["h_count", "h_sum"]),
        (["h_bucket", "g"], ["g", "h_bucket", "h_bucket"]),
        (["c"], []),
        (["i_info"], ["i_info"]),
        (["e"], ["e", "e"]),
        (["target_info"], ["target_info"]),
        (["unknown"], []),
        ([], []),
    ],
)
def test_a_restricted_registry_has_the_samples_that_are_named(library, names, found):
    registry = library.CollectorRegistry(target_info={"env": "prod"})
    library.Counter("c", "C.", registry=registry)
    library.Gauge("g", "G.", registry=registry)
    library.Histogram("h", "H.", registry=registry, buckets=[1])
    library.Info("i", "I.", registry=registry)
    library.Enum("e", "E.", registry=registry, states=["on", "off"])
    restricted = registry.restricted_registry(names)
    assert found == sorted(sample.name for family in restricted.collect() for sample in family.samples)
    written = library.generate_latest(restricted).decode().splitlines()
    assert found == sorted(line.split(" ")[0].split("{")[0] for line in written if line[0] != "#")


def test_target_info_is_written_first_and_reserves_its_name(library):
    registry = library.CollectorRegistry(target_info={"env": "prod"})
    library.Gauge("g", "G.", registry=registry)
    assert registry.get_target_info() == {"env": "prod"}
    assert [family.name for family in registry.collect()] == ["target", "g"]
    with pytest.raises(ValueError):
        library.Info("target", "T.", registry=registry)
    registry.set_target_info(None)
    library.Info("target", "T.", registry=registry)
    with pytest.raises(ValueError):
        registry.set_target_info({"env": "test"})


@pytest.mark.parametrize(("auto_describe", "refused"), [(True, True), (False, False)])
def test_a_collector_that_describes_nothing_is_asked_what_it_collects_only_where_that_is_wanted(
    library, auto_describe, refused
):
    registry = library.CollectorRegistry(auto_describe=auto_describe)
    registry.register(Queue())
    if refused:
        with pytest.raises(ValueError):
            library.Gauge("queue_depth", "G.", registry=registry)
    else:
        library.Gauge("queue_depth", "G.", registry=registry)


def test_describing_a_metric_does_not_ask_for_its_values(library, registry):
    asked = []
    gauge = library.Gauge("g", "G.", registry=None)
    gauge.set_function(lambda: asked.append(1) or 0)
    registry.register(gauge)
    library.CollectorRegistry(auto_describe=True).register(gauge)
    assert asked == []
