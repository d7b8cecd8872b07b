"""What fails while it is exposed: told once, and left out."""

from __future__ import annotations

import logging
from typing import Any, Final

from runtime_exporter.metrics.metric import Metric

logger = logging.getLogger("runtime_exporter")

_TOLD: Final = 1000  # bounded, as everything here

_failing: set[str] = set()


def log_failure(collector: Any, error: Exception) -> None:
    """Say once that a collector fails: a line for each scrape would be noise, none would be a secret."""
    name = str(collector) if isinstance(collector, Metric) else type(collector).__qualname__
    if name not in _failing and len(_failing) < _TOLD:
        _failing.add(name)
        logger.warning("%s fails and is left out of the exposition", name, exc_info=error)
