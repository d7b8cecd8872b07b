"""A helper process of ours that reads this process's memory: started with permission to, accounted for, ended with us."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from runtime_exporter.cpuclock import process_cpu_time_ns
from runtime_exporter.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# prctl(2): lets one process that is not an ancestor trace us, where Yama restricts that to ancestors.
_PR_SET_PTRACER = 0x59616D61
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_WAIT_SECONDS = 5.0
_MOST_BYTES = 64 * 1024 * 1024
OUTPUT = "{output}"
"""Stands in the command for the file that the helper writes to; without it, that is standard output."""


class Tracer:
    """Runs one command after the other, each of which writes one result to a pipe and ends.

    A helper is in a session of its own, so that Ctrl-C in a terminal is not for it, and it reads a pipe whose other end is
    here: the tracers that we run end by themselves when the process that they watch has ended.
    """

    def __init__(self, *, yama: Path = _YAMA) -> None:
        self._yama = yama
        self._process: subprocess.Popen[bytes] | None = None
        self._output = -1
        self._messages: IO[bytes] | None = None
        self._asked = False
        self.cpu_ns = 0
        """CPU nanoseconds of all helpers that have ended."""

    @property
    def running(self) -> bool:
        """Whether a helper was started that is not collected yet."""
        return self._process is not None

    def start(self, command: Sequence[str]) -> None:
        """Start a helper; raises ProfileError when that fails."""
        try:
            self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the helper is collected
            self._output, end = os.pipe()
        except OSError as error:
            self._drop()
            raise ProfileError(f"{command[0]} cannot be started: {error}") from error
        argv = [argument.replace(OUTPUT, f"/dev/fd/{end}") for argument in command]
        to_stdout = OUTPUT not in command
        held = self._restricted()
        if held:
            # Yama asks for the number of the process that may trace us, so it must not begin before we have said it.
            argv = ["/bin/sh", "-c", 'read -r begin && exec "$@"', "sh", *argv]
        try:
            with _interruptible():
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    argv,
                    stdin=subprocess.PIPE if held else subprocess.DEVNULL,
                    stdout=end if to_stdout else self._messages,
                    stderr=self._messages,
                    pass_fds=(end,),
                    start_new_session=True,
                )
        except OSError as error:
            self._drop()
            raise ProfileError(f"{command[0]} cannot be started: {error}") from error
        finally:
            os.close(end)
        if held and self._process.stdin is not None:
            _allow(self._process.pid)
            with suppress(OSError):
                self._process.stdin.write(b"begin\n")
                self._process.stdin.close()

    def interrupt(self) -> None:
        """Ask the helper to write what it has and to end."""
        if self._process is not None:
            self._asked = True
            with suppress(OSError):
                self._process.send_signal(signal.SIGINT)

    def collect(self, timeout: float = _WAIT_SECONDS) -> str:
        """Return what the helper has written, once it has ended; raises ProfileError when it failed or does not end in time."""
        process, messages = self._process, self._messages
        if process is None or messages is None:
            raise ProfileError("no helper is running")
        try:
            text = self._read(timeout)
            # Its CPU time can be read as long as nobody has waited for it.
            with suppress(OSError):
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                self.cpu_ns += process_cpu_time_ns(process.pid)
            code = process.wait(_WAIT_SECONDS)
            # Asked to end before it could begin to look: it has seen nothing, and has not failed.
            if code and not (code == -signal.SIGINT and self._asked):
                messages.seek(0)
                raise ProfileError(_reason(messages.read(10_000).decode(errors="replace"), code))
        except subprocess.TimeoutExpired:
            raise ProfileError("the profiling helper does not end") from None
        else:
            return text
        finally:
            self.close()

    def cpu_time_ns(self) -> int:
        """Return the CPU nanoseconds of all helpers so far, also of one that still runs."""
        running = 0
        if self._process is not None:
            with suppress(OSError):
                running = process_cpu_time_ns(self._process.pid)
        return self.cpu_ns + running

    def close(self) -> None:
        """End the helper."""
        process = self._process
        if process is not None and process.poll() is None:
            with suppress(OSError):
                self.cpu_ns += process_cpu_time_ns(process.pid)
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_WAIT_SECONDS)
        self._drop()

    def forked(self) -> None:
        """In the child: the helper is the parent's, and must not be touched."""
        if self._process is not None:
            self._process.returncode = 0  # or else it complains, when it is deleted, about a child that it has not
        self.cpu_ns = 0
        self._drop()

    def _drop(self) -> None:
        if self._output >= 0:
            os.close(self._output)
        if self._messages is not None:
            self._messages.close()
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process, self._output, self._messages, self._asked = None, -1, None, False

    def _read(self, timeout: float) -> str:
        """Read to the end of the pipe, which is the end of the helper; raises ProfileError when that does not come."""
        deadline = time.monotonic() + timeout
        chunks: list[bytes] = []
        size = 0
        poll = select.poll()  # unlike select() for any number of a file
        poll.register(self._output, select.POLLIN | select.POLLHUP)
        while size <= _MOST_BYTES:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise ProfileError(f"the profiling helper wrote nothing within {timeout:g} s")
            chunk = os.read(self._output, 65536)
            if not chunk:
                return b"".join(chunks).decode(errors="replace")
            chunks.append(chunk)
            size += len(chunk)
        raise ProfileError("the profiling helper wrote more than a profile can be")

    def _restricted(self) -> bool:
        """Return whether Yama lets only ancestors, and who was named, trace a process."""
        try:
            return self._yama.read_text().strip() == "1"
        except OSError:
            return False


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let what is started here take SIGINT: threads of ours do not, and a process begins with the mask of its starter."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _allow(pid: int) -> None:
    """Let process `pid` trace this one; where that does not work, the helper will say what it may not."""
    import ctypes

    with suppress(OSError, AttributeError):
        library: Any = ctypes.CDLL(None)
        library.prctl(_PR_SET_PTRACER, ctypes.c_ulong(pid), 0, 0, 0)


def _reason(messages: str, code: int) -> str:
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    return f"the profiling helper failed: {lines[-1][:300] if lines else f'exit code {code}'}"
