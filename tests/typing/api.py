"""What a user writes, checked by mypy --strict in tests/packaging/test_lint.py; it is never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import runtime_exporter
from runtime_exporter import metrics
from runtime_exporter.metrics import Counter, Enum, Gauge, Histogram, Info, Summary
from runtime_exporter.metrics.openmetrics.exposition import generate_latest as generate_openmetrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

with runtime_exporter.start(port=0, collectors="-gc") as exporter:
    url: str = exporter.url

    @exporter.health.check("database", timeout=1.0)
    def database() -> tuple[str, str]:
        return "degraded", "slow"

    text: bytes = metrics.generate_latest() + generate_openmetrics(metrics.REGISTRY)

ORDERS = Counter("shop_orders_total", "Orders.", ["status"])
child: Counter = ORDERS.labels("paid")
child.inc(2, {"trace_id": "abc"})
ORDERS.labels(status="failed").inc()

DEPTH = Gauge("queue_depth", "Depth.", registry=None, multiprocess_mode="livesum")
DEPTH.set_function(lambda: 3.0)

LATENCY = Histogram("latency_seconds", "Latency.", buckets=(0.1, 1))
Info("build", "Build.").info({"version": "1"})
Enum("door", "Door.", states=["open", "shut"]).state("open")
Summary("size_bytes", "Size.").observe(3)


@LATENCY.time()
def work(number: int) -> str:
    with DEPTH.track_inprogress(), ORDERS.count_exceptions(ValueError), LATENCY.time() as timer:
        timer.labels()
    return str(number)


result: str = work(3)


@LATENCY.time()
async def later() -> int:
    return 1


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b""]


wrapped: WSGIApplication = runtime_exporter.WSGIMiddleware(application)

try:
    runtime_exporter.start(port=0)
except runtime_exporter.ConfigError as error:
    where: str = error.source
except runtime_exporter.ExporterError:
    pass
