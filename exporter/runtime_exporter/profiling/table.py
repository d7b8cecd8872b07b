"""A profile as two columns: what each function cost itself, and what it cost with everything that it called."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.naming import IDLE, label, waits
from runtime_exporter.profiling.profile import Frame, Location, location_frames, stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
# A function is only a link of a chain when it does nothing itself and one of its callees has all of it (reference 6.3).
_LINK_SELF, _LINK_CALLEE = 0.01, 0.95
# So many stacks of one value are added one by one: a count of their functions would be made first.
_FEW = 8
# Callers are told for functions with at least this share: nobody asks about the others, and there are thousands.
_SHARE_WITH_CALLER = 0.005

# Go stops a goroutine by a signal that makes it call this. Where the clock's signal comes at the same tick, which is the rule on
# some machines (a third of the samples of a busy loop), it finds the goroutine here: the time is its caller's.
_PREEMPTED: Final = ("runtime.asyncPreempt",)

_Path = tuple[str, ...]
_ID = itemgetter(
    Location._fields.index("id")
)  # of each frame of each sample: attribute access would take half of the time


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
    index = _index(profile, sample_type, kind)
    chosen = profile.sample_types[index]
    kind = kind or _KINDS.get(chosen.type, chosen.type)
    unit, divisor = _UNITS.get(chosen.unit, ("count", 1))
    names = _names(profile)
    paths, counts = _paths(profile, index, names, idle)
    self_, cum, own_counts, total = _columns(paths, counts, _is_site if kind in _SITED else None)
    callers, links = _edges(paths, self_, cum, total)
    begin = profile.time_nanos / 1e9
    return Table(
        kind,
        unit,
        total / divisor,
        sum(counts),
        _scaled(self_, divisor),
        _scaled(cum, divisor),
        _info(profile, names, cum),
        begin,
        begin + profile.duration_nanos / 1e9,
        own_counts,
        callers,
        links,
    )


def _index(profile: Profile, sample_type: str, kind: str) -> int:
    if not sample_type:
        present = {value_type.type for value_type in profile.sample_types}
        sample_type = next((name for name in _SAMPLE_TYPES.get(kind, (kind,)) if name in present), "")
    return profile.index(sample_type)


def _names(profile: Profile) -> dict[int, str]:
    """Return the label of each function by its id."""
    return {
        function.id: label(Frame(function.name or function.system_name, function.filename, 0, function.start_line))
        for function in profile.functions
    }


def _paths(
    profile: Profile, index: int, names: Mapping[int, str], idle: Callable[[Stack], bool] | None
) -> tuple[list[tuple[_Path, int]], list[int]]:
    """Return of each sample its functions, leaf first, with its value; and its number of events."""
    counter = _counter(profile, index)
    by_location = {
        location.id: tuple([names[line.function.id] for line in location.lines])
        or tuple(map(label, location_frames(location)))
        for location in profile.locations
    }
    by_location.update({place: () for place, known in by_location.items() if known == _PREEMPTED})
    functions_of = _functions_of(by_location)
    paths: list[tuple[_Path, int]] = []
    counts: list[int] = []
    whole = stacks(profile) if idle is not None else repeat(())
    for sample, stack in zip(profile.samples, whole, strict=False):
        value = sample.values[index]
        count = 1 if counter is None else sample.values[counter]
        if not value and not count:
            continue
        if idle is not None and idle(stack):
            path: _Path = (IDLE,)
        else:
            path = tuple(functions_of(map(_ID, sample.locations)))
        paths.append((path, value))
        counts.append(count)
    return paths, counts


def _functions_of(by_location: Mapping[int, _Path]) -> Callable[[Iterable[int]], Iterable[str]]:
    """Return what gives the functions of a stack's locations; where each is of one function, as in Python, in two thirds of the time."""
    if all(len(path) == 1 for path in by_location.values()):
        return partial(map, {place: path[0] for place, path in by_location.items()}.__getitem__)
    return lambda places: chain.from_iterable(map(by_location.__getitem__, places))


def _counter(profile: Profile, index: int) -> int | None:
    """Return the place of the count that belongs to a value: by convention the nearest count before it."""
    return next((place for place in range(index, -1, -1) if profile.sample_types[place].unit == "count"), None)


def _is_site(name: str) -> bool:
    return not waits(name)


def _columns(
    paths: Iterable[tuple[_Path, int]], counts: Iterable[int], is_site: Callable[[str], bool] | None
) -> tuple[dict[str, int], dict[str, int], dict[str, int], int]:
    self_: defaultdict[str, int] = defaultdict(int)
    of_value: defaultdict[int, list[_Path]] = defaultdict(list)
    own_counts: defaultdict[str, int] = defaultdict(int)
    total = 0
    for (path, value), count in zip(paths, counts, strict=True):
        total += value
        if not path:
            continue
        leaf = path[0] if is_site is None else next(filter(is_site, path), path[0])
        self_[leaf] += value
        own_counts[leaf] += count
        of_value[value].append(path)
    return dict(self_), _inclusive(of_value), dict(own_counts), total


def _inclusive(of_value: Mapping[int, Sequence[_Path]]) -> dict[str, int]:
    """Return what each function is on the stack of. Stacks of one value are counted at once: those of a clock have few values."""
    cum: defaultdict[str, int] = defaultdict(int)
    for value, paths in of_value.items():
        names = chain.from_iterable(map(set, paths))
        counted = Counter(names).items() if len(paths) > _FEW else zip(names, repeat(1), strict=False)
        for name, times in counted:
            cum[name] += value * times
    return dict(cum)


def _edges(
    paths: Iterable[tuple[_Path, int]], self_: Mapping[str, int], cum: Mapping[str, int], total: int
) -> tuple[dict[str, str], frozenset[str]]:
    """Return each large function's heaviest caller, and the functions that are only links."""
    large: dict[str, dict[str, int]] = {
        name: {} for name, value in cum.items() if value > 0 and value >= total * _SHARE_WITH_CALLER
    }
    for path, value in paths:
        if large.keys().isdisjoint(path):
            continue
        for callee, caller in {edge for edge in pairwise(path) if edge[0] in large}:
            callers_of = large[callee]
            callers_of[caller] = callers_of.get(caller, 0) + value
    only_calling = {name for name, value in cum.items() if self_.get(name, 0) <= value * _LINK_SELF}
    callers: dict[str, str] = {}
    links: set[str] = set()
    for callee, callers_of in large.items():
        callers_of.pop(callee, None)
        most = max(callers_of.values(), default=0)
        if most > 0:
            callers[callee] = min([caller for caller, value in callers_of.items() if value == most])
        for caller in only_calling.intersection(callers_of):
            if callers_of[caller] >= cum[caller] * _LINK_CALLEE:
                links.add(caller)
    return callers, frozenset(links)


def _scaled(values: Mapping[str, int], divisor: int) -> dict[str, float]:
    return {name: value / divisor for name, value in values.items()}


def _info(profile: Profile, names: Mapping[int, str], wanted: Mapping[str, int]) -> dict[str, tuple[str, int]]:
    info: dict[str, tuple[str, int]] = {}
    for function in profile.functions:
        name = names[function.id]
        if name in wanted:
            info.setdefault(name, (function.filename, function.start_line))
    return info
