"""Another process of this machine, profiled by py-spy: by its pid, with nothing of ours in it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.foreignmodules import ForeignModules
from runtime_exporter.profiling.profile import Label, build
from runtime_exporter.profiling.samplers import pyspy
from runtime_exporter.profiling.samplers.collapsed import parse
from runtime_exporter.profiling.samplers.tracer import OUTPUT
from runtime_exporter.profiling.threadgroup import without_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.profile import Profile

RATE_HZ = 100
"""As Go profiles: 10 ms a sample. It costs a core 5 % for one thread, and nobody the rest of the day."""
_MARGIN_SECONDS = 30.0
_LOOK_SECONDS = 0.25
"""How long it may take until it is noticed that nobody wants a profile any more."""


def record(
    pid: int,
    seconds: int,
    kind: str = "cpu",
    *,
    program: str = "",
    unwanted: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Profile:
    """Return the "cpu" or "wall" profile of a process over whole seconds.

    Raises ProfileError where py-spy is not installed, may not look, or finds no Python there, and once it is `unwanted`.
    """
    path = program or pyspy.program()
    begin, began = time.time_ns(), clock()
    modules = ForeignModules(pid)
    with tempfile.TemporaryDirectory(prefix="runtime-exporter-") as scratch:
        output = Path(scratch) / "stacks"
        command = pyspy.command(path, pid, rate=RATE_HZ, idle=kind == "wall", seconds=seconds)
        _run([argument.replace(OUTPUT, str(output)) for argument in command], seconds, unwanted)
        took = clock() - began
        text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    # py-spy counts intervals and not seconds: a machine that is busy makes each of them longer.
    period = round(max(took, seconds) * 1e9 / (seconds * RATE_HZ))
    stacks = (
        (line.stack, (line.samples, line.samples * period), (Label("thread_name", without_numbers(line.thread_name)),))
        for line in parse(text, modules)
    )
    return build(
        kind,
        stacks,
        time_nanos=begin,
        duration_nanos=round(took * 1e9),
        period=period,
        comments=(f"backend py-spy, process {pid}",),
        executable=_executable(pid),
    )


def probe(pid: int, *, program: str = "") -> None:
    """Let py-spy look at a process once, 0.1 s; raises ProfileError with its reason where it cannot."""
    _run([program or pyspy.program(), "dump", "--pid", str(pid), "--nonblocking"], 1)


def _run(command: list[str], seconds: int, unwanted: Callable[[], bool] = lambda: False) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise ProfileError(f"{command[0]} cannot be started: {error.strerror}") from error
    with process:
        try:
            messages = _ended(process, time.monotonic() + seconds * 2 + _MARGIN_SECONDS, unwanted)
        finally:
            process.kill()  # without effect on one that has ended
    if process.returncode:
        raise ProfileError(_reason(messages.decode(errors="replace"), process.returncode))


def _ended(process: subprocess.Popen[bytes], until: float, unwanted: Callable[[], bool]) -> bytes:
    """Wait for the end of a process, and return what it wrote as errors. Raises ProfileError where that is not to be waited for."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_LOOK_SECONDS)[1]
        if time.monotonic() > until:
            raise ProfileError("py-spy did not end in time")
        if unwanted():
            raise ProfileError("nobody waits for the profile any more")


def _reason(messages: str, code: int) -> str:
    """Return the line of py-spy's that says what is wrong: its first; a backtrace follows."""
    lines = (line.strip().removeprefix("Error: ") for line in messages.splitlines())
    first = next((line for line in lines if line and not line.startswith("py-spy>")), f"exit code {code}")
    return f"py-spy failed: {first[:300]}"


def _executable(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return "python"
