"""How many instructions something takes, counted by valgrind: the same on a loaded machine, and to a tenth of a percent.

`python -m benchmarks.instructions WHAT TIMES` does it so often; what the start of Python takes is what is left at zero times.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from benchmarks.profiled import unit_of_work
from runtime_exporter.profiling import assembly
from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.samplers.sampler import Capabilities, Usage, Window
from runtime_exporter.profiling.samplers.thread import ThreadSampler
from runtime_exporter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

STACKS, DEPTH, _GROUPS, _FUNCTIONS = 200, 20, 20, 600
_THREADS = 10
_WARM = 2


def each(*wanted: tuple[str, int]) -> list[float]:
    """Return the instructions of one of each of ("unit", "look" or "interval", how often it is done). Needs valgrind.

    About a minute in all: as many at a time as there are cores, which changes no count.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(_counted, [run for what, times in wanted for run in ((what, times), (what, 0))])
        counts = [*done]
    return [(many - none) / times for (_, times), many, none in zip(wanted, counts[::2], counts[1::2], strict=True)]


def _counted(run: tuple[str, int]) -> int:
    what, times = run
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            sys.executable,
            "-m",
            __spec__.name,
            what,
            str(times),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if found is None:
        raise RuntimeError(f"valgrind: {done.stderr[-300:]}")
    return int(found[1])


class Stacks:
    """A sampler that has seen 200 stacks in every minute, in a program of 20 groups of threads."""

    name = "thread"
    capabilities = Capabilities(unbiased=False, threads=True, measures=frozenset({"cpu", "wall"}))
    shortest = 0.0

    def __init__(self) -> None:
        self._chance = random.Random(1)
        self._end = time.time()
        frames = [
            Frame(
                f"shop.module{number % 30}:Class.function_{number}",
                f"/srv/shop/module{number % 30}.py",
                number + 5,
                number,
            )
            for number in range(_FUNCTIONS)
        ]
        self._stacks = [
            (f"group{number % _GROUPS}", tuple(self._chance.choices(frames, k=DEPTH))) for number in range(STACKS)
        ]

    def start(self) -> None:
        """Do nothing."""

    close = tend = forked = start

    def take(self) -> Window:
        """Return the next minute."""
        begin, self._end = self._end, self._end + 60.0
        seen = {place: self._chance.randint(1, 12) for place in self._stacks}
        return Window(
            {place: Usage(looks, looks * 45_000_000, looks * 50_000_000) for place, looks in seen.items()},
            begin,
            self._end,
            samples=1200,
            rate=20.0,
        )


def interval() -> Callable[[], object]:
    """Return what evaluates one interval as a process does: series, comparison, leak suspects, advice."""
    continuous = assembly.continuous(Settings(profiling=True))
    continuous.sampler = Stacks()
    return continuous.turn


def look() -> Callable[[], object]:
    """Return what looks at ten threads that wait, 20 frames deep."""
    idle = threading.Event()

    def wait(depth: int) -> None:
        if depth:
            wait(depth - 1)
        else:
            idle.wait()

    for _ in range(_THREADS):
        threading.Thread(target=wait, args=(DEPTH,), daemon=True).start()
    time.sleep(0.5)
    sampler = ThreadSampler()
    sampler.prepare()
    return lambda: sampler.look(time.monotonic_ns())


def main(what: str, times: int) -> None:
    """Do it: once or twice to be warm, and then so often."""
    do = {"unit": lambda: unit_of_work, "look": look, "interval": interval}[what]()
    for _ in range(_WARM + times):
        do()
    # Not the end of Python, which would wait for nobody in a different order each time.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
