"""Child processes that are ended, whatever happens: by their own handle, in bounded time, and with their parent.

Start them from the main thread: the kernel ends a child when the thread that started it ends (see leash.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runtime_exporter.demo import leash
from runtime_exporter.errors import ExporterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

GRACE = 4.0
"""Seconds in which all children together may end by themselves; Prometheus takes about 1.5."""


@dataclass
class Child:
    """A started program; everything it says goes to the file `log`."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def last_words(self, lines: int = 5) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


@dataclass
class Children:
    """The programs of one run. As a context manager it ends them all."""

    logs: Path
    started: list[Child] = field(default_factory=list)
    """Those that are not ended yet, in their order."""

    def start(self, name: str, command: Sequence[str | Path], *, environ: Mapping[str, str] | None = None) -> Child:
        """Start `command` with that environment, or this process' own. Raises ExporterError where it cannot be started."""
        log = self.logs / f"{name}.log"
        leashed = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *map(str, command)]
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(
                    leashed,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environ,
                    start_new_session=True,  # the terminal's Ctrl-C is for us; we end the children, in order
                )
            except OSError as error:
                raise ExporterError(f"{name} cannot be started: {error.strerror}") from error
        child = Child(name, log, process)
        self.started.append(child)
        return child

    def check(self) -> None:
        """Raise ExporterError, with what it said last, when a child has ended by itself."""
        for child in self.started:
            if not child.alive:
                status = child.process.returncode
                raise ExporterError(f"{child.name} ended with status {status}:\n{child.last_words()}")

    def stop(self, grace: float = GRACE) -> None:
        """Ask all to end, the last started first, and kill what has not ended after `grace` seconds."""
        deadline = time.monotonic() + grace
        for child in reversed(self.started):
            _signal(child, signal.SIGTERM)
        for child in reversed(self.started):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
        for child in self.started:
            _signal(child, signal.SIGKILL)
            child.process.wait()
        self.started.clear()

    def __enter__(self) -> Children:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _signal(child: Child, number: signal.Signals) -> None:
    if child.alive:
        child.process.send_signal(number)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP are a Ctrl-C: whoever cleans up after the one does after the others."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Within, nobody interrupts; for short and bounded work only."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
