"""`python -m benchmarks.loaded CYCLES CANDIDATE…`: a server under load that has the same application again and again.

uvicorn with a Starlette application, bare and instrumented by each candidate. It prints its port, and what is missing. Once there is load,
the application is another one every few milliseconds, and it is counted how many requests were answered meanwhile, of how much CPU time
of the one thread that answers. A cycle is a turn of each, in random order; it prints the turns of so many cycles, and ends.

One process: what differs from second to second on a shared machine is more than what is to be told.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.instrumented import MAKERS, pair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BARE: Final = "bare"
_TURN: Final = 0.03
"""Seconds of a turn: some hundred requests, and so short that a machine is as fast in the next."""
_BETWEEN: Final = 0.005
"""Seconds after a change, in which what the last application began is answered."""
_LOADED: Final = 200
"""Requests after which there is load."""
_PATIENCE: Final = 60.0
"""Seconds in which there has to be."""


class Turn(NamedTuple):
    """What one application did in its turn."""

    requests: int
    cpu: float
    """Seconds of the thread that answers."""
    wall: float
    """Seconds."""


class Switch:
    """An ASGI application that is one of several: one more call for each request, of the bare one, too."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return self.app(scope, receive, send)


class Cycles:
    """Turns of all applications under load."""

    def __init__(self, switch: Switch, applications: dict[str, Any], answered: Callable[[], int]) -> None:
        self._switch = switch
        self._applications = applications
        self._answered = answered
        self._chance = random.Random(1)

    async def loaded(self) -> None:
        """Wait until there is load. Raises TimeoutError."""
        end = time.perf_counter() + _PATIENCE
        while self._answered() < _LOADED:
            if time.perf_counter() > end:
                raise TimeoutError("nobody asks")
            await asyncio.sleep(_TURN)

    async def take(self, count: int) -> dict[str, list[Turn]]:
        """Take so many turns of each."""
        order = [*self._applications]
        taken: dict[str, list[Turn]] = {name: [] for name in order}
        for _ in range(count):
            self._chance.shuffle(order)
            for name in order:
                taken[name].append(await self._turn(name))
        return taken

    async def _turn(self, name: str) -> Turn:
        self._switch.app = self._applications[name]
        await asyncio.sleep(_BETWEEN)
        requests, cpu, wall = self._answered(), time.thread_time(), time.perf_counter()
        await asyncio.sleep(_TURN)
        return Turn(self._answered() - requests, time.thread_time() - cpu, time.perf_counter() - wall)


def made(candidates: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the applications, the bare one first, and what those lack that are missing."""
    applications, missing = {BARE: MAKERS["starlette"](1)}, {}
    for name in candidates:
        found = _instrumented(name)
        if isinstance(found, ImportError):
            missing[name] = str(found)
        else:
            applications[name] = found
    return applications, missing


def _instrumented(candidate: str) -> Any:
    try:
        return pair("starlette", candidate, 1)[1]
    except ImportError as error:
        return error


def main(cycles: int, candidates: Sequence[str]) -> None:
    """Serve until so many cycles are told."""
    logging.disable(logging.CRITICAL)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # what asks has the others
    try:
        import uvicorn

        applications, missing = made(candidates)
    except ImportError as error:
        print(json.dumps([0, {BARE: str(error)}]), flush=True)
        return
    switch = Switch(applications[BARE])

    class Measured(uvicorn.Server):
        """A server that changes its application."""

        async def serve(self, sockets: list[socket.socket] | None = None) -> None:
            measuring = asyncio.ensure_future(self.measure())
            await super().serve(sockets)
            await measuring

        async def measure(self) -> None:
            turns = Cycles(switch, applications, lambda: self.server_state.total_requests)
            try:
                await turns.loaded()
                await turns.take(2)
                gc.collect()
                gc.freeze()
                print(json.dumps(await turns.take(cycles)), flush=True)
            finally:
                self.should_exit = True

    # With the protocol named: asyncio switches Nagle's algorithm off only where it sees that it is TCP, and with it on
    # each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(json.dumps([listener.getsockname()[1], missing]), flush=True)
    # run() takes uvloop where it is installed, as uvicorn does for its users.
    config = uvicorn.Config(switch, interface="asgi3", log_level="critical", access_log=False, lifespan="off")
    Measured(config).run([listener])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
