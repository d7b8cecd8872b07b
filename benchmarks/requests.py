"""What a request pays: our middleware beside the bare application, prometheus_client by hand, and the packages that people take.

Every candidate is a process of its own, since some of them change a framework's classes; in it the same application is bare and
instrumented, and both are asked in turns (turns.py). All candidates are asked in random order in every round.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks import machine, progress
from benchmarks.figures import Goal, Missing
from benchmarks.floors import FLOORS, READS_CLOCK, READS_CLOCK_WSGI, WSGI_FLOORS
from benchmarks.harness import Timing, figure
from benchmarks.instrumented import (
    AGAIN,
    AIOPROMETHEUS,
    BY_HAND,
    DJANGO_PROMETHEUS,
    FLASK_EXPORTER,
    INTERPRETED,
    OPENTELEMETRY,
    OURS,
    PFI,
    STARLETTE_EXPORTER,
)
from benchmarks.turns import Told
from runtime_exporter.http import compiled
from runtime_exporter.settings.sources import COMPILED_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from benchmarks.figures import Figure, Item


@dataclass(frozen=True)
class Load:
    """How an application is asked."""

    requests: int
    """Of a turn: as few as take some hundred microseconds, since a turn that is interrupted is lost."""
    routes: int = 1
    threads: int = 1
    turns: int = 240
    """Of a candidate in a round: how often either application is asked."""

    def __str__(self) -> str:
        return f"{self.routes} route{'s' * (self.routes > 1)}"


@dataclass(frozen=True)
class Group:
    """One application and what it is compared with."""

    app: str
    """A name in instrumented.MAKERS."""
    title: str
    loads: tuple[Load, ...]
    """Those after the first are left out of a quick look."""
    packaged: tuple[str, ...] = ()
    """Packages that measure durations."""
    others: tuple[str, ...] = ()
    """Packages that do not."""
    floors: tuple[str, ...] = ()
    """Middlewares that count nothing, for what nobody can go below."""
    by_hand: float | None = None
    """What was promised: at most so much of prometheus_client by hand."""
    best: float | None = None
    """And so much of the package that costs least of those that measure durations."""
    compiled: bool = True
    """Whether ours has a compiled way for it: then it is asked without, too."""


GROUPS = (
    Group("wsgi", "WSGI", (Load(60),), (OPENTELEMETRY,), floors=(*WSGI_FLOORS,), by_hand=1 / 3),
    Group("wsgi", "WSGI, four threads", (Load(200, threads=4),), by_hand=1 / 3),
    Group("asgi", "ASGI", (Load(60),), (OPENTELEMETRY,), (AIOPROMETHEUS,), (*FLOORS,), by_hand=1 / 4),
    Group("asgi", "ASGI, four threads", (Load(200, threads=4),), by_hand=1 / 4),
    Group(
        "starlette",
        "Starlette",
        (Load(20), Load(5, routes=100, turns=480)),
        (PFI, STARLETTE_EXPORTER, OPENTELEMETRY),
        (AIOPROMETHEUS,),
        (READS_CLOCK,),
        by_hand=1 / 4,
        best=1 / 20,
    ),
    Group(
        "fastapi",
        "FastAPI",
        (Load(5), Load(2, routes=100, turns=720)),
        (PFI, STARLETTE_EXPORTER, OPENTELEMETRY),
        floors=(READS_CLOCK,),
        by_hand=1 / 4,
        best=1 / 20,
    ),
    Group(
        "flask", "Flask", (Load(5, turns=480),), (FLASK_EXPORTER, OPENTELEMETRY), floors=(READS_CLOCK_WSGI,), best=1 / 6
    ),
    Group(
        "django", "Django by WSGI", (Load(5, turns=480),), (DJANGO_PROMETHEUS,), floors=(READS_CLOCK_WSGI,), best=1 / 20
    ),
    Group(
        "django-asgi",
        "Django by ASGI",
        (Load(1, turns=500),),
        (DJANGO_PROMETHEUS,),
        floors=(READS_CLOCK,),
        best=1 / 20,
        compiled=False,
    ),
)

_DEAR: Final = 3
"""Packages have so many times fewer turns: what they add is ten times as much, and so is known as well by fewer, and takes most of the time."""

_LIFE: Final = 5
"""Rounds that a process lives: what chance puts somewhere in it, as the kernel Python's own code, stays there in all of its rounds."""


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what a request pays in each framework."""
    yield from (Missing(f"what is compiled ({name})", why) for name, why in compiled.absent.items())
    for group in GROUPS:
        for load in group.loads[:1] if quick else group.loads:
            if load.threads == 1 or not quick:
                yield from _group(group, load, rounds=3 if quick else 15, scale=3 if quick else 1)


def _group(group: Group, load: Load, *, rounds: int, scale: int) -> Iterator[Item]:
    at = float(load.routes) if len(group.loads) > 1 else None
    slower = (INTERPRETED,) if group.compiled else ()
    peers = (BY_HAND, *group.packaged, *group.others, *slower, *group.floors)
    with ExitStack() as processes:
        asked = {name: Candidate(group.app, name, load) for name in (OURS, AGAIN, *peers)}
        turns = {name: load.turns // (scale * (_DEAR if name in group.packaged else 1)) for name in asked}
        for one in asked.values():
            processes.callback(one.close)
        added = _rounds(asked, turns, rounds)
    yield from (
        Missing(name, f"{one.missing}; `make bench` installs benchmarks/peers.txt")
        for name, one in asked.items()
        if one.missing
    )
    timings = {name: Timing(name, tuple(each)) for name, each in added.items()}
    figures = {
        peer: figure(
            f"{group.title}, over the bare application",
            timings,
            ours=OURS,
            again=AGAIN,
            peer=peer,
            unit="µs",
            at=at,
            along="routes" if at is not None else "",
        )
        for peer in peers
        if peer in timings
    }
    yield from figures.values()
    yield from _goals(group, load, figures, at)


def _goals(group: Group, load: Load, figures: Mapping[str, Figure], at: float | None) -> Iterator[Goal]:
    where = group.title if at is None else f"{group.title}, {load}"
    best = min((name for name in group.packaged if name in figures), key=lambda name: _cost(figures[name]), default="")
    for peer, bound in ((BY_HAND, group.by_hand), (best, group.best)):
        if peer in figures and bound is not None:
            text = f"{where}: at most 1/{1 / bound:.0f} of what {peer} costs"
            yield Goal(text, figures[peer].name, peer, at, at_most=bound)


def _cost(of: Figure) -> float:
    return of.theirs.middle if of.theirs else float("inf")


def _rounds(candidates: Mapping[str, Candidate], turns: Mapping[str, int], rounds: int) -> dict[str, list[float]]:
    """Return what each adds to a request to the bare application, CPU seconds of each round, without those that are missing.

    It is a share of the bare application in the same process, times what that one takes in this round in all processes.
    """
    added: dict[str, list[float]] = {}
    for number in range(rounds):
        progress.say(f"round {number + 1} of {rounds}")
        if number % _LIFE == 0:
            _start([one for one in candidates.values() if not one.missing])
        order = [name for name, one in candidates.items() if not one.missing]
        random.Random(number).shuffle(order)
        told = {name: candidates[name].ask(turns[name]) for name in order}
        bare = median(one.bare for one in told.values())
        for name, one in told.items():
            added.setdefault(name, []).append(one.more * bare)
    return added


def _start(candidates: Collection[Candidate]) -> None:
    """Start all of these anew, and wait for all: what they import takes seconds."""
    for one in candidates:
        one.start()
    for one in candidates:
        one.wait()


class Candidate:
    """A process of benchmarks/candidate.py, once it is started. `missing` says what it lacks, if it cannot be asked."""

    def __init__(self, app: str, name: str, load: Load) -> None:
        self._arguments = (app, name, str(load.routes), str(load.threads), str(load.requests))
        self._environment = {COMPILED_VARIABLE: "false"} if name == INTERPRETED else {}
        self._process: subprocess.Popen[str] | None = None
        self.missing = ""

    def start(self) -> None:
        """Start a process in the place of the one before."""
        self.close()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.candidate", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**machine.environment(), **self._environment},
        )

    def wait(self) -> None:
        """Wait until it can be asked, or says why it cannot."""
        said = self._read()
        self.missing = said["missing"] if isinstance(said, dict) else ""

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def ask(self, turns: int) -> Told:
        """Return what so many turns say: CPU seconds of a request to the bare application, and what the instrumented one takes more."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{turns}\n")
        self._process.stdin.flush()
        return Told(*self._read())

    def _read(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}")
        return json.loads(line)
