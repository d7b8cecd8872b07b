"""Which series of which process goes where: made when something begins or ends, used for every scrape until then."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.collected import Point
from runtime_exporter.metrics.counter import Counter
from runtime_exporter.metrics.gauge import Gauge
from runtime_exporter.metrics.histogram import Histogram
from runtime_exporter.metrics.info import Enum, Info
from runtime_exporter.metrics.summary import Summary
from runtime_exporter.metrics.workers.definition import COUNTING, Definition
from runtime_exporter.metrics.workers.observations import Observations
from runtime_exporter.metrics.workers.retired import WHOLE, Key, Retired
from runtime_exporter.metrics.workers.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runtime_exporter.metrics.metric import Metric
    from runtime_exporter.metrics.workers.life import Entry, Life
    from runtime_exporter.metrics.workers.source import Source

WORKER: Final = "worker"
"""The label that tells workers apart: a small number, which the next one takes over."""

_ALL: Final = ("all", "liveall")


class MergedInfo(Info):
    """What all workers say, each only once."""

    __slots__ = ("said",)

    def _reset(self) -> None:
        super()._reset()
        self.said: list[dict[str, str]] = []

    def points(self) -> Iterator[Point]:
        """Yield a sample for each."""
        for pairs in self.said:
            yield Point("_info", pairs, 1.0)


_CLASSES: Final[dict[str, type[Metric]]] = {
    "counter": Counter,
    "gauge": Gauge,
    "histogram": Histogram,
    "summary": Summary,
    "info": MergedInfo,
    "stateset": Enum,
}


@dataclass(frozen=True)
class Target:
    """A merged family, and the shape that its series have."""

    metric: Metric
    shape: Shape

    def fits(self, definition: Definition) -> bool:
        """Return whether series of this definition have the same cells."""
        return self.shape.codes == definition.codes


class Plan:
    """The merged families, and how they are brought up to date."""

    def __init__(self, retired: Retired, dead: Sequence[Life], live: Sequence[Life]) -> None:
        self.left_out = 0
        """Series of another version of their family, whose numbers cannot be added."""
        self.hidden = {life: life.hidden() for life in live}
        self._live = {life: str(life.name.slot) for life in live}
        self._families = _newest(retired, [*dead, *live])
        self._shapes: dict[tuple[str, str], Shape] = {}
        self._targets: dict[str, Target] = {}
        self._ended = _ended(retired, [*dead, *live])
        self._removed = {_key(entry) for _, entry in self._ended}
        self._present = _present(live) if self._ended else {}
        for definition in self._shown():
            self._declare(definition)
        sources: tuple[Source, ...] = (retired, *dead, *live)
        for source in sources:
            for entry in source.keys.entries.values():
                self._add(source, entry)
        for life, entry in self._ended:
            if self._is_of_newest(entry.definition) and self._present.get(_key(entry), set()) - {life}:
                self._place(entry.definition.name, entry.definition, entry.values, life, entry)

    @property
    def metrics(self) -> list[Metric]:
        """The merged families."""
        return [target.metric for target in self._targets.values()]

    def born(self, life: Life, entries: Sequence[Entry]) -> bool:
        """Take in series that were born; return whether that can be done without a new plan."""
        if (
            self._ended
            or life not in self._live
            or any(entry.definition.name not in self._families for entry in entries)
        ):
            return False
        for entry in entries:
            self._add(life, entry)
        return True

    def put_together(self) -> None:
        """Bring every merged series up to date."""
        for shape in self._shapes.values():
            shape.put_together()
        self._say()

    def _shown(self) -> list[Definition]:
        """Return the families that somebody shows."""
        kept = {life: {life.keys.families[number][0].name for number in hidden} for life, hidden in self.hidden.items()}
        having = {life: {definition.name for definition, _ in life.keys.families.values()} for life in self._live}
        return [
            definition
            for name, (definition, _) in self._families.items()
            if any(name in having[life] and name not in kept[life] for life in self._live)
            or not any(name in having[life] for life in self._live)
        ]

    def _add(self, source: Source, entry: Entry) -> None:
        definition = entry.definition
        number = self._live.get(source)  # type: ignore[call-overload]
        if not self._is_of_newest(definition):
            self.left_out += definition.name in self._families
        elif number is None:
            if self._ended and self._is_gone(entry):
                return
            if definition.type in COUNTING or (definition.type == "gauge" and not _lives(definition.mode)):
                self._place(definition.name, definition, entry.values, source, entry)
        elif entry.family not in self.hidden[source]:  # type: ignore[index]
            if definition.type == "stateset" or definition.mode in _ALL:
                self._place(definition.name, definition, (*entry.values, number), source, entry)
                return
            self._place(definition.name, definition, entry.values, source, entry)
            if definition.per_worker:
                self._place("worker_" + definition.name, definition, (*entry.values, number), source, entry)

    def _is_of_newest(self, definition: Definition) -> bool:
        """Return whether the numbers can be added: its family, if nobody has ended it, is defined in the same way."""
        newest = self._families.get(definition.name)
        return newest is not None and newest[0].shape == definition.shape

    def _is_gone(self, entry: Entry) -> bool:
        """Return whether somebody removed the series and nobody has it any more."""
        key = _key(entry)
        return key in self._removed and key not in self._present

    def _place(self, name: str, definition: Definition, values: tuple[str, ...], source: Source, entry: Entry) -> None:
        target = self._targets.get(name) or self._declare(definition, name)
        # Not where somebody has a family of his own that is called as another's is told per worker.
        if target is not None and len(target.metric.family.labelnames) == len(values) and target.fits(definition):
            child = target.metric.labels(*values) if values else target.metric
            target.shape.place(child, source, entry.cell)

    def _declare(self, definition: Definition, name: str = "") -> Target | None:
        definition = self._families[definition.name][0]
        name = name or definition.name
        each = name != definition.name or definition.type == "stateset" or definition.mode in _ALL
        how = "sum" if each else definition.mode.removeprefix("live")
        key = definition.codes, how
        shape = self._shapes.get(key) or self._shapes.setdefault(key, _shape(definition, how))
        if not definition.labelnames and not each and name in self._targets:
            return self._targets[name]
        with suppress(ValueError):
            metric = _metric(definition, name, (*definition.labelnames, *([_label(definition)] if each else ())), shape)
            return self._targets.setdefault(name, Target(metric, shape))
        return None

    def _say(self) -> None:
        """Let every Info say what the workers say."""
        said: dict[int, list[dict[str, str]]] = {}
        for life in self._live:
            for cell, pairs in life.keys.pairs.items():
                entry = life.keys.entries.get(cell)
                target = None if entry is None else self._targets.get(entry.definition.name)
                if entry is None or target is None or not isinstance(target.metric, MergedInfo):
                    continue
                child = target.metric.labels(*entry.values) if entry.values else target.metric
                known = said.setdefault(id(child), [])
                if pairs not in known:
                    known.append(pairs)
                child.said = known


def _shape(definition: Definition, how: str) -> Shape:
    return Observations(definition.codes, definition.counts) if definition.counts else Shape(definition.codes, how)


def _lives(mode: str) -> bool:
    return mode.startswith("live") or mode == "all"


def _key(entry: Entry) -> Key:
    return entry.definition.name, entry.values


def _label(definition: Definition) -> str:
    return WORKER if WORKER not in definition.labelnames else f"exporter_{WORKER}"


def _newest(retired: Retired, lives: Sequence[Life]) -> dict[str, tuple[Definition, float]]:
    """Return each family's definition by who began last."""
    found: dict[str, tuple[Definition, float]] = {}
    for definition, _ in retired.keys.families.values():
        found[definition.name] = definition, retired.since.get(definition.name, 0.0)
    for life in lives:
        for definition, _ in life.keys.families.values():
            known = found.get(definition.name)
            if known is None or known[1] <= life.name.began:
                found[definition.name] = definition, life.name.began
    return found


def _ended(retired: Retired, lives: Sequence[Life]) -> list[tuple[Life, Entry]]:
    """Return the series that were removed, as far as they are not folded."""
    return [
        (life, entry)
        for life in lives
        if (folded := retired.folded.get(str(life.name), 0)) != WHOLE
        for entry in life.graves(folded)
    ]


def _present(live: Sequence[Life]) -> dict[Key, set[Life]]:
    found: dict[Key, set[Life]] = {}
    for life in live:
        for entry in life.keys.entries.values():
            found.setdefault(_key(entry), set()).add(life)
    return found


def _metric(definition: Definition, name: str, labelnames: tuple[str, ...], shape: Shape) -> Metric:
    options: dict[str, Any] = {}
    if definition.type == "histogram":
        options["buckets"] = [*map(float, definition.detail)]
    elif definition.type == "stateset":
        options["states"] = definition.detail
    elif definition.type == "gauge":
        options["multiprocess_mode"] = definition.mode
    return _CLASSES[definition.type](
        *(name, definition.documentation, labelnames), unit=definition.unit, registry=None, store=shape.rows, **options
    )
