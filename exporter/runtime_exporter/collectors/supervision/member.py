"""One supervised collector: run, timed, judged."""

from __future__ import annotations

import enum
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

from runtime_exporter.errors import NoData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime_exporter.collectors.collector import Collector
    from runtime_exporter.metrics import Metric

logger = logging.getLogger("runtime_exporter")

# A collector that uses more CPU than this in every one of some scrapes is taken in the background from then on.
SCRAPE_LIMIT_SECONDS = 0.001
_SCRAPES_JUDGED = 3
_PACE_OF_DEMOTED_SECONDS = 5.0
# In the background, something that has no new values after so many of its intervals, and at least so long, is broken.
_INTERVALS_UNTIL_STALE = 3.0
_LEAST_SECONDS_UNTIL_STALE = 60.0
_TOTALS = frozenset(("counter", "histogram", "summary"))


class State(enum.Enum):
    """What came of the last update."""

    UNKNOWN = "has not run"
    FINE = "works"
    EMPTY = "has nothing to report"
    FAILED = "failed"
    LATE = "has no new values"


class Member:
    """Runs a collector and remembers how that went. A collector that raises costs nobody anything but its own families."""

    def __init__(
        self,
        collector: Collector,
        *,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self.collector = collector
        self.state = State.UNKNOWN
        self.seconds = 0.0
        """Wall time of the last update."""
        self.cpu_seconds = 0.0
        """CPU time of the last update."""
        self._clock = clock
        self._cpu = cpu
        self._costs: deque[float] = deque(maxlen=_SCRAPES_JUDGED)
        self._fresh_until = float("inf")
        self._expensive = False
        self._started = False
        self._was_fine = False
        self._withhold()

    @property
    def interval(self) -> float | None:
        """Seconds between updates in the background, or None for an update at each scrape."""
        if self.collector.interval is None and self._expensive:
            return _PACE_OF_DEMOTED_SECONDS
        return self.collector.interval

    @property
    def families(self) -> Sequence[Metric]:
        """What the collector has to show now: nothing unless its last update gave it values."""
        return self.collector.families if self.state is State.FINE else ()

    def start(self) -> None:
        """Let the collector install what it needs; one that cannot is failed, and not run."""
        try:
            self.collector.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the application goes on
            self._turn(State.FAILED, f"cannot start: {_described(error)}")
        else:
            self._started = True

    def close(self) -> None:
        """Let the collector take back what it installed."""
        self._started = False
        try:
            self.collector.close()
        except Exception as error:  # noqa: BLE001 - see start
            logger.warning("collector %s cannot close: %s", self.collector.name, _described(error))

    def forked(self) -> None:
        """Forget what was true in the parent process. In the background there is nothing fresh until the child starts it."""
        self.state = State.UNKNOWN
        self._was_fine = False
        self._withhold()
        self._fresh_until = float("inf")
        try:
            self.collector.forked()
        except Exception as error:  # noqa: BLE001 - see start
            self._turn(State.FAILED, f"cannot go on after a fork: {_described(error)}")

    def run(self) -> None:
        """Update the collector: time it, and tell "nothing here" from "broken"."""
        wall, cpu = self._clock(), self._cpu()
        try:
            self.collector.update()
        except NoData as reason:
            state, detail = State.EMPTY, str(reason)
        except Exception as error:  # noqa: BLE001 - see start
            state, detail = State.FAILED, _described(error)
        else:
            state, detail = State.FINE, ""
        self.seconds, self.cpu_seconds = self._clock() - wall, self._cpu() - cpu
        self._turn(state, detail)
        self._judge()

    def expect_within(self, seconds: float) -> None:
        """Say when the next values in the background are due, at the latest."""
        self._fresh_until = self._clock() + max(_LEAST_SECONDS_UNTIL_STALE, _INTERVALS_UNTIL_STALE * seconds)

    def check_freshness(self) -> None:
        """Judge a collector in the background by its last values: one that hangs must not show them for ever."""
        if self._clock() > self._fresh_until and self.state is not State.LATE:
            self._turn(State.LATE, "its update hangs, or waits for one that does")

    def _judge(self) -> None:
        """Decide where the next update runs. All of the last few count: one outlier says nothing."""
        self._costs.append(self.cpu_seconds)
        if len(self._costs) == _SCRAPES_JUDGED:
            least = min(self._costs)
            self._expensive = least > (SCRAPE_LIMIT_SECONDS / 2 if self._expensive else SCRAPE_LIMIT_SECONDS)

    def _withhold(self) -> None:
        """Let other workers, which read the cells, see the families only while they have values.

        A total that they have seen stays: without it the sum of all would fall, which is what a restart looks like.
        """
        fine = self.state is State.FINE
        self._was_fine |= fine
        for metric in self.collector.families:
            metric.family.withheld = not (fine or (self._was_fine and metric.family.type in _TOTALS))

    def _turn(self, state: State, detail: str) -> None:
        """Change the state; a change is one line in the log."""
        before, self.state = self.state, state
        if state is before:
            return
        self._withhold()
        if state in (State.FAILED, State.LATE):
            logger.warning("collector %s %s: %s", self.collector.name, state.value, detail)
        elif before in (State.FAILED, State.LATE):
            logger.info("collector %s %s again", self.collector.name, state.value)
        else:
            logger.debug("collector %s %s%s", self.collector.name, state.value, f": {detail}" if detail else "")


def _described(error: Exception) -> str:
    """Return an exception as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
