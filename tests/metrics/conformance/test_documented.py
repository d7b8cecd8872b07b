"""The uses that prometheus_client's documentation begins with, told in a small shop."""

from __future__ import annotations

import http.client
import random

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily


def test_a_first_program_that_times_a_function_and_serves_it(library, registry):
    baking = library.Summary("bread_baking_seconds", "Time spent at the oven", registry=registry)

    @baking.time()
    def bake(loaves):
        return loaves * 2

    assert [bake(loaves) for loaves in range(3)] == [0, 2, 4]
    server, thread = library.start_http_server(0, "127.0.0.1", registry)
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    server.shutdown()
    server.server_close()
    thread.join(10)
    assert "# TYPE bread_baking_seconds summary\nbread_baking_seconds_count 3" in page


def test_a_counter_of_failures(library, registry):
    burnt = library.Counter("bread_burnt_total", "Loaves that were burnt", registry=registry)
    burnt.inc()
    burnt.inc(1.6)

    @burnt.count_exceptions()
    def bake():
        raise OSError

    for _ in range(2):
        try:
            bake()
        except OSError:
            continue
    with burnt.count_exceptions(ValueError):
        pass
    assert registry.get_sample_value("bread_burnt_total") == 4.6


def test_a_gauge_of_what_is_going_on(library, registry):
    ovens = library.Gauge("ovens_in_use", "Ovens that bake now", registry=registry)
    ovens.set(4.2)
    ovens.dec(10)
    assert registry.get_sample_value("ovens_in_use") == 4.2 - 10
    shelf = {"rye": 3}
    kinds = library.Gauge("bread_kinds", "Kinds on the shelf", registry=registry)
    kinds.set_function(lambda: len(shelf))
    shelf["wheat"] = 5
    assert registry.get_sample_value("bread_kinds") == 2.0


def test_a_histogram_of_sizes(library, registry):
    weights = library.Histogram("bread_weight_grams", "Weights", registry=registry, buckets=(250, 500, 1000))
    with weights.time():
        random.random()
    weights.observe(750)
    assert registry.get_sample_value("bread_weight_grams_bucket", {"le": "1000.0"}) == 2.0


def test_an_info_of_the_build_and_an_enum_of_the_state(library, registry):
    library.Info("bakery", "Which bakery this is", registry=registry).info({"version": "1.2.3", "town": "Ulm"})
    door = library.Enum("door_state", "The door", states=["shut", "open"], registry=registry)
    door.state("open")
    assert registry.get_sample_value("bakery_info", {"version": "1.2.3", "town": "Ulm"}) == 1.0
    assert [registry.get_sample_value("door_state", {"door_state": state}) for state in ("shut", "open")] == [0.0, 1.0]


def test_labels_are_made_known_before_the_first_event(library, registry):
    sold = library.Counter("bread_sold_total", "Sold", ["kind", "paid"], registry=registry)
    sold.labels("rye", "cash").inc()
    for kind in ("rye", "wheat"):
        sold.labels(kind=kind, paid="card")
    assert registry.get_sample_value("bread_sold_total", {"kind": "wheat", "paid": "card"}) == 0.0
    sold.remove("rye", "cash")
    assert registry.get_sample_value("bread_sold_total", {"kind": "rye", "paid": "cash"}) is None


def test_an_exemplar_leads_to_a_trace(library, registry):
    sold = library.Counter("bread_sold_total", "Sold", ["kind"], registry=registry)
    sold.labels("rye").inc(exemplar={"trace_id": "abc123"})
    (sample,) = next(iter(registry.collect())).samples
    assert sample.exemplar.labels == {"trace_id": "abc123"}


def test_a_collector_of_ones_own_stands_beside_metrics(library, registry):
    class Cellar:
        def collect(self):
            yield GaugeMetricFamily("flour_sacks", "Sacks", value=7)
            bought = CounterMetricFamily("flour_bought", "Bought", labels=["mill"])
            bought.add_metric(["north"], 1.7)
            yield bought
            yield InfoMetricFamily("cellar", "Cellar", value={"door": "steel"})

    registry.register(Cellar())
    library.Gauge("ovens", "O.", registry=registry).set(2)
    page = library.generate_latest(registry).decode()
    for line in (
        "flour_sacks 7.0",
        'flour_bought_total{mill="north"} 1.7',
        'cellar_info{door="steel"} 1.0',
        "ovens 2.0",
    ):
        assert line in page.splitlines()


def test_a_test_asks_what_changed(library, registry):
    sold = library.Counter("bread_sold_total", "Sold", registry=registry)
    before = registry.get_sample_value("bread_sold_total")
    sold.inc(3)
    assert registry.get_sample_value("bread_sold_total") - before == 3
