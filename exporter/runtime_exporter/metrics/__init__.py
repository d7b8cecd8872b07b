"""How numbers are kept and written: prometheus_client's metrics on cells of mapped memory, and a fast exposition.

A drop-in: `from runtime_exporter.metrics import Counter, Gauge, Histogram, Summary, Info, Enum`.
"""

from prometheus_client import REGISTRY, CollectorRegistry

from runtime_exporter.metrics.counter import Counter
from runtime_exporter.metrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from runtime_exporter.metrics.gauge import Gauge
from runtime_exporter.metrics.histogram import Histogram
from runtime_exporter.metrics.info import Enum, Info
from runtime_exporter.metrics.metric import Metric, disable_created_metrics, enable_created_metrics
from runtime_exporter.metrics.summary import Summary

__all__ = [
    "CONTENT_TYPE_LATEST",
    "REGISTRY",
    "CollectorRegistry",
    "Counter",
    "Enum",
    "Gauge",
    "Histogram",
    "Info",
    "Metric",
    "Summary",
    "disable_created_metrics",
    "enable_created_metrics",
    "generate_latest",
]
