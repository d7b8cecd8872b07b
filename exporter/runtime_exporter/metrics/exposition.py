"""Writing families as Prometheus' text format 0.0.4 and as OpenMetrics 1.0.

Our own metrics are written straight from their cells, from label strings prepared when the child was made. Every
other collector goes through prometheus_client's own writer. A collector that raises costs only its own families.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from prometheus_client import REGISTRY
from prometheus_client import exposition as peer_text
from prometheus_client.openmetrics import exposition as peer_openmetrics

from runtime_exporter.metrics.counter import Counter
from runtime_exporter.metrics.family import escape_value, format_float, label_string, sample_names
from runtime_exporter.metrics.gauge import Gauge
from runtime_exporter.metrics.histogram import Histogram
from runtime_exporter.metrics.metric import Metric, created_enabled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from prometheus_client.metrics_core import Metric as CoreMetric
    from prometheus_client.samples import Exemplar

    from runtime_exporter.metrics.family import Family

logger = logging.getLogger("runtime_exporter")

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
        self._out: list[str] = []

    def add(self, collector: Any) -> None:
        try:
            if isinstance(collector, Metric) and self._names is None and not collector.collects_itself:
                self._own(collector)
            else:
                self._foreign(collector)
        except Exception as error:  # noqa: BLE001 - a collector of the application: it must cost only itself
            _log_failure(collector, error)

    def finish(self) -> bytes:
        if self._openmetrics:
            self._out.append("# EOF\n")
        return "".join(self._out).encode("utf-8", "replace")

    def _claim(self, kind: str, name: str) -> bool:
        """Return whether no family before had one of these names."""
        names = sample_names(kind, name)
        if not self._seen.isdisjoint(names):
            return False
        self._seen.update(names)
        return True

    def _own(self, metric: Metric) -> None:
        family = metric.family
        children = list(family.children.values())
        if family.hidden or not self._claim(family.type, family.name):
            return
        lines = [header(family, self._openmetrics), *_writer_of(metric)(family, children, self._openmetrics)]
        if created_enabled() and not self._openmetrics and family.type in ("counter", "histogram", "summary"):
            # The classic format knows `_created` only as a gauge of its own.
            lines.append(f"# HELP {family.name}_created {escape_help(family.documentation)}\n")
            lines.append(f"# TYPE {family.name}_created gauge\n")
            lines.extend(_created_line(family, child) for child in children)
        self._out += lines

    def _foreign(self, collector: Any) -> None:
        for metric in collector.collect():
            if not self._claim(metric.type, metric.name):
                continue
            chosen = metric if self._names is None else _restricted(metric, self._names)
            if chosen is None:
                continue
            try:
                self._out.append(_peer_write(chosen, self._openmetrics))
            except Exception as error:  # noqa: BLE001 - one family that cannot be written costs only itself
                _log_failure(collector, error)


def header(family: Family, openmetrics: bool) -> str:
    """Return the HELP, TYPE and UNIT lines of a family."""
    name, kind = family.name, family.type
    documentation = escape_help(family.documentation)
    if openmetrics:
        documentation = documentation.replace('"', r"\"")
        unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
        return f"# HELP {name} {documentation}\n# TYPE {name} {kind}\n{unit}"
    if kind == "counter":
        name += "_total"
    elif kind == "info":
        name, kind = name + "_info", "gauge"
    elif kind == "stateset":
        kind = "gauge"
    return f"# HELP {name} {documentation}\n# TYPE {name} {kind}\n"


def escape_help(text: str) -> str:
    """Escape a help text as both formats want it."""
    return text.replace("\\", r"\\").replace("\n", r"\n")


# How the lines of a family are written. `{labels}` is prepared text; the hot ones are written out for speed.


def _braces(labels: str) -> str:
    return "{" + labels + "}" if labels else ""


def _value_text(child: Any) -> str:
    """Return the value of a counter or gauge as text, empty where its function raises: then the sample is left out."""
    try:
        return format_float(child.value())
    except Exception as error:  # noqa: BLE001 - a function of the application's
        _log_failure(child, error)
        return ""


def _value_lines(name: str, children: Iterable[Any]) -> Iterator[tuple[Any, str]]:
    """Yield each child that has a value, and its line without what ends it."""
    for child in children:
        # Straight from the cell: this loop is most of what a scrape of many counters costs.
        text = repr(child._floats[child._at])  # noqa: SLF001 - the writer is the other half of the metrics
        if child._function is not None or text[-1] in "fn":  # noqa: SLF001 - inf and nan are written otherwise
            text = _value_text(child)
        labels = child._labels  # noqa: SLF001
        if text:
            yield child, f"{name}{{{labels}}} {text}" if labels else f"{name} {text}"


def _gauge_lines(family: Family, children: Iterable[Gauge], _: bool) -> list[str]:
    return [line + "\n" for _, line in _value_lines(family.name, children)]


def _counter_lines(family: Family, children: Iterable[Counter], openmetrics: bool) -> list[str]:
    name = family.name + "_total"
    if not openmetrics:
        return [line + "\n" for _, line in _value_lines(name, children)]
    lines = []
    for child, line in _value_lines(name, children):
        lines.append(line + (_exemplar(child.exemplar) if child.exemplar else "") + "\n")
        if created_enabled():
            lines.append(_created_line(family, child))
    return lines


def _histogram_lines(family: Family, children: Iterable[Histogram], openmetrics: bool) -> list[str]:
    name = family.name
    lines: list[str] = []
    tails: list[str] = []
    for child in children:
        if not tails:
            tails = [le + '"} ' for le in child.le]
        labels = child.label_string
        counts = child.counts()
        values: Iterable[str] = map(add, tails, map(str, counts))
        if openmetrics and child.exemplars:
            values = _with_exemplars(values, child.exemplars)
        braces = f"{{{labels}}}" if labels else ""
        start = f'{name}_bucket{{{labels},le="' if labels else f'{name}_bucket{{le="'
        # One join writes all buckets: what stands between two values is the same text each time.
        body = ("\n" + start).join(values)
        total = f"{name}_sum{braces} {format_float(child.sum)}\n" if child.has_sum else ""
        lines.append(f"{start}{body}\n{name}_count{braces} {counts[-1]}\n{total}")
        if openmetrics and created_enabled():
            lines.append(_created_line(family, child))
    return lines


def _point_lines(family: Family, children: Iterable[Metric], openmetrics: bool) -> list[str]:
    """Write a rare kind (Summary, Info, Enum) from its points."""
    lines = []
    for child in children:
        for suffix, own, value, _ in child.points():
            if suffix == "_created" and not openmetrics:
                continue
            labels = ",".join(
                part for part in (child.label_string, label_string(tuple(own), tuple(own.values()))) if part
            )
            lines.append(f"{family.name}{suffix}{_braces(labels)} {format_float(value)}\n")
    return lines


_WRITERS: Final[tuple[tuple[type[Metric], Callable[..., list[str]]], ...]] = (
    (Histogram, _histogram_lines),
    (Counter, _counter_lines),
    (Gauge, _gauge_lines),
)


def _writer_of(metric: Metric) -> Callable[..., list[str]]:
    for kind, writer in _WRITERS:
        if isinstance(metric, kind):
            return writer
    return _point_lines


def _created_line(family: Family, child: Any) -> str:
    return f"{family.name}_created{_braces(child.label_string)} {format_float(child.created)}\n"


def _exemplar(exemplar: Exemplar) -> str:
    labels = ",".join(f'{name}="{escape_value(value)}"' for name, value in exemplar.labels.items())
    moment = "" if exemplar.timestamp is None else f" {float(exemplar.timestamp):.3f}"
    return f" # {{{labels}}} {format_float(exemplar.value)}{moment}"


def _with_exemplars(values: Iterable[str], exemplars: dict[int, Exemplar]) -> Iterator[str]:
    for index, value in enumerate(values):
        exemplar = exemplars.get(index)
        yield value + _exemplar(exemplar) if exemplar else value


# Collectors of others.


@dataclass(frozen=True)
class _One:
    """A registry of one family, for prometheus_client's writers."""

    metric: CoreMetric

    def collect(self) -> Iterable[CoreMetric]:
        return (self.metric,)


def _peer_write(metric: CoreMetric, openmetrics: bool) -> str:
    generate: Callable[[Any], bytes] = peer_openmetrics.generate_latest if openmetrics else peer_text.generate_latest
    return generate(_One(metric)).decode().removesuffix("# EOF\n")


def _restricted(metric: CoreMetric, names: Collection[str]) -> CoreMetric | None:
    samples = [sample for sample in metric.samples if sample.name in names or metric.name in names]
    if not samples:
        return None
    chosen: CoreMetric = type(metric).__new__(type(metric))
    chosen.__dict__.update(metric.__dict__)
    chosen.samples = samples
    return chosen


_failing: set[str] = set()


def _log_failure(collector: Any, error: Exception) -> None:
    """Say once that a collector fails: a line for each scrape would be noise, none would be a secret."""
    name = str(collector) if isinstance(collector, Metric) else type(collector).__qualname__
    if name not in _failing and len(_failing) < 1000:  # noqa: PLR2004 - bounded, as everything here
        _failing.add(name)
        logger.warning("%s fails and is left out of the exposition", name, exc_info=error)


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
