"""Writing files so that a process killed at any moment leaves whole ones only, and one process at a time at a directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPORARY: Final = ".new-"
"""How the name of a file begins that is not whole yet."""
LOCK: Final = ".lock"
"""The file that the process holds which merges."""


def write_whole(directory: Path, name: str, data: bytes) -> None:
    """Put a file into a directory, for its owner only, and make it last. Raises OSError, and leaves nothing, where it cannot."""
    temporary = directory / f"{TEMPORARY}{os.getpid()}-{name}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / name)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    """Make the new name last through a power cut, too."""
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[bool]:
    """Yield whether this process is the one that merges now; where there is no directory there is nothing to merge."""
    try:
        handle = os.open(directory / LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        mine = False
    else:
        mine = True
    try:
        yield mine
    finally:
        os.close(handle)
