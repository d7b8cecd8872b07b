"""The server that the settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.web.server import Server
from runtime_exporter.web.webconfig import WebConfigFile

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

    from runtime_exporter.settings import Settings


def server_of(
    app: WSGIApplication, settings: Settings, *, listen: Callable[[], socket.socket | None] | None = None
) -> Server:
    """Return a started server of `app`; `listen` as `Server` has it. Raises ConfigError for a setting that cannot be followed."""
    path = settings.web_config_file
    server = Server(
        app,
        settings.address,
        settings.port,
        WebConfigFile(path, source=settings.source("web_config_file")) if path else None,
        connections_limit=settings.web_connections_limit,
        timeout=settings.web_timeout,
        source=settings.source,
        listen=listen,
    )
    server.start()
    return server
