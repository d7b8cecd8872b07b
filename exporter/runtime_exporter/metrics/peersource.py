"""prometheus_client's own counters, gauges, histograms and summaries as the exposition takes them: from their insides.

An application's metrics are mostly these. Asking each for its samples, as their public `collect()` does, takes over
twenty times as long as reading their attributes, which nothing promises. Hence they are only read where they are what
they were when this was written: of these very classes, with values in this process's memory, and, tried once in each
process, with the same samples either way. Everything else goes through `collect()`.
"""

# ruff: noqa: SLF001 - reading what is private is what this module is for

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import prometheus_client as peer
from prometheus_client import metrics as peer_metrics
from prometheus_client import values as peer_values
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from runtime_exporter.metrics.blocks import Block, label_columns, renewed
from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.families import source_bytes
from runtime_exporter.metrics.family import full_name, valid_labelnames
from runtime_exporter.metrics.kept import Kept
from runtime_exporter.metrics.source import Column, Line, Source, bucket_texts, cumulated, doubles, texts, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client.samples import Exemplar

_BLOCK_CHILDREN: Final = 512
"""Children of a block, and an eighth of it where they have many values; see `cellsource.BLOCK_CELLS`."""

_COLLECTING: Final = ("collect", "_samples", "_multi_samples", "_child_samples")
"""What makes samples of a metric: where one is replaced, it is not read but asked."""


class DifferentInsidesError(Exception):
    """A metric is not what it was when this was written."""


@dataclass
class PeerFamily:
    """What stands over the samples of a family."""

    name: str
    type: str
    documentation: str
    unit: str
    labelnames: tuple[str, ...]


class PeerBlock(Block):
    """Children, and the objects in which their values are, child by child."""

    __slots__ = ("values",)

    def __init__(self, source: PeerSource, children: list[Any]) -> None:
        labels = [child._labelvalues for child in children]
        super().__init__(children, label_columns(source.family.labelnames, labels, one_line=source.one_line))
        self.values = [value for child in children for value in source.values_of(child)]
        if {*map(type, children)} != {source.kind} or {*map(type, self.values)} != {_value_class()}:
            raise DifferentInsidesError


_known: WeakKeyDictionary[Any, Kept] = WeakKeyDictionary()
"""What is kept of each metric: for as long as there is the metric."""


class PeerSource(Source):
    """A family. The numbers of a block are its values, and its children for when they began."""

    kind: type[Any]
    one_line = True
    width = 1
    """Values of a child."""

    def __init__(self, metric: Any) -> None:
        self.family = PeerFamily(
            metric._name, metric._type, metric._documentation, metric._unit, tuple(metric._labelnames)
        )
        self.kept = _known.get(metric) or _known.setdefault(metric, Kept())
        self.created = self.begins and peer_metrics._use_created
        self._metric = metric

    @property
    def size(self) -> int:  # type: ignore[override]
        """Bytes of a child's values, and of when it began if that is exposed."""
        return (self.width + self.created) * CELL_BYTES

    def values_of(self, child: Any) -> Sequence[Any]:
        """Return the objects that hold a child's values, in the order of the cells of ours."""
        return (child._value,)

    def exemplified(self) -> bool:
        """Whether a child has an exemplar."""
        # Of all at once: this looks at every value in every scrape.
        return any(
            [value._exemplar for value in block.values].count(None) < len(block.values) for block in self.blocks()
        )

    def blocks(self) -> Sequence[PeerBlock]:
        """Return the children as they are now. Raises DifferentInsidesError."""
        if not self.family.labelnames:
            # Not kept: the block would hold the metric, and the metric's being there keeps the block.
            return [PeerBlock(self, [self._metric])]
        children = self._metric._metrics
        size = _BLOCK_CHILDREN if self.one_line else _BLOCK_CHILDREN // 8
        self.kept.blocks = blocks = renewed(self.kept.blocks, children, size, lambda some: PeerBlock(self, some))
        return blocks

    def read(self, block: PeerBlock) -> bytes:
        """Return the values; as doubles, whatever somebody added to them."""
        values = array("d", [value._value for value in block.values])
        if not self.created:
            return values.tobytes()
        width = self.width + 1
        both = array("d", bytes(len(block.children) * width * CELL_BYTES))
        for index in range(self.width):
            both[index::width] = values[index :: self.width]
        both[self.width :: width] = array("d", [child._created for child in block.children])
        return both.tobytes()

    def columns(self, numbers: bytes) -> list[Column]:
        """Return the values of each line, and when each child began if that is exposed."""
        width = self.width + self.created
        every = doubles(numbers).tolist()
        columns = self._told([every[index::width] for index in range(self.width)])
        return [*columns, texts(every[self.width :: width])] if self.created else columns

    def _told(self, values: list[list[float]]) -> list[Column]:
        """Return what the lines say of the values, each the list of all children."""
        return [*map(texts, values)]


