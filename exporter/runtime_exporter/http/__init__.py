"""What a request costs: WSGI and ASGI middleware, the route of a request, one small file a framework."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime_exporter.http.asgi import ASGIMiddleware
    from runtime_exporter.http.metrics import HTTPMetrics, default_metrics
    from runtime_exporter.http.wsgi import WSGIMiddleware

__all__ = ["ASGIMiddleware", "HTTPMetrics", "WSGIMiddleware", "default_metrics"]

_HOMES = {
    "ASGIMiddleware": "runtime_exporter.http.asgi",
    "HTTPMetrics": "runtime_exporter.http.metrics",
    "WSGIMiddleware": "runtime_exporter.http.wsgi",
    "default_metrics": "runtime_exporter.http.metrics",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562): a WSGI application does not pay for what only ASGI needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
