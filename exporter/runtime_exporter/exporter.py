"""The composition root of a process: makes the parts, introduces them to each other, and holds no logic of its own."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY

from runtime_exporter import forks, logs
from runtime_exporter.collectors import ALL, Supervisor
from runtime_exporter.collectors.asyncio import AsyncioCollector
from runtime_exporter.collectors.exporter import ExporterCollector
from runtime_exporter.collectors.profiles import ProfilesCollector
from runtime_exporter.costs import PROFILING, SCRAPE
from runtime_exporter.http import compiled, default_metrics
from runtime_exporter.metrics.family import withheld_from_birth
from runtime_exporter.prefork.alone import sharing_of
from runtime_exporter.prefork.restart import restart_soon
from runtime_exporter.profiling.alerted import captures_of, shelf_of
from runtime_exporter.profiling.process import Profiling
from runtime_exporter.push import push_of
from runtime_exporter.push.grafana import annotations_of
from runtime_exporter.settings import Settings, load, select
from runtime_exporter.started import STARTED
from runtime_exporter.web.alert import alert_routes
from runtime_exporter.web.api_pages import api_routes
from runtime_exporter.web.app import make_app
from runtime_exporter.web.assembly import server_of
from runtime_exporter.web.health import Health
from runtime_exporter.web.pprof_sources import sources_of
from runtime_exporter.web.profile_pages import profile_routes
from runtime_exporter.web.shared import LONGEST_SECONDS, SharedExposition
from runtime_exporter.web.version import version

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from _typeshed.wsgi import WSGIApplication
    from prometheus_client import CollectorRegistry

    from runtime_exporter.collectors.facts import ProcessReadings
    from runtime_exporter.http import HTTPMetrics
    from runtime_exporter.metrics import Metric
    from runtime_exporter.metrics.exposition import Format
    from runtime_exporter.web.server import Server


class Exporter:
    """Watches this process and serves what it sees. The constructor has no effect on the process; `start` has.

    `registry` is where the application registers metrics of its own: they are served with ours, and where both have a
    family of one name (prometheus_client brings a process and a GC collector), ours stands for it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        registry: CollectorRegistry = REGISTRY,
        http: HTTPMetrics | None = None,
    ) -> None:
        self.settings = settings = settings or Settings()
        self.health = Health(timeout=settings.health_timeout)
        self._registry = registry
        self._http = http or default_metrics(
            route_limit=settings.route_limit,
            error_limit=settings.label_limit,
            buckets=settings.http_buckets,
            body_sizes=settings.http_body_sizes,
        )
        self._sharing = sharing_of(settings, registry, self._bring_up_to_date)
        with withheld_from_birth():  # until the supervisor has run them
            self._itself = ExporterCollector(version(), compiled.used)
            chosen = [ALL[name](settings) for name in select(settings, ALL)]
        self._supervisor = Supervisor(
            [*chosen, self._itself, *self._sharing.collectors],
            budget=settings.overhead_budget,
            patience=settings.scrape_timeout,
            folded=(self._http.folded,),
        )
        self._numbers: ProcessReadings | None = None
        self._push = push_of(settings)
        allowed = self._supervisor.budget.allowed
        self._shared = SharedExposition(
            self.expose,
            allowed=lambda: allowed(SCRAPE),
            patience=settings.scrape_timeout,
            longest=0.0 if self._sharing.shares else LONGEST_SECONDS,  # the worker asked before may have said more
        )
        self.profiling = Profiling(
            settings,
            read=self._readings,
            offer=self._push.offer,
            allowed=lambda: allowed(PROFILING),
            worker=self._sharing.number,
        )
        shelf = shelf_of(self.profiling, settings)
        tell = annotations_of(settings, lambda: self.url)
        longest, store = settings.profile_seconds_limit, self.profiling.store
        taken = self._sharing.pprof(
            sources_of(self.profiling, keep=not self._sharing.shares),
            lambda profile, kind: store and store.put(profile, kind, capture=True),
            longest,
        )
        self._captures = captures_of(self.profiling, settings, shelf, tell, taken.of_workers)
        shown = self._supervisor.collectors.get(ProfilesCollector.name)
        if isinstance(shown, ProfilesCollector):
            shown.continuous, shown.captures = self.profiling.continuous, self._captures
            shown.joint = self.profiling.joint
        reported = self._sharing.reports(lambda: self.profiling.report, shelf.kept)
        routes = (
            *taken.routes,
            *api_routes(shelf.kept),
            *reported.routes,
            *profile_routes(shelf, self._captures, comparisons=reported.comparisons),
            *alert_routes(self._captures, instance=settings.alert_instance, home=lambda: self.url),
        )
        self._routes = routes if settings.serves_profiles else ()
        self._server: Server | None = None
        # Reentrant: a signal handler may close what its own thread is starting.
        self._lock = threading.RLock()
        self._opened = False
        self.yields = False
        """Whether another start in this process closes this one and takes its place; `runtime-exporter run` lets it."""

    @property
    def url(self) -> str:
        """Where it is served, such as "http://127.0.0.1:9464"; empty while it is not."""
        return self._server.url if self._server else ""

    @property
    def wsgi_app(self) -> WSGIApplication:
        """The application that `url` serves, to be mounted in another one instead."""
        speaker = self._sharing.speaker
        return make_app(self.settings, expose=self._shared, health=self.health, routes=self._routes, speaker=speaker)

    def families(self) -> Sequence[Metric]:
        """Return every family that may be exposed, apart from the application's own."""
        return (*self._supervisor.families, *self._own_families())

    def expose(self, form: Format, names: Collection[str] | None = None) -> bytes:
        """Return the exposition in a format; with `names`, only the families and samples that are called so."""
        begin = time.perf_counter()
        exposition = form.render(self._collectors(), names)
        if names is None:
            self._itself.scraped(time.perf_counter() - begin, exposition)
        return exposition

    def _own_families(self) -> tuple[Metric, ...]:
        parts = (self._shared, self._http, self._push, self._sharing)
        return tuple(family for part in parts for family in part.families)

    def _bring_up_to_date(self) -> None:
        self._supervisor.collected_families()

    def _collectors(self) -> Sequence[Any]:
        return self._sharing.exposed() or (self._supervisor, *self._own_families(), self._registry)

    def start(self) -> Exporter:
        """Serve and watch; return self.

        Raises AlreadyStartedError where this process has a started exporter, ConfigError for a setting that cannot be
        followed (a port in use, an unreadable key). After it returned nothing of ours raises into the application.
        In an application that uWSGI loads before it forks, the workers start, and this process does not.
        """
        if self.settings.disabled:
            return self
        if forks.is_before_uwsgi_fork():
            forks.after_uwsgi_fork(self._start_in_worker)
            return self
        logs.configure(level=self.settings.log_level, form=self.settings.log_format)
        STARTED.take(self)
        with self._lock:  # a close() from another thread waits until there is something to close
            self._opened = True
            try:
                self._open()
            except BaseException:
                self._shut()
                raise
            if not self._opened:  # closed by a signal handler meanwhile, which did not see all of it
                self._shut()
                return self
        if self._server is not None and not self._server.waits:
            logs.LOGGER.info("serving %s%s", self.url, self.settings.metrics_path)
        return self

    def close(self) -> None:
        """Stop serving and watching, and give every hook back. A second call does nothing."""
        with self._lock:
            opened, self._opened = self._opened, False
        if opened:
            self._shut()

    def __enter__(self) -> Exporter:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        self._push.start()
        self.profiling.open()
        if self._captures is not None:
            self._captures.open()
        self._sharing.open()
        self._server = server_of(self.wsgi_app, self.settings, listen=self._sharing.listen)
        self._supervisor.start()
        if self._watcher is not None:
            self._http.on_loop(self._watcher.watch)
        self.health.started = True
        atexit.register(self.close)

    def _shut(self) -> None:
        atexit.unregister(self.close)
        self.health.started = False
        self.profiling.close()  # what is being taken ends here, and is answered
        if self._captures is not None:
            self._captures.close()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self._sharing.close()
        if self._watcher is not None:
            self._http.off_loop(self._watcher.watch)
        self._supervisor.close()  # with the last profiles, that are to be pushed
        self._push.close()
        if self._numbers is not None:
            self._numbers.close()
        self._opened = False
        STARTED.release(self)

    @property
    def _watcher(self) -> AsyncioCollector | None:
        collector = self._supervisor.collectors.get(AsyncioCollector.name)
        return collector if isinstance(collector, AsyncioCollector) else None

    def _readings(self) -> ProcessReadings:
        """Return what reads this process's numbers for advice. Asked for only where there is a profiler, which gives it."""
        from runtime_exporter.collectors.facts import ProcessReadings

        self._numbers = ProcessReadings(self._supervisor.collectors)
        return self._numbers

    def after_fork_in_child(self) -> None:
        """Make new locks: another thread may have held the old ones when this process was forked."""
        self._lock = threading.RLock()
        self.profiling.forked()
        self._push.forked()
        if self._captures is not None:
            self._captures.forked()
        self._sharing.forked()
        if self._opened and self._sharing.shares:
            restart_soon(self._restart)

    def _restart(self) -> None:
        """Watch this process as its parent was, unless it was closed or has started an exporter of its own meanwhile."""
        with self._lock:
            if not self._opened or STARTED.exporter is not self:
                return
            self._shut()  # what was inherited of the parent
        self.yields = True
        self._start_in_worker()

    def _start_in_worker(self) -> None:
        try:
            self.start()
        except Exception as error:  # noqa: BLE001 - nobody asked for it here
            logs.LOGGER.warning("a forked process is not watched: %s", error)


forks.after_in_child(STARTED.after_fork_in_child)


def start(**arguments: Any) -> Exporter:
    """Start watching this process and serving what is seen; return the handle with `.url`, `.health` and `.close()`.

    Every setting is a keyword argument (`start(port=0)`); what is not given comes from the environment, from the
    configuration file, or is the default. Raises ConfigError for a bad one, AlreadyStartedError for a second start.
    """
    return Exporter(_where_it_counts(load(arguments))).start()


def _where_it_counts(settings: Settings) -> Settings:
    """Return settings with the directory that this process shares already, as `run` or its parent wanted, if they name none."""
    workers = sys.modules.get("runtime_exporter.metrics.workers")  # who is alone has not imported it
    worker = workers.current() if workers is not None and settings.run_directory is None else None
    if worker is None:
        return settings
    sources = {**settings.sources, "run_directory": "shared already"}
    return replace(settings, run_directory=str(worker.directory), sources=sources)
