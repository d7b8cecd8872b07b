"""The numbers of those that ended, in one file: however many they were, a reader reads one more.

The file is written beside and renamed. It lists whom it has folded, because their files are removed only after that: a
reader that finds both takes the file's word. `generation` tells one file from the next.
"""

from __future__ import annotations

import time
from binascii import crc32
from collections import Counter
from dataclasses import dataclass, field
from struct import Struct, error
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.metrics.cells import CELL_BYTES
from runtime_exporter.metrics.workers import log
from runtime_exporter.metrics.workers.definition import COUNTING, Definition
from runtime_exporter.metrics.workers.life import Keys

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path


Key = tuple[str, tuple[str, ...]]
"""A series: the name of its family and its label values."""

_HEAD: Final = Struct("<8sQQQI4x")
_MAGIC: Final = b"rtexp\0\0\1"
MOST_SERIES: Final = 100_000
"""Series of the dead that are kept; of more, those go that nobody who died has had for longest."""
WHOLE: Final = -1
"""Said of a life that is folded with everything."""


@dataclass(eq=False)
class Retired:
    """What the file says. A source of numbers like a `Life`."""

    generation: int = 0
    folded: dict[str, int] = field(default_factory=dict)
    """For each life that still has files how many of its graves are in here, or WHOLE."""
    deaths: int = 0
    """How many lives were folded since the directory was empty."""
    since: dict[str, float] = field(default_factory=dict)
    """When the family's definition was made, Unix seconds."""
    keys: Keys = field(default_factory=Keys)
    values: tuple[Any, ...] = ()
    raw: bytes = b""
    ends: Counter[str] = field(default_factory=Counter)
    """How they ended, as far as they said: see `ending.py`."""


def generation(directory: Path) -> int:
    """Return the generation of the file now; 0 where there is none."""
    try:
        with (directory / "retired").open("rb") as file:
            return int(_HEAD.unpack(file.read(_HEAD.size))[1])
    except (OSError, error):
        return 0


def read(directory: Path) -> Retired:
    """Return the file's content; an empty one where there is none or it is damaged."""
    try:
        data = (directory / "retired").read_bytes()
        magic, number, length, cells, checksum = _HEAD.unpack_from(data)
        body = data[_HEAD.size :]
        if magic != _MAGIC or crc32(body) != checksum or len(body) != length + cells * CELL_BYTES:
            return Retired()
        records, _ = log.decode(body[:length])
        _, folded, deaths, since = records[0]
        found = Retired(number, dict(folded), int(deaths), dict(since))
        # A record of its own: one that has it is still read by a version that knows nothing of it.
        found.ends.update(
            {how: int(count) for kind, *rest in records if kind == "ends" for how, count in rest[0].items()}
        )
        found.keys.apply(records[1:], cells)
        codes = "".join(entry.definition.codes for entry in found.keys.entries.values())
        found.raw = body[length:]
        found.values = Struct(codes).unpack(found.raw)
    except (OSError, error, ValueError, TypeError, IndexError, AttributeError):
        return Retired()
    return found


class Ledger:
    """Adds up the numbers of those that ended."""

    def __init__(self, retired: Retired) -> None:
        self.retired = retired
        self.families: dict[str, tuple[Definition, float]] = {}
        self.series: dict[Key, list[Any]] = {}
        for entry in retired.keys.entries.values():
            definition = entry.definition
            self.add(
                definition,
                retired.since.get(definition.name, 0.0),
                entry.values,
                retired.values[entry.cell : entry.end],
            )

    def add(self, definition: Definition, since: float, values: tuple[str, ...], cells: Sequence[Any]) -> None:
        """Take over a series. Of two definitions that do not agree the newer stands, and the other's numbers go."""
        if not keeps(definition):
            return
        known = self.families.get(definition.name)
        if known is not None and known[0].shape != definition.shape:
            if known[1] >= since:
                return
            for key in [key for key in self.series if key[0] == definition.name]:
                del self.series[key]
        if known is None or known[1] < since:
            self.families[definition.name] = definition, since
        key = definition.name, values
        valid = settled(definition, cells)
        # To the end: of too many those go that nobody has had for longest.
        before = self.series.pop(key, None)
        self.series[key] = valid if before is None else together(definition, before, valid)

    def drop(self, key: Key) -> None:
        """Forget a series that was removed."""
        self.series.pop(key, None)

    def data(self, folded: dict[str, int], ends: Collection[str]) -> bytes:
        """Return the file's bytes. ends: of each life that was added, how it ended."""
        since = {name: began for name, (_, began) in self.families.items()}
        body = [
            log.encode("folded", folded, self.retired.deaths + len(ends), since),
            log.encode("ends", self.retired.ends + Counter(ends)),
        ]
        grouped: dict[str, list[tuple[tuple[str, ...], list[Any]]]] = {name: [] for name in self.families}
        for (name, values), cells in [*self.series.items()][-MOST_SERIES:]:
            grouped[name].append((values, cells))
        at, codes, numbers = 0, [], []
        for number, (name, members) in enumerate(grouped.items()):
            definition, _ = self.families[name]
            body.append(log.encode("family", number, 0, definition.written()))
            pairs = []
            for values, cells in members:
                pairs.append([values, at])
                at += len(cells)
                numbers += cells
            codes.append(definition.codes * len(members))
            body.append(log.encode("series", number, pairs))
        keys = b"".join(body)
        content = keys + Struct("".join(codes)).pack(*numbers)
        # The first is no 1: a reader that outlived the whole service would take it for the first of the one before.
        generation = (self.retired.generation or time.time_ns()) + 1
        return _HEAD.pack(_MAGIC, generation, len(keys), at, crc32(content)) + content


def keeps(definition: Definition) -> bool:
    """Return whether a worker's numbers of this family stay when it ends."""
    return definition.type in COUNTING or (
        definition.type == "gauge" and definition.mode in ("sum", "min", "max", "mostrecent")
    )


def settled(definition: Definition, cells: Sequence[Any]) -> list[Any]:
    """Return the cells of a series with the valid sum in both places."""
    counts = definition.counts
    if not counts:
        return [*cells]
    total = cells[counts + (sum(cells[:counts]) & 1)]
    return [*cells[:counts], total, total, cells[-1]]


def together(definition: Definition, one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    """Return the cells of two workers' series as one."""
    if definition.mode == "mostrecent":
        return [*max(one, other, key=lambda cells: cells[1])]
    choose = {"min": min, "max": max}.get(definition.mode)
    if choose is not None:
        return [*map(choose, one, other)]
    if definition.type == "gauge":
        return [one[0] + other[0]]
    return [*(a + b for a, b in zip(one[:-1], other[:-1], strict=True)), min(one[-1], other[-1])]
