"""What is made of the profiles of one interval, whoever took them: tables, series, files, findings and advice.

    Taken -> Table a kind -> Summary, Store, comparison, advice -> Report

A process that profiles itself has one, and an agent has one for each of its targets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.profiling.guard import Guard
from runtime_exporter.profiling.summary import Summary
from runtime_exporter.profiling.table import tabulate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.logs import StateLog
    from runtime_exporter.profiling.membership import Rules
    from runtime_exporter.profiling.profile import Profile, Stack
    from runtime_exporter.profiling.store import Store
    from runtime_exporter.profiling.summary import Tally
    from runtime_exporter.profiling.table import Table

RECENT_TABLES: Final = 60
"""Windows that are kept in memory of each kind: an hour at one a minute, some 20 kB each."""


@dataclass(frozen=True)
class Taken:
    """The profiles of one interval by kind, and how they were taken. `begin` and `end` are seconds since the epoch."""

    profiles: Mapping[str, Profile]
    begin: float
    end: float
    backend: str = ""
    """What took them, such as "signal", "py-spy" or "go"."""
    unbiased: bool = True
    """Whether its CPU stacks are where the CPU time goes."""
    bias_ratio: float = 0.0
    """Share of the CPU time that may be attributed to the wrong function, 0 to 1."""
    samples: int = 0
    """Looks at the process."""
    own_cpu_seconds: float = 0.0
    """CPU time that taking them took in this process, outside of the thread that calls the pipeline."""
    helper_cpu_seconds: float = 0.0
    """CPU time that taking them took in a helper process."""
    pauses: int = 0
    """How often sampling had to pause for its budget."""

    @property
    def seconds(self) -> float:
        """The length of the interval."""
        return max(0.0, self.end - self.begin)


@dataclass(frozen=True)
class Interval:
    """One interval and what was made of it."""

    taken: Taken
    tables: Mapping[str, Table]
    recent: Mapping[str, Sequence[Table]]
    """The tables of the last intervals by kind, this one's last."""

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The profiles by kind."""
        return self.taken.profiles


@dataclass(frozen=True)
class Report:
    """All that is known at the end of an interval. Frozen: a scrape reads one while the next is made."""

    interval: Interval | None = None
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    comparisons: Mapping[str, Any] = field(default_factory=dict)
    """What the hook for comparison returned, by kind."""
    suspects: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """What the hook for leak suspects returned, by kind."""
    recommendations: Sequence[Any] = ()
    """What the hook for advice returned."""
    captures: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many profiles there were, by kind and result: "kept", "unkept" (no store, or it is off), "failed"."""
    captured: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """When the last one was, in seconds since the epoch."""
    cpu_seconds: float = 0.0
    """CPU time of this process that profiling has taken since the start: sampling and all of the above."""
    helper_cpu_seconds: float = 0.0
    """The same, of the helper process that samples."""
    pauses: int = 0
    """How often sampling has paused, as it could not be held within its budget."""
    workers: tuple[int, ...] = ()
    """The workers that it is of; none where it is of one process."""
    missing: Mapping[int, str] = field(default_factory=dict)
    """Workers that live and that it is not of, and why."""

    @property
    def backend(self) -> str:
        """What took the last interval's profiles."""
        return self.interval.taken.backend if self.interval is not None else ""

    @property
    def unbiased(self) -> bool:
        """Whether the last interval's CPU stacks are where the CPU time goes."""
        return self.interval is not None and self.interval.taken.unbiased


