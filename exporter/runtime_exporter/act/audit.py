"""The audit log: a line of JSON for each thing that was asked, refused, begun and ended. Without it nothing is run."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.act.policy import Run
from runtime_exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGUN: Final = "begun"
_READ_BACK_BYTES: Final = 1024 * 1024


class Audit:
    """Appends to a file that only its owner can read. It is opened for each line, so that logrotate may move it away.

    A symbolic link in its place is not followed, since whoever put it there would have us write elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise ConfigError where the log cannot be written."""
        try:
            self._append(b"")
        except OSError as error:
            text = f"audit_log = {str(self._path)!r}: {error.strerror}"
            raise ConfigError(text, setting="audit_log", value=str(self._path)) from None

    def write(self, event: str, **fields: Any) -> None:
        """Write one event down. Raises OSError where that is not possible."""
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        row = {"time": at, "event": event, **fields}
        self._append(json.dumps(row, ensure_ascii=True).encode() + b"\n")

    def runs(self, *, since: float) -> Iterator[Run]:
        """Yield the commands that were begun after a time in seconds since the epoch, the oldest first: for cool-downs after a restart.

        Of a log that is large the last part is read. A line that somebody has changed is skipped.
        """
        try:
            with open(self._open(os.O_RDONLY), "rb") as file:  # noqa: PTH123 - a descriptor
                file.seek(max(0, file.seek(0, os.SEEK_END) - _READ_BACK_BYTES))
                lines = file.read(_READ_BACK_BYTES).splitlines()
        except OSError:
            return
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                row = json.loads(line)
                if row["event"] == BEGUN and row["at"] >= since:
                    yield Run(
                        str(row["action"]), tuple(map(str, row["command"])), str(row["episode"]), float(row["at"])
                    )

    def _append(self, line: bytes) -> None:
        with self._lock:
            descriptor = self._open(os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                written = os.write(descriptor, line)
            finally:
                os.close(descriptor)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _open(self, flags: int) -> int:
        """Return a descriptor of the log. Raises OSError where it is no plain file."""
        try:
            # Without waiting: a pipe in its place would hold us up until somebody reads it.
            descriptor = os.open(self._path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise OSError(errno.ELOOP, "it is a symbolic link, which is not followed", str(self._path)) from None
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no plain file", str(self._path))
        return descriptor


def now() -> float:
    """Return seconds since the epoch: cool-downs hold over a restart."""
    return time.time()
