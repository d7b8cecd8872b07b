"""Writing families as Prometheus' text format 0.0.4 and as OpenMetrics 1.0.

Our own metrics are written straight from their cells and prometheus_client's from their insides, many lines at a time.
Every other collector goes through prometheus_client's own writer. A collector that raises costs only its own families.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from prometheus_client import REGISTRY
from prometheus_client import exposition as peer_text
from prometheus_client.openmetrics import exposition as peer_openmetrics

from runtime_exporter.metrics.cellsource import cells_of
from runtime_exporter.metrics.failures import log_failure
from runtime_exporter.metrics.families import point_bytes, source_bytes
from runtime_exporter.metrics.family import sample_names
from runtime_exporter.metrics.metric import Metric
from runtime_exporter.metrics.peersource import peer_source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from prometheus_client.metrics_core import Metric as CoreMetric

    from runtime_exporter.metrics.peersource import PeerSource

CONTENT_TYPE_LATEST: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
USUAL_ESCAPING: Final = "underscores"
"""What becomes of the characters of a name that only UTF-8 has, where nobody asks for anything else."""


class Collector(Protocol):
    """prometheus_client's protocol: whatever has `collect()`."""

    def collect(self) -> Iterable[CoreMetric]:
        """Return families with their samples."""


@dataclass(frozen=True)
class Format:
    """One of the two exposition formats: its Content-Type and how collectors are written in it."""

    content_type: str
    openmetrics: bool

    def render(self, collectors: Iterable[Any], names: Collection[str] | None = None) -> bytes:
        """Return the exposition of `collectors`, each a metric, a collector or a registry.

        Of two families that would share a sample's name the first stands. With `names`, only samples so called.
        """
        writer = _Writer(self.openmetrics, names)
        for collector in collectors:
            for part in expand(collector):
                writer.add(part)
        return writer.finish()


def expand(collector: Any) -> Iterable[Any]:
    """Return what `collector` stands for: the collectors of a registry, the metrics of a supervisor, or itself."""
    families = getattr(collector, "collected_families", None)
    if families is not None:
        # A collector of our own, that keeps its families in cells: brings them up to date and gives them as they are.
        return cast("Iterable[Any]", families())
    members = getattr(collector, "_collector_to_names", None)
    if isinstance(members, dict) and not getattr(collector, "_target_info", None):
        # prometheus_client has no public way to list the members; without this attribute its collect() serves.
        return tuple(members)
    return (collector,)


class _Writer:
    def __init__(self, openmetrics: bool, names: Collection[str] | None) -> None:
        self._openmetrics = openmetrics
        self._names = names
        self._seen: set[str] = set()
        self._pieces: list[bytes] = []

    def add(self, collector: Any) -> None:
        try:
            if isinstance(collector, Metric) and not collector.collects_itself:
                self._own(collector)
            else:
                self._foreign(collector)
        except Exception as error:  # noqa: BLE001 - a collector of the application: it must cost only itself
            log_failure(collector, error)

    def finish(self) -> bytes:
        if self._openmetrics:
            self._pieces.append(b"# EOF\n")
        body = b"".join(self._pieces)
        _keep_room_for(len(body))
        return body

    def _claim(self, kind: str, name: str) -> bool:
        """Return whether no family before had one of these names."""
        names = sample_names(kind, name)
        if not self._seen.isdisjoint(names):
            return False
        self._seen.update(names)
        return True

    def _own(self, metric: Metric) -> None:
        family = metric.family
        if family.hidden or not self._claim(family.type, family.name):
            return
        source = cells_of(metric)
        if source is None:
            self._write(point_bytes(metric, self._openmetrics, self._names))
        else:
            self._write(source_bytes(source, self._openmetrics, self._names))

    def _write(self, pieces: Iterable[bytes]) -> None:
        """Write all pieces, or none where they cannot all be made."""
        self._pieces += [*pieces]

    def _foreign(self, collector: Any) -> None:
        source = peer_source(collector)
        if source is None or not self._read(source):
            self._ask(collector)

    def _read(self, source: PeerSource) -> bool:
        """Return whether a metric of prometheus_client's could be read, or need not be since another has its name."""
        names = sample_names(source.family.type, source.family.name)
        if self._seen.isdisjoint(names):
            try:
                self._write(source_bytes(source, self._openmetrics, self._names))
            except Exception:  # noqa: BLE001 - whatever is not as expected: then it is asked
                return False
            self._seen.update(names)
        return True

    def _ask(self, collector: Any) -> None:
        for metric in collector.collect():
            if not self._claim(metric.type, metric.name):
                continue
            chosen = metric if self._names is None else _restricted(metric, self._names)
            if chosen is None:
                continue
            try:
                self._pieces.append(_peer_write(chosen, self._openmetrics))
            except Exception as error:  # noqa: BLE001 - one family that cannot be written costs only itself
                log_failure(collector, error)


