"""Every test here runs twice: on `runtime_exporter.metrics` and on prometheus_client, and expects the same of both."""

from __future__ import annotations

import prometheus_client
import pytest

from runtime_exporter import metrics


@pytest.fixture(params=[metrics, prometheus_client], ids=["ours", "prometheus_client"])
def library(request):
    """Both libraries without `_created` samples, which prometheus_client has by default: see differences.py."""
    prometheus_client.disable_created_metrics()
    yield request.param
    prometheus_client.enable_created_metrics()


@pytest.fixture
def registry():
    return prometheus_client.CollectorRegistry()
