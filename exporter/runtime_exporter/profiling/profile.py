"""A profile in the nouns of pprof's profile.proto: frozen values, resolved references instead of ids and string indices.

A stack is leaf first everywhere, as in pprof. Files are read and written by `pprof`; `merge`, `subtract` and `scale` are in `arithmetic`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.errors import ProfileError
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_Text = str  # inside Label, `str` is its field


class ValueType(NamedTuple):
    """What a number is: `cpu` in `nanoseconds`, `alloc_objects` in `count`."""

    type: str
    unit: str


class Label(NamedTuple):
    """A key of a sample with a text or a number."""

    key: _Text
    str: _Text = ""
    num: int = 0
    num_unit: _Text = ""


class Mapping(NamedTuple):
    """A piece of a binary in memory: addresses `start` to `limit` of the process are `filename` from `offset` on."""

    id: int
    start: int = 0
    limit: int = 0
    offset: int = 0
    filename: str = ""
    build_id: str = ""
    has_functions: bool = False
    has_filenames: bool = False
    has_line_numbers: bool = False
    has_inline_frames: bool = False


class Function(NamedTuple):
    """A function: `name` for people, `system_name` as its linker spells it."""

    id: int
    name: str
    system_name: str = ""
    filename: str = ""
    start_line: int = 0


class Line(NamedTuple):
    """A line of a function."""

    function: Function
    line: int = 0
    column: int = 0


class Location(NamedTuple):
    """A place in the program. Several lines mean inlining: the last is the function that the others were inlined into."""

    id: int
    mapping: Mapping | None = None
    address: int = 0
    lines: tuple[Line, ...] = ()
    is_folded: bool = False


class Sample(NamedTuple):
    """A stack, leaf first, and one value for each of the profile's sample types."""

    locations: tuple[Location, ...]
    values: tuple[int, ...]
    labels: tuple[Label, ...] = ()


class Frame(NamedTuple):
    """A function at a line: `name` is `module:qualname` of Python code, the plain name of anything else."""

    name: str
    file: str = ""
    line: int = 0
    start_line: int = 0


Stack = tuple[Frame, ...]
"""Frames, leaf first."""

UNKNOWN = "<unknown>"
"""What pprof calls a function that has no name."""

NO_TYPE = ValueType("", "")
SAMPLES = ValueType("samples", "count")
CPU = ValueType("cpu", "nanoseconds")
WALL = ValueType("wall", "nanoseconds")
CONTENTIONS = ValueType("contentions", "count")
DELAY = ValueType("delay", "nanoseconds")
SPACE = ValueType("space", "bytes")
ALLOCATED = (ValueType("alloc_objects", "count"), ValueType("alloc_space", "bytes"))
IN_USE = (ValueType("inuse_objects", "count"), ValueType("inuse_space", "bytes"))

KINDS: dict[str, tuple[tuple[ValueType, ...], ValueType]] = {
    "cpu": ((SAMPLES, CPU), CPU),
    "wall": ((SAMPLES, WALL), WALL),
    "block": ((CONTENTIONS, DELAY), CONTENTIONS),
    "mutex": ((CONTENTIONS, DELAY), CONTENTIONS),
    "heap": ((*ALLOCATED, *IN_USE), SPACE),
    "allocs": ((*ALLOCATED, *IN_USE), SPACE),
    "threads": ((ValueType("threads", "count"),), ValueType("threads", "count")),
    "goroutine": ((ValueType("goroutine", "count"),), ValueType("goroutine", "count")),
}
"""Kind of profile -> its sample types and its period type, named as Go's runtime/pprof names them wherever Go has the kind."""


