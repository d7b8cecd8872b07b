"""`python -m benchmarks.candidate APP CANDIDATE ROUTES THREADS`: a process with an application, bare and instrumented.

It says "ready", or what is missing, as JSON. Then for each number that it reads it sends so many requests through either, in turns that
are random, and says the CPU seconds that the process took for the bare one and for the other.
"""

from __future__ import annotations

import gc
import json
import logging
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.instrumented import pair
from benchmarks.web_apps import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable

_TURNS = 6


def main(app: str, candidate: str, routes: int, threads: int) -> None:
    """Make the two applications, and measure as long as there is somebody to ask."""
    logging.disable(logging.CRITICAL)
    try:
        bare, instrumented, drive = pair(app, candidate, routes)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    send = in_threads(drive, threads)
    applications = (bare, instrumented)
    for one in applications:
        send(one, 200, routes)
    print(json.dumps("ready"), flush=True)
    chance = random.Random(1)
    for line in sys.stdin:
        print(json.dumps(_round(applications, int(line), routes, send, chance)), flush=True)


def _round(
    applications: tuple[Any, Any], requests: int, routes: int, send: Callable[..., None], chance: random.Random
) -> list[float]:
    """Return the CPU seconds of either: those of its fastest turn, which others of the machine disturbed least, for each turn."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(_TURNS):
        for which in chance.sample((0, 1), 2):
            gc.collect()
            begin = time.process_time()
            send(applications[which], requests // _TURNS, routes)
            spent[which].append(time.process_time() - begin)
    return [min(turns) * _TURNS for turns in spent]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
