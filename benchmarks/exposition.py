"""What a scrape of many series costs, beside prometheus_client."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import prometheus_client as peer
from prometheus_client.openmetrics import exposition as peer_openmetrics

from benchmarks.figures import Goal
from benchmarks.harness import figure, rounds
from runtime_exporter import metrics
from runtime_exporter.metrics.openmetrics import exposition as openmetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Item

FASTER = 35
NAME = "http_server_request_duration_seconds"
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


def report(*, quick: bool) -> Iterator[Item]:
    """Yield what a scrape of 10,000 series costs, and that it is at least 35 times faster."""
    peer.disable_created_metrics()  # as ours by default: the same series on both sides
    series, count = (2_000, 7) if quick else (10_000, 15)
    for kind, build in (("histograms", histograms), ("counters", counters)):
        ours, theirs = build(metrics, series), build(peer, series)
        for label, write, peer_write in (
            ("text", metrics.generate_latest, peer.generate_latest),
            (
                "OpenMetrics",
                openmetrics.generate_latest,
                peer_openmetrics.generate_latest,
            ),
        ):
            timings = rounds(
                {
                    "ours": partial(write, ours),
                    "A/A": partial(write, ours),
                    "prometheus_client": partial(peer_write, theirs),
                },
                count=count,
            )
            name = f"{kind}, {label}"
            yield figure(name, timings, peer="prometheus_client", at=series, along="series")
            yield Goal(
                f"{series:,} series of {kind}, {label}: at least {FASTER} times faster than generate_latest",
                name,
                "prometheus_client",
                at=series,
                at_most=1 / FASTER,
            )
