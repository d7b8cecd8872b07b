"""What a scrape of many series costs, beside prometheus_client, and how much of it by what changed since the last one.

Most series of a service do not change between two scrapes, and ours makes text of a counter again only where it did. Told are
none, a tenth (spread evenly, which is the worst place for them) and all; the goal is that with a tenth. For prometheus_client it is
one. Histograms are always written anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import prometheus_client as peer
from prometheus_client.openmetrics import exposition as peer_openmetrics

from benchmarks.figures import Figure, Goal, Spread
from benchmarks.harness import figure, rounds
from runtime_exporter import metrics
from runtime_exporter.metrics.openmetrics import exposition as openmetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item
    from benchmarks.harness import Timing

FASTER = 35
OWN = 11
"""How many times faster an application's own metrics of prometheus_client are at least: what a first prototype reached."""
CHANGED = (0.0, 0.1, 1.0)
USUAL = 0.1
LINEAR = 1.3
"""How much more a series may take among ten times as many."""
NAME = "http_server_request_duration_seconds"
Write = Callable[[Any], bytes]
LABELS = ["http_request_method", "http_route", "http_response_status_code"]


def histograms(library: Any, series: int) -> Any:
    """Return a registry of `library` with histograms of 17 series a child (15 buckets, count, sum)."""
    registry = metrics.CollectorRegistry()
    histogram = library.Histogram(NAME, "Duration.", LABELS, registry=registry)
    numbers = random.Random(1)
    for number in range(series // 17):
        child = histogram.labels("GET", f"/api/v1/items/{number}", "200")
        for _ in range(3):
            child.observe(numbers.expovariate(3))
    return registry


def counters(library: Any, series: int) -> Any:
    """Return a registry of `library` with a counter of as many children."""
    registry = metrics.CollectorRegistry()
    counter = library.Counter("shop_orders_total", "Orders.", ["customer"], registry=registry)
    for number in range(series):
        counter.labels(f"customer-{number}").inc(number)
    return registry


@dataclass(frozen=True)
class Subject:
    """The same series in both libraries."""

    name: str
    build: Callable[[Any, int], Any]
    touch: Callable[[Any], object]
    """Changes a child."""

    def pair(self, series: int, share: float) -> tuple[Any, Any, Callable[[], None]]:
        """Return ours, theirs, and what changes a share of the children of both."""
        ours, theirs = self.build(metrics, series), self.build(peer, series)
        families = [next(iter(registry._collector_to_names)) for registry in (ours, theirs)]
        children = [[*family._metrics.values()] for family in families]
        numbers = random.Random(2)

        def change() -> None:
            for number in numbers.sample(range(len(children[0])), round(len(children[0]) * share)):
                for some in children:
                    self.touch(some[number])

        return ours, theirs, change


SUBJECTS = (
    Subject("histograms", histograms, lambda child: child.observe(0.3)),
    Subject("counters", counters, lambda child: child.inc()),
)
FORMATS = (
    ("text", metrics.generate_latest, peer.generate_latest),
    ("OpenMetrics", openmetrics.generate_latest, peer_openmetrics.generate_latest),
)


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what a scrape costs, by how many series changed since the last; that it is linear; and an application's own."""
    peer.disable_created_metrics()  # as ours by default: the same series on both sides
    series, count = (2_000, 5) if quick else (10_000, 15)
    for subject in SUBJECTS:
        for label, write, peer_write in FORMATS:
            for share in CHANGED:
                name = f"{subject.name}, {label}, {share:.0%} changed"
                timings = _scrapes(subject, write, peer_write, series, share, count)
                yield figure(name, timings, peer="prometheus_client", at=series, along="series")
                if share == USUAL:
                    yield Goal(
                        f"{series:,} series of {name}: at least {FASTER} times faster than generate_latest",
                        name,
                        "prometheus_client",
                        at=series,
                        at_most=1 / FASTER,
                    )
    for subject in SUBJECTS:
        yield from _line(subject, quick=quick)
    for subject in SUBJECTS:
        yield from _application(subject, series, count)


def _scrapes(
    subject: Subject, write: Write, peer_write: Write, series: int, share: float, count: int
) -> dict[str, Timing]:
    ours, theirs, change = subject.pair(series, share)
    return rounds(
        {"ours": partial(write, ours), "A/A": partial(write, ours), "prometheus_client": partial(peer_write, theirs)},
        count=count,
        before=change,
    )


def _line(subject: Subject, *, quick: bool) -> Iterator[Item]:
    """Yield the same with ten times as many series, and again: each takes ten times as long, and no more."""
    label, write, peer_write = FORMATS[0]
    name = f"{subject.name}, {label}, {USUAL:.0%} changed, by the number of series"
    middles = []
    for series in (1_000, 10_000) if quick else (1_000, 10_000, 100_000):
        timings = _scrapes(subject, write, peer_write, series, USUAL, 3 if quick else 5)
        yield figure(name, timings, peer="prometheus_client", at=series, along="series")
        middles.append((series, timings["ours"].median))
    (few, less), (many, more) = middles[-2:]
    name = f"{subject.name}, {label}: a series among {many:,} over one among {few:,}"
    yield Figure(name, "", Spread.exactly(more / less * few / many))
    yield Goal(f"{name}: at most {LINEAR}", name, of="ours", at_most=LINEAR)


def _application(subject: Subject, series: int, count: int) -> Iterator[Item]:
    """Yield what ours takes to write prometheus_client's own metrics."""
    for label, write, peer_write in FORMATS:
        _, theirs, change = subject.pair(series, USUAL)
        name = f"prometheus_client's own {subject.name}, {label}, {USUAL:.0%} changed"
        timings = rounds(
            {
                "ours": partial(write, theirs),
                "A/A": partial(write, theirs),
                "prometheus_client": partial(peer_write, theirs),
            },
            count=count,
            before=change,
        )
        yield figure(name, timings, peer="prometheus_client", at=series, along="series")
        yield Goal(
            f"{series:,} series of {name}: at least {OWN} times faster than generate_latest",
            name,
            "prometheus_client",
            at=series,
            at_most=1 / OWN,
        )
