"""Who is alive in a run directory: numbers, locks and the names of files.

`<number>.worker` is locked (flock) for as long as its process lives; the kernel lets go of it at any death, also in
another container. It names the incarnation that has the number, and is never removed: there are as many as there
were workers at once. `<number>.<incarnation>.keys` and `.cells` are one life of one process.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_WORKERS: Final = 4096
"""Numbers that are tried: more processes than one machine's service has."""

FORGOTTEN: Final = 60.0
"""Seconds without a living worker after which what lies in the directory belongs to a service that is over."""

_LATER: Final = 1000
"""Nanoseconds by which a life is at least later than the last: as a float of seconds it is another number still."""

_FILE: Final = re.compile(r"(?P<slot>\d{1,4})\.(?P<incarnation>[0-9a-f]{16})\.(?:keys|cells|keys\.new)")
_SLOT: Final = re.compile(r"(\d{1,4})\.worker")
_OWN: Final = re.compile(
    rf"{_FILE.pattern}|{_SLOT.pattern}|\d{{1,4}}\.(?:exemplars|exemplars\.new|socket|port)|retired(?:\.new)?"
)


@dataclass(frozen=True)
class Name:
    """One life of one process. As text it is how the names of its files begin."""

    slot: int
    incarnation: str

    def __str__(self) -> str:
        return f"{self.slot}.{self.incarnation}"

    def path(self, directory: Path, kind: str) -> Path:
        """Return where its `keys` or `cells` lie."""
        return directory / f"{self}.{kind}"

    @property
    def began(self) -> float:
        """Unix seconds at which it joined."""
        return int(self.incarnation, 16) / 1e9


@dataclass(frozen=True)
class Slot:
    """A number that this process holds, and the lock that says so."""

    name: Name
    descriptor: int

    def beat(self) -> None:
        """Say that somebody lives: the time of the last change of the file."""
        os.utime(self.descriptor)

    @property
    def removed(self) -> bool:
        """Whether somebody removed the file, so that another may hold the number, too."""
        return is_removed(self.descriptor)

    def close(self) -> None:
        """Let go of the number."""
        with suppress(OSError):
            os.close(self.descriptor)


def make(path: Path, flags: int) -> int:
    """Open a file of a run directory, made if it is not there; return the descriptor. Raises OSError.

    It belongs to whom the directory belongs to: a server may begin as root, load the application, fork, and only then give that up.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        with suppress(OSError):  # of a network's file system that trusts no root
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def is_removed(descriptor: int) -> bool:
    """Return whether a file that is open has no name any more."""
    try:
        return os.fstat(descriptor).st_nlink == 0
    except OSError:
        return True


def take(directory: Path) -> Slot:
    """Take the smallest number that nobody has. Raises OSError."""
    for number in range(MOST_WORKERS):
        descriptor = make(directory / f"{number}.worker", os.O_RDWR)
        try:
            if _lock(descriptor):
                incarnation = _next(directory)
                os.pwrite(descriptor, f"{incarnation} {boot()}\n".encode(), 0)
                return Slot(Name(number, incarnation), descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(f"{MOST_WORKERS} workers live already")


def _next(directory: Path) -> str:
    """Return an incarnation that is later than all before it, also where the clock was set back: of two definitions the newer stands."""
    last = 0
    for number in _numbers(directory):
        with suppress(OSError, ValueError):
            descriptor = os.open(f"{directory}/{number}.worker", os.O_RDONLY | os.O_CLOEXEC)
            try:
                last = max(last, int(os.read(descriptor, 16), 16))
            finally:
                os.close(descriptor)
    return f"{max(time.time_ns(), last + _LATER):016x}"


def _lock(descriptor: int) -> bool:
    for _ in range(20):
        if _try(descriptor, fcntl.LOCK_EX):
            return True
        # A lock that can be shared is held by nobody for good: somebody else is just looking whether it is.
        if not _try(descriptor, fcntl.LOCK_SH):
            return False
        time.sleep(0.001)
    return False


def _try(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listed(directory: Path) -> list[str]:
    return os.listdir(directory)  # noqa: PTH208 - names are what is wanted


def names(directory: Path) -> list[Name]:
    """Return every life of which there are files, oldest first."""
    matches = filter(None, map(_FILE.fullmatch, _listed(directory)))
    found = {Name(int(match["slot"]), match["incarnation"]) for match in matches}
    return sorted(found, key=lambda name: (name.incarnation, name.slot))


def living(directory: Path) -> set[Name]:
    """Return the lives of all processes that live now.

    Who has files has had its lock before: ask for `names` first, and what is not living then is dead.
    """
    found = ((number, _holder(directory, number)) for number in _numbers(directory))
    return {Name(number, incarnation) for number, incarnation in found if incarnation is not None}


def _numbers(directory: Path) -> list[int]:
    """Return every number that somebody has or had."""
    return [int(match[1]) for match in filter(None, map(_SLOT.fullmatch, _listed(directory)))]


def _holder(directory: Path, number: int) -> str | None:
    try:
        descriptor = os.open(f"{directory}/{number}.worker", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # First the name, then the lock: whoever takes the number writes its name before it makes any file.
        incarnation = os.read(descriptor, 16).decode("ascii", "replace")
        return None if _try(descriptor, fcntl.LOCK_SH) else incarnation
    finally:
        os.close(descriptor)


@contextmanager
def folding(directory: Path, wait: float = 0.0) -> Iterator[bool]:
    """Be the only one that folds, or that cleans; yield whether it is so within `wait` seconds. Raises OSError."""
    descriptor = make(directory / "fold.lock", os.O_RDWR)
    try:
        end = time.monotonic() + wait
        while not (alone := _try(descriptor, fcntl.LOCK_EX)) and time.monotonic() < end:
            time.sleep(0.01)
        yield alone
    finally:
        os.close(descriptor)


def clean(directory: Path) -> bool:
    """Empty a directory that a service has left which is over; return whether. Call it while `folding`.

    Where somebody lives, or lived a moment ago, the numbers go on: a lone worker that crashed comes back to its own.
    """
    if living(directory):
        return False
    own = [directory / name for name in _listed(directory) if _OWN.fullmatch(name)]
    if not own or not (_abandoned(own) or _booted(own)):
        return False
    for path in own:
        with suppress(FileNotFoundError):
            path.unlink()
    return True


def _abandoned(paths: list[Path]) -> bool:
    return time.time() - max(path.stat().st_mtime for path in paths) > FORGOTTEN


def _booted(paths: list[Path]) -> bool:
    """Return whether the machine was started since."""
    written = [path.read_text("ascii", "replace").split()[1:] for path in paths if path.suffix == ".worker"]
    return any(words and words[0] != boot() for words in written)


def boot() -> str:
    """Return what differs each time that the machine starts; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
