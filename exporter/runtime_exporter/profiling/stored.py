"""The name of a stored profile, which says all about it: the index of a store is the listing of its directory.

`cpu_20261122T030840.123Z_20261122T030940.123Z_raw_4711_version=1.4,alert=RuntimeCpuSpike.pb.gz`: kind, begin, end, resolution,
the process that wrote it, labels. Of several workers that serve together each says which it is: `_4711.2_` is worker 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX: Final = ".pb.gz"
RAW: Final = "raw"
CAPTURE: Final = "capture"
"""The resolution of what was taken on demand: it is kept as it is until the store is full."""
RESOLUTIONS: Final[Mapping[str, int]] = {"10m": 600, "1h": 3600}
"""Seconds of what raw windows are merged to, the finest first."""
# Three labels of this size, percent-encoded, and the rest of the name stay below the 255 bytes of a file name.
_MOST_LABELS, _LONGEST_KEY, _LONGEST_VALUE = 3, 16, 40
_TIME = r"(\d{8}T\d{6}\.\d{3}Z)"
_NAME = re.compile(
    rf"([a-z]{{1,20}})_{_TIME}_{_TIME}_(raw|capture|10m|1h)_(\d{{1,10}})(?:\.(\d{{1,4}}))?(?:_([\x21-\x7e]*))?{re.escape(SUFFIX)}"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Entry:
    """A profile in a store. `begin` and `end` are seconds since the epoch, in whole milliseconds."""

    kind: str
    begin: float
    end: float
    resolution: str = RAW
    process: int = 0
    """The process that it is of; 0 for a merged one, and for one of another machine."""
    labels: tuple[tuple[str, str], ...] = ()
    size: int = 0
    """Bytes of the file."""
    worker: int | None = None
    """The number of the worker that it is of, where several processes serve together."""
    workers: tuple[int, ...] = ()
    """Those whose profiles it is made of, see `together`; empty for a file."""

    @cached_property
    def name(self) -> str:
        """The file's name, by which it is asked for. Made once: entries are sorted and looked for by it."""
        labels = ",".join(f"{key}={value}" for key, value in map(_encoded, self.labels[:_MOST_LABELS]))
        parts = (
            self.kind,
            _stamp(self.begin),
            _stamp(self.end),
            self.resolution,
            str(self.process) if self.worker is None else f"{self.process}.{self.worker}",
            *filter(None, [labels]),
        )
        return "_".join(parts) + SUFFIX


def parse(name: str, size: int = 0) -> Entry | None:
    """Return what a file of this name is; None for a file that is not ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    kind, begin, end, resolution, process, worker, labels = match.groups()
    try:
        times = _seconds(begin), _seconds(end)
    except ValueError:
        return None
    pairs = (pair.partition("=") for pair in (labels or "").split(",") if pair)
    return Entry(
        *(kind, *times, resolution, int(process)),
        tuple((unquote(key), unquote(value)) for key, _, value in pairs),
        size,
        None if worker is None else int(worker),
    )


def entry(
    kind: str,
    begin: float,
    end: float,
    resolution: str = RAW,
    process: int = 0,
    labels: Mapping[str, str] | None = None,
    worker: int | None = None,
) -> Entry:
    """Return an entry as its name will tell of it: times in milliseconds, labels sorted and cut to what a file name can hold."""
    kept = as_kept(labels)[:_MOST_LABELS]
    return Entry(kind, _milliseconds(begin), _milliseconds(max(begin, end)), resolution, process, kept, worker=worker)


def as_kept(labels: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Return labels as entries have them, sorted: who looks for a long value has to look for its beginning."""
    return tuple(
        (_cut(key, _LONGEST_KEY), _cut(value, _LONGEST_VALUE)) for key, value in sorted((labels or {}).items())
    )


def _encoded(label: tuple[str, str]) -> tuple[str, str]:
    return quote(label[0], safe=""), quote(label[1], safe="")


def _cut(text: str, longest: int) -> str:
    """Return the longest beginning of a text that takes so many bytes percent-encoded."""
    text = text.encode(errors="replace").decode()[:longest]
    while len(quote(text, safe="")) > longest:
        text = text[:-1]
    return text


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000) / 1000


def _stamp(seconds: float) -> str:
    moment = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"


def _seconds(stamp: str) -> float:
    moment = datetime.strptime(stamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
    return round((moment - _EPOCH) / timedelta(milliseconds=1)) / 1000
