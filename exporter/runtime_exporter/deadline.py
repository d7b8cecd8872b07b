"""An end for an exchange over a socket, whatever the other side does.

A socket's own timeout is for each piece that arrives: who sends a byte a second would never be too slow.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import COSTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

THREAD_NAME: Final = "runtime-exporter-deadline"
_LOOK_SECONDS: Final = 0.25
"""How long it may take until it is noticed that nobody wants an answer any more."""


class Deadline:
    """While it is entered, the socket that it was told of is shut down after so many seconds, or when somebody says so.

    `unwanted` is asked now and then, and says so by returning True.
    """

    def __init__(self, seconds: float, unwanted: Callable[[], bool] | None = None) -> None:
        self.ended = ""
        """Why it was ended; empty where it was not."""
        self.seconds = seconds
        """From the start to the end."""
        self._socket: socket.socket | None = None
        self._unwanted = unwanted
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._wait, name=THREAD_NAME, daemon=True)
        COSTS.start(self._thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()  # at once: it waits for nothing else
            self._thread = None  # it knows us

    def watch(self, connected: socket.socket) -> None:
        """Take note of the socket, once it is connected. Raises TimeoutError where it is too late already."""
        self._socket = connected
        if self.ended:
            raise TimeoutError(self.ended)

    def _wait(self) -> None:
        until = time.monotonic() + self.seconds
        while (left := until - time.monotonic()) > 0:
            if self._over.wait(left if self._unwanted is None else min(left, _LOOK_SECONDS)):
                return
            if self._unwanted is not None and self._unwanted():
                self.end("nobody waits for the answer any more")
                return
        self.end(f"no whole answer within {self.seconds:.0f} s")

    def end(self, why: str) -> None:
        """Let whoever waits for the socket wait no longer. What is read until then looks like all there is: see `ended`."""
        self.ended = self.ended or why
        if self._socket is not None:
            with suppress(OSError):
                # Past TLS, which would take away from the reading thread what it reads with.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
