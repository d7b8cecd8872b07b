"""Runs the collectors for the scrapes: one update for all that ask at the same time, and none that waits long."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from typing import TYPE_CHECKING

from runtime_exporter import forks
from runtime_exporter.collectors.supervision.background import Background
from runtime_exporter.collectors.supervision.budget import Budget
from runtime_exporter.collectors.supervision.member import Member, State
from runtime_exporter.collectors.supervision.overhead import Overhead
from runtime_exporter.costs import COSTS, SCRAPE
from runtime_exporter.metrics import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from prometheus_client.metrics_core import Metric as CoreMetric

    from runtime_exporter.collectors.collector import Collector
    from runtime_exporter.metrics import Metric

REUSE_SECONDS = 0.1


class Supervisor:
    """A collector of collectors, in prometheus_client's protocol.

    Cheap collectors are updated by the scrape, the others by a thread of their own once `start` was called. The families of a
    collector that failed, has nothing to report or did not run yet are left out: no value is better than an old one.

    budget: the part of one core that all of this may use. patience: the seconds after which a scrape that waits for another
    one goes on with the last values. reuse: for so many seconds an update is good for every scrape. folded: functions that
    tell, by family, how many values of a label were folded elsewhere in the exporter.
    """

    def __init__(
        self,
        collectors: Iterable[Collector],
        *,
        budget: float = 0.01,
        patience: float = 2.0,
        reuse: float = REUSE_SECONDS,
        folded: Iterable[Callable[[], Mapping[str, int]]] = (),
        overhead: Overhead | None = None,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._members = tuple(Member(collector, clock=clock, cpu=cpu) for collector in collectors)
        self.collectors: Mapping[str, Collector] = {member.collector.name: member.collector for member in self._members}
        self.budget = Budget(budget, overhead or Overhead(clock=clock), clock=clock)
        """Says how much of the budget each part of the exporter may use."""
        self._background = Background(self._members, self.budget.allowed, clock=clock, cpu=cpu)
        self._folded_elsewhere = tuple(folded)
        self._patience = patience
        self._reuse = reuse
        self._clock = clock
        self._lock = threading.Lock()
        self._good_until = float("-inf")
        self._own = _OwnFamilies(budget)
        self._live: tuple[Metric, ...] = ()

    @property
    def families(self) -> Sequence[Metric]:
        """Every family that there may be, whether it has values now or not."""
        return (*(family for member in self._members for family in member.collector.families), *self._own.families)

    def collect(self) -> Iterator[CoreMetric]:
        """Bring everything up to date and yield it as prometheus_client's objects."""
        for family in self.collected_families():
            yield from family.collect()

    def collected_families(self) -> Sequence[Metric]:
        """Bring everything up to date and return the families that have values now, for the fast exposition."""
        lock = self._lock
        if lock.acquire(timeout=self._patience):
            try:
                if self._clock() >= self._good_until:
                    with COSTS.within(SCRAPE):
                        self._update()
                    self._good_until = self._clock() + self._reuse
            finally:
                lock.release()
        return self._live

    def start(self) -> None:
        """Install hooks and start the thread. Without effect where that is done; in a forked child it starts it again."""
        _FORK_AWARE.add(self)
        for member in self._members:
            member.start()
        self._background.start()

    def close(self) -> None:
        """Stop the thread, give hooks back, close files. The last values stay, and `start` may be called again."""
        self._background.close()
        lock = self._lock
        alone = lock.acquire(timeout=self._patience)  # a scrape reads the files that are closed here
        try:
            for member in self._members:
                member.close()
        finally:
            if alone:
                lock.release()

    def forked(self) -> None:
        """Make this usable in the child of a fork: another thread may have held the lock, and the thread is gone."""
        self._lock = threading.Lock()
        self._good_until = float("-inf")
        self._live = ()
        self.budget.forget()
        self._background.forked()
        for member in self._members:
            member.forked()

    def _update(self) -> None:
        for member in self._members:
            if member.interval is None:
                member.run()
            else:
                member.check_freshness()
        self._own.update(self._members, self._folded(), self.budget)
        live = [family for member in self._members for family in member.families]
        self._live = (*live, *self._own.families)

    def _folded(self) -> dict[str, int]:
        folded: dict[str, int] = {}
        for source in (*(member.collector.folded for member in self._members), *self._folded_elsewhere):
            # A source is a part of a collector; it must not cost more than its own figure.
            with contextlib.suppress(Exception):
                folded.update(source())
        return folded


class _OwnFamilies:
    """What the supervisor tells about itself and the collectors."""

    def __init__(self, budget: float) -> None:
        self._duration = Gauge(
            "runtime_exporter_collector_duration_seconds",
            "Seconds that the last update of the collector took.",
            ["collector"],
            registry=None,
            multiprocess_mode="livemax",
        )
        self._success = Gauge(
            "runtime_exporter_collector_success",
            "1 if the last update of the collector worked, 0 if it failed or hangs.",
            ["collector"],
            registry=None,
            multiprocess_mode="livemin",
        )
        self._folded = Counter(
            "runtime_exporter_folded_total",
            "Times a label value was folded into other because its label was full.",
            ["family"],
            registry=None,
        )
        self._overhead = Gauge(
            "runtime_exporter_overhead_ratio",
            "Part of one core that the exporter uses, averaged over about five minutes.",
            ["part"],
            registry=None,
            multiprocess_mode="livesum",
        )
        self._budget = Gauge(
            "runtime_exporter_overhead_budget_ratio",
            "Part of one core that the exporter may use.",
            registry=None,
            multiprocess_mode="livesum",
        )
        self._spent = Counter(
            "runtime_exporter_cpu_seconds_total",
            "CPU time that the exporter has used in this process.",
            ["part"],
            registry=None,
        )
        self._budget.set(budget)
        self.families: tuple[Metric, ...] = (
            *(self._duration, self._success, self._folded),
            *(self._overhead, self._budget, self._spent),
        )

    def update(self, members: Iterable[Member], folded: Mapping[str, int], budget: Budget) -> None:
        for member in members:
            if member.state is not State.UNKNOWN:
                name = member.collector.name
                self._duration.labels(name).set(member.seconds)
                self._success.labels(name).set(member.state in (State.FINE, State.EMPTY))
        for family, count in folded.items():
            self._folded.labels(family).set_total(count)
        for part, ratio in budget.used().items():
            self._overhead.labels(part).set(ratio)
        for part, seconds in budget.spent().items():
            self._spent.labels(part).set_total(seconds)


_FORK_AWARE: weakref.WeakSet[Supervisor] = weakref.WeakSet()
"""The started supervisors of this process. A function that is called after forks stays for good, so there is only one."""


def _after_fork_in_child() -> None:
    for supervisor in tuple(_FORK_AWARE):
        with contextlib.suppress(Exception):
            supervisor.forked()


forks.after_in_child(_after_fork_in_child)
