"""What it costs to read a profile, to make the table of its functions, and to write one: CPU time and memory.

The profiles are made up, as large as real ones: 10 s of a Go service's CPU (587 stacks, 894 locations, 380 functions), and the
largest one that pprof's own tests have (2.5 MB: 20,430 stacks of 24 frames, 23,355 locations, 23,038 functions). The A/A beside a
figure is the same thing against itself, as the quartiles of the ratios. The collector is set as `runtime-exporter agent` sets it, which is
what reads the profiles of others.
"""

from __future__ import annotations

import gc
import random
import tracemalloc
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.harness import ratio, rounds
from runtime_exporter.cli.agent import GC_THRESHOLDS
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import Function, Line, Location, Mapping, Profile, Sample, ValueType
from runtime_exporter.profiling.table import tabulate

if TYPE_CHECKING:
    from collections.abc import Iterator


class Size(NamedTuple):
    """How much there is of what in a profile, and what reading it may cost: seconds of CPU, and bytes at the peak."""

    name: str
    stacks: int
    depth: int
    locations: int
    functions: int
    seconds: float
    memory: float


SIZES = (
    Size("10 s of a Go service's CPU", 587, 20, 894, 380, 0.015, 20e6),
    Size("the largest of pprof's tests", 20_430, 24, 23_355, 23_038, 0.7, 100e6),
)
_STACKS_A_MILLISECOND = 25
_FRAMES_WRITTEN = 20


def report(*, quick: bool) -> Iterator[str]:
    """Yield a line for each size, then one for writing."""
    gc.set_threshold(*GC_THRESHOLDS)
    for size in SIZES:
        yield _reading(size, 5 if quick else 21)
    yield _writing(21 if quick else 101)


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


def _reading(size: Size, count: int) -> str:
    profile = made_up(size)
    data, raw = pprof.encode(profile), len(pprof.encode(profile, compress=False))
    timings = rounds({name: lambda: tabulate(pprof.decode(data), kind="cpu") for name in ("A", "B")}, count=count)
    seconds = timings["A"].median
    tracemalloc.start()
    tabulate(pprof.decode(data), kind="cpu")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    holds = seconds <= size.seconds and peak <= size.memory
    return (
        f"read and summarise {size.name} ({raw / 1e3:.0f} kB): {seconds * 1e3:.1f} ms, at most {size.seconds * 1e3:g};"
        f" {peak / 1e6:.0f} MB at the peak, at most {size.memory / 1e6:g}; A/A {ratio(timings, 'B', 'A')}{'' if holds else ': DOES NOT HOLD'}"
    )


def _writing(count: int) -> str:
    stacks = 25 * 40
    profile = made_up(Size("", stacks, _FRAMES_WRITTEN, 900, 400, 0, 0))
    timings = rounds({name: lambda: pprof.encode(profile) for name in ("A", "B")}, count=count)
    each = timings["A"].median / (stacks / _STACKS_A_MILLISECOND)
    holds = "" if each <= 1e-3 else ": DOES NOT HOLD"
    return (
        f"write {stacks} stacks of {_FRAMES_WRITTEN} frames: {each * 1e3:.2f} ms per {_STACKS_A_MILLISECOND} stacks, at most 1;"
        f" A/A {ratio(timings, 'B', 'A')}{holds}"
    )
