"""Who may use how much of the budget: a part of the exporter may have what the others leave, and its own share in any case."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import BACKGROUND, PROFILING, SCRAPE, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.collectors.supervision.overhead import Overhead

SHARES: Final[Mapping[str, float]] = {PROFILING: 0.5, SCRAPE: 0.3, BACKGROUND: 0.2}
"""What each part that can be held has in any case, of what those leave that cannot. Together all of it."""
AIM: Final = 0.9
"""Of the budget, what is given out: nobody hits exactly what he may use."""
_UNKNOWN_SECONDS = 60.0
"""Before it is known what the others use."""
_LOOK_SECONDS = 1.0


class Budget:
    """Gives out `total`, the part of one core for all parts together. Any thread may ask."""

    def __init__(self, total: float, overhead: Overhead, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self._overhead = overhead
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin now, as the child of a fork does: another thread may have held the lock, and nothing has been used."""
        self._lock = threading.RLock()
        self._overhead.forget()
        self._used: Mapping[str, float] = {}
        self._began = self._looked = self._clock()

    def used(self) -> Mapping[str, float]:
        """Return the part of one core that each part uses, as of this moment."""
        with self._lock:
            self._used, self._looked = self._overhead.look(), self._clock()
            return self._used

    def spent(self) -> Mapping[str, float]:
        """Return the CPU seconds that each part has used in this process, as of the last look."""
        return self._overhead.totals()

    def allowed(self, part: str) -> float:
        """Return the part of one core that `part`, one of SHARES, may use from now on.

        A helper process is not of this process, and an agent's targets have a budget each.
        """
        with self._lock:
            now = self._clock()
            if now - self._looked >= _LOOK_SECONDS:
                self.used()
            aim = AIM * self.total
            if now - self._began < _UNKNOWN_SECONDS:
                return aim * SHARES[part]
            others = {other: used for other, used in self._used.items() if other not in (part, TARGETS)}
            # What others ask for, such as pages, cannot be held; a tenth is left to divide whatever that takes.
            unheld = sum(used for other, used in others.items() if other not in SHARES)
            return max(SHARES[part] * max(aim - unheld, aim / 10), aim - sum(others.values()))
