"""How right each sampler is, on programs whose truth is known, and what it costs, beside its peers.

Accuracy is the total variation distance between the shares that a profile gives to functions and the shares of CPU time that
they measured of themselves: of two functions, the difference of either's share. Cost is CPU time for the same work with the profiler on
and off, in ABBA blocks within one process, as the median of the blocks' ratios with a 95 % bootstrap interval; "none"
against itself is A/A, the noise floor. Peers are measured where they can be imported (pip install ddtrace pyroscope-io).
"""

from __future__ import annotations

import importlib.util
import json
import math
import random
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from benchmarks.profiled import WORKLOADS
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers import pyspy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PEERS = {"ddtrace": "ddtrace", "pyroscope-io": "pyroscope"}
MOST_DISTANCE = 0.05
"""What an unbiased sampler may be off by, at 2,000 samples."""
MOST_DISTANCE_WITHOUT_FLAG = 0.1
FLAG = 0.1
"""A bias ratio above this is a flag: the stacks of busy threads are not to be trusted."""
_BOOTSTRAPS = 2000
_STEADY_SECONDS = 20.0


def report(*, quick: bool) -> Iterator[str]:
    """Yield a line for each sampler and workload, then one for each profiler's cost."""
    samplers = ["signal", *_pyspy(), "thread"]
    seconds = 5.0 if quick else 25.0
    yield f"accuracy at 100 Hz for {seconds:g} s each; distance to the truth, unbiased to be at most {MOST_DISTANCE}:"
    for sampler in samplers:
        for workload in WORKLOADS:
            yield "  " + _accuracy(sampler, workload, seconds)
    blocks, length = (10, 0.25) if quick else (80, 0.25)
    yield f"CPU for the same work, {blocks} ABBA blocks of 4 x {length:g} s, 5 threads; our samplers at 20 Hz, peers as they are by default:"
    peers = [name for name, module in PEERS.items() if importlib.util.find_spec(module)]
    for profiler in ["none", *samplers, *peers]:
        yield "  " + _overhead(profiler, blocks, length)
    missing = [name for name in PEERS if name not in peers]
    if missing:
        yield f"  not here to compare with: {', '.join(missing)}"


def _pyspy() -> Sequence[str]:
    try:
        pyspy.self_test()
    except ProfileError:
        return ()
    return (pyspy.NAME,)


def _accuracy(sampler: str, workload: str, seconds: float) -> str:
    found = _run("accuracy", sampler, workload, str(seconds))
    distance = abs(found["seen"] - found["truth"])
    line = (
        f"{sampler:7} {workload:14} truth {found['truth']:6.1%}, seen {found['seen']:6.1%} in {found['samples']} samples:"
        f" distance {distance:.3f}"
    )
    if sampler != "thread":
        return f"{line}, {'holds' if distance <= MOST_DISTANCE else 'DOES NOT HOLD'}"
    flagged = found["bias_ratio"] > FLAG
    holds = flagged or distance <= MOST_DISTANCE_WITHOUT_FLAG
    return f"{line}, bias ratio {found['bias_ratio']:.2f}: flag {'up' if flagged else 'down'}{'' if holds else ', DOES NOT HOLD'}"


def _overhead(profiler: str, blocks: int, length: float) -> str:
    found = _run("overhead", profiler, str(blocks), str(length), str(_STEADY_SECONDS))
    pairs = [
        (found["with"][place] + found["with"][place + 1]) / (found["without"][place] + found["without"][place + 1])
        for place in range(0, 2 * blocks, 2)
    ]
    middle, low, high = interval([math.log(ratio) for ratio in pairs])
    name = "A/A" if profiler == "none" else profiler
    line = f"{name:12} in the process {math.expm1(middle):+.2%} ({math.expm1(low):+.2%} to {math.expm1(high):+.2%})"
    own = [f"its own account {found['here']:.2%} of a core"] if found["here"] else []
    helper = [f"helper {found['helper']:.2%}"] if found["helper"] else []
    return ", ".join([line, *own, *helper])


def interval(values: Sequence[float], *, seed: int = 1) -> tuple[float, float, float]:
    """Return the median and its 95 % interval by bootstrap."""
    numbers = random.Random(seed)
    medians = sorted(statistics.median(numbers.choices(values, k=len(values))) for _ in range(_BOOTSTRAPS))
    return statistics.median(values), medians[_BOOTSTRAPS // 40], medians[-_BOOTSTRAPS // 40]


def _run(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.profiled", *arguments], capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
