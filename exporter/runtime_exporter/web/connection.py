"""One connection of the server: TLS, one request, one answer, each before a deadline."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

from runtime_exporter.costs import COSTS, WEB
from runtime_exporter.web.guard import guarded
from runtime_exporter.web.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

    from runtime_exporter.web.webconfig import WebConfig

_NOT_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nThis is an HTTPS server.\n"
)


class Connection:
    """A client's socket and the thread that answers it. `abort` is for other threads, and safe at any moment."""

    def __init__(self, client: socket.socket, peer: str) -> None:
        self._socket = client
        self._peer = peer
        self._deadline = math.inf
        self._timeout = 0.0
        self._closed = False
        self._lock = threading.Lock()  # between close(), which frees the descriptor, and abort(), which uses it
        self._thread: threading.Thread | None = None

    def start(self, target: Callable[[], None]) -> None:
        """Run `target` on a thread of this connection. Raises RuntimeError where no thread can be started."""
        self._thread = threading.Thread(target=target, name="runtime-exporter-web-client", daemon=True)
        COSTS.start(self._thread, WEB)

    def join(self, seconds: float) -> None:
        """Wait for the thread, unless it is the one that asks."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def is_late(self, now: float) -> bool:
        """Return whether the client should have sent or taken something by `now`."""
        return now > self._deadline

    def expect_client(self) -> None:
        """Start the time in which the client has to do its part."""
        self._deadline = time.monotonic() + self._timeout

    def expect_application(self) -> None:
        """Stop the time: the client has done its part."""
        self._deadline = math.inf

    def answer(self, app: WSGIApplication, config: WebConfig, timeout: float) -> None:
        """Answer one request. What the client does wrong, or fails to do, ends the connection and is nobody's error."""
        self._timeout = timeout
        self.expect_client()
        try:
            self._socket.settimeout(timeout)
            if config.tls and not self._encrypt(config.tls):
                return
            Request(self._socket, self, self._peer, https=config.tls is not None).answer(guarded(app, config))
        except (OSError, ValueError):
            # Gone, too slow, not TLS: the client's affair. ValueError is what a file of a closed socket says.
            return

    def abort(self) -> None:
        """End the connection: what its thread waits for fails at once."""
        with self._lock:
            if not self._closed:
                self._shut(socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the socket, telling the client that this was all. For the thread of the connection."""
        with self._lock:
            self._say_goodbye()
            self._shut(socket.SHUT_WR)
            self._closed = True
            self._socket.close()

    def let_go(self) -> None:
        """Free the descriptor in a child of fork(): without a lock, and without a word to the client, who is the parent's."""
        self._closed = True
        descriptor = self._socket.detach()
        if descriptor >= 0:
            os.close(descriptor)

    def _say_goodbye(self) -> None:
        if isinstance(self._socket, ssl.SSLSocket):
            # Sends close_notify; not to wait for the client's own is the point of setblocking.
            with contextlib.suppress(OSError, ValueError):
                self._socket.setblocking(False)
                self._socket.unwrap()

    def _shut(self, how: int) -> None:
        # The plain socket's own: SSLSocket's forgets the session under the hands of the thread that uses it.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, how)

    def _encrypt(self, context: ssl.SSLContext) -> bool:
        plain = self._socket
        self._socket = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        try:
            self._socket.do_handshake()
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                socket.socket.sendall(self._socket, _NOT_TLS)
            return False
        return True
