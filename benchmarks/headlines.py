"""The few figures that docs/performance.md begins with: what a stranger asks first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.figures import Figure
    from benchmarks.results import Result


@dataclass(frozen=True)
class Headline:
    """What is asked, and which figure answers it, by its report, name, peer and place."""

    text: str
    report: str
    figure: str
    peer: str = ""
    at: float | None = None

    def found(self, results: Mapping[str, Result]) -> Figure | None:
        """Return the figure; None where it was not measured."""
        figures = results[self.report].figures if self.report in results else ()
        wanted = (self.figure, self.peer, self.at)
        return next((one for one in figures if (one.name, one.peer, one.at) == wanted), None)


_BY_HAND, _CLIENT = "prometheus_client by hand", "prometheus_client"
HEADLINES = (
    Headline("a request, over a bare WSGI application", "requests", "WSGI, over the bare application", _BY_HAND),
    Headline("a request, over a bare ASGI application", "requests", "ASGI, over the bare application", _BY_HAND),
    Headline(
        "a request, over a bare FastAPI application of 100 routes",
        "requests",
        "FastAPI, over the bare application",
        "prometheus-fastapi-instrumentator",
        100.0,
    ),
    Headline("a request, over a bare Django application", "requests", "Django by WSGI, over the bare application", "django-prometheus"),
    Headline("a scrape of 10,000 series of a busy service", "exposition", "histograms, text, a busy service", _CLIENT, 10_000),
    Headline("a scrape of four workers, 18,000 series", "prefork", "4 workers, 18,000 series in all", _CLIENT),
    Headline("a series of a histogram, in memory", "memory", "a series of histograms: what is resident", _CLIENT, 100_000),
    Headline("profiling all the time, what the profiler runs itself", "profiling", "CPU that it runs itself, helpers counted, signal", "ddtrace"),
    Headline("all that it does by itself, in 500 threads that are busy with 10,000 routes", "overhead", "500 threads, 10,000 routes, saturated: overhead"),
)  # fmt: skip


def rows(results: Mapping[str, Result]) -> Iterator[tuple[str, str, str, str]]:
    """Yield of each headline that was measured: what, ours, the peer's, and how many times as much ours is."""
    for headline in HEADLINES:
        one = headline.found(results)
        if one is not None:
            theirs = f"{table.amount(one.theirs.middle, one.unit)}, {one.peer}" if one.theirs else ""
            yield (
                headline.text,
                f"**{table.amount(one.ours.middle, one.unit)}**",
                theirs,
                table.times(one.ratio.middle) if one.ratio else "",
            )
