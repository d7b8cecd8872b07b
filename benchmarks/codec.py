"""What it costs to read a profile, to make the table of its functions, and to write one: CPU time and memory.

What is typical was recorded from Go programs (tests/profiling/recorded). The large one is made up, of the size of the largest that
pprof's own tests have (2.5 MB: 20,430 stacks of 24 frames, 23,355 locations, 23,038 functions); beside that one it took 0.9 to
1.1 of the time. The A/A beside a figure is the same thing against itself, as the quartiles of the ratios. The collector is set as
`runtime-exporter agent` sets it, which is what reads the profiles of others.
"""

from __future__ import annotations

import gc
import random
import tracemalloc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.figures import Figure, Goal, Spread
from benchmarks.harness import figure, rounds
from runtime_exporter.cli.agent import GC_THRESHOLDS
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import Function, Line, Location, Mapping, Profile, Sample, ValueType
from runtime_exporter.profiling.table import tabulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item


class Size(NamedTuple):
    """How much there is of what in a profile."""

    stacks: int
    depth: int
    locations: int
    functions: int


class Limit(NamedTuple):
    """What reading may cost: seconds of CPU, and bytes at the peak."""

    seconds: float
    memory: float


_RECORDED = Path(__file__).parents[1] / "tests" / "profiling" / "recorded" / "go"
TYPICAL = {"5 s of TLS handshakes": "tls.cpu.pb.gz", "9 s of JSON": "json.cpu.pb.gz"}
OF_TYPICAL = Limit(0.015, 20e6)
LARGE = Size(20_430, 24, 23_355, 23_038)
OF_LARGE = Limit(0.7, 100e6)
_STACKS_A_MILLISECOND = 25
_FRAMES_WRITTEN = 20


def report(*, quick: bool) -> Iterator[Item]:
    """Yield time and memory of each profile that is read, then the time of writing."""
    gc.set_threshold(*GC_THRESHOLDS)
    count = 5 if quick else 21
    for what, name in TYPICAL.items():
        yield from _reading(f"Go's CPU, {what}", (_RECORDED / name).read_bytes(), OF_TYPICAL, count)
    yield from _reading(
        "one as large as the largest of pprof's tests", pprof.encode(made_up(LARGE)), OF_LARGE, 2 if quick else 11
    )
    yield from _writing(5 if quick else 51)


def made_up(size: Size, *, seed: int = 1) -> Profile:
    """Return a CPU profile of this size; the same one each time."""
    chance = random.Random(seed)
    binary = Mapping(1, 0x400000, 0x900000, 0, "/srv/shop", "5e1f", True, True, True, True)
    functions = [
        Function(number, f"shop/package{number % 97}.Method{number}", "", f"/src/{number % 97}.go", number % 900)
        for number in range(1, size.functions + 1)
    ]  # fmt: skip
    locations = [
        Location(number, binary, 0x400000 + 16 * number, (Line(functions[number % size.functions], number % 900),))
        for number in range(1, size.locations + 1)
    ]
    samples = [
        Sample(tuple(chance.choices(locations, k=chance.randint(size.depth // 2, size.depth * 3 // 2))), (count, count * 10**7))
        for count in (chance.randint(1, 9) for _ in range(size.stacks))
    ]  # fmt: skip
    types = ValueType("samples", "count"), ValueType("cpu", "nanoseconds")
    return Profile(
        sample_types=types,
        samples=tuple(samples),
        mappings=(binary,),
        locations=tuple(locations),
        functions=tuple(functions),
        time_nanos=1_700_000_000 * 10**9,
        duration_nanos=10 * 10**9,
        period_type=types[1],
        period=10**7,
    )


def _reading(what: str, data: bytes, limit: Limit, count: int) -> Iterator[Item]:
    profile = pprof.decode(data)
    raw = len(pprof.encode(profile, compress=False))
    name = f"read and summarise {what} ({len(profile.samples)} stacks, {raw / 1e3:.0f} kB)"
    read = partial(_read, data)
    yield figure(name, rounds({"ours": read, "A/A": read}, count=count))
    yield Goal(f"{what} is read in at most {limit.seconds * 1e3:g} ms", name, of="ours", at_most=limit.seconds * 1e3)
    tracemalloc.start()
    read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    name = f"peak memory of reading {what}"
    yield Figure(name, "MB", Spread.exactly(peak / 1e6))
    yield Goal(
        f"{what} takes at most {limit.memory / 1e6:g} MB at the peak", name, of="ours", at_most=limit.memory / 1e6
    )


def _read(data: bytes) -> object:
    return tabulate(pprof.decode(data), kind="cpu")


def _writing(count: int) -> Iterator[Item]:
    stacks = 25 * 40
    write = partial(pprof.encode, made_up(Size(stacks, _FRAMES_WRITTEN, 900, 400)))
    name = f"write {_STACKS_A_MILLISECOND} stacks of {_FRAMES_WRITTEN} frames"
    yield figure(name, rounds({"ours": write, "A/A": write}, count=count), per=stacks / _STACKS_A_MILLISECOND)
    yield Goal(f"{_STACKS_A_MILLISECOND} stacks are written in at most 1 ms", name, of="ours", at_most=1.0)
