"""The composition root of `runtime-exporter serve`: answers for the workers of a run directory from a process of its own."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from runtime_exporter import logs
from runtime_exporter.collectors.exporter import ExporterCollector
from runtime_exporter.errors import ConfigError
from runtime_exporter.metrics.workers import Merged
from runtime_exporter.metrics.workers.exemplars import Exemplars, show
from runtime_exporter.metrics.workers.slots import living
from runtime_exporter.prefork.everyone import Everyone
from runtime_exporter.prefork.exposition import Workers
from runtime_exporter.prefork.foreign import Foreign
from runtime_exporter.prefork.pages import routes_of_each, shared_routes
from runtime_exporter.prefork.peers import Peers
from runtime_exporter.prefork.reports import reports_of
from runtime_exporter.profiling.process import IN_RUN_DIRECTORY, store_of
from runtime_exporter.profiling.shelf import Shelf
from runtime_exporter.web.api_pages import api_routes
from runtime_exporter.web.app import make_app
from runtime_exporter.web.assembly import server_of
from runtime_exporter.web.health import DEGRADED, Health
from runtime_exporter.web.profile_pages import profile_routes
from runtime_exporter.web.summary_pages import summary_routes
from runtime_exporter.web.version import version

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication

    from runtime_exporter.metrics.exposition import Format
    from runtime_exporter.settings import Settings
    from runtime_exporter.web.server import Server


class Service:
    """Serves the numbers of the workers of `directory`, also while none lives. The constructor has no effects; `start` has.

    It is no worker: what it tells of itself is how long its scrapes take. It shows the profiles that workers have left in the
    directory, or in the `profile_directory` of the settings, and asks all who live for those that somebody wants now.
    """

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.settings = settings
        self.health = Health(timeout=settings.health_timeout)
        self.health.add("workers", self._workers_health, critical=False)
        self._directory = directory
        self._merged = Merged(directory)
        self._exemplars = Exemplars(directory)
        self._foreign = Foreign(None)
        self._itself = ExporterCollector(version())
        self._peers = Peers(directory)
        self._shelf = Shelf(
            store_of(replace(settings, run_directory=str(directory))),
            interval=settings.profile_interval,
            about="" if settings.profile_directory else IN_RUN_DIRECTORY,
        )
        self._reports = reports_of(directory, self._shelf.kept)
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where it is served; empty while it is not."""
        return self._server.url if self._server is not None else ""

    @property
    def wsgi_app(self) -> WSGIApplication:
        """The application that `url` serves."""
        routes = (
            *shared_routes(Everyone(self._peers), self._peers, longest=self.settings.profile_seconds_limit),
            *api_routes(self._shelf.kept),
            *routes_of_each(summary_routes(self._reports.summary, advice=self._reports.advice), self._peers),
            *profile_routes(self._shelf, comparisons=self._reports.comparisons),
        )
        shown = routes if self.settings.serves_profiles else ()
        return make_app(self.settings, expose=self.expose, health=self.health, routes=shown)

    def expose(self, form: Format, names: Collection[str] | None = None) -> bytes:
        """Return the exposition; with `names`, only the families and samples that are called so."""
        begin = time.perf_counter()
        self._itself.update()
        families = self._merged.collected_families()
        show(families, self._exemplars.newest({}))
        parts = (Workers(self._merged), *self._itself.families, *families, *self._foreign.collectors())
        exposition = form.render(parts, names)
        if names is None:
            self._itself.scraped(time.perf_counter() - begin, exposition)
        return exposition

    def start(self) -> Service:
        """Serve; return self. Raises ConfigError where there is no such directory, or the address cannot be had."""
        if not self._directory.is_dir():
            problem = "no such directory" if not self._directory.exists() else "not a directory"
            raise ConfigError(f"{self._directory}: {problem}; give the run_directory of the workers")
        closed = self._closed()
        if closed is not None:
            raise ConfigError(f"{closed}: may not be read by this user; serve as the user of the workers")
        logs.configure(level=self.settings.log_level, form=self.settings.log_format)
        self._server = server_of(self.wsgi_app, self.settings)
        self.health.started = True
        logs.LOGGER.info("serving %s%s for the workers of %s", self.url, self.settings.metrics_path, self._directory)
        return self

    def close(self) -> None:
        """Stop serving. A second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _workers_health(self) -> tuple[str, str] | None:
        with suppress(OSError):
            if living(self._directory):
                return None
        closed = self._closed()
        return DEGRADED, "no worker lives" if closed is None else f"{closed}: may not be read by this user"

    def _closed(self) -> Path | None:
        """Return a file of a worker that this user may not read, so that it would be taken for nobody's."""
        return next((file for file in self._directory.glob("*.worker") if not os.access(file, os.R_OK)), None)
