"""Whether `_created` samples are exposed: when each counter, histogram and summary began, in Unix seconds.

prometheus_client exposes them unless told otherwise, which doubles the series of an application's counters in
Prometheus; here they are off until asked for, by the same variable and the same two functions.
"""

from __future__ import annotations

import os

_enabled = os.environ.get("PROMETHEUS_DISABLE_CREATED_SERIES", "").lower() in ("false", "0", "f")


def enable_created_metrics() -> None:
    """Expose `_created` samples of counters, histograms and summaries."""
    global _enabled  # noqa: PLW0603 - one switch a process, as in prometheus_client
    _enabled = True


def disable_created_metrics() -> None:
    """Do not expose `_created` samples (the default)."""
    global _enabled  # noqa: PLW0603 - see above
    _enabled = False


def created_enabled() -> bool:
    """Return whether `_created` samples are exposed."""
    return _enabled
