"""What is left of the throughput of a loaded server: uvicorn with a Starlette application, bare and instrumented, under wrk.

A server (loaded.py) has all of them in turn, and is loaded all the time. Of a server that has a whole core, requests a second are requests
a second of its CPU time, and that is what is told: it says the same of a core that somebody else takes for a moment.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import machine, progress, turns
from benchmarks.figures import Figure, Goal, Missing, Noise, Spread
from benchmarks.harness import ratio
from benchmarks.instrumented import AGAIN, BY_HAND, OURS, PFI
from benchmarks.loaded import BARE, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.figures import Item

_FIGURE: Final = "Requests a second of uvicorn and Starlette under load"
_CONNECTIONS: Final = 16
_LEAST: Final = 0.95
_PROCESSES: Final = 3
"""Of a round: where chance puts something in a process makes a percent of what an application costs there, as long as it lives."""
_BUSY: Final = 0.8
"""Of a core, what a server uses that is as fast as it can be."""
_FEW: Final = 20
"""Requests of a turn in which somebody else had the core."""


def report(*, quick: bool) -> Iterator[Item]:
    """Yield requests a second of CPU time, beside the bare application and two peers."""
    if shutil.which("wrk") is None:
        yield Missing("wrk", "Debian has it as wrk")
        return
    speeds: dict[str, list[float]] = {}
    busy: list[float] = []
    missing: Mapping[str, str] = {}
    rounds, processes, cycles = (2, 1, 5) if quick else (8, _PROCESSES, 15)
    for number in range(rounds):
        taken: dict[str, list[Turn]] = {}
        for process in range(processes):
            progress.say(f"round {number + 1} of {rounds}, process {process + 1}")
            missing, turns_of = _loaded(cycles)
            for name, each in turns_of.items():
                taken.setdefault(name, []).extend(each)
        busy += [turn.cpu / turn.wall for turn in taken.get(BARE, ())]
        for name, speed in _speeds(taken).items():
            speeds.setdefault(name, []).append(speed)
    yield from (Missing(name, why) for name, why in missing.items())
    if not busy:
        return
    if speeds:
        yield from _figures(speeds)
    if not speeds or median(busy) < _BUSY:
        # Then it is something else that limits the requests a second, and a server that waits has other work, too.
        yield Missing("a loaded server", f"the bare one used {median(busy):.0%} of a core: is the machine busy?")
        return
    yield Goal(
        f"uvicorn under load: at least {_LEAST} of the bare application's requests a second",
        _FIGURE,
        BARE,
        at_least=_LEAST,
    )


def _speeds(taken: Mapping[str, Sequence[Turn]]) -> dict[str, float]:
    """Return requests a second of CPU time of each application in a round; none where there was no whole cycle.

    Each is what its turns say beside the bare application's of the same cycles. All are looked at: they are so long that none is quiet.
    """
    cycles = [cycle for cycle in zip(*taken.values(), strict=True) if min(turn.requests for turn in cycle) >= _FEW]
    if not cycles:
        return {}
    costs = {name: [cycle[at].cpu / cycle[at].requests for cycle in cycles] for at, name in enumerate(taken)}
    bare = costs[BARE]
    speed = 1 / median(bare)
    return {
        name: speed / (1 + turns.told([*zip(bare, each, strict=True)], among=1).more) for name, each in costs.items()
    }


def _figures(speeds: Mapping[str, Sequence[float]]) -> Iterator[Figure]:
    ours = speeds[OURS]
    again = ratio(speeds[AGAIN], ours)
    for peer, theirs in speeds.items():
        if peer not in (OURS, AGAIN):
            noise = Noise(again.low, again.high)
            yield Figure(
                _FIGURE, "1/s", Spread.of(ours), peer, Spread.of(theirs), ratio(ours, theirs), noise, len(ours)
            )


def _loaded(cycles: int) -> tuple[Mapping[str, str], Mapping[str, list[Turn]]]:
    """Load such a server for so many cycles, and return what is missing, and the turns of each application. Raises RuntimeError."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.loaded", str(cycles), OURS, AGAIN, BY_HAND, PFI],
        stdout=subprocess.PIPE,
        text=True,
        env=machine.environment(),
    ) as server:
        assert server.stdout is not None
        port, missing = json.loads(server.stdout.readline() or '[0, {"a loaded server": "it ended at once"}]')
        if not port:
            return missing, {}
        with _asked(port):
            told = json.loads(server.stdout.read() or "{}")
    if server.returncode:
        raise RuntimeError(f"{server.args!r} ended with {server.returncode}")
    return missing, {name: [Turn(*turn) for turn in each] for name, each in told.items()}


@contextmanager
def _asked(port: int) -> Iterator[None]:
    """Have wrk ask until the server is gone. Raises RuntimeError where an answer was none."""
    url = f"http://127.0.0.1:{port}/items0/1"
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", "-d600s", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
        try:
            yield
        finally:
            wrk.send_signal(signal.SIGINT)
            said, _ = wrk.communicate()
    if "Non-2xx" in said:
        raise RuntimeError(f"wrk: {said}")