@dataclass(frozen=True)
class Profile:
    """Samples with what they refer to. `time_nanos` is Unix time of the beginning, 0 when unknown."""

    sample_types: tuple[ValueType, ...] = ()
    samples: tuple[Sample, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    locations: tuple[Location, ...] = ()
    functions: tuple[Function, ...] = ()
    drop_frames: str = ""
    keep_frames: str = ""
    time_nanos: int = 0
    duration_nanos: int = 0
    period_type: ValueType = NO_TYPE
    period: int = 0
    comments: tuple[str, ...] = ()
    default_sample_type: str = ""
    doc_url: str = ""

    def index(self, sample_type: str = "") -> int:
        """Return the place of a sample type's value in each sample; without a name, of the one that pprof shows by default.

        Raises ProfileError for a name that the profile does not have.
        """
        names = [kind.type for kind in self.sample_types]
        if not names:
            raise ProfileError("the profile has no sample types")
        if sample_type in names:
            return names.index(sample_type)
        if sample_type:
            raise ProfileError(
                f"the profile has no sample type {sample_type!r} but {', '.join(names)}{did_you_mean(sample_type, names)}"
            )
        return names.index(self.default_sample_type) if self.default_sample_type in names else len(names) - 1

    def total(self, index: int) -> int:
        """Return the sum over all samples of the value at `index`."""
        return sum(sample.values[index] for sample in self.samples)

    @cached_property
    def frames_of(self) -> dict[int, Stack]:
        """The frames of each location by its id: made once for whoever asks for stacks, which several do."""
        return {location.id: location_frames(location) for location in self.locations}


def frames(sample: Sample) -> Stack:
    """Return a sample's stack, leaf first, with inlined functions as frames of their own."""
    return tuple(frame for location in sample.locations for frame in location_frames(location))


def stacks(profile: Profile) -> Iterator[Stack]:
    """Yield the stack of each sample, as `frames` returns it, made of frames that are made once for all samples."""
    known = profile.frames_of
    for sample in profile.samples:
        yield tuple(chain.from_iterable([known[location.id] for location in sample.locations]))


def location_frames(location: Location) -> Stack:
    """Return the frames of one location: a frame a line, or one for a binary without symbols, spelled as pprof does."""
    if location.lines:
        return tuple(
            Frame(function.name or function.system_name or UNKNOWN, function.filename, line, function.start_line)
            for function, line, _ in location.lines
        )
    if location.mapping and location.mapping.filename:
        return (Frame(f"[{PurePath(location.mapping.filename).name}]", location.mapping.filename),)
    return (Frame(UNKNOWN),)


def build(
    kind_or_sample_types: str | Sequence[ValueType],
    stacks: Iterable[tuple[Stack, tuple[int, ...], tuple[Label, ...]]],
    *,
    time_nanos: int,
    duration_nanos: int = 0,
    period_type: ValueType | None = None,
    period: int = 1,
    comments: Sequence[str] = (),
    executable: str = sys.executable,
) -> Profile:
    """Make a profile of stacks, one sample each in the order given; the same stack twice makes two samples.

    `kind_or_sample_types` is a key of KINDS, which knows the period type, too, or the sample types themselves.
    """
    if isinstance(kind_or_sample_types, str):
        sample_types, usual_period_type = KINDS[kind_or_sample_types]
    else:
        sample_types = tuple(kind_or_sample_types)
        usual_period_type = sample_types[-1]
    places = Places(executable)
    samples = tuple(Sample(places.locations(stack), tuple(values), tuple(labels)) for stack, values, labels in stacks)
    return Profile(
        sample_types=sample_types,
        samples=samples,
        mappings=(places.mapping,),
        locations=places.all_locations(),
        functions=places.all_functions(),
        time_nanos=time_nanos,
        duration_nanos=duration_nanos,
        period_type=period_type or usual_period_type,
        period=period,
        comments=tuple(comments),
    )


class Places:
    """The tables of functions and locations of a profile that is being built from frames."""

    def __init__(self, executable: str) -> None:
        # Without a file name and these flags pprof complains that the main binary is not available.
        self.mapping = Mapping(1, 0, 0, 0, executable, "", True, True, True, True)
        self._functions: dict[tuple[str, str, int], Function] = {}
        self._locations: dict[Frame, Location] = {}

    def locations(self, stack: Stack) -> tuple[Location, ...]:
        """Return the locations of a stack, made where they are new."""
        known = self._locations
        return tuple([known.get(frame) or self._location(frame) for frame in stack])

    def all_locations(self) -> tuple[Location, ...]:
        """Return every location made so far."""
        return tuple(self._locations.values())

    def all_functions(self) -> tuple[Function, ...]:
        """Return every function made so far."""
        return tuple(self._functions.values())

    def _location(self, frame: Frame) -> Location:
        name, file, line, start_line = frame
        key = (name, file, start_line)
        function = self._functions.get(key)
        if function is None:
            # No system name: pprof takes a name that equals it for a mangled one of C++, and cuts what is in angle brackets.
            function = self._functions[key] = Function(len(self._functions) + 1, name, "", file, start_line)
        location = Location(len(self._locations) + 1, self.mapping, 0, (Line(function, line),))
        self._locations[frame] = location
        return location
