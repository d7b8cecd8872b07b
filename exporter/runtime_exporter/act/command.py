"""Runs one program: without a shell, in a process group of its own that ends with it, for a bounded time, with bounded output."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from runtime_exporter.act import group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MOST_OUTPUT_BYTES: Final = 1024 * 1024
"""A command that says more is ended."""
KEPT_OUTPUT_BYTES: Final = 4096
"""Of the end of what it said."""
GRACE_SECONDS: Final = 3.0
"""From SIGTERM to SIGKILL."""
_TICK_SECONDS = 0.1
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int | None
    """What it returned, -N for the signal N; None where it could not be started."""
    seconds: float
    output: str
    """The end of what it wrote to standard output and standard error."""
    problem: str = ""
    """Why it was ended, or not started; empty where it ended by itself."""
    left: tuple[str, ...] = ()
    """Processes of its group that went on when it had ended by itself, and were ended then."""

    @property
    def ok(self) -> bool:
        """Whether it ended by itself, with 0."""
        return self.code == 0 and not self.problem


def run(
    command: Sequence[str],
    *,
    said: bytes = b"",
    timeout: float,
    environment: Mapping[str, str] | None = None,
    directory: str = "/",
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run a program and wait for its end, `timeout` seconds at most, or until `stop` says so. Never raises for what it does.

    `said` is its standard input. Of our environment it has a few variables only, and `environment`. What it has started and left in
    its process group ends with it; a service that shall live on belongs to the service manager, or into a session of its own (setsid).
    """
    begun = time.monotonic()
    inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with tempfile.TemporaryFile() as given:
        given.write(said)
        given.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - what is run is listed in a file, and no shell reads it
                list(command),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={**inherited, **(environment or {})},
                start_new_session=True,
                close_fds=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return Outcome(None, time.monotonic() - begun, "", f"it could not be started: {reason}")
        with process:
            output = _Output(process.stdout)
            problem = _wait(process, output, begun + timeout, timeout, stop)
            left = () if problem else group.members(process.pid)
            _end(process, needed=bool(problem or left))
            output.read(0)
    return Outcome(process.returncode, time.monotonic() - begun, output.text(), problem, left)


class _Output:
    """Reads what a command says, and keeps the end of it."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._descriptor = stream.fileno() if stream is not None else -1
        self._open = stream is not None
        self.size = 0
        self._end = b""

    def read(self, seconds: float) -> None:
        """Read what there is, or wait so long for something."""
        if not self._open:
            time.sleep(seconds)
            return
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        while self._open and poller.poll(seconds * 1000) and self.size <= MOST_OUTPUT_BYTES:
            piece = os.read(self._descriptor, 65536)
            self._open = bool(piece)
            self.size += len(piece)
            self._end = (self._end + piece)[-KEPT_OUTPUT_BYTES:]
            seconds = 0

    def text(self) -> str:
        return self._end.decode(errors="replace")


def _wait(
    process: subprocess.Popen[bytes], output: _Output, deadline: float, timeout: float, stop: Callable[[], bool]
) -> str:
    """Wait for the end of a process; return why it has to be ended, or an empty text."""
    while not _over(process):
        output.read(_TICK_SECONDS)
        if output.size > MOST_OUTPUT_BYTES:
            return f"it said more than {MOST_OUTPUT_BYTES} bytes"
        if stop():
            return "we were ended"
        if time.monotonic() > deadline:
            return f"it took longer than {timeout:g} s"
    return ""


def _over(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process has ended. It is not reaped yet: until then nobody else gets its number, or its group's."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody ignores SIGCHLD for us
        return True


def _end(process: subprocess.Popen[bytes], *, needed: bool) -> None:
    """End what is left of the group of a process: asked first, then made to. Reap the process."""
    if needed:
        _tell(process, signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until and not (_over(process) and not group.members(process.pid)):
            time.sleep(_TICK_SECONDS)
        _tell(process, signal.SIGKILL)
    process.wait()


def _tell(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
