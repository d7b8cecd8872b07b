"""Which process a target is: by its pid or by its command line, and the same one as before or another."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Field numbers of proc_pid_stat(5) minus 3, counted from the parenthesis that closes the command's name.
_STATE, _UTIME, _STIME, _START = 0, 11, 12, 19
_GONE = (b"Z", b"X")


class Process(NamedTuple):
    """A process: its number alone may be another one's tomorrow. `started` is in clock ticks since the machine did."""

    pid: int
    started: int


def identify(pid: int, *, proc: str = "/proc") -> Process:
    """Return the process of this number. Raises ProfileError where there is none, or it has ended."""
    fields = _stat(pid, proc)
    if fields is None:
        raise ProfileError(f"there is no process {pid}")
    return Process(pid, int(fields[_START]))


def find(pattern: str, *, proc: str = "/proc") -> Process:
    """Return the process in whose command line the pattern is found; of several, the one that has used most CPU time.

    Raises ProfileError where there is none. We are not looked at.
    """
    found = [
        (int(fields[_UTIME]) + int(fields[_STIME]), Process(pid, int(fields[_START])))
        for pid in _matching(pattern, proc)
        if (fields := _stat(pid, proc)) is not None
    ]
    if not found:
        raise ProfileError(f"no process has a command line with {pattern!r}")
    return max(found)[1]


def lives(process: Process, *, proc: str = "/proc") -> bool:
    """Return whether this very process still runs."""
    fields = _stat(process.pid, proc)
    return fields is not None and int(fields[_START]) == process.started


def began(process: Process) -> float:
    """Return when a process did, in seconds since the epoch, by the clock as it is now."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def _matching(pattern: str, proc: str) -> Iterator[int]:
    search = re.compile(pattern).search
    for name in os.listdir(proc):  # noqa: PTH208 - names are all that is needed
        if name.isdecimal() and int(name) != os.getpid():
            with suppress(OSError):
                line = Path(f"{proc}/{name}/cmdline").read_bytes().replace(b"\0", b" ").strip()
                if line and search(line.decode(errors="replace")):
                    yield int(name)


def _stat(pid: int, proc: str) -> list[bytes] | None:
    try:
        content = Path(f"{proc}/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = content[content.rfind(b")") + 2 :].split()
    return fields if len(fields) > _START and fields[_STATE] not in _GONE else None
