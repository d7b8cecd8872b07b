"""The program that benchmarks/profiling.py profiles: workloads of known truth, and a busy application, with one profiler or none.

`python -m benchmarks.profiled accuracy PROFILER WORKLOAD SECONDS` and `… overhead PROFILER BLOCKS SECONDS LEARN SETTLE` print one line of JSON.
A process of its own for each: one profiler leaves nothing behind for the next.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.profilers import PROFILERS, bare

if TYPE_CHECKING:
    from collections.abc import Callable

# --- accuracy: two functions whose CPU time is measured around each call ---------------------------------------------

_ACCURACY_HZ = 100.0
_TEXT = b"x" * 400_000
_OBJECT = [{"id": number, "name": f"item {number}", "price": number / 7} for number in range(1500)]


def python_code(loops: int) -> None:
    total = 0
    for number in range(loops):
        total += number * number % 7


def other_python_code(loops: int) -> None:
    total = 1
    for number in range(loops):
        total = (total + number * 3) % 11


def small_read(descriptor: int) -> None:
    os.pread(descriptor, 16, 0)


def hash_without_gil(data: bytes) -> None:
    hashlib.sha256(data).digest()


def encode_with_gil(data: Any) -> None:
    json.dumps(data)


def workload(name: str) -> tuple[tuple[Callable[..., None], Any], tuple[Callable[..., None], Any]]:
    """Return the two functions of a workload, each with its argument."""
    descriptor = os.open(__file__, os.O_RDONLY)
    workloads: dict[str, tuple[tuple[Callable[..., None], Any], tuple[Callable[..., None], Any]]] = {
        "python+pread": ((python_code, 12_000), (small_read, descriptor)),
        "python+sha256": ((python_code, 12_000), (hash_without_gil, _TEXT)),
        "python+json": ((python_code, 30_000), (encode_with_gil, _OBJECT)),
        "python+python": ((python_code, 12_000), (other_python_code, 12_000)),
    }
    return workloads[name]


WORKLOADS = ("python+pread", "python+sha256", "python+json", "python+python")


def accuracy(profiler: str, name: str, seconds: float) -> dict[str, Any]:
    """Return the first function's true share of the CPU of both, the profiler's, and how sure the profiler was."""
    functions = workload(name)
    sampler = bare(profiler, _ACCURACY_HZ)
    spent = [0, 0]
    sampler.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for place, (function, argument) in enumerate(functions):
            begin = time.thread_time_ns()
            function(argument)
            spent[place] += time.thread_time_ns() - begin
    window = sampler.take()
    sampler.close()
    names = [f":{function.__name__}" for function, _ in functions]
    seen = [
        sum(usage.cpu_ns for (_, stack), usage in window.stacks.items() if any(f.name.endswith(name) for f in stack))
        for name in names
    ]
    return {
        "truth": spent[0] / sum(spent),
        "seen": seen[0] / sum(seen) if sum(seen) else math.nan,
        "samples": window.samples,
        "bias_ratio": window.bias_ratio,
    }


# --- overhead: a busy application, blocks of the same work with and without ------------------------------------------

_PATTERN = re.compile(r"(\w+)@(\w+)\.(\w+)")
_UNIT_MAILS = " ".join(f"user{number}@example{number % 5}.org" for number in range(40))


def unit_of_work(depth: int = 12) -> int:
    """Do what a request does: calls, JSON, a regular expression, a dictionary, a system call. About 0.5 ms."""
    if depth:
        return unit_of_work(depth - 1)
    decoded = json.loads(json.dumps(_OBJECT[:60]))
    by_name = {row["name"]: row["price"] for row in decoded}
    found = _PATTERN.findall(_UNIT_MAILS)
    Path(__file__).stat()
    return len(by_name) + len(found)


# What is told of its own account is of so long a part of the time in which it learns, at the end.
_TOLD = 2 / 3


def overhead(profiler: str, blocks: int, seconds: float, learn: float, settle: float) -> dict[str, Any]:
    """Run blocks without, with, with, without; return the CPU seconds of each, for the same work.

    After a start names are looked up for the first time and helpers find their way, after a stop threads come to their end: `settle`
    seconds for that are part of no block.

    What is always on has started once: it learns its rate for `learn` seconds first, and what each start costs is not part
    of the blocks. These are short, so that the machine is the same in all four. What a profiler's threads take by the kernel's clocks,
    and its handler and helper by its own account, are told as parts of a core.
    """
    idle = threading.Event()
    for number in range(4):
        threading.Thread(target=idle.wait, name=f"pool-{number}", daemon=True).start()
    switched = PROFILERS[profiler]()
    units = _units_in(seconds)
    switched.start()
    _busy(learn * (1 - _TOLD))
    switched.taken()
    began, threads_cpu = time.monotonic(), _other_threads_cpu()
    _busy(learn * _TOLD)
    threads_cpu = _other_threads_cpu() - threads_cpu
    handler, helper = switched.taken()
    took = time.monotonic() - began
    switched.learned()
    switched.stop()
    without: list[float] = []
    with_it: list[float] = []
    for _ in range(blocks):
        _busy(settle)
        without.append(_block(units))
        switched.start()
        _busy(settle)
        with_it += [_block(units), _block(units)]
        switched.stop()
        _busy(settle)
        without.append(_block(units))
    return {
        "without": without,
        "with": with_it,
        "handler": handler / took,
        "threads": threads_cpu / took,
        "helper": helper / took,
        "looks": switched.looks(),
    }


def _other_threads_cpu() -> float:
    """Return the CPU seconds of all threads but this one by the kernel's clocks; those of the program itself are idle."""
    return time.process_time() - time.thread_time()


def _busy(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        unit_of_work()


def _block(units: int) -> float:
    begin = time.process_time()
    for _ in range(units):
        unit_of_work()
    return time.process_time() - begin


def _units_in(seconds: float) -> int:
    """Return how many units of work take so many seconds here."""
    _block(200)
    return max(1, round(500 * seconds / _block(500)))


def main(arguments: list[str]) -> None:
    what, *rest = arguments
    if what == "accuracy":
        found = accuracy(rest[0], rest[1], float(rest[2]))
    else:
        found = overhead(rest[0], int(rest[1]), *map(float, rest[2:]))
    print(json.dumps(found), flush=True)
    # Peers have threads that wait for their uploads: what was to be measured is measured.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
