"""What the exporter itself costs: CPU per second of wall time, over about the last minute."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEMORY_SECONDS = 60.0
_LEAST_AGE_SECONDS = 15.0


class Overhead:
    """Adds up CPU time by part of the exporter and forgets it exponentially, with a time constant of a minute."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Start again at zero."""
        self._began = self._clock()
        self._parts: dict[str, tuple[float, float]] = {}

    def add(self, part: str, cpu_seconds: float) -> None:
        """Account CPU time. One thread for each part."""
        now = self._clock()
        self._parts[part] = (self._decayed(part, now) + cpu_seconds, now)

    def ratio(self, part: str) -> float:
        """Return the part of one core that `part` uses."""
        now = self._clock()
        # Of a minute that is not over yet only what is over counts, but not less than this: one scrape is no rate.
        age = max(_LEAST_AGE_SECONDS, now - self._began)
        return self._decayed(part, now) / (MEMORY_SECONDS * -math.expm1(-age / MEMORY_SECONDS))

    def ratios(self) -> Mapping[str, float]:
        """Return the ratio of every part."""
        return {part: self.ratio(part) for part in tuple(self._parts)}

    def _decayed(self, part: str, now: float) -> float:
        seconds, then = self._parts.get(part, (0.0, now))
        return seconds * math.exp((then - now) / MEMORY_SECONDS)
