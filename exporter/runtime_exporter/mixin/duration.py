"""Prometheus durations as numbers, for panels that draw an alert's threshold."""

from __future__ import annotations

import re

# model.Duration of Prometheus: a day has 24 hours, a week 7 days, a year 365 days.
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_PART = re.compile(r"(\d+)(ms|[smhdwy])")


def seconds(duration: str) -> float:
    """Return the seconds of a duration as Prometheus writes it ("90s", "1h30m", "0"); raise ValueError where it is none."""
    parts = _PART.findall(duration)
    if duration != "0" and (not parts or "".join(number + unit for number, unit in parts) != duration):
        raise ValueError(f"{duration!r} is not a duration such as 30s, 5m or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)
