"""The socket at which a worker listens, handed to those that come later, so that all take connections from one queue.

With a queue each (`SO_REUSEPORT`), the kernel deals a worker its share also while that is stopped, hangs in C or is about to be
killed, and who is in its queue waits in vain. From one queue whoever is free takes the next, and it stays when a worker goes.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import WEB
from runtime_exporter.ownthread import OwnThread

if TYPE_CHECKING:
    from threading import Event

    from runtime_exporter.prefork.peers import Peers

_PATIENCE: Final = 0.5
"""Seconds that a worker has to hand over its socket; one that is stopped never does."""
_IN_ALL: Final = 2.0
"""Seconds in which one of them must have done so: a program that starts waits for it."""
_LONGEST: Final = 512
"""Bytes of the word that comes with the socket: an address, a port and a namespace."""


class Handover:
    """Gives the listening socket of this worker to others of the directory, and asks them for theirs.

    `peers` are the files at which workers are asked for it. `address` and `port` are as they were configured.
    """

    def __init__(self, peers: Peers, address: str, port: int) -> None:
        self._peers = peers
        self._word = f"{address} {port} {_network()}".encode()
        self._door: socket.socket | None = None
        self._thread = OwnThread("runtime-exporter-port", WEB)

    def forked(self) -> None:
        """In the child of a fork: who gives is the parent."""
        self._thread.forked()
        door, self._door = self._door, None
        if door is not None:
            door.close()

    def ask(self, number: int) -> socket.socket | None:
        """Return the socket that another worker listens at, None where nobody hands one over. `number`: who asks."""
        until = time.monotonic() + _IN_ALL
        for other in self._peers.numbers():
            if other == number or time.monotonic() >= until:
                continue
            with suppress(OSError):
                found = self._asked(other)
                if found is not None:
                    return found
        return None

    def offer(self, number: int, listener: socket.socket) -> None:
        """Give `listener` to whoever asks this worker, from now on. Where that cannot be, others listen for themselves."""
        self.close()
        with suppress(OSError, RuntimeError):  # a full disk, or no thread can be started
            self._door = self._peers.listen(number)
            self._door.setblocking(True)
            self._thread.start(self._give, self._door, listener)

    def close(self) -> None:
        """Give nothing any more."""
        door, self._door = self._door, None
        if door is not None:
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
            door.close()
        self._thread.close(_PATIENCE)

    def _give(self, stop: Event, door: socket.socket, listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                client, _ = door.accept()
            except ConnectionAbortedError:
                continue
            except OSError:  # closed
                return
            with client, suppress(OSError):  # gone again, or the listener was closed meanwhile
                client.settimeout(_PATIENCE)
                socket.send_fds(client, [self._word], [listener.fileno()])

    def _asked(self, other: int) -> socket.socket | None:
        """Return what a worker hands over, None where that is of another place. Raises OSError."""
        with self._peers.connected(other, _PATIENCE) as client:
            word, descriptors, _, _ = socket.recv_fds(client, _LONGEST, 1, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
        for descriptor in descriptors:
            if word == self._word:
                os.set_inheritable(descriptor, False)
                listener = socket.socket(fileno=descriptor)
                listener.setblocking(False)
                return listener
            os.close(descriptor)
        return None


def _network() -> str:
    """Return what differs between network namespaces: a volume may be shared by containers, each of which has ports of its own."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/net")  # noqa: PTH115 - it is no path
    return ""
