"""CPython's own `_remote_debugging` as the helper's means: 3.14 and later, a second process of this very interpreter.

Experimental: a private module whose shape differs between 3.14 and 3.15, written from their sources and tested with a stand-in
for it, on no such interpreter yet. The self-test decides at run time, and py-spy is the next in line.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers import remote_child
from runtime_exporter.profiling.samplers.outside import OutsideSampler
from runtime_exporter.profiling.samplers.tracer import OUTPUT, Tracer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime_exporter.profiling.samplers.pace import Pace

NAME = "remote"
_SINCE = (3, 14)


def sampler(*, pace: Pace | None = None) -> OutsideSampler:
    """Return a sampler that runs a second interpreter on this process."""
    return OutsideSampler(NAME, command, pace=pace)


def command(pid: int, rate: float, gil: bool = False, *, output: str = OUTPUT) -> Sequence[str]:  # noqa: ARG001 - as Command has it; it always sees all threads
    """Return the command that records process `pid` to the pipe of a Tracer until it is interrupted."""
    return (sys.executable, "-I", "-S", remote_child.__file__, str(pid), f"{rate:g}", output)


def self_test(tracer: Tracer | None = None, *, version: tuple[int, ...] = sys.version_info[:2]) -> None:
    """Let a helper look at this process once; raises ProfileError with the reason when it cannot."""
    if version < _SINCE:
        raise ProfileError(f"needs CPython 3.14, this is {version[0]}.{version[1]}")
    if importlib.util.find_spec("_remote_debugging") is None:
        raise ProfileError("this Python has no _remote_debugging module")
    tracer = tracer or Tracer()
    tracer.start(command(os.getpid(), 0.0))
    if not tracer.collect().strip():
        raise ProfileError("the helper sees no stack of this process")
