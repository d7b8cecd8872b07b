"""Who is in a process group, by /proc. Where there is none, nobody is known: the group can be told, and not looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# Indexes into /proc/<pid>/stat after the command's closing parenthesis: proc_pid_stat(5)'s field number minus 3.
_STATE: Final = 0
_GROUP: Final = 2
_ENDED: Final = "ZX"


def members(number: int, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Return the processes of a group that have not ended, such as `sleep (4711)`."""
    try:
        pids = [name for name in os.listdir(proc) if name.isdecimal()]  # noqa: PTH208 - names, no objects
    except OSError:
        return ()
    return tuple(found for pid in pids if (found := _member(proc / pid / "stat", number)))


def _member(stat: Path, number: int) -> str:
    try:
        text = stat.read_text(errors="replace")
    except OSError:  # it has just gone
        return ""
    command, _, rest = text.partition(" (")[2].rpartition(")")
    fields = rest.split()
    mine = int(fields[_GROUP]) == number and fields[_STATE] not in _ENDED
    return f"{command} ({stat.parent.name})" if mine else ""
