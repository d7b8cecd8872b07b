"""`python -m benchmarks.candidate APP CANDIDATE ROUTES THREADS REQUESTS`: a process with an application, bare and instrumented.

It says "ready", or what is missing, as JSON. Then for each number that it reads either has so many turns of so many requests, and it says
the CPU seconds of a request to the bare one, and how much more the other takes, as a share of it.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import sys

from benchmarks import turns
from benchmarks.drives import Threads, timed
from benchmarks.instrumented import pair


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
    send = timed(drive, Threads(threads) if threads > 1 else None)
    for one in (bare, instrumented):
        send(one, 200, routes)
    # What is there by now stays: a collection before each turn has nothing to look at but what the last one left.
    gc.collect()
    gc.freeze()
    print(json.dumps("ready"), flush=True)
    chance = random.Random(1)
    for line in sys.stdin:
        told = turns.told(
            turns.take(
                lambda: send(bare, requests, routes), lambda: send(instrumented, requests, routes), int(line), chance
            )
        )
        print(json.dumps([told.bare / requests, told.more]), flush=True)


def _stay() -> None:
    """Stay on one core: what a thread costs that hands over to another, as Django's does under ASGI, depends on where that one is."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
