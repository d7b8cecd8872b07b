"""What the exporter itself costs: CPU per second of wall time, over about the last five minutes."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from runtime_exporter.costs import COSTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEMORY_SECONDS = 300.0
"""The time constant. Profiles are evaluated once a minute at a stroke: over a minute alone that would be 0.6 to 1.6 times its mean."""
_LEAST_AGE_SECONDS = 15.0


class Overhead:
    """Looks at the totals of an account and forgets exponentially. What was used between two looks counts as used evenly.

    Hence right, in a steady state, however rarely and irregularly somebody looks.
    """

    def __init__(
        self,
        totals: Callable[[], Mapping[str, float]] = COSTS.totals,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = totals
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin now, at zero."""
        self._began = self._looked = self._clock()
        self._totals = dict(self._read())
        self._used: dict[str, float] = {}

    def totals(self) -> Mapping[str, float]:
        """Return the CPU seconds of every part since the process began, as of the last look."""
        return self._totals

    def look(self) -> Mapping[str, float]:
        """Return the part of one core that each part of the exporter uses."""
        now, totals = self._clock(), dict(self._read())
        passed = max(0.0, now - self._looked)
        kept = math.exp(-passed / MEMORY_SECONDS)
        # Of what was used at an even rate through `passed` seconds, so many seconds' worth are not forgotten yet.
        fresh = -math.expm1(-passed / MEMORY_SECONDS) * MEMORY_SECONDS / passed if passed else 1.0
        for part, total in totals.items():
            spent = max(0.0, total - self._totals.get(part, 0.0))
            self._used[part] = self._used.get(part, 0.0) * kept + spent * fresh
        self._totals, self._looked = totals, now
        # Of a time that is not over yet only what is over counts, but not less than this: one scrape is no rate.
        age = max(_LEAST_AGE_SECONDS, now - self._began)
        whole = MEMORY_SECONDS * -math.expm1(-age / MEMORY_SECONDS)
        return {part: used / whole for part, used in self._used.items()}
