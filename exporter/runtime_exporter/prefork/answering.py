"""This worker answers the others: what it serves there is of itself alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from runtime_exporter.errors import ConfigError
from runtime_exporter.logs import StateLog
from runtime_exporter.web.app import application_of
from runtime_exporter.web.server import Server

if TYPE_CHECKING:
    from runtime_exporter.prefork.peers import Peers
    from runtime_exporter.web.page import Route


class Answering:
    """Serves `routes` to the other workers, from `start` on. Where that cannot be, it is said once, and tried again by `start`."""

    def __init__(self, peers: Peers) -> None:
        self.routes: tuple[Route, ...] = ()
        self._peers = peers
        self._log = StateLog()
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: the socket is the parent's, and was closed here."""
        self._lock = threading.Lock()
        self._server: Server | None = None

    def start(self, number: int) -> None:
        """Answer as the worker of this number. Without effect where it does."""
        with self._lock:
            if self._server is not None:
                return
            try:
                listener = self._peers.listen(number)
                server = Server(application_of(self.routes), listen=lambda: listener)
                server.start()
            except (OSError, ConfigError, RuntimeError) as error:
                said = "other workers cannot ask this one for profiles, which are of whoever answers"
                self._log.report("answering", "failing", f"{said}: {error}")
                return
            self._server = server
            self._log.report("answering", "ok", "other workers can ask this one for profiles again")

    def close(self) -> None:
        """Stop to answer. A second call does nothing."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()
