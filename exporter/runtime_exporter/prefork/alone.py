"""A process that shares its numbers with nobody, and what makes it one that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runtime_exporter.metrics import Counter, Gauge
from runtime_exporter.web.listener import listen
from runtime_exporter.web.pprof_pages import pprof_routes
from runtime_exporter.web.summary_pages import summary_routes

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from prometheus_client import CollectorRegistry

    from runtime_exporter.collectors import Collector
    from runtime_exporter.metrics import Metric
    from runtime_exporter.profiling.kept import Kept
    from runtime_exporter.profiling.pipeline import Report
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.settings import Settings
    from runtime_exporter.web.page import Route
    from runtime_exporter.web.pprof_pages import Sources

ENDED: Final = (
    "runtime_exporter_workers_ended_total",
    "Processes that this exposition speaks for and that are gone: those that left in order, died, or said nothing of it.",
    ("how",),
)
"""Name, help and labels of the counter of lives that are over. Who is alone has none: the next one begins at zero."""


class Profiles(NamedTuple):
    """The pages with profiles that somebody asks for, and by kind what takes one of several workers over some seconds."""

    routes: tuple[Route, ...]
    of_workers: Mapping[str, Callable[[float], Profile]]


class Reported(NamedTuple):
    """The pages of what the last profiles came to, and what tells the last comparisons with the past by kind of profile."""

    routes: tuple[Route, ...]
    comparisons: Callable[[], Mapping[str, Any]]


def compared(report: Report | None) -> Mapping[str, Any]:
    """Return the comparisons of a report; none where there is no report."""
    return report.comparisons if report is not None else {}


class Alone:
    """The part of an exporter that has to do with other workers, where there are none. `Sharing` is the other kind."""

    collectors: tuple[Collector, ...] = ()
    """What is to be run in the background for the others."""
    shares = False
    """Whether there is a run directory in the settings."""

    def __init__(self, settings: Settings) -> None:
        self._place = (settings.address, settings.port, settings.source)
        self._left_out = Gauge(
            "runtime_exporter_left_out_collectors",
            "Collectors of the application that are not exposed, because their values are of one worker only.",
            registry=None,
            multiprocess_mode="livemostrecent",
        )
        self._unshared = Gauge(
            "runtime_exporter_unshared_series",
            "Series that are not exposed, because the files of their worker in the run directory have no room for them.",
            registry=None,
            multiprocess_mode="livesum",
        )
        self._conflicting = Gauge(
            "runtime_exporter_conflicting_series",
            "Series that are not exposed, because a worker of another version defines their family otherwise.",
            registry=None,
            multiprocess_mode="livemostrecent",
        )
        ended = Counter(*ENDED, registry=None)
        self.families: tuple[Metric, ...] = (self._left_out, self._unshared, self._conflicting, ended)
        for family in self.families:
            family.hidden = True

    def speaker(self) -> str:
        """Return who this is among the workers; an empty text where it is alone."""
        return ""

    def number(self) -> int | None:
        """Return the number of this worker, None where it is alone."""
        return None

    def pprof(self, sources: Sources, keep: Callable[[Profile, str], object], longest: float) -> Profiles:  # noqa: ARG002 - see `Sharing`
        """Return the pages with profiles that somebody asks for, each of which takes `longest` seconds at most.

        sources: where those of this process come from. keep: is given what such a page took of several workers, and its kind.
        """
        return Profiles(pprof_routes(sources, longest=longest), {})

    def join(self) -> None:
        """Become a worker, if there is a run directory. Where it cannot be used, `collectors` tell."""

    def listen(self) -> socket.socket | None:
        """Return a socket that listens, or None where another process has the port; raises ConfigError as `web.listener.listen` does."""
        return listen(*self._place)

    def exposed(self) -> Sequence[Any] | None:
        """Return what a scrape gets, of all workers, with the values of this one as they are now; None where it is alone."""
        return None

    def reports(self, own: Callable[[], Report | None], kept: Kept | None) -> Reported:  # noqa: ARG002 - see `Sharing`
        """Return what the last profiles came to. own: gives the report of this process. kept: where several leave theirs."""
        return Reported(summary_routes(lambda _: own()), lambda: compared(own()))

    def open(self) -> None:
        """Become a worker, if there is a run directory, and answer the others. Where it cannot be used, `collectors` tell."""

    def close(self) -> None:
        """Let go of the port. The numbers go on to be shared: the process may count as long as it lives."""

    def forked(self) -> None:
        """In the child of a fork: what it counts is shared already; it joins again to learn its number, and serves if nobody else does."""


def sharing_of(settings: Settings, registry: CollectorRegistry | None, bring_up_to_date: Callable[[], object]) -> Alone:
    """Return the part for a process with these settings; see `Sharing`."""
    if settings.run_directory is None:
        return Alone(settings)
    # Imported now: who is alone needs nothing of it.
    from runtime_exporter.prefork.sharing import Sharing

    return Sharing(settings, registry, bring_up_to_date)
