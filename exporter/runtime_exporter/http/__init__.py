"""What a request costs: WSGI and ASGI middleware, the route of a request, one small file a framework."""

from runtime_exporter.http.asgi import ASGIMiddleware
from runtime_exporter.http.metrics import HTTPMetrics, default_metrics
from runtime_exporter.http.wsgi import WSGIMiddleware

__all__ = ["ASGIMiddleware", "HTTPMetrics", "WSGIMiddleware", "default_metrics"]
