"""`python -m benchmarks.candidate APP CANDIDATE ROUTES THREADS REQUESTS`: a process with an application, bare and instrumented.

It says "ready", or what is missing, as JSON. Then for each number that it reads either has so many turns of so many requests, in random
order, and it says the CPU seconds that the process took for a request to the bare one, and to the other.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.instrumented import pair
from benchmarks.web_apps import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable


def main(app: str, candidate: str, routes: int, threads: int, requests: int) -> None:
    """Make the two applications, and measure as long as there is somebody to ask."""
    logging.disable(logging.CRITICAL)
    if threads == 1:
        _stay()
    try:
        bare, instrumented, drive = pair(app, candidate, routes)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    send = in_threads(drive, threads)
    applications = (bare, instrumented)
    for one in applications:
        send(one, 200, routes)
    # What is there by now stays: a collection before each turn has nothing to look at but what the last one left.
    gc.collect()
    gc.freeze()
    print(json.dumps("ready"), flush=True)
    chance = random.Random(1)
    for line in sys.stdin:
        print(json.dumps(_round(applications, int(line), requests, routes, send, chance)), flush=True)


def _stay() -> None:
    """Stay on one core: what a thread costs that hands over to another, as Django's does under ASGI, depends on where that one is."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _round(
    applications: tuple[Any, Any],
    turns: int,
    requests: int,
    routes: int,
    send: Callable[..., None],
    chance: random.Random,
) -> list[float]:
    """Return the CPU seconds of a request to either, in a turn that others of the machine disturbed little: the slowest of the fastest tenth.

    Among many short turns it differs several times less from round to round than the fastest of a few long ones, or the median.
    """
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for which in chance.sample((0, 1), 2):
            gc.collect()
            begin = time.process_time()
            send(applications[which], requests, routes)
            spent[which].append(time.process_time() - begin)
    return [sorted(each)[turns // 10] / requests for each in spent]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
