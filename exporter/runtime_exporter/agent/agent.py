"""The composition root of an agent: makes the parts, introduces them to each other, and holds no logic of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runtime_exporter import logs
from runtime_exporter.agent.alerts import alerts_route
from runtime_exporter.agent.collector import AgentCollector
from runtime_exporter.agent.config import load
from runtime_exporter.agent.discovery import MOUNT, discovery_route
from runtime_exporter.agent.fleet import Fleet
from runtime_exporter.agent.outward import Outward
from runtime_exporter.agent.pages import targets_route
from runtime_exporter.collectors import ALL, Supervisor
from runtime_exporter.collectors.exporter import ExporterCollector
from runtime_exporter.errors import ExporterError
from runtime_exporter.settings import select
from runtime_exporter.web.app import make_app
from runtime_exporter.web.assembly import server_of
from runtime_exporter.web.health import Health
from runtime_exporter.web.mount import mounted
from runtime_exporter.web.version import version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication

    from runtime_exporter.agent.watched import Watched
    from runtime_exporter.agent.watcher import Watcher
    from runtime_exporter.metrics import Metric
    from runtime_exporter.metrics.exposition import Format
    from runtime_exporter.settings import Settings
    from runtime_exporter.web.server import Server


class Agent:
    """Profiles the targets in a file and serves what that comes to. The constructor has no effects; `start` has.

    It is watched itself as any Python process: its own /metrics has the collectors that the settings choose.
    """

    def __init__(self, config: Path, settings: Settings) -> None:
        self.settings = settings
        self._outward = Outward(settings, lambda: self.url)
        self.fleet = Fleet(settings, self._outward)
        self.health = Health(timeout=settings.health_timeout)
        self.health.add("targets", self._targets_health, critical=False)
        self._config = config
        self._itself = AgentCollector(self._watchers)
        self._exposition = ExporterCollector(version())
        self._supervisor = Supervisor(
            [*(ALL[name](settings) for name in select(settings, ALL)), self._exposition, self._itself],
            budget=settings.overhead_budget,
            patience=settings.scrape_timeout,
        )
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where it is served; empty while it is not."""
        return self._server.url if self._server is not None else ""

    @property
    def wsgi_app(self) -> WSGIApplication:
        """The application that `url` serves."""
        routes = (
            targets_route(self._watched),
            discovery_route(self._watched, self._netloc),
            *((alerts_route(self._watched),) if self.settings.serves_profiles else ()),
        )
        own = make_app(self.settings, expose=self.expose, health=self.health, routes=routes)
        return mounted(MOUNT, self._app_of, own)

    @property
    def families(self) -> Sequence[Metric]:
        """The families about the targets."""
        return (*self._itself.families, *self._outward.families)

    def expose(self, form: Format, names: Collection[str] | None = None) -> bytes:
        """Return the exposition about the agent itself; with `names`, only the families and samples that are called so."""
        begin = time.perf_counter()
        exposition = form.render([self._supervisor, *self._outward.families], names)
        if names is None:
            self._exposition.scraped(time.perf_counter() - begin, exposition)
        return exposition

    def start(self) -> Agent:
        """Serve and watch; return self. Raises ConfigError for what is wrong in the file or the settings."""
        targets = load(self._config)
        logs.configure(level=self.settings.log_level, form=self.settings.log_format)
        self._server = server_of(self.wsgi_app, self.settings)
        try:
            self._outward.start()
            self.fleet.become(targets)
            self._supervisor.start()
        except BaseException:
            self.close()
            raise
        self._itself.reloaded(successful=True, at=time.time())
        self.health.started = True
        logs.LOGGER.info("agent of %d targets, serving %s", len(targets), self.url)
        return self

    def reload(self) -> bool:
        """Read the file again and watch what it says now; return whether it is right. Where it is not, nothing changes."""
        try:
            change = self.fleet.become(load(self._config))
        except ExporterError as error:
            logs.LOGGER.error("targets not reloaded, the last ones stay: %s", error)
            self._itself.reloaded(successful=False, at=time.time())
            return False
        logs.LOGGER.info("targets reloaded: %s", change)
        self._itself.reloaded(successful=True, at=time.time())
        return True

    def close(self) -> None:
        """Stop watching and serving. A second call does nothing."""
        self.health.started = False
        self.fleet.close()
        self._outward.close()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self._supervisor.close()

    def _app_of(self, name: str) -> WSGIApplication | None:
        watched = self.fleet.watched.get(name)
        return watched.app if watched is not None else None

    def _watched(self) -> Iterable[Watched]:
        return self.fleet.watched.values()

    def _watchers(self) -> Iterable[Watcher]:
        return [one.watcher for one in self._watched()]

    def _netloc(self) -> tuple[str, str]:
        parts = urlsplit(self.url)
        return parts.scheme or "http", parts.netloc

    def _targets_health(self) -> str | None:
        down = [one.name for one in self._watchers() if one.state.up is False]
        return f"{len(down)} of {len(self.fleet.watched)} targets are down: {', '.join(down)}" if down else None
