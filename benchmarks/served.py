"""What is left of the throughput of a loaded server: uvicorn with a Starlette application, bare and instrumented, under wrk.

`python -m benchmarks.served CANDIDATE` is such a server; it prints its port. All of them run at once, and one at a time is loaded, in
short turns: one process on one core, with wrk on another.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import machine, progress
from benchmarks.figures import Figure, Goal, Missing, Noise, Spread
from benchmarks.harness import ratio
from benchmarks.instrumented import AGAIN, BY_HAND, OURS, PFI, pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from benchmarks.figures import Item

BARE = "bare"
_TICKS = os.sysconf("SC_CLK_TCK")
_CONNECTIONS = 16
_LEAST = 0.95
_BUSY = 0.8
"""Of a core, what a server uses that is as fast as it can be."""


def report(*, quick: bool) -> Iterator[Item]:
    """Yield requests a second, and CPU time a request, beside the bare application and two peers."""
    if shutil.which("wrk") is None:
        yield Missing("wrk", "Debian has it as wrk")
        return
    # Many short turns: this kind of machine is now slow, now half as fast again, for some seconds each.
    rounds, seconds = (3, 1) if quick else (25, 1)
    with ExitStack() as servers:
        running = {name: servers.enter_context(Server(name)) for name in (BARE, OURS, AGAIN, BY_HAND, PFI)}
        for name in [name for name, server in running.items() if server.missing]:
            yield Missing(name, running.pop(name).missing)
        if BARE not in running:
            return
        speeds, costs = _rounds(running, rounds, seconds)
    yield from _figures("Requests a second of uvicorn and Starlette under load", "1/s", speeds)
    yield from _figures("CPU time a request of uvicorn and Starlette under load", "µs", costs)
    busy = median(speed * cost / 1e6 for speed, cost in zip(speeds[BARE], costs[BARE], strict=True))
    if busy < _BUSY:
        # Then it is something else that limits the requests a second, and any middleware would look free.
        yield Missing("a loaded server", f"the bare one used {busy:.0%} of a core: is the machine busy?")
        return
    yield Goal(
        f"uvicorn under load: at least {_LEAST} of the bare application's requests a second",
        "Requests a second of uvicorn and Starlette under load",
        BARE,
        at_least=_LEAST,
    )


def _figures(name: str, unit: str, measured: dict[str, list[float]]) -> Iterator[Figure]:
    ours = measured[OURS]
    again = ratio(measured[AGAIN], ours)
    for peer, theirs in measured.items():
        if peer not in (OURS, AGAIN):
            noise = Noise(again.low, again.high)
            yield Figure(name, unit, Spread.of(ours), peer, Spread.of(theirs), ratio(ours, theirs), noise, len(ours))


def _rounds(
    servers: dict[str, Server], rounds: int, seconds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return requests a second and microseconds of CPU time a request, of each server in each round."""
    speeds: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    order = [*servers]
    chance = random.Random(1)
    for name in order:
        servers[name].load(1)
    for number in range(rounds):
        progress.say(f"round {number + 1} of {rounds}")
        chance.shuffle(order)
        for name in order:
            before = servers[name].cpu_seconds()
            speed, requests = servers[name].load(seconds)
            speeds[name].append(speed)
            costs[name].append(1e6 * (servers[name].cpu_seconds() - before) / requests)
    return speeds, costs


class Server:
    """A process of this module, to be entered. `missing` says what it lacks, if it cannot be asked."""

    def __init__(self, candidate: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.served", candidate],
            stdout=subprocess.PIPE,
            text=True,
            env=machine.environment(),
        )
        self.missing = ""
        self._port = 0

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline() or '"it ended at once"')
        if isinstance(said, int):
            self._port = said
        else:
            self.missing = said
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def load(self, seconds: int) -> tuple[float, int]:
        """Return how many requests a second it answered, and how many in all."""
        url = f"http://127.0.0.1:{self._port}/items0/1"
        command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        speed, requests = re.search(r"Requests/sec:\s*([\d.]+)", said), re.search(r"(\d+) requests in", said)
        if speed is None or requests is None or "Non-2xx" in said:
            raise RuntimeError(f"wrk: {said}")
        return float(speed[1]), int(requests[1])

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def main(candidate: str) -> None:
    """Serve until terminated."""
    logging.disable(logging.CRITICAL)
    try:
        import uvicorn

        _, app, _ = pair("starlette", candidate, 1)
    except ImportError as error:
        print(json.dumps(str(error)), flush=True)
        return
    # With the protocol named: asyncio switches Nagle's algorithm off only where it sees that it is TCP, and with it on
    # each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    # run() takes uvloop where it is installed, as uvicorn does for its users.
    uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off")).run([listener])


if __name__ == "__main__":
    main(sys.argv[1])
