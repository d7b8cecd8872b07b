"""py-spy as the helper: `pip install 'runtime-exporter[pyspy]'`, CPython 3.9 to 3.14."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers.outside import OutsideSampler
from runtime_exporter.profiling.samplers.tracer import OUTPUT, Tracer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime_exporter.profiling.samplers.pace import Pace

NAME = "py-spy"
MOST_THREADS_SEEN = 4
"""Beyond so many threads py-spy is told to look at the one with the GIL only: each other thread costs 0.25 ms a sample."""
# py-spy ends by itself after so long, should nobody take the window.
_LONGEST_SECONDS = 900


def sampler(*, pace: Pace | None = None) -> OutsideSampler:
    """Return a sampler that runs py-spy on this process."""
    return OutsideSampler(NAME, _command, most_threads=MOST_THREADS_SEEN, pace=pace)


def _command(pid: int, rate: float, gil: bool) -> Sequence[str]:
    return command(program(), pid, rate=rate, gil=gil)


def program() -> str:
    """Return the path of py-spy, beside this interpreter (where pip puts it) or on PATH; raises ProfileError when there is none."""
    beside = Path(sys.executable).parent / "py-spy"
    path = str(beside) if os.access(beside, os.X_OK) else shutil.which("py-spy")
    if path is None:
        raise ProfileError("py-spy is not installed: pip install 'runtime-exporter[pyspy]'")
    return path


def self_test(tracer: Tracer | None = None) -> None:
    """Let py-spy look at this process once; raises ProfileError with its reason when it cannot. About 0.1 s."""
    tracer = tracer or Tracer()
    tracer.start([program(), "dump", "--pid", str(os.getpid()), "--nonblocking"])
    if "Thread " not in tracer.collect():
        raise ProfileError("py-spy sees no thread of this process")


def command(
    program: str, pid: int, *, rate: float, gil: bool = False, idle: bool = False, seconds: int = _LONGEST_SECONDS
) -> Sequence[str]:
    """Return the command that records process `pid` to the pipe of a Tracer, without stopping it."""
    flags = [*(["--gil"] if gil else []), *(["--idle"] if idle else [])]
    return (
        program, "record", "--pid", str(pid), "--rate", str(max(1, round(rate))), "--duration", str(seconds), "--format", "raw",
        "--full-filenames", "--threads", "--nonblocking", *flags, "--output", OUTPUT,
    )  # fmt: skip
