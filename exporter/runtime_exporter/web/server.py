"""The exporter's own HTTP server: a WSGI application on a few daemon threads, made so that no client can hurt the host.

One request a connection, each on a thread of its own, a bounded number of them; what a client does to a connection (nothing, one
byte a second, a handshake that never ends) happens on that thread and ends at a deadline. No look-up of names, no log line a request.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import select
import socket
import threading
import time
import weakref
from typing import TYPE_CHECKING

from runtime_exporter import forks
from runtime_exporter.costs import COSTS, WEB
from runtime_exporter.errors import ConfigError
from runtime_exporter.logs import StateLog
from runtime_exporter.web.connection import Connection
from runtime_exporter.web.listener import is_shared, url_at, url_of
from runtime_exporter.web.listener import listen as listen_alone
from runtime_exporter.web.webconfig import PLAIN, WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

    from runtime_exporter.web.webconfig import WebConfigFile

_SWEEP_SECONDS = 0.5
_PAUSE_SECONDS = 0.1  # after accept() failed for want of file descriptors: they come back when a connection ends
_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.05  # between two looks whether a connection has ended
_RETRY_SECONDS = 1.0  # while the port is another process's
_TURN_SECONDS = 0.002  # in which others that have the same socket may take what comes, who had none last


class Server:
    """Serves one WSGI application on one address. The constructor only remembers; `start` opens the socket."""

    def __init__(
        self,
        app: WSGIApplication,
        address: str = "127.0.0.1",
        port: int = 0,
        web_config: WebConfigFile | None = None,
        *,
        connections_limit: int = 32,
        timeout: float = 10.0,
        source: Callable[[str], str] = lambda _: "argument",
        listen: Callable[[], socket.socket | None] | None = None,
    ) -> None:
        """`timeout` is the seconds a client has to send its request, and to take each part of the answer.

        `source` tells where a setting came from, for the error that names it. `listen` gives the socket that listens in the place
        of one that has the address and port for itself, or None for now: then it is asked again each second.
        """
        self._app = app
        self._address = address
        self._port = port
        self._web_config = web_config
        self._limit = connections_limit
        self._timeout = timeout
        self._listen = listen or functools.partial(listen_alone, address, port, source)
        self._log = StateLog()
        self._listener: socket.socket | None = None
        self._shared = False
        self._had_turn = False
        self._waker: tuple[socket.socket, socket.socket] | None = None
        self._acceptor: threading.Thread | None = None
        self._connections: set[Connection] = set()
        self._lock = threading.RLock()  # reentrant: close() may come from a signal handler while its thread closes
        self._closing = False
        self._url = ""

    @property
    def url(self) -> str:
        """Where it listens, or waits until it may, such as "http://127.0.0.1:9464"; empty before `start`."""
        return self._url

    @property
    def waits(self) -> bool:
        """Whether another process has the port, so that this one does not serve yet."""
        return self._listener is None

    def config(self) -> WebConfig:
        """Return the web configuration as it is now."""
        return self._web_config.current() if self._web_config else PLAIN

    def start(self) -> None:
        """Open the socket and serve. Raises `ConfigError` for an address or port that cannot be had."""
        self._take_place()
        self._waker = socket.socketpair()
        _close_in_children(self)
        acceptor = threading.Thread(target=self._accept_all, name="runtime-exporter-web", daemon=True)
        try:
            COSTS.start(acceptor, WEB)
        except RuntimeError:  # no thread can be started
            for end in (self._listener, *self._waker):
                if end is not None:
                    end.close()
            raise
        self._acceptor = acceptor

    def close(self) -> None:
        """Stop: no new connection, two seconds for those that are being answered, then none is left. A second call does nothing."""
        with self._lock:
            first, self._closing = not self._closing, True
        if not first or self._acceptor is None or self._waker is None:
            return
        self._wake()
        self._acceptor.join()
        deadline = time.monotonic() + _GRACE_SECONDS
        if self._listener is not None:
            # Who waits in the queue is connected already; where several processes listen, others would have answered.
            with contextlib.suppress(OSError):
                while self._has_room(deadline) and self._accept(self._listener):
                    pass
            self._listener.close()
        for connection in self._open_connections():
            connection.join(max(0.0, deadline - time.monotonic()))
            connection.abort()
        for connection in self._open_connections():
            connection.join(_GRACE_SECONDS)
        for end in self._waker:
            end.close()

    def _has_room(self, deadline: float) -> bool:
        """Return whether there is room for a connection; where all are taken, wait until one ends."""
        while len(connections := self._open_connections()) >= self._limit and time.monotonic() < deadline:
            connections[0].join(_LOOK_SECONDS)
        return len(connections) < self._limit

    def _open_connections(self) -> tuple[Connection, ...]:
        with self._lock:
            return tuple(self._connections)

    def _accept_all(self) -> None:
        while self._listener is None and not self._closing:
            self._wait_for_place()
        while not self._closing:
            problem = self._accept_or_sweep()
            if problem:
                self._log.report("accept", problem, f"cannot accept connections: {problem}")
                time.sleep(_PAUSE_SECONDS)
            else:
                self._log.report("accept", "ok", "accepting connections again")

    def _take_place(self) -> None:
        tls = self.config().tls is not None
        listener = self._listen()
        if listener is None:
            self._url = url_at(self._address, self._port, tls=tls)
            self._log.report("listen", "waiting", f"another process serves {self._url}", level=logging.DEBUG)
            return
        self._url = url_of(listener, tls=tls)
        self._log.report("listen", "ok", f"serving {self._url}")
        self._shared = is_shared(listener)
        self._listener = listener

    def _wait_for_place(self) -> None:
        """Try to get the port, or wait a moment until the next time."""
        if self._waker is None or _readable([self._waker[0]], _RETRY_SECONDS):
            return
        try:
            self._take_place()
        except ConfigError as error:
            self._log.report("listen", str(error), str(error))

    def _accept_or_sweep(self) -> str:
        """Wait for one event, and see to it: a connection (where there is room), the end of one, or time to sweep.

        Return what is wrong where no connection can be accepted, or an empty text.
        """
        if self._listener is None or self._waker is None:
            return ""
        connections = self._open_connections()
        room = len(connections) < self._limit
        wanted = [self._waker[0], self._listener] if room else [self._waker[0]]
        ready = _readable(wanted, _SWEEP_SECONDS if connections else None)
        if self._waker[0] in ready:
            self._waker[0].recv(4096)
        now = time.monotonic()
        for connection in connections:
            if connection.is_late(now):
                connection.abort()
        if self._listener not in ready or self._closing:
            return ""
        if self._had_turn:  # the kernel wakes all, and the same one would be the first again and again
            time.sleep(_TURN_SECONDS)
        try:
            self._had_turn = self._accept(self._listener) and self._shared
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _accept(self, listener: socket.socket) -> bool:
        """Begin with the connection that waits longest, if there is one; return whether there was. Raises OSError."""
        try:
            client, peer = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # gone again
            return False
        # A socket that is a file has no address of who comes.
        self._begin(Connection(client, str(peer[0]) if isinstance(peer, tuple) else ""))
        return True

    def _begin(self, connection: Connection) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            connection.start(lambda: self._answer(connection))
        except RuntimeError as error:  # no thread can be started
            self._log.report("thread", "none", f"a connection was refused: {error}")
            self._end(connection)

    def _answer(self, connection: Connection) -> None:
        try:
            connection.answer(self._app, self.config(), self._timeout)
        except Exception as error:  # noqa: BLE001 - never into the host, nor to its threading.excepthook
            self._log.report("answer", type(error).__qualname__, f"a connection failed: {error!r}")
        finally:
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            full = len(self._connections) >= self._limit
            self._connections.discard(connection)
        if full:
            self._wake()

    def _wake(self) -> None:
        if self._waker:
            with contextlib.suppress(OSError):  # closed, or full of such calls already
                self._waker[1].send(b"x")

    def close_in_child(self) -> None:
        """Let go of the sockets in a forked child, without a lock: its threads are the parent's and do not run here."""
        self._lock = threading.RLock()  # one of them may have held the old one
        self._closing = True
        for end in (self._listener, *(self._waker or ())):
            if end is not None:
                end.close()
        for connection in tuple(self._connections):
            connection.let_go()


def _readable(sockets: list[socket.socket], timeout: float | None) -> list[socket.socket]:
    """Return those that can be read; select() itself cannot take a descriptor above 1023."""
    poller = select.poll()
    by_descriptor = {one.fileno(): one for one in sockets}
    for descriptor in by_descriptor:
        poller.register(descriptor, select.POLLIN)
    events = poller.poll(None if timeout is None else timeout * 1000)
    return [by_descriptor[descriptor] for descriptor, _ in events]


_started: weakref.WeakSet[Server] = weakref.WeakSet()
_hooked = threading.Event()


def _close_in_children(server: Server) -> None:
    """Have a forked child close the sockets of `server`: else the port stays taken as long as a child lives."""
    _started.add(server)
    if not _hooked.is_set():
        _hooked.set()
        forks.after_in_child(_after_fork_in_child)


def _after_fork_in_child() -> None:
    for server in tuple(_started):
        server.close_in_child()
