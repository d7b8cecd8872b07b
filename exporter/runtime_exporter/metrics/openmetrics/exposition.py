"""`generate_latest` in OpenMetrics 1.0."""

from __future__ import annotations

from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest as generate

from runtime_exporter.metrics.exposition import OPENMETRICS, OPENMETRICS_CONTENT_TYPE, USUAL_ESCAPING

CONTENT_TYPE_LATEST = OPENMETRICS_CONTENT_TYPE


def generate_latest(registry: Any = REGISTRY, escaping: str = USUAL_ESCAPING, version: str = "1.0.0") -> bytes:
    """Return the exposition of `registry` in OpenMetrics 1.0, or in what else prometheus_client's writer offers."""
    if (escaping, version) != (USUAL_ESCAPING, "1.0.0"):
        return bytes(generate(registry, escaping, version))  # type: ignore[no-untyped-call]
    return OPENMETRICS.render((registry,))
