"""Who may use how much of the budget: a part of the exporter may have what the others leave, and its own share in any case."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import BACKGROUND, PROFILING, PUSH, SCRAPE, WEB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.collectors.supervision.overhead import Overhead

SHARES: Final[Mapping[str, float]] = {PROFILING: 0.5, SCRAPE: 0.3, BACKGROUND: 0.2}
"""Of the budget, what each part that can be held has in any case. Together all of it: all of them at their limits are within it."""
AIM: Final = 0.9
"""Of the budget, what is given out: nobody hits exactly what he may use."""
_ANSWERS: Final = frozenset({SCRAPE, WEB})
"""The server works for scrapes: what it takes is theirs."""
_OWN: Final = frozenset({*SHARES, PUSH, WEB})
_LOOK_SECONDS = 1.0


class Budget:
    """Gives out a budget, the part of one core for all parts together. Any thread may ask."""

    def __init__(self, budget: float, overhead: Overhead, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self._overhead = overhead
        self._clock = clock
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: another thread may have held the lock, and nothing has been used."""
        self._lock = threading.RLock()
        self._used: Mapping[str, float] = {}
        self._looked = float("-inf")
        self._overhead.forget()

    def used(self) -> Mapping[str, float]:
        """Return the part of one core that each part uses, as of this moment."""
        with self._lock:
            self._used, self._looked = self._overhead.look(), self._clock()
            return self._used

    def allowed(self, part: str) -> float:
        """Return the part of one core that `part`, one of SHARES, may use from now on.

        Before it is known what the others use it is the share alone. What a helper process or an agent's targets use is not of this budget.
        """
        with self._lock:
            if self._clock() - self._looked >= _LOOK_SECONDS:
                self.used()
            mine = _ANSWERS if part in _ANSWERS else {part}
            others = sum(self._used.get(other, 0.0) for other in _OWN - mine)
            return AIM * max(SHARES[part] * self.budget, self.budget - others)
