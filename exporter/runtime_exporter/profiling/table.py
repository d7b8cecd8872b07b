"""A profile as two columns: what each function cost itself, and what it cost with everything that it called."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import chain, pairwise, repeat
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.naming import label, waits
from runtime_exporter.profiling.paths import paths_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.profiling.paths import Path, Paths
    from runtime_exporter.profiling.profile import Profile, Stack

__all__ = ["WAITS", "Table", "label", "tabulate"]

WAITS: Final = frozenset({"block", "mutex"})
"""Kinds whose leaf is always machinery of waiting: their self value goes to the site, the first frame that is none."""

# Goroutines that stand still are all in runtime.gopark: what is of interest is where they are in the program.
_SITED: Final = WAITS | {"goroutine", "goroutineleak"}

# Per kind, the names of the sample types that it is read from, best first.
_SAMPLE_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "cpu": ("cpu",),
    "wall": ("wall",),
    "block": ("delay",),
    "mutex": ("delay",),
    "heap": ("inuse_space",),
    "allocs": ("alloc_space",),
    "threads": ("threads", "goroutine", "goroutineleak"),
}
_KINDS: Final = {name: kind for kind, names in reversed([*_SAMPLE_TYPES.items()]) for name in names}
_UNITS: Final[Mapping[str, tuple[str, int]]] = {
    "nanoseconds": ("seconds", 10**9),
    "microseconds": ("seconds", 10**6),
    "milliseconds": ("seconds", 10**3),
    "seconds": ("seconds", 1),
    "bytes": ("bytes", 1),
}
# A function is only a link of a chain when it does nothing itself and one of its callees has all of it.
_LINK_SELF, _LINK_CALLEE = 0.01, 0.95
# So many stacks of one value are added one by one: a count of their functions would be made first.
_FEW = 8
# Callers are told for functions with at least this share: nobody asks about the others, and there are thousands.
_SHARE_WITH_CALLER = 0.005


@dataclass(frozen=True)
class Table:
    """What one profile says of each function. Values are in `unit`; `begin` and `end` in seconds since the epoch.

    self_ adds up to total, apart from samples without a stack. cum counts a function once in a sample, so recursion does not.
    """

    kind: str
    """cpu, wall, block, mutex, heap, allocs or threads."""
    unit: str
    """seconds, bytes or count."""
    total: float
    samples: int
    """Events behind the values: samples taken, contentions, objects."""
    self_: Mapping[str, float]
    cum: Mapping[str, float]
    info: Mapping[str, tuple[str, int]]
    """Of each function its file and the line that it starts on, 0 where unknown."""
    begin: float
    end: float
    counts: Mapping[str, int] = field(default_factory=dict)
    """`samples`, split as `self_` is."""
    callers: Mapping[str, str] = field(default_factory=dict)
    """The caller that brings a function most of its cum; for functions with a share of at least 0.5 %."""
    links: frozenset[str] = frozenset()
    """Functions that only call one other: nothing of their own, and at least 95 % in a single callee."""


def tabulate(
    profile: Profile, sample_type: str = "", kind: str = "", *, idle: Callable[[Stack], bool] | None = None
) -> Table:
    """Return the table of a profile by one of its sample types.

    Without `sample_type` it is the one of `kind`, without either the profile's default view. `idle` tells stacks of threads
    that wait for work: what they have is counted for the function `idle` alone. Raises ProfileError for a sample type that
    the profile does not have.
    """
    index = sample_index(profile, sample_type, kind)
    chosen = profile.sample_types[index]
    kind = kind or _KINDS.get(chosen.type, chosen.type)
    unit, divisor = _UNITS.get(chosen.unit, ("count", 1))
    counter = _counter(profile, index)
    paths = paths_of(profile, index, counter, idle)
    names = paths.names
    self_, cum, own_counts, total = _columns(paths, _is_site if kind in _SITED else None)
    callers, links = _edges(paths, self_, cum, total)
    begin = profile.time_nanos / 1e9
    return Table(
        kind,
        unit,
        total / divisor,
        sum(paths.counts),
        {names[number]: value / divisor for number, value in self_.items()},
        {names[number]: value / divisor for number, value in cum.items()},
        _info(profile, paths, cum),
        begin,
        begin + profile.duration_nanos / 1e9,
        {names[number]: count for number, count in own_counts.items()},
        callers,
        links,
    )


def sample_index(profile: Profile, sample_type: str = "", kind: str = "") -> int:
    """Return which value of the samples `tabulate` reads. Raises ProfileError as that does."""
    if not sample_type:
        present = {value_type.type for value_type in profile.sample_types}
        sample_type = next((name for name in _SAMPLE_TYPES.get(kind, (kind,)) if name in present), "")
    return profile.index(sample_type)


def _counter(profile: Profile, index: int) -> int | None:
    """Return the place of the count that belongs to a value: by convention the nearest count before it."""
    return next((place for place in range(index, -1, -1) if profile.sample_types[place].unit == "count"), None)


def _is_site(name: str) -> bool:
    return not waits(name)


def _columns(
    paths: Paths, is_site: Callable[[str], bool] | None
) -> tuple[dict[int, int], dict[int, int], dict[int, int], int]:
    self_: defaultdict[int, int] = defaultdict(int)
    of_value: defaultdict[int, list[Path]] = defaultdict(list)
    own_counts: defaultdict[int, int] = defaultdict(int)
    total = 0
    sites = None if is_site is None else [*map(is_site, paths.names)]
    for path, value, count in zip(paths.stacks, paths.values, paths.counts, strict=True):
        total += value
        if not path:
            continue
        leaf = path[0] if sites is None else next(filter(sites.__getitem__, path), path[0])
        self_[leaf] += value
        own_counts[leaf] += count
        of_value[value].append(path)
    return self_, _inclusive(of_value), own_counts, total


def _inclusive(of_value: Mapping[int, Sequence[Path]]) -> dict[int, int]:
    """Return what each function is on the stack of. Stacks of one value are counted at once: those of a clock have few values."""
    cum: defaultdict[int, int] = defaultdict(int)
    for value, stacks in of_value.items():
        numbers = chain.from_iterable(map(set, stacks))
        counted = Counter(numbers).items() if len(stacks) > _FEW else zip(numbers, repeat(1), strict=False)
        for number, times in counted:
            cum[number] += value * times
    return cum


def _edges(
    paths: Paths, self_: Mapping[int, int], cum: Mapping[int, int], total: int
) -> tuple[dict[str, str], frozenset[str]]:
    """Return each large function's heaviest caller, and the functions that are only links."""
    large: dict[int, dict[int, int]] = {
        number: {} for number, value in cum.items() if value > 0 and value >= total * _SHARE_WITH_CALLER
    }
    for path, value in zip(paths.stacks, paths.values, strict=True) if large else ():
        if large.keys().isdisjoint(path):
            continue
        for callee, caller in {edge for edge in pairwise(path) if edge[0] in large}:
            callers_of = large[callee]
            callers_of[caller] = callers_of.get(caller, 0) + value
    names = paths.names
    only_calling = {number for number, value in cum.items() if self_.get(number, 0) <= value * _LINK_SELF}
    callers: dict[str, str] = {}
    links: set[str] = set()
    for callee, callers_of in large.items():
        callers_of.pop(callee, None)
        most = max(callers_of.values(), default=0)
        if most > 0:
            callers[names[callee]] = min([names[caller] for caller, value in callers_of.items() if value == most])
        for caller in only_calling.intersection(callers_of):
            if callers_of[caller] >= cum[caller] * _LINK_CALLEE:
                links.add(names[caller])
    return callers, frozenset(links)


def _info(profile: Profile, paths: Paths, wanted: Mapping[int, int]) -> dict[str, tuple[str, int]]:
    info: dict[str, tuple[str, int]] = {}
    for id_, _, _, filename, start_line in profile.functions:
        number = paths.of_function[id_]
        if number in wanted:
            info.setdefault(paths.names[number], (filename, start_line))
    return info
