"""One exposition for all who ask at the same time, and no more of them than the budget has room for.

Whoever comes while one is being written gets the next, which is begun after he came: a scrape never misses what happened before
it, and a hundred at once are two expositions. When those of the last minutes have used up what scrapes may use, one is kept
for who comes until there is room again: its age is in the header `Age`, and never more than LONGEST_SECONDS.
"""

from __future__ import annotations

import gzip
import os
import threading
import time
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import COSTS, SCRAPE
from runtime_exporter.metrics import Counter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from runtime_exporter.metrics import Metric
    from runtime_exporter.metrics.exposition import Format
    from runtime_exporter.web.metrics_page import Expose

LONGEST_SECONDS: Final = 60.0
"""No exposition is older, whatever a new one costs."""
_SAVED_SECONDS: Final = 300.0
"""As long as the budget may be saved for scrapes that come all at once: over so many seconds it holds."""
GZIP_LEVEL: Final = 1
"""A scrape of 1 MB: level 1 takes a fifth of the time of level 6 and gives up a quarter of the saving."""
FRESH, SHARED, KEPT, REFUSED = "fresh", "shared", "kept", "refused"


class Exposition:
    """What was written of one format, begun at `begun` (monotonic seconds)."""

    def __init__(self, body: bytes, begun: float) -> None:
        self.body = body
        self.begun = begun
        self._zipped = b""
        self._lock = threading.Lock()

    def zipped(self) -> bytes:
        """Return it compressed, which is done once."""
        with self._lock:
            if not self._zipped:
                self._zipped = gzip.compress(self.body, GZIP_LEVEL, mtime=0)
            return self._zipped


class SharedExposition:
    """Shares what `expose` writes.

    allowed: tells the part of one core that scrapes may use; None: there is no bound. patience: the seconds after which a
    scrape that waits for another one gets the last exposition. longest: the seconds after which one is too old; 0: always.
    """

    def __init__(
        self,
        expose: Expose,
        *,
        allowed: Callable[[], float] | None = None,
        patience: float = 2.0,
        longest: float = LONGEST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._expose = expose
        self._allowed = allowed
        self._patience = patience
        self._longest = longest
        self._clock = clock
        self._cpu = cpu
        answers = Counter(
            "runtime_exporter_scrapes",
            "Scrapes by what they got: a new exposition (fresh), one that was written for others that came at once (shared), an older one for want of budget or time (kept), none (refused).",
            ["exposition"],
            registry=None,
        )
        self._answers = {what: answers.labels(what) for what in (FRESH, SHARED, KEPT, REFUSED)}
        self.families: tuple[Metric, ...] = (answers,)
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._last: dict[Format, Exposition] = {}
        self._saved = float("inf")
        self._counted = self._clock()

    def restricted(self, form: Format, names: Collection[str]) -> bytes:
        """Return the families and samples that are called so, for who asks."""
        with COSTS.within(SCRAPE):
            return self._expose(form, names)

    def get(self, form: Format) -> tuple[Exposition | None, float]:
        """Return an exposition and its age in seconds, 0 for one that was begun after this was called.

        None where another scrape writes for longer than the patience, and there is no other, or it is too old.
        """
        arrived = self._clock()
        if self._pid != os.getpid():  # forked: whoever held the lock is the parent's
            self._begin()
        last = self._last.get(form)
        if last is not None and arrived - last.begun < self._longest and not self._affordable(arrived):
            return self._kept(last)
        if not self._lock.acquire(timeout=self._patience):
            return self._kept(self._last.get(form))
        try:
            last = self._last.get(form)
            if last is not None and last.begun >= arrived:
                self._answers[SHARED].inc()
                return last, 0.0
            self._answers[FRESH].inc()
            return self._write(form), 0.0
        finally:
            self._lock.release()

    def zipped(self, exposition: Exposition) -> bytes:
        """Return an exposition compressed."""
        with COSTS.within(SCRAPE):
            begin = self._cpu()
            zipped = exposition.zipped()
            self._saved -= self._cpu() - begin
        return zipped

    def _kept(self, exposition: Exposition | None) -> tuple[Exposition | None, float]:
        age = self._clock() - exposition.begun if exposition is not None else 0.0
        if exposition is None or age > self._longest:
            self._answers[REFUSED].inc()
            return None, 0.0
        self._answers[KEPT].inc()
        return exposition, age

    def _write(self, form: Format) -> Exposition:
        with COSTS.within(SCRAPE):
            begin, begun = self._cpu(), self._clock()
            exposition = Exposition(self._expose(form), begun)
            self._saved -= self._cpu() - begin
        self._last[form] = exposition
        return exposition

    def _affordable(self, now: float) -> bool:
        """Return whether something is left of what was saved for scrapes."""
        if self._allowed is None:
            return True
        allowed = self._allowed()
        passed, self._counted = max(0.0, now - self._counted), now
        self._saved = min(self._saved + passed * allowed, _SAVED_SECONDS * allowed)
        return self._saved > 0


def shared(expose: Expose | SharedExposition) -> SharedExposition:
    """Return what shares the expositions that a function writes; what does so already as it is."""
    return expose if isinstance(expose, SharedExposition) else SharedExposition(expose)
