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


def make_directory(directory: Path, *, parents: bool) -> None:
    """Make a directory for its owner only, unless it is there. Raises OSError.

    What root makes in somebody's directory is made for that one: a server may begin as root, and only then give that up.
    """
    if directory.is_dir():
        return
    directory.mkdir(mode=0o700, parents=parents, exist_ok=True)
    if os.geteuid() == 0:
        owner = directory.parent.stat()
        with contextlib.suppress(OSError):  # of a network's file system that trusts no root
            os.chown(directory, owner.st_uid, owner.st_gid)


def _make_file(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        with contextlib.suppress(OSError):  # as above
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def write_whole(directory: Path, name: str, data: bytes, *, lasting: bool = True) -> None:
    """Put a file into a directory, for its owner only; if `lasting`, through a power cut, too.

    Raises OSError, and leaves nothing, where it cannot.
    """
    temporary = directory / f"{TEMPORARY}{os.getpid()}-{name}"
    try:
        with os.fdopen(_make_file(temporary, os.O_TRUNC), "wb") as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(directory / name)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if lasting:
        _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    """Make the new name last."""
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[bool]:
    """Yield whether this process is the one that merges now; where there is no directory there is nothing to merge."""
    try:
        handle = _make_file(directory / LOCK, 0)
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
