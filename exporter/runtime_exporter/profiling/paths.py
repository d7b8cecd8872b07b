"""The functions on the stack of each sample, as numbers of their names: these are counted in less time than names are."""

from __future__ import annotations

from itertools import chain, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from runtime_exporter.profiling.naming import IDLE, function_label, label
from runtime_exporter.profiling.profile import Location, location_frames, stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.profiling.profile import Profile, Stack

_T = TypeVar("_T")

Path = tuple[int, ...]
"""Functions by the numbers of their names, leaf first."""

# Go stops a goroutine by a signal that makes it call this. Where the clock's signal comes at the same tick, which is the rule on
# some machines (a third of the samples of a busy loop), it finds the goroutine here: the time is its caller's.
_PREEMPTED: Final = "runtime.asyncPreempt"

# Of each frame of each sample: attribute access would take half of the time.
_ID: Final = itemgetter(Location._fields.index("id"))


class Paths(NamedTuple):
    """The samples of a profile that have a value or a count: of each its path, both of these, in three columns."""

    names: Sequence[str]
    """The name of each number."""
    of_function: Mapping[int, int]
    """The number of each function's name, by its id."""
    stacks: Sequence[Path]
    values: Sequence[int]
    counts: Sequence[int]
    """Events behind the values."""


def paths_of(profile: Profile, index: int, counter: int | None, idle: Callable[[Stack], bool] | None) -> Paths:
    """Return the paths of a profile with the value at `index` of each sample, and the count at `counter`, without one 1 each.

    What `idle` says of is on the path of the function `idle` alone.
    """
    numbers: dict[str, int] = {}
    of_function = {
        id_: numbers.setdefault(function_label(name or system_name, start_line), len(numbers))
        for id_, name, system_name, _, start_line in profile.functions
    }
    path_of = _path_of(_by_location(profile, numbers, of_function))
    idle_path: Path = (numbers.setdefault(IDLE, len(numbers)),)
    paths, values, counts = list[Path](), list[int](), list[int]()
    whole = stacks(profile) if idle is not None else repeat(())
    for (locations, amounts, _), stack in zip(profile.samples, whole, strict=False):
        value = amounts[index]
        count = 1 if counter is None else amounts[counter]
        if value or count:
            paths.append(idle_path if idle is not None and idle(stack) else path_of(locations))
            values.append(value)
            counts.append(count)
    return Paths([*numbers], of_function, paths, values, counts)


def _by_location(profile: Profile, numbers: dict[str, int], of_function: Mapping[int, int]) -> dict[int, Path]:
    """Return the path of each location, by its id."""
    by_location: dict[int, Path] = {}
    for location in profile.locations:
        id_, _, _, lines, _ = location
        if lines:
            path = tuple([of_function[function[0]] for function, _, _ in lines])
        else:
            path = tuple([numbers.setdefault(label(frame), len(numbers)) for frame in location_frames(location)])
        by_location[id_] = path
    preempted = (numbers.get(_PREEMPTED),)
    return {id_: () if path == preempted else path for id_, path in by_location.items()}


def _path_of(by_location: Mapping[int, Path]) -> Callable[[Sequence[Location]], Path]:
    """Return what gives the path of a stack's locations; where each is of one function, as in Python, in two thirds of the time."""
    if all(len(path) == 1 for path in by_location.values()):
        of_one = {id_: path[0] for id_, path in by_location.items()}
        return lambda locations: _each(of_one, locations)
    return lambda locations: tuple(chain.from_iterable(_each(by_location, locations)))


def _each(known: Mapping[int, _T], locations: Sequence[Location]) -> tuple[_T, ...]:
    """Return what is known of each location; of several in one go, which takes two thirds of the time of one after the other."""
    if len(locations) > 1:
        found: tuple[_T, ...] = itemgetter(*map(_ID, locations))(known)
        return found
    return tuple([known[location.id] for location in locations])
