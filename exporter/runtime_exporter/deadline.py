"""An end for an exchange over a socket, whatever the other side does.

A socket's own timeout is for each piece that arrives: who sends a byte a second would never be too slow.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from runtime_exporter.sigmask import start_without_signals

if TYPE_CHECKING:
    from typing_extensions import Self

THREAD_NAME: Final = "runtime-exporter-deadline"


class Deadline:
    """While it is entered, the socket that it was told of is shut down after so many seconds, or when somebody says so."""

    def __init__(self, seconds: float) -> None:
        self.ended = ""
        """Why it was ended; empty where it was not."""
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        self._timer = threading.Timer(self._seconds, self.end, (f"no whole answer within {self._seconds:.0f} s",))
        self._timer.name, self._timer.daemon = THREAD_NAME, True
        start_without_signals(self._timer)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()  # at once: it waits for nothing else
            self._timer = None  # its arguments know us

    def watch(self, connected: socket.socket) -> None:
        """Take note of the socket, once it is connected. Raises TimeoutError where it is too late already."""
        self._socket = connected
        if self.ended:
            raise TimeoutError(self.ended)

    def end(self, why: str) -> None:
        """Let whoever waits for the socket wait no longer. What is read until then looks like all there is: see `ended`."""
        self.ended = self.ended or why
        if self._socket is not None:
            with suppress(OSError):
                # Past TLS, which would take away from the reading thread what it reads with.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
