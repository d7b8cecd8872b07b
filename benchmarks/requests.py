"""What a request pays: our middleware beside the bare application, prometheus_client by hand, and the packages that people take.

Every candidate is a process of its own, since some of them change a framework's classes; in it the same application is bare and
instrumented, and both are asked in turns. What it adds is the difference. All candidates are asked in random order in every round.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
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
    OPENTELEMETRY,
    OURS,
    PFI,
    STARLETTE_EXPORTER,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from typing_extensions import Self

    from benchmarks.figures import Figure, Item


@dataclass(frozen=True)
class Group:
    """One application and what it is compared with."""

    app: str
    """A name in instrumented.MAKERS."""
    title: str
    requests: int
    """Of a turn."""
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
    routes: tuple[int, ...] = (1,)
    threads: int = 1
    turns: int = 60
    """Of a round: how often either application is asked."""


GROUPS = (
    Group("wsgi", "WSGI", 60, (OPENTELEMETRY,), floors=(*WSGI_FLOORS,), by_hand=1 / 3),
    Group("wsgi", "WSGI, four threads", 200, by_hand=1 / 3, threads=4, turns=40),
    Group("asgi", "ASGI", 60, (OPENTELEMETRY,), (AIOPROMETHEUS,), (*FLOORS,), by_hand=1 / 4),
    Group("asgi", "ASGI, four threads", 200, by_hand=1 / 4, threads=4, turns=40),
    Group(
        "starlette",
        "Starlette",
        20,
        (PFI, STARLETTE_EXPORTER, OPENTELEMETRY),
        (AIOPROMETHEUS,),
        (READS_CLOCK,),
        by_hand=1 / 4,
        best=1 / 20,
        routes=(1, 100),
    ),
    Group(
        "fastapi",
        "FastAPI",
        20,
        (PFI, STARLETTE_EXPORTER, OPENTELEMETRY),
        floors=(READS_CLOCK,),
        by_hand=1 / 4,
        best=1 / 20,
        routes=(1, 100),
    ),
    Group("flask", "Flask", 20, (FLASK_EXPORTER, OPENTELEMETRY), floors=(READS_CLOCK_WSGI,), best=1 / 6),
    Group("django", "Django by WSGI", 20, (DJANGO_PROMETHEUS,), floors=(READS_CLOCK_WSGI,), best=1 / 20),
    Group("django-asgi", "Django by ASGI", 12, (DJANGO_PROMETHEUS,), floors=(READS_CLOCK,), best=1 / 20),
)

_DEAR: Final = 3
"""Packages have so many times fewer turns: what they add is ten times as much, and so is known as well by fewer, and takes most of the time."""

_LIFE: Final = 5
"""Rounds that a process lives: where its memory lies makes a tenth of what a middleware costs, the same in all of its rounds."""


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what a request pays in each framework."""
    for group in GROUPS:
        for routes in group.routes[:1] if quick else group.routes:
            if group.threads == 1 or not quick:
                yield from _group(group, routes, rounds=3 if quick else 15, scale=3 if quick else 1)


def _group(group: Group, routes: int, *, rounds: int, scale: int) -> Iterator[Item]:
    at = float(routes) if len(group.routes) > 1 else None
    peers = (BY_HAND, *group.packaged, *group.others, *group.floors)
    turns = {name: group.turns // (scale * (_DEAR if name in group.packaged else 1)) for name in (OURS, AGAIN, *peers)}
    added: dict[str, list[float]] = {name: [] for name in turns}
    missing: dict[str, str] = {}
    for generation in range(0, rounds, _LIFE):
        with ExitStack() as processes:
            asked = {name: Candidate(group, name, routes) for name in turns}
            for one in asked.values():  # all are started by now: what they import takes seconds
                processes.enter_context(one)
            missing = {name: one.missing for name, one in asked.items() if one.missing}
            present = {name: one for name, one in asked.items() if not one.missing}
            _rounds(present, turns, range(generation, min(generation + _LIFE, rounds)), added)
    timings = {name: Timing(name, tuple(added[name])) for name in present}
    yield from (Missing(name, f"{why}; `make bench` installs benchmarks/peers.txt") for name, why in missing.items())
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
        if peer in present
    }
    yield from figures.values()
    yield from _goals(group, figures, at)


def _goals(group: Group, figures: Mapping[str, Figure], at: float | None) -> Iterator[Goal]:
    where = group.title if at is None else f"{group.title}, {at:.0f} route{'s' * (at > 1)}"
    best = min((name for name in group.packaged if name in figures), key=lambda name: _cost(figures[name]), default="")
    for peer, bound in ((BY_HAND, group.by_hand), (best, group.best)):
        if peer in figures and bound is not None:
            text = f"{where}: at most 1/{1 / bound:.0f} of what {peer} costs"
            yield Goal(text, figures[peer].name, peer, at, at_most=bound)


def _cost(of: Figure) -> float:
    return of.theirs.middle if of.theirs else float("inf")


def _rounds(
    candidates: Mapping[str, Candidate], turns: Mapping[str, int], rounds: range, added: Mapping[str, list[float]]
) -> None:
    """Note what each adds to a request to the bare application: CPU seconds of each of these rounds, of so many turns."""
    order = [*candidates]
    for number in rounds:
        progress.say(f"round {number + 1}")
        random.Random(number).shuffle(order)
        for name in order:
            bare, instrumented = candidates[name].ask(turns[name])
            added[name].append(instrumented - bare)


class Candidate:
    """A process of benchmarks/candidate.py, to be entered. `missing` says what it lacks, if it cannot be asked."""

    def __init__(self, group: Group, name: str, routes: int) -> None:
        arguments = (group.app, name, str(routes), str(group.threads), str(group.requests))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.candidate", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=machine.environment(),
        )
        self.missing = ""

    def __enter__(self) -> Self:
        said = self._read()
        self.missing = said["missing"] if isinstance(said, dict) else ""
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, turns: int) -> Sequence[float]:
        """Return the CPU seconds of a request to the bare application, and to the instrumented one, after so many turns."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{turns}\n")
        self._process.stdin.flush()
        spent: Sequence[float] = self._read()
        return spent

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}")
        return json.loads(line)
