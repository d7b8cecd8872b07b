"""Leak suspects: what grows, has grown for long enough, by enough to matter, and has not come back.

A trend is no proof: a cache that fills looks the same. So the word is "suspect", never "leak".
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.trend import seconds_until, trend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BYTES: Final = "bytes"
OBJECTS: Final = "objects"
BLOCKS: Final = "blocks"
"""Blocks of memory that Python's own allocator gave out: objects of any type, also those that no collector tracks."""
THREADS: Final = "threads"
TASKS: Final = "tasks"
MOST: Final = 10
"""Suspects of each kind that are told of, the steepest."""


@dataclass(frozen=True)
class Thresholds:
    """What makes a suspect. The numbers are those of the project's reference on profiling, chapters 2 and 4."""

    warm_up: float = 600.0
    """Seconds after the process began that are not looked at: caches and pools fill."""
    windows: int = 12
    """Fewest points of a series."""
    span: float = 3600.0
    """Seconds from the first point to the last, at least."""
    significance: float = 0.01
    """p of Mann-Kendall's test, at most; the interval of the slope is of 1 - p, and excludes 0."""
    floor: float = 5e6
    """Growth from the first to the last point, at least, in units of the series."""
    floor_ratio: float = 0.02
    """Growth as a part of `whole` (for bytes: of the resident memory), at least."""
    kept: float = 0.5
    """Of the growth up to the highest point, this much is still there at the end, or it went away."""


MEMORY: Final = Thresholds()
BLOCKS_IN_USE: Final = Thresholds(floor=50_000.0)
"""Some 5 MB of blocks of 100 bytes."""
OBJECT_TYPES: Final = Thresholds(floor=5000.0, floor_ratio=0.0)
THREAD_GROUPS: Final = Thresholds(warm_up=60.0, windows=10, span=600.0, floor=10.0, floor_ratio=0.0)
"""For groups of threads by stack; ten more of them, over ten looks or more."""
GOROUTINES: Final = Thresholds(warm_up=60.0, windows=10, span=600.0, floor=50.0, floor_ratio=0.0)


class Point(NamedTuple):
    """A value at a time in Unix seconds. `settled`: measured right after a full collection, so without garbage."""

    time: float
    value: float
    settled: bool = False


@dataclass(frozen=True)
class Suspect:
    """What grows. Times in seconds, values in `unit`; the slope is Theil-Sen's, with the interval that its test gives."""

    kind: str
    """What the series is of: "rss", "heap", "objects", "threads", …"""
    site: str
    """Which of them: a type, a place of allocation, a group of threads; "" for the process."""
    unit: str
    first: float
    last: float
    begin: float
    end: float
    windows: int
    p: float
    slope: float
    slope_low: float
    slope_high: float
    settled: bool
    """Whether all points were measured right after a full collection: the growth is then no garbage."""
    seconds_to_limit: float
    """Until the process is at its limit if this goes on; infinite where no limit is known."""

    @property
    def growth(self) -> float:
        """The growth that the slope stands for, from the first point to the last."""
        return self.slope * (self.end - self.begin)

    def __str__(self) -> str:
        """Return one line: what is suspected, on what evidence, and until when."""
        name = f"{self.kind} of {self.site}" if self.site else self.kind
        text = (
            f"leak suspect: {name} grew from {self.first:.6g} to {self.last:.6g} {self.unit} in {_span(self.end - self.begin)}"
            f" ({self.slope:.3g} {self.unit}/s, p={self.p:.2g}, {self.windows} windows)"
        )
        if math.isfinite(self.seconds_to_limit):
            text += f"; at its limit in {_span(self.seconds_to_limit)} if that goes on"
        return text


