"""What a user of prometheus_client writes, with our import: checked by mypy --strict, right and wrong; it is never run.

An ignore that is not needed is an error, too: what prometheus_client's types refuse, ours refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from typing_extensions import assert_type

from runtime_exporter.metrics import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Summary,
    generate_latest,
    make_asgi_app,
    make_wsgi_app,
    push_to_gateway,
    start_http_server,
    write_to_textfile,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

registry = CollectorRegistry(auto_describe=True, target_info={"env": "prod"})
requests = Counter("requests", "Requests.", ("method", "path"), "shop", "web", "", registry)
latency = Histogram("latency", "Latency.", ["method"], unit="seconds", buckets=[0.1, "0.5", 1], registry=registry)
depth = Gauge("depth", "Depth.", multiprocess_mode="livesum", registry=None)
size = Summary("size", "Size.", ["method"])
state = Enum("state", "State.", states=["on", "off"])

assert_type(requests.labels("get", 1), Counter)
assert_type(latency.labels(method="get"), Histogram)
assert_type(size.labels("get"), Summary)
assert_type(requests.labels("get", "/").inc(1.5, exemplar={"trace_id": "a"}), None)
assert_type(REGISTRY.get_sample_value("depth", {"a": "b"}), "float | None")
assert_type(generate_latest(registry), bytes)


class Orders(Counter):
    """A subclass keeps its own type through `labels`."""

    def paid(self) -> Orders:
        return self.labels("paid")


@latency.labels("get").time()
@depth.track_inprogress()
@requests.labels("get", "/").count_exceptions((ValueError, KeyError))
def handle(number: int, *, fast: bool = False) -> str:
    with size.labels("get").time() as timer, depth.time(), requests.labels("a", "b").count_exceptions():
        timer.labels("x")
    return str(number + fast)


@latency.labels("get").time()
async def handle_later(number: int) -> str:
    return str(number)


assert_type(handle(1, fast=True), str)


class Queue:
    """A custom collector beside our metrics."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("queue", "Queue.", value=1)


registry.register(Queue())
registry.register(depth)
registry.unregister(depth)
registry.restricted_registry(["depth"])
server: tuple[WSGIServer, Thread] = start_http_server(8000, "127.0.0.1", registry, certfile="a", keyfile="b")
wsgi, asgi = make_wsgi_app(registry), make_asgi_app(registry, disable_compression=True)
push_to_gateway("localhost:9091", job="batch", registry=registry, grouping_key={"instance": "a"})
write_to_textfile("metrics.prom", registry)
depth.set_function(lambda: 3.0)
Info("build", "Build.").info({"version": "1"})

# What is wrong is told before it runs.
requests.labels("get", "/").inc("1")  # type: ignore[arg-type]
requests.labels("get", "/").dec()  # type: ignore[attr-defined]
requests.inc(1, exemplar={"trace_id": 1})  # type: ignore[dict-item]
latency.observe("fast")  # type: ignore[arg-type]
latency.labels("get").set(1)  # type: ignore[attr-defined]
Gauge("depth", "Depth.", multiprocess_mode="median")  # type: ignore[arg-type]
Gauge(1, "Depth.")  # type: ignore[arg-type]
Histogram("latency", "Latency.", bucket=[1])  # type: ignore[call-arg]
depth.set_function(lambda: "3")  # type: ignore[arg-type, return-value]
Info("build", "Build.").info({"version": 1})  # type: ignore[dict-item]
state.state(1)  # type: ignore[arg-type]
handle("1")  # type: ignore[arg-type]
start_http_server(port="8000")  # type: ignore[arg-type]
