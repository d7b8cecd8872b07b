"""What importing the exporter costs, and starting it: fresh processes in alternation, CPU time and resident memory.

A process measures itself before and after the statement, so that the start of Python is in no figure. Every candidate runs once a
round, in random order. Imports are told over prometheus_client's own in the same round, since ours imports it, too. A start is the
call alone, with what it imports; its memory is read two seconds later, when the background collectors have run.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import progress
from benchmarks.figures import Figure, Goal, Noise, Spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.figures import Item

MOST_MS, MOST_MB = 40.0, 8.0
"""What an import may take over prometheus_client's own."""
_PEER, _IMPORT = "import prometheus_client", "import runtime_exporter"
_WITH_START = f"{_IMPORT} and start"
"""Nothing was promised of this: a server, collectors and a profiler come along."""
_IMPORTS = {
    _PEER: _PEER,
    _IMPORT: _IMPORT,
    f"{_IMPORT} and metrics": "import runtime_exporter.metrics",
    f"{_IMPORT} and WSGIMiddleware": "from runtime_exporter import WSGIMiddleware",
    f"{_IMPORT} and ASGIMiddleware": "from runtime_exporter import ASGIMiddleware",
    _WITH_START: "from runtime_exporter import start",
}
_CALL = "kept = start(address='127.0.0.1', port=0, log_level='error', profiling={profiling})"
_STARTS = {
    "start() without profiling": _CALL.format(profiling=False),
    "start() with profiling": _CALL.format(profiling=True),
}
_SETTLE_SECONDS = 2.0
# Ends without the end of Python, which would wait for threads.
_PROCESS = """
import os, time
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
{before}
memory, wall, cpu = resident(), time.perf_counter(), time.process_time()
{statement}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
time.sleep({settle})
print([cpu * 1e3, wall * 1e3, resident() - memory], flush=True)
os._exit(0)
"""


class Cost(NamedTuple):
    """What a statement cost a process: milliseconds of CPU and of wall time, and megabytes that stayed."""

    cpu: float
    wall: float
    memory: float


Costs = dict[str, list[Cost]]


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what imports and starts cost, and what was promised of an import."""
    imports = _rounds(_IMPORTS, count=2 if quick else 21)
    yield Figure(f"{_PEER}, CPU", "ms", Spread.of(cost.cpu for cost in imports[_PEER]), count=len(imports[_PEER]))
    yield Figure(f"{_PEER}, memory", "MB", Spread.of(cost.memory for cost in imports[_PEER]), count=len(imports[_PEER]))
    for name in _IMPORTS:
        if name != _PEER:
            yield from _over_the_peers(name, imports)
    starts = _rounds(
        _STARTS, count=1 if quick else 7, before="from runtime_exporter import start", settle=_SETTLE_SECONDS
    )
    for name in _STARTS:
        for what, unit in (("cpu", "ms"), ("wall", "ms"), ("memory", "MB")):
            noise = _noise(starts, name, what)
            each = [getattr(cost, what) for cost in starts[name]]
            yield Figure(f"{name}, {_WORDS[what]}", unit, Spread.of(each), noise=noise, count=len(each))


_WORDS = {"cpu": "CPU", "wall": "wall time", "memory": "memory"}


def _over_the_peers(name: str, imports: Costs) -> Iterator[Item]:
    for what, unit, most in (("cpu", "ms", MOST_MS), ("memory", "MB", MOST_MB)):
        over = _differences(imports, name, _PEER, what)
        full = f"{name}: {_WORDS[what]} over prometheus_client's own import"
        yield Figure(full, unit, Spread.of(over), noise=_noise(imports, name, what), count=len(over))
        if name != _WITH_START:
            yield Goal(f"{name}: at most {most:g} {unit} more", full, of="ours", at_most=most)


def _noise(costs: Costs, name: str, what: str) -> Noise:
    same = Spread.of(_differences(costs, _again(name), name, what))
    return Noise(same.low, same.high, relative=False)


def _differences(costs: Costs, name: str, base: str, what: str) -> list[float]:
    return [getattr(one, what) - getattr(other, what) for one, other in zip(costs[name], costs[base], strict=True)]


def _again(name: str) -> str:
    return f"{name} (A/A)"


def _rounds(statements: Mapping[str, str], *, count: int, before: str = "", settle: float = 0.0) -> Costs:
    """Run every statement twice a round, in fresh processes and random order, and return what each cost."""
    every = {**statements, **{_again(name): statement for name, statement in statements.items()}}
    order, shuffle = [*every], random.Random(1).shuffle
    found: Costs = {name: [] for name in order}
    with tempfile.TemporaryDirectory() as compiled:
        for statement in statements.values():
            run(statement, compiled, before=before)  # compiled and read from the disk, before anything is measured
        for number in range(count):
            progress.say(f"round {number + 1} of {count}")
            shuffle(order)
            for name in order:
                found[name].append(run(every[name], compiled, before=before, settle=settle))
    return found


def run(statement: str, compiled: str, *, before: str = "", settle: float = 0.0) -> Cost:
    """Return what a statement costs a fresh process, after what is done before it.

    Modules are compiled once, into the directory `compiled`, whatever the environment says of that: an installed package is.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    source = _PROCESS.format(before=before, statement=statement, settle=settle)
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**environment, "PYTHONPYCACHEPREFIX": compiled},
    )
    return Cost(*json.loads(done.stdout.splitlines()[-1]))