def suspect(
    points: Sequence[Point],
    *,
    kind: str,
    site: str = "",
    unit: str = BYTES,
    thresholds: Thresholds = MEMORY,
    started: float = -math.inf,
    whole: float = 0.0,
    limit: float = math.inf,
    used: float = 0.0,
) -> Suspect | None:
    """Return the series as a suspect, or None when it is none.

    `points` are in order of time, `started` is when the process began. `whole` is what `floor_ratio` is of. `limit` and `used`
    are of the whole process, in the same unit, for the time that is left. Where there are enough points measured after a full
    collection, only those count.
    """
    counted = [point for point in points if point.time >= started + thresholds.warm_up]
    settled = [point for point in counted if point.settled]
    only_settled = _long_enough(settled, thresholds)
    if only_settled:
        counted = settled
    floor = max(thresholds.floor, thresholds.floor_ratio * whole)
    # What is far from the floor is not worth the trend, which looks at all pairs of points.
    if not _long_enough(counted, thresholds) or _rise(counted) < floor or _went_away(counted, thresholds):
        return None
    found = trend([(point.time, point.value) for point in counted], confidence=1 - thresholds.significance)
    if found is None or not found.grows or found.p >= thresholds.significance:
        return None
    first, last = counted[0], counted[-1]
    if found.slope * (last.time - first.time) < floor:
        return None
    return Suspect(
        kind=kind,
        site=site,
        unit=unit,
        first=first.value,
        last=last.value,
        begin=first.time,
        end=last.time,
        windows=len(counted),
        p=found.p,
        slope=found.slope,
        slope_low=found.low,
        slope_high=found.high,
        settled=only_settled,
        seconds_to_limit=seconds_until(limit, used, found.slope) if math.isfinite(limit) else math.inf,
    )


def ranked(
    suspects: Iterable[Suspect], weights: Mapping[str, float] | None = None, *, most: int = MOST
) -> list[Suspect]:
    """Return the suspects by slope, steepest first, at most `most`; `weights` are bytes of one object of a site."""
    weights = weights or {}
    return sorted(suspects, key=lambda one: -one.slope * weights.get(one.site, 1.0))[:most]


class History:
    """The latest points of many series, bounded: the sites beyond `most_sites` are not kept, and counted in `left_out`."""

    def __init__(self, *, most_sites: int = 200, most_points: int = 400) -> None:
        self._most_sites = most_sites
        self._most_points = most_points
        self._series: dict[str, deque[Point]] = {}
        self.left_out = 0

    def add(self, time: float, values: Mapping[str, float], *, settled: bool = False) -> None:
        """Add a look: the value of each site. A site that is missing has become 0, and is forgotten after a whole history of that."""
        for site in self._series.keys() - values.keys():
            self._series[site].append(Point(time, 0.0, settled))
            if not any(point.value for point in self._series[site]):
                del self._series[site]
        # The largest first, so that what grows finds a place.
        for site, value in sorted(values.items(), key=lambda item: -item[1]):
            series = self._series.get(site)
            if series is None:
                if len(self._series) >= self._most_sites:
                    self.left_out += 1
                    continue
                series = self._series[site] = deque(maxlen=self._most_points)
            series.append(Point(time, value, settled))

    def points(self, site: str) -> tuple[Point, ...]:
        """Return the series of a site, oldest first."""
        return tuple(self._series.get(site, ()))

    def suspects(
        self,
        *,
        kind: str,
        unit: str = BYTES,
        thresholds: Thresholds = MEMORY,
        started: float = -math.inf,
        whole: float = 0.0,
        limit: float = math.inf,
        used: float = 0.0,
    ) -> list[Suspect]:
        """Return the suspects among the sites, steepest first."""
        found = (
            suspect(
                series,
                kind=kind,
                site=site,
                unit=unit,
                thresholds=thresholds,
                started=started,
                whole=whole,
                limit=limit,
                used=used,
            )
            for site, series in self._series.items()
        )
        return ranked([one for one in found if one is not None])


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"  # noqa: PLR2004 - an hour


def _long_enough(points: Sequence[Point], thresholds: Thresholds) -> bool:
    return len(points) >= thresholds.windows and points[-1].time - points[0].time >= thresholds.span


def _rise(points: Sequence[Point]) -> float:
    return max(point.value for point in points) - min(point.value for point in points)


def _went_away(points: Sequence[Point], thresholds: Thresholds) -> bool:
    """Return whether the growth up to the highest point is mostly gone at the end, by the median of the last three."""
    first, highest = points[0].value, max(point.value for point in points)
    last = sorted(point.value for point in points[-3:])[1]
    return last - first < thresholds.kept * (highest - first)
