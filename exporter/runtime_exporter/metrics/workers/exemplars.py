"""Exemplars of all workers: each writes its own into a small file, anew whenever there are others, and whoever answers shows the newest.

Cells hold numbers only. An exemplar is rare beside them, so it costs nothing where there are none: no file, nothing to read.
The file is named by the worker's number, so that the next one that has it takes it over, and there are as many as workers at once.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prometheus_client.samples import Exemplar

from runtime_exporter.metrics.counter import Counter
from runtime_exporter.metrics.histogram import Histogram
from runtime_exporter.metrics.workers.slots import make

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from runtime_exporter.metrics.cells import CellStore
    from runtime_exporter.metrics.metric import Metric

MOST: Final = 1000
"""Exemplars of a worker that others see, the newest: some 200 kB, and 3 ms of CPU time to write when each is another."""
_LONGEST: Final = 4 << 20
_FILE: Final = re.compile(r"\d{1,4}\.exemplars")


class Place(NamedTuple):
    """What an exemplar is of: a family by its name, a series by its label values, a bucket by its bound as text, empty for a counter."""

    family: str
    values: tuple[str, ...]
    le: str


def own(store: CellStore) -> dict[Place, Exemplar]:
    """Return the exemplars of this process, the newest MOST."""
    found = dict(_told(store))
    if len(found) <= MOST:
        return found
    return dict(nlargest(MOST, found.items(), key=lambda item: _moment(item[1])))


def _told(store: CellStore) -> Iterator[tuple[Place, Exemplar]]:
    for family in [*store.families.values()]:
        if not family.exemplified:
            continue
        for values, exemplar in [*family.exemplars.items()]:
            yield Place(family.name, values, ""), exemplar
        if family.type == "histogram":
            for values, child in [*family.children.items()]:
                for bucket, exemplar in [*child.exemplars.items()]:
                    yield Place(family.name, values, child.le[bucket]), exemplar


class Exemplars:
    """The files of one run directory. Remembers what it has read, and what it has written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[str, tuple[tuple[int, int], dict[Place, Exemplar]]] = {}
        self._written: tuple[int, bytes] = (-1, b"")

    def write(self, number: int, found: Mapping[Place, Exemplar]) -> None:
        """Let others see those of the worker of this number, where they have changed. Raises OSError, and then nothing has."""
        if not found:
            return
        rows = [[*place, one.labels, one.value, one.timestamp] for place, one in found.items()]
        data = json.dumps(rows, separators=(",", ":")).encode()
        if self._written == (number, data):
            return
        new = self._directory / f"{number}.exemplars.new"
        try:
            with os.fdopen(make(new, os.O_WRONLY | os.O_TRUNC), "wb") as file:
                file.write(data)
            new.replace(self._directory / f"{number}.exemplars")
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
        self._written = number, data

    def newest(self, mine: Mapping[Place, Exemplar]) -> Mapping[Place, Exemplar]:
        """Return of each place the newest that a file has, or this process. What a file contains never makes it raise."""
        every = self._files()
        if not every:
            return mine
        found = dict(mine)
        for one in every:
            for place, exemplar in one.items():
                if place not in found or _moment(found[place]) < _moment(exemplar):
                    found[place] = exemplar
        return found

    def _files(self) -> list[dict[Place, Exemplar]]:
        now: dict[str, tuple[tuple[int, int], dict[Place, Exemplar]]] = {}
        with suppress(OSError), os.scandir(self._directory) as files:
            for file in files:
                if _FILE.fullmatch(file.name):
                    with suppress(OSError):
                        state = file.stat(follow_symlinks=False)
                        key = state.st_ino, state.st_mtime_ns
                        known = self._read.get(file.name)
                        now[file.name] = known if known is not None and known[0] == key else (key, _parsed(file.path))
        self._read = now
        return [found for _, found in now.values() if found]


def show(families: Sequence[Metric], found: Mapping[Place, Exemplar]) -> None:
    """Give merged families these exemplars, as far as they have such series and buckets."""
    if not found:
        return
    by_name = {metric.family.name: metric for metric in families}
    buckets: dict[Histogram, dict[int, Exemplar]] = {}
    for place, exemplar in found.items():
        metric = by_name.get(place.family)
        child = metric.family.children.get(place.values) if metric is not None else None
        if isinstance(child, Histogram) and place.le in child.le:
            buckets.setdefault(child, {})[child.le.index(place.le)] = exemplar
        elif isinstance(child, Counter) and not place.le:
            child.family.exemplars[place.values] = exemplar
            child.family.exemplified = True
    for child, exemplars in buckets.items():
        child._exemplars = exemplars  # noqa: SLF001 - a whole dictionary: who writes an exposition now has that or the one before
        child.family.exemplified = True


def _parsed(path: str) -> dict[Place, Exemplar]:
    """Return what a file says; nothing where it is damaged."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as scandir names it
            rows = json.loads(file.read(_LONGEST))
        return dict(_rows(rows))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _rows(rows: Iterable[Any]) -> Iterator[tuple[Place, Exemplar]]:
    for family, values, le, labels, value, timestamp in rows:
        place = Place(str(family), tuple(map(str, values)), str(le))
        yield place, Exemplar({str(name): str(text) for name, text in labels.items()}, float(value), float(timestamp))


def _moment(exemplar: Exemplar) -> float:
    return float(exemplar.timestamp or 0.0)
