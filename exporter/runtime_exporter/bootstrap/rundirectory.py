"""The run directory that the supervisor of a server's workers makes for them, where the user names none, and removes at its end.

Who made or took over a directory holds a shared lock on it until it dies, and what it forks holds it, too. So a directory that can be
locked alone is left over, unless a worker lives that was started without a fork: that one holds the lock of its own file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - what is made there is ours alone
"""Nothing in it is written to a disk; elsewhere every page would be that a request has changed."""


class RunDirectory(NamedTuple):
    """A directory that this process keeps. `give_up` ends that; in a child of it, it does nothing."""

    path: Path
    descriptor: int
    pid: int

    @classmethod
    def made(
        cls, user: int = -1, group: int = -1, places: Sequence[str] = (), *, name: str | None = None
    ) -> RunDirectory:
        """Return a new one, after removing those that are left over. `user` and `group` are whom the workers run as, if not us.

        name: what all processes know who are to have the same one, which the first of them makes; else nobody else's.
        Raises OSError where none of `places` (shared memory, or else the directory for temporary files) has room for it.
        """
        refused = []
        for place in places or _places():
            try:
                return _made_in(Path(place), user, group, name)
            except OSError as error:  # noqa: PERF203 - the next may do
                refused.append(str(error))
        raise OSError("; ".join(refused) or "there is no place for it")

    @classmethod
    def kept(cls, path: Path) -> RunDirectory:
        """Keep one that is there: another process made it, which may end before this one does. Raises OSError."""
        descriptor = _opened(path)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return cls(path, descriptor, os.getpid())

    def give_up(self) -> None:
        """Keep it no longer, and remove it unless somebody else keeps it."""
        if self.pid == os.getpid():
            os.close(self.descriptor)
            _remove_if_left(self.path)


def none(pid: int) -> Path:
    """Return the name of one that never is: where none can be made, workers that are told of it find that and say so."""
    return Path(SHARED_MEMORY, f"runtime-exporter-{os.geteuid()}", str(pid))


def _places() -> Iterator[str]:
    yield SHARED_MEMORY
    try:
        # Asked for only then: with a read-only root there may be none, and shared memory nevertheless.
        temporary = tempfile.gettempdir()
    except OSError:
        return
    yield temporary


def _made_in(place: Path, user: int, group: int, name: str | None) -> RunDirectory:
    mine = place / f"runtime-exporter-{os.geteuid()}"
    with contextlib.suppress(FileExistsError):
        mine.mkdir(mode=0o700)
    with _alone_in(mine):  # or a new one could be taken for one that is left over, before it is locked
        for other in tuple(mine.iterdir()):
            if other.name != name:
                _remove_if_left(other)
        path = mine / name if name else Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=mine))
        path.mkdir(mode=0o700, exist_ok=True)
        if user not in (-1, os.geteuid()):
            os.chown(path, user, group)
            mine.chmod(0o711)  # to be passed through, not to be read
        return RunDirectory.kept(path)


@contextlib.contextmanager
def _alone_in(mine: Path) -> Iterator[None]:
    """Lock out others of this user. Raises OSError where the directory is not what we would have made."""
    descriptor = _opened(mine)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o066:
            raise PermissionError(f"{mine} belongs to another user, or others may read it or write to it")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_if_left(path: Path) -> None:
    """Remove a run directory that nobody keeps. Another one, and one that cannot be removed, stays."""
    with contextlib.suppress(OSError):
        descriptor = _opened(path)
        try:
            if _is_free(descriptor) and not any(map(_has_worker, path.glob("*.worker"))):
                shutil.rmtree(path)
        finally:
            os.close(descriptor)


def _has_worker(file: Path) -> bool:
    with file.open("rb") as opened:
        return not _is_free(opened.fileno())


def _is_free(descriptor: int) -> bool:
    """Lock a file alone, if nobody has it; return whether that was so. Who closes the descriptor unlocks it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
