"""Which exporter of this process is started: the one global state there is."""

from __future__ import annotations

import os
import threading
from typing import Final, Protocol

from runtime_exporter.errors import AlreadyStartedError


class Startable(Protocol):
    """What is started once in a process."""

    yields: bool
    """Whether another one closes this one and takes its place."""

    @property
    def url(self) -> str:
        """Where it is served."""

    def close(self) -> None:
        """Give back all that it has taken of the process."""

    def after_fork_in_child(self) -> None:
        """Follow its process into the child of a fork."""


class Started:
    """The place of the started exporter. What was started before a fork runs in the parent; its child may start one of its own."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # reentrant: a signal handler may close what its own thread is starting
        self.exporter: Startable | None = None
        self._pid = 0

    def take(self, exporter: Startable) -> None:
        """Let an exporter be the started one. Raises AlreadyStartedError where there is one that does not yield."""
        current = self.exporter
        if current is not None and current.yields and self._pid == os.getpid():
            current.close()
        with self.lock:
            if self.exporter is not None and self._pid == os.getpid():
                raise AlreadyStartedError(
                    f"this process has an exporter already, at {self.exporter.url}: close() it before starting another"
                )
            self.exporter, self._pid = exporter, os.getpid()

    def release(self, exporter: Startable) -> None:
        """Let nobody be the started one, if it is this one."""
        with self.lock:
            if self.exporter is exporter:
                self.exporter = None

    def after_fork_in_child(self) -> None:
        """Make a new lock, since another thread may have held the old one, and have the exporter follow."""
        self.lock = threading.RLock()
        if self.exporter is not None:
            self.exporter.after_fork_in_child()


STARTED: Final = Started()
"""That of this process."""