class _Room:
    """Bytes of the largest exposition for which the allocator keeps memory."""

    size = 0


def _keep_room_for(size: int) -> None:
    """Have the allocator keep the memory of expositions of this size for the next ones. Once for all that are no larger.

    glibc asks the kernel for each block that is larger than any it has freed, and gives back what is free at its end
    where that is twice as much (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD). An exposition with its pieces is just
    that much: whether each scrape faulted its pages in anew, 356 for 10,000 series of histograms and a third of its
    time, was a matter of luck. So a block that is half as large again is freed. Nobody writes into it: it never becomes
    memory. Other allocators do nothing with it.
    """
    if size > _Room.size:
        _Room.size = size + size // 8
        bytes(_Room.size + size // 2)


# Collectors of others.


@dataclass(frozen=True)
class _One:
    """A registry of one family, for prometheus_client's writers."""

    metric: CoreMetric

    def collect(self) -> Iterable[CoreMetric]:
        return (self.metric,)


def _peer_write(metric: CoreMetric, openmetrics: bool) -> bytes:
    generate: Callable[[Any], bytes] = peer_openmetrics.generate_latest if openmetrics else peer_text.generate_latest
    return generate(_One(metric)).removesuffix(b"# EOF\n")


def _restricted(metric: CoreMetric, names: Collection[str]) -> CoreMetric | None:
    samples = [sample for sample in metric.samples if sample.name in names or metric.name in names]
    if not samples:
        return None
    chosen: CoreMetric = type(metric).__new__(type(metric))
    chosen.__dict__.update(metric.__dict__)
    chosen.samples = samples
    return chosen


TEXT: Final = Format(CONTENT_TYPE_LATEST, openmetrics=False)
OPENMETRICS: Final = Format(OPENMETRICS_CONTENT_TYPE, openmetrics=True)


def negotiate(accept: str) -> Format:
    """Return the format that an Accept header likes best; the classic text where it likes neither (RFC 9110, 12.5.1)."""
    best, best_quality = TEXT, 0.0
    for entry in (accept or "").split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        options = dict(parameter.partition("=")[::2] for parameter in parameters)
        try:
            quality = float(options.get("q", "1"))
        except ValueError:
            continue
        offered = _offered(media.lower(), options.get("version", ""))
        if offered is not None and quality > best_quality:
            best, best_quality = offered, quality
    return best


def _offered(media: str, version: str) -> Format | None:
    if media == "application/openmetrics-text" and version in ("", "0.0.1", "1.0.0"):
        return OPENMETRICS
    if media in ("text/plain", "text/*", "*/*") and version in ("", "0.0.4", "1.0.0"):
        return TEXT
    return None


def generate_latest(registry: Any = REGISTRY, escaping: str = USUAL_ESCAPING) -> bytes:
    """Return the exposition of `registry` in the text format 0.0.4.

    `escaping` says what becomes of names in UTF-8, which other collectors may have: prometheus_client's words for it,
    and its writer for all but the usual one.
    """
    if escaping != USUAL_ESCAPING:
        return peer_text.generate_latest(registry, escaping)
    return TEXT.render((registry,))
