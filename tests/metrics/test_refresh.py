"""What is made text again of a block, and what is kept of it."""

from __future__ import annotations

from array import array

import prometheus_client as peer
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runtime_exporter import metrics
from runtime_exporter.metrics import cellsource, exposition, refresh, rows, source
from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.exposition import OPENMETRICS, TEXT

SERIES = cellsource.BLOCK_CELLS // 18  # histograms in a block


@pytest.fixture
def made(monkeypatch):
    """How many series of a block became text, block by block."""
    numbers = []
    for kind in (cellsource.CounterCells, cellsource.HistogramCells):

        def columns(source, some, columns=kind.columns):
            numbers.append(len(some) // source.size)
            return columns(source, some)

        def whole(source, some, whole=kind.whole):
            values = whole(source, some)
            numbers.extend([len(values)] if values else [])
            return values

        monkeypatch.setattr(kind, "columns", columns)
        monkeypatch.setattr(kind, "whole", whole)
    return numbers


def of_kind(kind, count):
    """A registry, and so many children."""
    registry = metrics.CollectorRegistry()
    family = getattr(metrics, kind)("m", "M", ["a"], registry=registry)
    children = [family.labels(str(number)) for number in range(count)]
    return registry, [child.inc if kind == "Counter" else lambda child=child: child.observe(0.3) for child in children]


KINDS = pytest.mark.parametrize("kind", ["Counter", "Histogram"])


@KINDS
def test_only_the_series_that_changed_become_text_again(made, kind):
    registry, change = of_kind(kind, SERIES)
    TEXT.render([registry])
    change[5]()
    change[9]()
    TEXT.render([registry])
    OPENMETRICS.render([registry])
    assert [SERIES, 2] == made


@KINDS
def test_nothing_is_kept_of_a_block_that_changes_until_it_is_calm(made, kind):
    registry, change = of_kind(kind, SERIES)
    (block,) = cellsource.cells_of(next(iter(registry._collector_to_names))).blocks()
    kept = []
    for busy in (True, True, True, False, False):
        for one in change if busy else change[:1]:
            one()
        TEXT.render([registry])
        kept.append(bool(block.written.texts))
    assert [True, False, False, True, True] == kept
    assert [SERIES, SERIES, SERIES, SERIES, 1] == made


@KINDS
@pytest.mark.parametrize(("more", "texts"), [(0, SERIES // refresh.FEW), (1, SERIES)])
def test_up_to_every_third_series_is_changed_one_by_one_and_of_more_all(made, kind, more, texts):
    registry, change = of_kind(kind, SERIES)
    TEXT.render([registry])
    for one in change[: SERIES // refresh.FEW + more]:
        one()
    TEXT.render([registry])
    assert [SERIES, texts] == made


@pytest.mark.parametrize(("first", "calm"), [(5, True), (6, False)])
def test_whether_a_block_has_become_calm_is_seen_of_its_first_series_alone(first, calm):
    registry, change = of_kind("Histogram", SERIES)
    (block,) = cellsource.cells_of(next(iter(registry._collector_to_names))).blocks()
    TEXT.render([registry])
    for moved in (change, [*change[:first], *change[refresh.SAMPLE :]]):
        for one in moved:
            one()
        TEXT.render([registry])
    assert calm == bool(block.written.texts)


@pytest.fixture
def _without_created():
    peer.disable_created_metrics()
    yield
    peer.enable_created_metrics()


@pytest.mark.usefixtures("_without_created")
@pytest.mark.parametrize("library", [metrics, peer])
@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
@pytest.mark.parametrize(
    ("step", "labels", "at_once"),
    [
        (1, {"a": "é-{}"}, True),
        (1, {"a": "{}", "b": 'x"\n{}', "c": "y"}, True),
        (1e9, {"a": "{}"}, True),
        (0.125, {"a": "{}"}, False),
        (1e14, {"a": "{}"}, False),
        (1, {"a": "{}%d"}, False),
    ],
)
def test_whole_numbers_that_all_change_are_written_at_once_as_one_by_one(
    monkeypatch, library, form, step, labels, at_once
):
    written = []
    whole = rows.Rows.write_whole
    monkeypatch.setattr(rows.Rows, "write_whole", lambda *given: written.append(len(given[-1])) or whole(*given))
    registry = metrics.CollectorRegistry()
    family = library.Counter("m", "M", labels, registry=registry)
    children = [family.labels(*(value.format(number) for value in labels.values())) for number in range(20)]
    for times in range(1, 5):
        for number, child in enumerate(children):
            child.inc(step * number + step)
        lines = form.render([registry]).decode().splitlines()
        said = [line.rpartition(" ") for line in lines if line.startswith("m_total{")]
        assert [repr(times * (float(step) * number + step)) for number in range(20)] == [value for _, _, value in said]
        assert [family_labels(child, labels) for child in children] == [before for before, _, _ in said]
    assert ([20] * 3 if at_once else []) == written


@pytest.mark.parametrize("other", [0.5, float("inf"), float("nan"), 1e16])
def test_one_value_among_whole_numbers_that_is_none_is_enough(other):
    assert [1, 2, 3] == [*source.whole_numbers(array("d", [1, 2, 3]).tobytes())]
    assert [] == [*source.whole_numbers(array("d", [1, other, 3]).tobytes())]


def family_labels(child, names):
    """What stands before the value of a child of `m`."""
    values = getattr(child, "_labelvalues", None) or child._labels
    escaped = [value.replace("\n", r"\n").replace('"', r"\"") for value in values]
    return "m_total{" + ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True)) + "}"


@KINDS
@pytest.mark.parametrize(("count", "kept"), [(refresh.SMALL, True), (refresh.SMALL + 1, False)])
def test_the_lines_of_more_than_a_few_series_would_be_memory_and_are_not_kept(kind, count, kept):
    registry, _ = of_kind(kind, count)
    (block,) = cellsource.cells_of(next(iter(registry._collector_to_names))).blocks()
    TEXT.render([registry])
    assert kept == bool(block.written.lines)


@KINDS
def test_of_a_few_series_that_did_not_change_the_lines_are_kept(monkeypatch, kind):
    registry, change = of_kind(kind, 3)
    before = TEXT.render([registry])
    with monkeypatch.context() as patch:
        patch.setattr(rows.Rows, "write", None)
        assert before == TEXT.render([registry])
    change[1]()
    assert before != TEXT.render([registry])


def values(text, parse):
    return {
        (sample.name, *sample.labels.values()): 0.0 if sample.name.endswith("_created") else sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize(("form", "parse"), [(TEXT, parse_text), (OPENMETRICS, parse_openmetrics)])
@pytest.mark.parametrize("library", [metrics, peer])
def test_whether_the_beginning_of_series_is_exposed_may_change_between_two_scrapes(form, parse, library):
    registry = metrics.CollectorRegistry()
    for kind in (library.Counter, library.Histogram, library.Summary, library.Gauge):
        family = kind(kind.__name__.lower(), "H", ["a"], registry=registry)
        for number in range(20):
            getattr(family.labels(str(number)), "observe" if "m" in kind.__name__ else "inc")(number)
    collected = values(peer.generate_latest(registry), parse_text)
    try:
        for exposed in (False, True, False, True):
            for switch in (metrics, peer):
                (switch.enable_created_metrics if exposed else switch.disable_created_metrics)()
            found = values(form.render([registry]), parse)
            assert exposed == any(name.endswith("_created") for name, *_ in found)
            assert {key: value for key, value in collected.items() if not key[0].endswith("_created")} == {
                key: value for key, value in found.items() if not key[0].endswith("_created")
            }
            assert found == values(form.render([registry]), parse)
    finally:
        metrics.disable_created_metrics()
        peer.enable_created_metrics()


def test_exemplars_are_written_behind_what_is_kept_and_are_not_kept():
    registry = metrics.CollectorRegistry()
    histogram = metrics.Histogram("h", "H", ["a"], registry=registry, buckets=(1,))
    for number in range(20):
        histogram.labels(str(number)).observe(0.5, {"trace": str(number)} if number % 5 == 0 else None)
    for trace in ("t", "u"):
        histogram.labels("7").observe(0.5, {"trace": trace})
        for _ in range(2):
            written = OPENMETRICS.render([registry]).decode()
            assert ["0", "5", "7", "10", "15"] == [
                sample.labels["a"]
                for family in parse_openmetrics(written)
                for sample in family.samples
                if sample.exemplar
            ]
            assert f'h_bucket{{a="7",le="1.0"}} {2 if trace == "t" else 3} # {{trace="{trace}"}}' in written
            assert b"trace" not in TEXT.render([registry])


@pytest.mark.parametrize("library", [metrics, peer])
def test_the_texts_of_an_empty_bucket_are_those_of_the_one_before_and_an_exemplar_stands_in_one_of_them(library):
    registry = metrics.CollectorRegistry()
    histogram = library.Histogram("h", "H", ["a"], registry=registry, buckets=(1, 2, 3, 4))
    for number in range(20):
        for value in (0.5, 0.5, 3.5):
            histogram.labels(str(number)).observe(value)
    histogram.labels("7").observe(0.5, {"trace": "t"})
    for _ in range(2):
        written = OPENMETRICS.render([registry]).decode()
        found = {
            sample.labels["le"]: (sample.value, sample.exemplar and sample.exemplar.labels)
            for family in parse_openmetrics(written)
            for sample in family.samples
            if sample.name == "h_bucket" and sample.labels["a"] == "7"
        }
        trace = {"trace": "t"}
        assert {"1.0": (3, trace), "2.0": (3, None), "3.0": (3, None), "4.0": (4, None), "+Inf": (4, None)} == found


def test_the_allocator_is_told_of_an_exposition_once_for_all_that_are_not_much_larger(monkeypatch):
    monkeypatch.setattr(exposition._Room, "size", 0)
    gauge = metrics.Gauge("g", "G", ["a"], registry=None)
    sizes = []
    for count in (1, 1, 2, 1000):
        for number in range(count):
            gauge.labels(str(number)).set(1)
        written = len(TEXT.render([gauge]))
        sizes.append(exposition._Room.size)
        assert written <= sizes[-1]
    assert sizes[0] == sizes[1]
    assert sizes[0] < sizes[2] < sizes[3]


def test_a_source_says_how_much_it_reads_of_a_child():
    registry, _ = of_kind("Histogram", 3)
    cells = cellsource.cells_of(next(iter(registry._collector_to_names)))
    assert (15 + 2 + 1) * CELL_BYTES == cells.size
    assert 3 * cells.size == len(cells.read(cells.blocks()[0]))
