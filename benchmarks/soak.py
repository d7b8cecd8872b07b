"""Twenty-four simulated hours in which everything comes and goes: what stays behind.

The program is benchmarks/soaked.py: labels, routes, threads, tasks, worker processes (half of them killed), profiles, scrapes and pages.
SOAK_MINUTES is how long it may take at least; a slow machine takes longer. What is kept on purpose is bounded, but some of it only by hours:
so the last quarter is held against the second one. `make soak MINUTES=…` calls it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import progress
from benchmarks.figures import Curve, Figure, Goal, Spread
from benchmarks.soaked import Look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.figures import Item

HOURS = 24.0
_QUICK_HOURS = 1.0
_MINUTES = 5.0
_LOOK_MINUTES = 15
MOST_GROWTH = 1.05
"""Of memory: noise, and what profiles still find that is new."""
_MEGABYTE = 1e6


class Bound(NamedTuple):
    """What may be there at most, at any look: of which number, and why so much."""

    name: str
    unit: str
    of: Callable[[Look], float]
    most: float


MEMORY: tuple[tuple[str, str, Callable[[Look], float]], ...] = (
    ("resident memory", "MB", lambda look: look.resident / _MEGABYTE),
    ("blocks of Python's allocator", "thousand", lambda look: look.blocks / 1e3),
)
COUNTS: tuple[tuple[str, Callable[[Look], float]], ...] = (
    ("descriptors", lambda look: look.descriptors),
    ("threads", lambda look: look.threads),
)
BOUNDS = (
    Bound("files of profiles", "MB", lambda look: look.profile_bytes / _MEGABYTE, 2.2),
    Bound("files that workers share", "", lambda look: look.shared, 12),
    Bound("bytes of files that workers share", "MB", lambda look: look.shared_bytes / _MEGABYTE, 8.0),
)
"""Profiles have a limit of 2 MB, which is kept to after a file is written; two workers at once have three files each, and there are those of them all."""


class Soaked(NamedTuple):
    """What the program said: its looks, and its threads that were left at the end."""

    looks: tuple[Look, ...]
    left: tuple[str, ...]


def soaked(*, hours: float, seconds: float, every: int = _LOOK_MINUTES, profiled: bool = True) -> Soaked:
    """Run the program. Raises subprocess.CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        what = [directory, str(seconds), str(hours), str(every), "profiled" if profiled else "plain"]
        command = [sys.executable, "-m", "benchmarks.soaked", *what]
        looks: list[Look] = []
        left: tuple[str, ...] = ()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said = json.loads(line)
                if "left" in said:
                    left = tuple(said["left"])
                else:
                    looks.append(Look(**said))
                    progress.say(f"hour {looks[-1].hours:g} of {hours:g}")
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
    return Soaked(tuple(looks), left)


def growth(values: Sequence[float]) -> Spread:
    """Return the last quarter over the second: the median of either, and the quartiles of the last."""
    quarter = len(values) // 4
    before = statistics.median(values[quarter : 2 * quarter])
    return Spread.of(value / before for value in values[-quarter:])


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what there is along the hours, and what of it may not grow."""
    hours = _QUICK_HOURS if quick else HOURS
    minutes = float(os.environ.get("SOAK_MINUTES") or _MINUTES)
    ran = soaked(hours=hours, seconds=8.0 if quick else 60 * minutes, every=5 if quick else _LOOK_MINUTES)
    looks = ran.looks
    last = looks[-1]
    yield f"{last.hours:g} simulated hours, {last.workers:,} worker processes, {last.series:,} series at the end"
    for name, unit, of in MEMORY:
        values = [of(look) for look in looks]
        yield Curve(name, unit, "simulated hours", tuple((look.hours, of(look)) for look in looks))
        yield Figure(f"{name} at the end", unit, Spread.exactly(values[-1]))
        title = f"{name}: the last quarter over the second"
        yield Figure(title, "", growth(values), count=len(values))
        if not quick:  # an hour is all warm-up
            yield Goal(f"{title}: at most {MOST_GROWTH:g}", title, of="ours", at_most=MOST_GROWTH)
    for name, of in COUNTS:
        title = f"{name}: most in the last quarter less most in the first"
        quarter = len(looks) // 4
        more = max(map(of, looks[-quarter:])) - max(map(of, looks[:quarter]))
        yield Curve(name, "", "simulated hours", tuple((look.hours, of(look)) for look in looks))
        yield Figure(title, "", Spread.exactly(more))
        yield Goal(f"{name} do not become more", title, of="ours", at_most=4)
    for bound in BOUNDS:
        yield Curve(bound.name, bound.unit, "simulated hours", tuple((look.hours, bound.of(look)) for look in looks))
        title = f"{bound.name}, most"
        yield Figure(title, bound.unit, Spread.exactly(max(map(bound.of, looks))))
        yield Goal(f"{title}: {bound.most:g} {bound.unit}".rstrip(), title, of="ours", at_most=bound.most)
    yield Figure("threads of ours that are left after close()", "", Spread.exactly(len(ran.left)))
    yield Goal("close() leaves no thread", "threads of ours that are left after close()", of="ours", at_most=0)
