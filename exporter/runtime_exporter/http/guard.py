"""Faults of our own: one log line for each kind of fault, and the application goes on as if we were not there."""

from __future__ import annotations

import logging
from typing import Final

LOGGER: Final = logging.getLogger("runtime_exporter.http")
_KINDS_LIMIT: Final = 100
_logged: set[str] = set()


def report(kind: str, error: Exception) -> None:
    """Log that `kind` (what we were doing) failed with `error`, the first time that it happens in this process."""
    if kind in _logged or len(_logged) >= _KINDS_LIMIT:
        return
    _logged.add(kind)
    LOGGER.warning("HTTP metrics: %s failed: %s: %s (not logged again)", kind, type(error).__name__, error)