class _CounterSource(PeerSource):
    kind = peer.Counter

    def lines(self) -> list[Line]:
        """Return the total's."""
        return [Line(f"{self.family.name}_total")]

    def whole(self, numbers: bytes) -> Sequence[int]:
        """Return the values if all are whole numbers."""
        return () if self.created else whole_numbers(numbers)

    def exemplars(self, child: Any) -> Iterable[tuple[int, Exemplar]]:
        """Return the exemplar of the last increment that had one."""
        exemplar = child._value._exemplar
        return ((0, exemplar),) if exemplar else ()


class _GaugeSource(PeerSource):
    kind = peer.Gauge
    begins = False

    def lines(self) -> list[Line]:
        """Return the value's."""
        return [Line(self.family.name)]

    def blocks(self) -> Sequence[PeerBlock]:
        """Return the children as they are now. Raises DifferentInsidesError where one takes its value from a function."""
        blocks = super().blocks()
        own = peer.Gauge._child_samples
        for block in blocks:
            # A function replaces the method of the child; asked as an attribute, since `vars` would make each a dict.
            if [child._child_samples.__func__ for child in block.children].count(own) < len(block.children):
                raise DifferentInsidesError
        return blocks


class _SummarySource(PeerSource):
    kind = peer.Summary
    one_line = False
    width = 2

    def lines(self) -> list[Line]:
        """Return those of count and sum."""
        return [Line(f"{self.family.name}_count"), Line(f"{self.family.name}_sum")]

    def values_of(self, child: Any) -> Sequence[Any]:
        """Return count and sum."""
        return (child._count, child._sum)


class _HistogramSource(PeerSource):
    kind = peer.Histogram
    one_line = False

    def __init__(self, metric: Any) -> None:
        super().__init__(metric)
        self.width = len(metric._upper_bounds) + 1

    def lines(self) -> list[Line]:
        """Return those of the buckets, of the count, and of the sum if there is one."""
        name, bounds = self.family.name, self._metric._upper_bounds
        lines = [Line(f"{name}_bucket", f'le="{le}"') for le in map(floatToGoString, bounds)]
        lines.append(Line(f"{name}_count"))
        return [*lines, Line(f"{name}_sum")] if bounds[0] >= 0 else lines

    def values_of(self, child: Any) -> Sequence[Any]:
        """Return the buckets, which are not cumulative, and the sum."""
        return (*child._buckets, child._sum)

    def _told(self, values: list[list[float]]) -> list[Column]:
        """Return cumulative buckets, counts, and sums if there are any."""
        *buckets, sums = values
        columns = bucket_texts(cumulated(buckets), texts)
        return [*columns, texts(sums)] if self._metric._upper_bounds[0] >= 0 else columns

    def exemplars(self, child: Any) -> Iterable[tuple[int, Exemplar]]:
        """Return the exemplars of the buckets."""
        return [(place, value._exemplar) for place, value in enumerate(child._buckets) if value._exemplar]


_SOURCES: Final[dict[type[Any], type[PeerSource]]] = {
    source.kind: source for source in (_CounterSource, _GaugeSource, _HistogramSource, _SummarySource)
}


def peer_source(collector: Any) -> PeerSource | None:
    """Return a metric of prometheus_client's as a source; None for everything that has to be asked."""
    kind = _SOURCES.get(type(collector))
    if kind is None or not _understood() or not vars(collector).keys().isdisjoint(_COLLECTING):
        return None
    if collector._labelnames and not hasattr(collector, "_metrics"):
        return None  # a child for itself
    try:
        full_name("gauge", collector._name, "", "", "")
        valid_labelnames(collector._labelnames, ())
    except ValueError:
        return None  # a name in UTF-8, which has to be escaped
    return kind(collector)


def _value_class() -> Any:
    return peer_values.MutexValue


@cache
def _understood() -> bool:
    """Return whether this version's metrics, read, say what they say when asked: tried on one of each."""
    try:
        return peer_values.ValueClass is _value_class() and all(map(_reads_right, _specimens()))
    except Exception:  # noqa: BLE001 - whatever is different: then they are asked
        return False


def _specimens() -> list[Any]:
    counter = peer.Counter("c", "C", ["a", "b"], registry=None)
    counter.labels("x", "y").inc(2)
    gauge = peer.Gauge("g", "G", registry=None)
    gauge.set(-1.5)
    histogram = peer.Histogram("h", "H", ["a"], registry=None, buckets=(1, 2))
    summary = peer.Summary("s", "S", ["a"], registry=None)
    for metric in (histogram, summary):
        for value in (0.5, 1.5, 9.0):
            metric.labels("x").observe(value)
    return [counter, gauge, histogram, summary]


def _reads_right(metric: Any) -> bool:
    written = b"".join(source_bytes(_SOURCES[type(metric)](metric), openmetrics=False, names=None)).decode()
    read = [sample for family in text_string_to_metric_families(written) for sample in family.samples]
    asked = [sample for family in metric.collect() for sample in family.samples]
    return sorted(map(_plain, read)) == sorted(map(_plain, asked))


def _plain(sample: Any) -> tuple[str, list[tuple[str, str]], float]:
    return sample.name, sorted(sample.labels.items()), float(sample.value)
