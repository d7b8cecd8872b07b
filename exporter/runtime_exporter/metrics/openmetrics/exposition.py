"""`generate_latest` in OpenMetrics 1.0."""

from __future__ import annotations

from typing import Any

from prometheus_client import REGISTRY

from runtime_exporter.metrics.exposition import OPENMETRICS, OPENMETRICS_CONTENT_TYPE

CONTENT_TYPE_LATEST = OPENMETRICS_CONTENT_TYPE


def generate_latest(registry: Any = REGISTRY) -> bytes:
    """Return the exposition of `registry` in OpenMetrics 1.0."""
    return OPENMETRICS.render((registry,))
