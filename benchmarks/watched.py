"""The program whose exporter benchmarks/overhead.py looks at: so many threads, so many series, idle or as busy as it can be.

`python -m benchmarks.watched THREADS ROUTES idle|saturated` prints a line of JSON when it is ready, and one for each line that it reads.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time

from benchmarks.profiled import unit_of_work
from runtime_exporter import start
from runtime_exporter.costs import COSTS
from runtime_exporter.metrics import Histogram

_PAUSE_SECONDS = 0.2


def observed(histogram: Histogram, routes: int) -> None:
    """Let every route have been asked for once."""
    for number in range(routes):
        histogram.labels(f"/shop/{number}/items").observe(0.01)


def work(histogram: Histogram, routes: int, turn: itertools.count[int], *, saturated: bool) -> None:
    """Do what requests do: some work, and an observation of one route after the other; now and then, or without a pause."""
    while True:
        unit_of_work()
        histogram.labels(f"/shop/{next(turn) % routes}/items").observe(0.01)
        if not saturated:
            time.sleep(_PAUSE_SECONDS)


def metered() -> dict[str, float]:
    """Return the CPU seconds by part of what ran on threads of the program, which no clock of a thread tells apart."""
    seconds: dict[str, float] = {}
    for meter in COSTS._meters:
        seconds[meter.part] = seconds.get(meter.part, 0.0) + meter.nanoseconds / 1e9
    return seconds


def main() -> None:
    """Be that program until its standard input ends."""
    threads, routes, saturated = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "saturated"
    histogram = Histogram("shop_request_seconds", "Of the program.", ["route"])
    observed(histogram, routes)
    turn = itertools.count()
    exporter = start(address="127.0.0.1", port=0, log_level="error")
    # One thread works where all are idle or the interpreter has one lock: the others wait, as those of a pool do.
    waiting = threading.Event()
    workers = min(threads, 4) if saturated else 1
    program = [
        threading.Thread(
            target=work, args=(histogram, routes, turn), kwargs={"saturated": saturated}, name=f"worker-{number}"
        )
        for number in range(workers)
    ]
    program += [threading.Thread(target=waiting.wait, name=f"pool-{number}") for number in range(threads - workers)]
    for thread in program:
        thread.daemon = True
        thread.start()
    tids = [threading.get_native_id(), *(thread.native_id for thread in program)]
    print(json.dumps({"url": exporter.url, "threads": tids}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(metered()), flush=True)


if __name__ == "__main__":
    main()
