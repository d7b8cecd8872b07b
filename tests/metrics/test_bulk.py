"""Many series at a time: what is kept from scrape to scrape is never what has become wrong since."""

from __future__ import annotations

import gc
import math
import threading

import prometheus_client as peer
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from prometheus_client.openmetrics import exposition as peer_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from counting_modes import MODES, count_as
from runtime_exporter import metrics
from runtime_exporter.metrics import cells, cellsource, peersource
from runtime_exporter.metrics.exposition import OPENMETRICS, TEXT

BLOCK = cellsource.BLOCK_CELLS // 2  # counters in a block: each has two cells


def samples(text, parse=parse_text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): (
            repr(float(sample.value)),
            sample.exemplar and (sample.exemplar.labels, sample.exemplar.value),
        )
        for family in parse(text.decode())
        for sample in family.samples
    }


def written(*collectors):
    return samples(TEXT.render(collectors))


LABELS = st.sampled_from(["", "a", 'q"', "back\\slash", "new\nline", "é", "two words", "z" * 40])
AMOUNTS = st.one_of(st.integers(0, 3), st.floats(0, 1e12), st.just(math.inf))


class Scrapes(RuleBasedStateMachine):
    """The same is done to ours and to prometheus_client's, in any order; ours are small blocks, so that there are many."""

    @initialize()
    def begin(self):
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(cellsource, "BLOCK_CELLS", 8)
        self.patch.setattr(peersource, "_BLOCK_CHILDREN", 8)
        self.patch.setattr(metrics.created, "_enabled", False)
        peer.disable_created_metrics()
        self.both = [self._family(metrics), self._family(peer)]

    def _family(self, library):
        registry = metrics.CollectorRegistry()
        return (
            registry,
            library.Counter("c", "C", ["a", "b"], registry=registry),
            library.Gauge("g", "G", ["a", "b"], registry=registry),
            library.Histogram("h", "H", ["a", "b"], registry=registry, buckets=(0.5, 2, 10)),
            library.Summary("s", "S", ["a", "b"], registry=registry),
        )

    @rule(a=LABELS, b=LABELS, amount=AMOUNTS)
    def count(self, a, b, amount):
        for _, counter, gauge, histogram, summary in self.both:
            counter.labels(a, b).inc(amount)
            gauge.labels(b, a).set(-amount)
            histogram.labels(a, b).observe(amount)
            summary.labels(a, b).observe(amount)

    @rule(a=LABELS, amount=AMOUNTS)
    def count_many(self, a, amount):
        for _, counter, *_ in self.both:
            for number in range(20):
                counter.labels(a, str(number)).inc(amount)

    @rule(a=LABELS, b=LABELS)
    def remove(self, a, b):
        for _, *families in self.both:
            for family in families:
                if (a, b) in family._metrics:
                    family.remove(a, b)

    @rule(kind=st.integers(1, 4))
    def clear(self, kind):
        for library in self.both:
            library[kind].clear()

    @rule(a=LABELS, b=LABELS)
    def set_not_a_number(self, a, b):
        for _, _, gauge, *_ in self.both:
            gauge.labels(a, b).set(math.nan)

    @invariant()
    def both_say_the_same(self):
        if not hasattr(self, "both"):
            return
        ours, theirs = self.both[0][0], self.both[1][0]
        expected = samples(peer.generate_latest(theirs))
        assert expected == samples(TEXT.render([ours]))
        assert expected == samples(TEXT.render([theirs]))
        expected = samples(peer_openmetrics.generate_latest(theirs), parse_openmetrics)
        assert expected == samples(OPENMETRICS.render([ours]), parse_openmetrics)

    def teardown(self):
        peer.enable_created_metrics()
        if hasattr(self, "patch"):
            self.patch.undo()


