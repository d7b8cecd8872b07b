"""Who may change a file: what is run, and what says so, must be in nobody's hands but root's and those of whom we run as."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_ROOT = 0


def distrust(path: Path | str) -> str:
    """Return why a file is not to be trusted, with what would mend it, or an empty text. Raises OSError where there is none.

    As sshd judges a file of keys: it, and every directory on the way to it, belongs to root or to us, and neither its group nor others
    may write to it. In a directory with the sticky bit, such as /tmp, others cannot replace what is not theirs; a file system that is
    mounted read-only is written to by nobody, whatever the modes say (as Kubernetes mounts a ConfigMap).
    """
    reasons = (_reason(each, os.stat(each)) for each in _on_the_way(Path(path)))  # noqa: PTH116 - follows links, as a run does
    return next((reason for reason in reasons if reason), "")


def _on_the_way(path: Path) -> Iterator[Path]:
    """Yield a file and the directories above it; where links lead elsewhere, also those of there."""
    given, real = Path(os.path.abspath(path)), path.resolve()  # noqa: PTH100 - resolves no links
    yield from (given, *given.parents)
    if real != given:
        yield from (real, *real.parents)


def _reason(path: Path, status: os.stat_result) -> str:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return ""
    if status.st_uid not in (_ROOT, os.geteuid()):
        return f"{path} belongs to somebody else (user {status.st_uid}), who may so have commands run: chown"
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & _OF_OTHERS and not sticky:
        who = "everybody" if status.st_mode & stat.S_IWOTH else "its group"
        return f"{path}: {who} may write to it, and so have commands run: chmod go-w {path}"
    return ""
