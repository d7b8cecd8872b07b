"""What the past takes that profiles are compared with: nine simulated days, minute by minute, of a program of very many functions.

A process keeps eight days of its profiles as sums by hour. `python -m benchmarks.past DAYS` feeds the same code with the tables of a
program of 2,000 functions, of which some are new every hour, and of which one becomes slower for some hours on the second day; it
prints a line of JSON every six hours. Nothing else is in that process, so that what grows is the past.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import progress
from benchmarks.figures import Curve, Figure, Goal, Spread
from runtime_exporter.profiling.baseline import DAY, HOUR, SAME_HOUR_DAYS
from runtime_exporter.profiling.columns import MOST_FUNCTIONS
from runtime_exporter.profiling.table import Table
from runtime_exporter.profiling.watch import KINDS, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item

FUNCTIONS, SAMPLES, CALLERS = 2_000, 1_200, 8
_TABLES = 60
_MINUTE = 60.0
_LOOK_MINUTES = 360
_BYTES_A_FUNCTION = 48
"""A name's place and five numbers."""
MOST_BYTES = round(len(KINDS) * ((SAME_HOUR_DAYS + 1) * DAY / HOUR + 1) * MOST_FUNCTIONS * _BYTES_A_FUNCTION)
"""What the rows of all hours may take, both kinds; names and what the comparison itself works with come on top. Twice as much where
a regression lasts for eight days: what came after its begin is kept apart from what was before."""
MOST_MEGABYTES = 20.0
MOST_GROWTH = 1.05


class Look(NamedTuple):
    """The process after so many simulated hours."""

    hours: float
    resident: int
    """Bytes more than before the first window."""
    functions: float
    """That are kept of an hour, on average."""
    kept_hours: int
    cpu: float
    """CPU seconds of one minute's comparison, on average since the last look."""


def tables(kind: str, chance: random.Random) -> list[Table]:
    """Return the minutes that come again and again: a few functions have most of the samples, with all who called them."""
    weights = [1 / (rank + 1) for rank in range(FUNCTIONS)]
    return [_table(kind, chance.choices(range(FUNCTIONS), weights, k=SAMPLES)) for _ in range(_TABLES)]


def _table(kind: str, leaves: list[int]) -> Table:
    self_: dict[str, float] = {}
    cum: dict[str, float] = {}
    each = _MINUTE / SAMPLES
    for leaf in leaves:
        self_[_name(leaf)] = self_.get(_name(leaf), 0.0) + each
        for function in {leaf >> step for step in range(CALLERS)}:
            cum[_name(function)] = cum.get(_name(function), 0.0) + each
    return Table(kind, "seconds", _MINUTE, SAMPLES, self_, cum, {}, 0.0, 0.0)


def _name(number: int) -> str:
    return f"shop.module{number % 97}:Class{number % 31}.function_{number}"


def minute(table: Table, number: int) -> Table:
    """Return a table as that of a minute: with names of its own, a function that is new this hour, and one that is slow for a while."""
    hour = number // 60
    cum = {f"{name} ".rstrip(): value for name, value in table.cum.items()}
    cum[f"shop.jobs:function_of_hour_{hour}"] = 0.3
    if 24 <= hour < 30:
        cum[_name(100)] = 20.0
    begin = number * _MINUTE
    return replace(table, cum=cum, begin=begin, end=begin + _MINUTE)


def report(*, quick: bool) -> Iterator[Item]:
    """Yield memory along the days, and that it ends to grow."""
    days = 0.25 if quick else 9.0
    looks = [*_looks(days)]
    last, name = looks[-1], "memory that the past takes"
    points = tuple((look.hours / 24, look.resident / 1e6) for look in looks)
    yield Curve(name, "MB", "simulated days", points)
    yield Figure(f"{name}, at the end", "MB", Spread.exactly(last.resident / 1e6))
    yield Goal(f"{name}: at most {MOST_MEGABYTES:g} MB", f"{name}, at the end", of="ours", at_most=MOST_MEGABYTES)
    if not quick:  # it is full only after eight days
        full = [look.resident for look in looks if look.hours > 24 * (SAME_HOUR_DAYS + 1)]
        before = next(look.resident for look in looks if look.hours >= 24 * (SAME_HOUR_DAYS + 1))
        title = f"{name}, on the day after it is full, over that before"
        yield Figure(title, "", Spread.exactly(max(full) / before))
        yield Goal(f"{title}: at most {MOST_GROWTH:g}", title, of="ours", at_most=MOST_GROWTH)
    yield Figure("CPU of one minute's comparison, both kinds", "ms", Spread.of(1e3 * look.cpu for look in looks))
    yield (
        f"{last.kept_hours} hours of {last.functions:.0f} functions are kept of each of {len(KINDS)} kinds, in rows of {_BYTES_A_FUNCTION} bytes: "
        f"{MOST_BYTES / 1e6:.1f} MB of rows at most, whatever the program has"
    )


def _looks(days: float) -> Iterator[Look]:
    command = [sys.executable, "-m", __spec__.name, str(days)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            look = Look(**json.loads(line))
            progress.say(f"day {look.hours / 24:g} of {days:g}")
            yield look
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def main(days: float) -> None:
    """Let the days pass, and look at this process now and then."""
    chance = random.Random(1)
    again = {kind: tables(kind, chance) for kind in sorted(KINDS)}
    watch = Watch()
    before, since = _resident(), time.process_time()
    for number in range(round(days * DAY / _MINUTE)):
        watch.compare({kind: minute(known[number % _TABLES], number) for kind, known in again.items()}, {})
        if (number + 1) % _LOOK_MINUTES == 0:
            spent = (time.process_time() - since) / _LOOK_MINUTES
            print(json.dumps(_look(watch, (number + 1) / 60, before, spent)._asdict()), flush=True)
            since = time.process_time()


def _look(watch: Watch, hours: float, before: int, spent: float) -> Look:
    past = watch._kept[min(KINDS)].past
    functions = sum(len(one.functions) for one in past) / len(past)
    return Look(hours, _resident() - before, functions, len(past), spent)


def _resident() -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(float(sys.argv[1]))
