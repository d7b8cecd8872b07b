"""One port for all workers of a run directory, so that one that is replaced leaves no gap."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from runtime_exporter.logs import StateLog
from runtime_exporter.metrics.workers.slots import make
from runtime_exporter.prefork.handover import Handover
from runtime_exporter.prefork.peers import Peers
from runtime_exporter.web.listener import listen_if_free

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class SharedPort:
    """The port that the workers of a directory listen on: with one socket, which they hand to each other (`Handover`).

    Who gets none from the others, as all of them are stopped, listens beside them. SO_REUSEPORT lets in whoever asks for it and is of the
    same user, another service's workers, too, and each of the two services would then answer for the other. So the first worker of a
    directory makes sure that the port is nobody's; that it is the first it knows by a lock on a file in the directory, which every
    listening worker holds shared and which the kernel releases when it dies.

    The child of a fork listens only where no other worker does: it may be one that computes, and lets nobody speak for minutes.
    """

    def __init__(self, directory: Path, address: str, port: int, source: Callable[[str], str]) -> None:
        self._file = directory / f"port-{port}"
        self._place = (address, port, source)
        self._together = port != 0 and hasattr(socket, "SO_REUSEPORT")
        self._stands_in = False
        self._handover = Handover(Peers(directory, "port"), address, port)
        self._listener: socket.socket | None = None
        self._lock = -1
        self._log = StateLog()

    def listen(self, number: int) -> socket.socket | None:
        """Return a socket that listens, or None where another process has the port and this one is to wait. `number`: of this worker.

        Raises ConfigError for an address or a port that cannot be had at all.
        """
        if not self._together:
            return listen_if_free(*self._place)
        self._open()
        listener = None
        try:
            if self._may_listen():
                listener = self._handover.ask(number) or listen_if_free(*self._place, together=True)
            if listener is not None:  # before others are let in, who will ask for it
                self._handover.offer(number, listener)
        finally:
            if listener is None:
                self.close()
            else:
                self._hold(fcntl.LOCK_SH)
                self._tell_others()
        self._listener = listener
        return listener

    def close(self) -> None:
        """Hand over nothing any more, and let go of the lock."""
        self._handover.close()
        self._listener = None
        self._unlock()

    def _unlock(self) -> None:
        descriptor, self._lock = self._lock, -1
        if descriptor >= 0:
            os.close(descriptor)

    def renew(self, number: int) -> None:
        """Make anew the files that there are of this port, if it listens: somebody removed them."""
        if self._lock >= 0:
            self._open()
            self._hold(fcntl.LOCK_SH)
        if self._listener is not None:
            self._handover.offer(number, self._listener)

    def forked(self) -> None:
        """In the child of a fork: the lock and the socket are the parent's."""
        self._handover.forked()
        self._listener = None
        self._unlock()
        self._stands_in = True

    def _open(self) -> None:
        self._unlock()
        with suppress(OSError):  # a full disk is no reason not to listen
            self._lock = make(self._file, os.O_RDWR)

    def _may_listen(self) -> bool:
        if self._lock < 0:
            return not self._stands_in
        if self._hold(fcntl.LOCK_EX | fcntl.LOCK_NB):
            return self._nobody_there()
        # Wait until who is the first is done: it holds the lock exclusively for two calls of bind().
        return not self._stands_in and self._hold(fcntl.LOCK_SH)

    def _nobody_there(self) -> bool:
        probe = listen_if_free(*self._place)
        if probe is None:
            address, port, _ = self._place
            who = f"port {port} of {address} is of a process that does not share {self._file.parent}"
            self._log.report("port", "taken", f"{who}: nobody answers for these workers there")
            return False
        self._log.report("port", "ok", "the port is free again")
        probe.close()
        return True

    def _tell_others(self) -> None:
        """Say so where workers of another port live: a service has one port, and two services in one directory add up."""
        others = [file.name for file in self._file.parent.glob("port-*") if file != self._file and _is_held(file)]
        if not others:
            return
        ports = ", ".join(sorted(name.removeprefix("port-") for name in others))
        who = f"{self._file.parent}: workers that listen at port {ports} live here, too"
        self._log.report(
            "others",
            ports,
            f"{who}; if they are another service's, both are added up: give each a directory of its own",
        )

    def _hold(self, how: int) -> bool:
        """Lock the file, and return whether that worked."""
        if self._lock < 0:
            return False
        try:
            fcntl.flock(self._lock, how)
        except OSError:
            return False
        return True


def _is_held(file: Path) -> bool:
    """Return whether some process holds a lock on a file."""
    with suppress(OSError), file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
