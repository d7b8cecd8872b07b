"""What a scrape of many series costs, beside prometheus_client, by what was counted since the last one.

Ours makes text again only of the series that changed, and in a service most do not between two scrapes. The goals are about a
busy service: a process that answers 100 requests a second, which is the most that one interpreter can where each takes 10 ms, is
scraped every 15 s, and each request counts in one child, by Zipf's law. Told beside it are nothing, a tenth (spread
evenly) and everything; of everything, which no service does but a benchmark may, the same is promised, and it is told by itself.

Each writer has a process of its own, and they are scraped in turns: see `scraped`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Goal, Spread
from benchmarks.harness import figure
from benchmarks.scraped import (
    EVERYTHING,
    OPENMETRICS,
    PEER,
    SERVICE,
    TENTH,
    TEXT,
    TRAFFIC,
    US,
    Scraped,
    alternate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.figures import Item

FASTER = 35
OWN = 11
"""How many times faster an application's own metrics of prometheus_client are at least: what a first prototype reached."""
LINEAR = 1.3
"""How much more a series may take among ten times as many."""
KINDS = ("histograms", "counters")
SECONDS = "counters of seconds"
FORMATS = (TEXT, OPENMETRICS)


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what a scrape costs, by what was counted since the last; that it is linear; and an application's own."""
    series, count = 10_000, 3 if quick else 15
    for kind in KINDS:
        with _beside(US, kind, series) as processes:
            for form in FORMATS:
                for traffic in TRAFFIC:
                    yield from _compared(processes, kind, form, traffic, series, count, _FASTER.get(traffic))
    with _beside(US, SECONDS, series) as processes:
        for traffic in TRAFFIC:
            yield from _compared(processes, SECONDS, TEXT, traffic, series, count)
    for kind in KINDS:
        yield from _line(kind, quick=quick)
    for kind in KINDS:
        with _beside(PEER, kind, series) as processes:
            for form in FORMATS:
                yield from _compared(processes, f"{PEER}'s own {kind}", form, SERVICE, series, count, OWN)


_FASTER = {SERVICE: FASTER, EVERYTHING: FASTER}


@contextmanager
def _beside(library: str, kind: str, series: int) -> Iterator[Mapping[str, Scraped]]:
    """Run ours, twice, which write the metrics of `library`, and prometheus_client that writes its own."""
    with ExitStack() as stack:
        processes = {
            "ours": Scraped(US, library, kind, series),
            "A/A": Scraped(US, library, kind, series),
            PEER: Scraped(PEER, PEER, kind, series),
        }
        for one in processes.values():  # all are started by now: to make so many series takes seconds
            stack.enter_context(one)
        yield processes


def _compared(
    processes: Mapping[str, Scraped],
    kind: str,
    form: str,
    traffic: str,
    series: int,
    count: int,
    faster: int | None = None,
) -> Iterator[Item]:
    name = f"{kind}, {form}, {traffic}"
    timings = alternate(processes, form, traffic, count=count)
    yield figure(name, timings, peer=PEER, at=series, along="series")
    if faster is not None:
        text = f"{series:,} series of {name}: at least {faster} times faster than generate_latest"
        yield Goal(text, name, PEER, at=series, at_most=1 / faster)


def _line(kind: str, *, quick: bool) -> Iterator[Item]:
    """Yield the same with ten times as many series, and again: each takes ten times as long, and no more."""
    name = f"{kind}, {TEXT}, {TENTH}, by the number of series"
    middles = []
    for series in (1_000, 10_000) if quick else (1_000, 10_000, 100_000):
        with _beside(US, kind, series) as processes:
            timings = alternate(processes, TEXT, TENTH, count=3 if quick else 11)
        yield figure(name, timings, peer=PEER, at=series, along="series")
        middles.append((series, timings["ours"].median))
    (few, less), (many, more) = middles[-2:]
    name = f"{kind}, {TEXT}: a series among {many:,} over one among {few:,}"
    yield Figure(name, "", Spread.exactly(more / less * few / many))
    yield Goal(f"{name}: at most {LINEAR}", name, of="ours", at_most=LINEAR)
