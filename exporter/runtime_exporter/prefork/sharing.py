"""This process as one of the workers that share a run directory."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime_exporter.collectors.collector import put
from runtime_exporter.errors import RunDirectoryError
from runtime_exporter.logs import LOGGER, StateLog
from runtime_exporter.metrics.cells import STORE
from runtime_exporter.metrics.workers import Merged, evaluate, join
from runtime_exporter.metrics.workers.ending import DIED
from runtime_exporter.metrics.workers.exemplars import Exemplars, own, show
from runtime_exporter.prefork.alone import Alone, Profiles, Reported
from runtime_exporter.prefork.answering import Answering
from runtime_exporter.prefork.everyone import Everyone
from runtime_exporter.prefork.exposition import Workers
from runtime_exporter.prefork.foreign import Foreign
from runtime_exporter.prefork.gunicorn import before_abort
from runtime_exporter.prefork.pages import routes_of_each, shared_routes
from runtime_exporter.prefork.peers import Peers
from runtime_exporter.prefork.port import SharedPort
from runtime_exporter.prefork.upkeep import Upkeep
from runtime_exporter.web.listener import listen_if_free
from runtime_exporter.web.pprof_pages import pprof_routes
from runtime_exporter.web.summary_pages import summary_routes

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from prometheus_client import CollectorRegistry

    from runtime_exporter.metrics.workers import Worker
    from runtime_exporter.prefork.reports import Reports
    from runtime_exporter.profiling.kept import Kept
    from runtime_exporter.profiling.pipeline import Report
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.settings import Settings
    from runtime_exporter.web.pprof_pages import Sources


class Sharing(Alone):
    """The part of an exporter that makes it one of several workers, which share a run directory.

    Where the directory cannot be used the process is alone: it exposes its own numbers, if nobody else has the port, says so as a
    collector that fails, and tries again whenever that is due. The constructor has no effects; `join` has.

    registry: where the application registers metrics. bring_up_to_date: updates every collector that a scrape would update.
    """

    shares = True

    def __init__(
        self, settings: Settings, registry: CollectorRegistry | None, bring_up_to_date: Callable[[], object]
    ) -> None:
        super().__init__(settings)
        self._directory = Path(settings.run_directory or "")
        self._port = SharedPort(self._directory, *self._place)
        self._bring_up_to_date = bring_up_to_date
        self._foreign = Foreign(registry)
        self._worker: Worker | None = None
        self._merged: Merged | None = None
        self._joining = threading.Lock()
        self._peers = Peers(self._directory)
        self._exemplars = Exemplars(self._directory)
        self._log = StateLog()
        self._answering = Answering(self._peers)
        self._serves_profiles = settings.serves_profiles
        self._profiles = settings.profiling
        self._reports: Reports | None = None
        self._opened = False
        self.collectors = (Upkeep(settings.run_directory_interval, self._keep_up),)

    def speaker(self) -> str:
        """Return who this is among the workers; an empty text where it is alone."""
        return f"worker {self._worker.number}, process {os.getpid()}" if self._worker is not None else ""

    def number(self) -> int | None:
        """Return the number of this worker, None where it is alone."""
        worker = self._worker
        return worker.number if worker is not None else None

    def pprof(self, sources: Sources, keep: Callable[[Profile, str], object], longest: float) -> Profiles:
        """Return where profiles of all workers come from, and their pages; the others may ask for those of this one, once `open`."""
        taking = threading.Lock()
        self._answering.routes += pprof_routes(sources, longest=longest, taking=taking)
        served = Everyone(self._peers, sources, number=self.number, keep=keep)
        routes = shared_routes(served, self._peers, longest=longest, taking=taking)
        return Profiles(routes, Everyone(self._peers, sources, number=self.number).by_kind())

    def reports(self, own: Callable[[], Report | None], kept: Kept | None) -> Reported:
        """Return what the last profiles of all workers came to; `worker=N` is what those of one did."""
        alone = super().reports(own, kept)
        self._answering.routes += alone.routes
        if not self._profiles:
            return Reported(routes_of_each(alone.routes, self._peers), alone.comparisons)
        # Imported now: comparison and advice are much, and nobody needs them who does not profile.
        from runtime_exporter.prefork.reports import reports_of

        reports = self._reports = reports_of(self._directory, kept, own=own, number=self.number)
        routes = summary_routes(reports.summary, advice=reports.advice)
        return Reported(routes_of_each(routes, self._peers), reports.comparisons)

    def open(self) -> None:
        """Become a worker, and answer the others, whichever of them is asked."""
        self._opened = self._serves_profiles
        self.join()

    def join(self) -> None:
        """Become a worker, if there is a run directory. Where it cannot be used, `collectors` tell."""
        with suppress(RunDirectoryError):
            self._join()

    def listen(self) -> socket.socket | None:
        """Return a socket that listens, or None where another process has the port; raises ConfigError as `web.listener.listen` does."""
        number = self.number()
        return self._port.listen(number) if number is not None else listen_if_free(*self._place)

    def exposed(self) -> Sequence[Any] | None:
        """Return what a scrape gets, of all workers, with the values of this one as they are now; None where it is alone."""
        self.join()  # an application that only mounts our pages has not started us
        if self._worker is None or self._merged is None:
            return None
        foreign = self._foreign.collectors()
        put(self._left_out, self._foreign.left_out)
        put(self._conflicting, self._merged.left_out)
        self._bring_up_to_date()
        evaluate(STORE)
        families = self._merged.collected_families()
        show(families, self._exemplars.newest(own(STORE)))
        return (Workers(self._merged), *families, *foreign)

    def close(self) -> None:
        """Let go of the port. The numbers go on to be shared: the process may count as long as it lives."""
        self._opened = False
        self._answering.close()
        self._port.close()

    def forked(self) -> None:
        """In the child of a fork: what it counts is shared already; it joins again to learn its number, and serves if nobody else does."""
        self._port.forked()
        self._answering.forked()
        if self._reports is not None:
            self._reports.forked()
        if self._merged is not None:
            self._merged.forked()
        self._worker = self._merged = None
        self._joining = threading.Lock()

    def _join(self) -> None:
        with self._joining:
            before = self._worker
            if before is None or before.removed:
                self._worker = None
                worker = join(self._directory)
                worker.at_work()
                before_abort(lambda: worker.ends(DIED))
                self._merged = self._merged or Merged(self._directory)
                self._worker = worker
                if before is not None:
                    self._begun_anew(worker.number)
        number = self.number()
        if self._opened and number is not None:
            self._answering.start(number)

    def _begun_anew(self, number: int) -> None:
        """Do again what has left a file in the directory, which somebody has emptied."""
        self._answering.close()
        self._port.renew(number)
        lost = "what workers that are gone had counted is lost"
        LOGGER.warning("%s: emptied by somebody while it was in use; shared anew, but %s", self._directory, lost)

    def _keep_up(self) -> None:
        self._join()
        self._bring_up_to_date()
        worker = self._worker
        if worker is None:  # forked meanwhile
            return
        put(self._unshared, worker.left_out)
        worker.tick()
        self._tell_exemplars(worker.number)
        if worker.left_out:
            raise RunDirectoryError(f"{self._directory}: no room for {worker.left_out} series, which are not exposed")

    def _tell_exemplars(self, number: int) -> None:
        try:
            self._exemplars.write(number, own(STORE))
        except OSError as error:
            self._log.report(
                "exemplars", "failing", f"{self._directory}: other workers do not see new exemplars: {error}"
            )
        else:
            self._log.report("exemplars", "ok", f"{self._directory}: other workers see new exemplars again")
