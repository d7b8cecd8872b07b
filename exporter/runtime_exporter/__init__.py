"""Performance monitoring for Python services on Prometheus: the public API."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime_exporter.errors import (
        AlreadyStartedError,
        BundleError,
        BusyError,
        CheckError,
        ConfigError,
        ExporterError,
        MissingExtraError,
        MissingToolError,
        ProfileError,
        RunDirectoryError,
    )
    from runtime_exporter.exporter import Exporter, start
    from runtime_exporter.http import ASGIMiddleware, WSGIMiddleware

__all__ = [
    "ASGIMiddleware",
    "AlreadyStartedError",
    "BundleError",
    "BusyError",
    "CheckError",
    "ConfigError",
    "Exporter",
    "ExporterError",
    "MissingExtraError",
    "MissingToolError",
    "ProfileError",
    "RunDirectoryError",
    "WSGIMiddleware",
    "start",
]

_HOMES = {
    "Exporter": "runtime_exporter.exporter",
    "start": "runtime_exporter.exporter",
    "ASGIMiddleware": "runtime_exporter.http",
    "WSGIMiddleware": "runtime_exporter.http",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562): who only counts, or only generates, does not pay for a web server."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES.get(name, "runtime_exporter.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
