"""Performance monitoring for Python services on Prometheus: the public API."""

from runtime_exporter.errors import (
    AlreadyStartedError,
    BundleError,
    CheckError,
    ConfigError,
    ExporterError,
    MissingExtraError,
    MissingToolError,
    ProfileError,
)
from runtime_exporter.exporter import Exporter, start
from runtime_exporter.http import ASGIMiddleware, WSGIMiddleware

__all__ = [
    "ASGIMiddleware",
    "AlreadyStartedError",
    "BundleError",
    "CheckError",
    "ConfigError",
    "Exporter",
    "ExporterError",
    "MissingExtraError",
    "MissingToolError",
    "ProfileError",
    "WSGIMiddleware",
    "start",
]
