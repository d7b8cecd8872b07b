"""How numbers are kept and written: prometheus_client's metrics on cells of mapped memory, and a fast exposition.

A drop-in: every name of prometheus_client is here, so that `from prometheus_client import …` may become
`from runtime_exporter.metrics import …`. docs/drop-in.md has what differs.
"""

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    REGISTRY,
    CollectorRegistry,
    GCCollector,
    MetricsHandler,
    PlatformCollector,
    ProcessCollector,
    delete_from_gateway,
    instance_ip_grouping_key,
    push_to_gateway,
    pushadd_to_gateway,
    write_to_textfile,
)

from runtime_exporter.metrics.counter import Counter
from runtime_exporter.metrics.created import disable_created_metrics, enable_created_metrics
from runtime_exporter.metrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from runtime_exporter.metrics.gauge import Gauge
from runtime_exporter.metrics.histogram import Histogram
from runtime_exporter.metrics.info import Enum, Info
from runtime_exporter.metrics.metric import Metric
from runtime_exporter.metrics.serving import make_asgi_app, make_wsgi_app, start_http_server, start_wsgi_server
from runtime_exporter.metrics.summary import Summary
from runtime_exporter.metrics.told import join_if_told

CONTENT_TYPE_PLAIN_0_0_4 = CONTENT_TYPE_LATEST
CONTENT_TYPE_PLAIN_1_0_0 = "text/plain; version=1.0.0; charset=utf-8"

__all__ = [
    "CONTENT_TYPE_LATEST",
    "CONTENT_TYPE_PLAIN_0_0_4",
    "CONTENT_TYPE_PLAIN_1_0_0",
    "GC_COLLECTOR",
    "PLATFORM_COLLECTOR",
    "PROCESS_COLLECTOR",
    "REGISTRY",
    "CollectorRegistry",
    "Counter",
    "Enum",
    "GCCollector",
    "Gauge",
    "Histogram",
    "Info",
    "Metric",
    "MetricsHandler",
    "PlatformCollector",
    "ProcessCollector",
    "Summary",
    "delete_from_gateway",
    "disable_created_metrics",
    "enable_created_metrics",
    "generate_latest",
    "instance_ip_grouping_key",
    "make_asgi_app",
    "make_wsgi_app",
    "push_to_gateway",
    "pushadd_to_gateway",
    "start_http_server",
    "start_wsgi_server",
    "write_to_textfile",
]

join_if_told()