class Pipeline:
    """Takes in one interval after the other. For one thread; `report` may be read from any.

    rules: whose series there are. store: where profiles are kept; None keeps none. idle: tells stacks of threads that wait for
    work. compare: from the interval to comparisons by kind. suspects: from the interval to leak suspects by kind; comes
    before advise, from the interval and those comparisons to recommendations.
    offer: is shown each profile with its kind and labels, to be sent elsewhere; it must not wait.
    labels: what each kept profile carries, such as the version. recent: how many tables of each kind are kept in memory.
    Whatever fails is logged once and costs only itself.
    """

    def __init__(
        self,
        *,
        rules: Rules | None = None,
        store: Store | None = None,
        idle: Callable[[Stack], bool] | None = None,
        compare: Callable[[Interval], Mapping[str, Any]] | None = None,
        suspects: Callable[[Interval], Mapping[str, Sequence[Any]]] | None = None,
        advise: Callable[[Interval, Mapping[str, Any]], Sequence[Any]] | None = None,
        offer: Callable[[Profile, str, Mapping[str, str]], object] | None = None,
        labels: Mapping[str, str] | None = None,
        recent: int = RECENT_TABLES,
        log: StateLog | None = None,
    ) -> None:
        self.store = store
        self.offer = offer
        self.labels: Mapping[str, str] = dict(labels or {})
        self._rules = rules
        self._idle = idle
        self._compare = compare
        self._suspects = suspects
        self._advise = advise
        self._keep = recent
        self._guard = Guard(log)
        self._report: Report
        self.forget()

    @property
    def report(self) -> Report:
        """What is known as of the last interval."""
        return self._report

    def forget(self) -> None:
        """Begin anew, as after a fork: nothing was seen. What the store has stays."""
        self._summary = Summary(self._rules)
        self._recent: dict[str, deque[Table]] = {}
        self._report = Report()

    def take_in(self, taken: Taken) -> Report:
        """Account for one interval and return what is known now. Never raises."""
        interval = self._interval(taken)
        for table in interval.tables.values():
            self._summary.add(table)
        captures, captured = self._kept(interval)
        comparisons = self._guard.call("comparison of profiles", self._compare, interval) or {}
        suspects = self._guard.call("looking for leaks", self._suspects, interval) or {}
        recommendations = self._guard.call("advice", self._advise, interval, comparisons) or ()
        self._report = replace(
            self._report,
            interval=interval,
            tallies=self._summary.totals(),
            comparisons=comparisons,
            suspects=suspects,
            recommendations=recommendations,
            captures=captures,
            captured=captured,
            cpu_seconds=self._report.cpu_seconds + taken.own_cpu_seconds,
            helper_cpu_seconds=self._report.helper_cpu_seconds + taken.helper_cpu_seconds,
            pauses=self._report.pauses + taken.pauses,
        )
        return self._report

    def charge(self, cpu_seconds: float) -> None:
        """Add CPU time that the thread which calls this has spent on profiling."""
        self._report = replace(self._report, cpu_seconds=self._report.cpu_seconds + cpu_seconds)

    def _interval(self, taken: Taken) -> Interval:
        tables = {}
        for kind, profile in taken.profiles.items():
            table = self._guard.call(f"the {kind} profile", self._table, kind, profile)
            if table is not None:
                tables[kind] = table
                self._recent.setdefault(kind, deque(maxlen=self._keep)).append(table)
        return Interval(taken, tables, {kind: tuple(known) for kind, known in self._recent.items()})

    def _table(self, kind: str, profile: Profile) -> Table:
        return tabulate(profile, kind=kind, idle=self._idle if kind == "wall" else None)

    def _kept(self, interval: Interval) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], float]]:
        """Keep each profile, and return how many there have been by kind and result, and when the last was."""
        captures, captured = dict(self._report.captures), dict(self._report.captured)
        for kind, profile in interval.profiles.items():
            result = kind, self._put(profile, kind) if kind in interval.tables else "failed"
            captures[result] = captures.get(result, 0) + 1
            captured[result] = interval.taken.end
            self._guard.call("pushing profiles", self.offer, profile, kind, self.labels)
        if self.store is not None:
            self._guard.call("keeping profiles", self.store.maintain)
        return captures, captured

    def _put(self, profile: Profile, kind: str) -> str:
        kept = self.store is not None and self.store.put(profile, kind, labels=self.labels) is not None
        return "kept" if kept else "unkept"