TestScrapes = Scrapes.TestCase
TestScrapes.settings = settings(
    max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("share", [1, 3, 40, 1000])
def test_values_that_changed_are_written_however_many_they_are(share):
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    children = [counter.labels(str(number)) for number in range(2 * BLOCK + 7)]
    for _ in range(3):
        for number in range(0, len(children), share):
            children[number].inc(number + 0.25)
        expected = {("c_total", (("a", str(number)),)): repr(child.value()) for number, child in enumerate(children)}
        assert expected == {key: value for key, (value, _) in written(counter).items()}


def test_series_that_do_not_lie_side_by_side_are_written_in_the_order_of_their_birth():
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    histogram = metrics.Histogram("h", "H", ["a"], registry=None)
    for number in range(300):
        counter.labels(str(number)).inc(number)
        histogram.labels(str(number)).observe(number)
    for number in range(0, 300, 3):
        counter.remove(str(number))
    gc.collect()
    for number in range(300, 400):  # where the removed ones were
        counter.labels(str(number)).inc(number)
    blocks = cellsource.cells_of(counter).blocks()
    assert 1 < max(len(block.runs) for block in blocks)
    expected = [number for number in range(300) if number % 3] + [*range(300, 400)]
    found = next(iter(parse_text(TEXT.render([counter]).decode())))
    assert [(str(number), float(number)) for number in expected] == [
        (sample.labels["a"], sample.value) for sample in found.samples
    ]
    assert 300 * 17 == len(written(histogram))


def test_series_of_families_that_grow_in_turn_lie_side_by_side():
    store = cells.CellStore()  # in which nothing was freed by other tests
    families = [metrics.Counter(name, "C", ["a"], registry=None, store=store) for name in "cde"]
    for number in range(2 * BLOCK):
        for family in families:
            family.labels(str(number)).inc(number)
    for family in families:
        runs = [len(block.runs) for block in cellsource.cells_of(family).blocks()]
        assert max(runs) < BLOCK / 20
        assert 2 * BLOCK == len(written(family))


def test_what_was_kept_for_series_to_come_is_free_again_when_the_family_goes():
    store = cells.CellStore()
    family = metrics.Gauge("g", "G", ["a"], registry=None, store=store)
    for number in range(100):
        family.labels(str(number)).set(1)
    assert family.family.ahead
    mapped, used = store.mapped_bytes, store._next
    del family
    gc.collect()
    again = metrics.Gauge("g", "G", ["a"], registry=None, store=store)
    for number in range(100):
        assert 0.0 == again.labels(str(number)).value()
        again.labels(str(number)).set(1)
    assert (mapped, used) == (store.mapped_bytes, store._next)


def test_a_series_that_was_removed_is_let_go_at_once_and_its_cells_go_to_the_next():
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    counter.labels("x").inc(3)
    TEXT.render([counter])
    gone = counter.labels("x")._at
    counter.remove("x")
    assert gone == counter.labels("y")._at
    assert {("c_total", (("a", "y"),)): ("0.0", None)} == written(counter)


def test_a_child_that_was_removed_and_made_again_is_the_new_one():
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    old = counter.labels("x")
    old.inc(3)
    TEXT.render([counter])
    counter.remove("x")
    counter.labels("x").inc(1)
    old.inc(100)
    assert {("c_total", (("a", "x"),)): ("1.0", None)} == written(counter)


@pytest.mark.parametrize("library", [metrics, peer])
def test_as_many_series_as_before_are_not_taken_for_the_same(library):
    counter = library.Counter("c", "C", ["a"], registry=None)
    for label in "abc":
        counter.labels(label).inc(1)
    TEXT.render([counter])
    del counter._metrics[("b",)]  # as tests do that know the insides
    counter.labels("b").inc(5)
    assert ["a", "c", "b"] == [labels[0][1] for name, labels in written(counter) if name == "c_total"]
    counter._metrics.clear()
    for label in "abc":
        counter.labels(label).inc(7)
    assert {"7.0"} == {value for (name, _), (value, _) in written(counter).items() if name == "c_total"}


def test_an_exemplar_goes_with_its_series():
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    old = counter.labels("x")
    old.inc(1, {"trace": "1"})
    counter.labels("y").inc(1)
    assert b'c_total{a="x"} 1.0 # {trace="1"} 1.0 ' in OPENMETRICS.render([counter])
    counter.remove("x")
    old.inc(1, {"trace": "2"})
    counter.labels("x").inc(5)
    assert samples(OPENMETRICS.render([counter]), parse_openmetrics) == {
        ("c_total", (("a", "y"),)): ("1.0", None),
        ("c_total", (("a", "x"),)): ("5.0", None),
    }
    assert {} == counter.family.exemplars


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"c_total"}, {"c_total"}),
        ({"c"}, {"c_total", "c_created"}),
        ({"c_created"}, {"c_created"}),
        ({"h_count", "h_bucket"}, {"h_count", "h_bucket"}),
        ({"s_sum", "s_created"}, {"s_sum", "s_created"}),
        ({"f_total"}, {"f_total"}),
        ({"i_info", "g"}, {"i_info", "g"}),
        ({"c_bucket"}, set()),
    ],
)
@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
def test_only_what_is_named_is_written_without_asking_for_samples(monkeypatch, form, names, expected):
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    counter.labels("x").inc()
    histogram = metrics.Histogram("h", "H", ["a"], registry=None)
    histogram.labels("x").observe(1)
    summary = metrics.Summary("s", "S", registry=None)
    gauge = metrics.Gauge("g", "G", registry=None)
    function = metrics.Counter("f", "F", registry=None)
    function.set_function(lambda: 5)
    info = metrics.Info("i", "I", registry=None)
    monkeypatch.setattr(metrics.Metric, "collect", None)
    metrics.enable_created_metrics()
    try:
        text = form.render([counter, histogram, summary, gauge, function, info], names=names).decode()
    finally:
        metrics.disable_created_metrics()
    # Read as text in either format: the parser of OpenMetrics refuses a count alone.
    assert expected == {sample.name for family in parse_text(text) for sample in family.samples}
    assert ("# TYPE" in text) == bool(expected)


def test_functions_are_asked_in_each_scrape_though_cells_of_other_families_are_read():
    counter = metrics.Counter("c", "C", ["a"], registry=None)
    numbers = iter(range(100))
    counter.labels("x").set_function(lambda: next(numbers))
    counter.labels("y").inc(7)
    found = [written(counter)[("c_total", (("a", "x"),))][0] for _ in range(3)]
    assert ["0.0", "1.0", "2.0"] == found


@pytest.mark.parametrize("mode", MODES)
def test_a_count_and_its_sum_belong_together_while_others_count(rapid_switches, monkeypatch, mode):
    count_as(mode, monkeypatch)
    histogram = metrics.Histogram("h", "H", ["a"], registry=None, buckets=(1, 2))
    done = threading.Event()

    def count(label):
        child = histogram.labels(label)
        while not done.is_set():
            child.observe(1.5)

    threads = [threading.Thread(target=count, args=(label,)) for label in "abc"]
    for thread in threads:
        thread.start()
    try:
        for _ in range(25):
            found = written(histogram)
            for label in {labels for _, labels in found}:
                if ("h_count", label) in found:
                    count_of, sum_of = (float(found[name, label][0]) for name in ("h_count", "h_sum"))
                    assert 1.5 * count_of == sum_of
    finally:
        done.set()
        for thread in threads:
            thread.join()
