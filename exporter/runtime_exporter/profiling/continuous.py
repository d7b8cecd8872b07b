"""The profiler that is always on: each interval what the sampler saw becomes profiles, tables, series, files and findings.

    sampler.take() -> Window -> Profile a kind -> Table -> Summary, Store, comparison, advice -> Report

One daemon thread does it. What it costs is measured, and the interval grows before the budget is exceeded.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.errors import ExporterError
from runtime_exporter.logs import StateLog
from runtime_exporter.profiling import windows
from runtime_exporter.profiling.samplers.sampler import OWN_THREADS
from runtime_exporter.profiling.summary import Summary
from runtime_exporter.profiling.table import tabulate
from runtime_exporter.sigmask import start_without_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runtime_exporter.profiling.membership import Rules
    from runtime_exporter.profiling.profile import Profile, Stack
    from runtime_exporter.profiling.samplers.sampler import Sampler, Window
    from runtime_exporter.profiling.store import Store
    from runtime_exporter.profiling.summary import Tally
    from runtime_exporter.profiling.table import Table

INTERVAL_SECONDS: Final = 60.0
RECENT_TABLES: Final = 60
"""Windows that are kept in memory of each kind: an hour at one a minute, some 20 kB each."""
THREAD_NAME: Final = f"{OWN_THREADS}-profiles"
_JOIN_SECONDS = 5.0
# What is shorter says nothing; it is what is left when the profiler is closed right after an interval.
_SHORTEST_SECONDS = 1.0
# Half of the budget is the sampler's, which governs its own rate; an interval may grow to so many times what was asked for.
_SHARE_OF_BUDGET, _LONGEST_STRETCH = 0.5, 10.0


@dataclass(frozen=True)
class Interval:
    """One interval and what was made of it."""

    window: Window
    profiles: Mapping[str, Profile]
    tables: Mapping[str, Table]
    recent: Mapping[str, Sequence[Table]]
    """The tables of the last intervals by kind, this one's last."""
    backend: str = ""
    unbiased: bool = False


@dataclass(frozen=True)
class Report:
    """All that is known at the end of an interval. Frozen: a scrape reads one while the next is made."""

    backend: str = ""
    unbiased: bool = False
    interval: Interval | None = None
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    comparisons: Mapping[str, Any] = field(default_factory=dict)
    """What the hook for comparison returned, by kind."""
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


class Continuous:
    """Profiles this process all the time. The constructor has no effects; `start` starts the sampler and one thread.

    sampler: makes the sampler, when it is started. store: where profiles are kept; None keeps none. sources: what gives further profiles of an interval. idle: tells stacks
    of threads that wait for work. compare: from the interval to comparisons by kind. advise: from the interval and those to
    recommendations. recall: what is to be done first, in steps, such as to read what an earlier process left. labels: what each kept profile carries, such as the version. budget: the part of one core for all of it.
    Whatever fails is logged once and costs only itself.
    """

    def __init__(
        self,
        sampler: Callable[[], Sampler],
        *,
        interval: float = INTERVAL_SECONDS,
        rules: Rules | None = None,
        store: Store | None = None,
        sources: Sequence[Callable[[Window], Mapping[str, Profile]]] = (),
        idle: Callable[[Stack], bool] | None = None,
        compare: Callable[[Interval], Mapping[str, Any]] | None = None,
        advise: Callable[[Interval, Mapping[str, Any]], Sequence[Any]] | None = None,
        recall: Callable[[], Iterable[object]] | None = None,
        labels: Mapping[str, str] | None = None,
        budget: float = 0.01,
        recent: int = RECENT_TABLES,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
        log: StateLog | None = None,
    ) -> None:
        self.sampler: Sampler | None = None
        """What samples, from the first start on."""
        self._make_sampler = sampler
        self.store = store
        self.interval = interval
        self._rules = rules
        self._sources = tuple(sources)
        self._idle = idle
        self._compare = compare
        self._advise = advise
        self._recall = recall
        self._labels = dict(labels or {})
        self._budget = budget
        self._keep = recent
        self._clock = clock
        self._cpu = cpu
        self._taken = 0.0
        self._log = log or StateLog()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._report: Report
        self._forget()

    @property
    def report(self) -> Report:
        """What is known as of the last interval."""
        return self._report

    @property
    def running(self) -> bool:
        """Whether this process is being profiled."""
        return self._thread is not None

    def start(self) -> None:
        """Start to profile; without effect while it runs. Raises ProfileError where the sampler cannot work here."""
        if self._thread is not None:
            return
        sampler = self.sampler = self.sampler or self._make_sampler()
        sampler.start()
        self._taken = self._clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name=THREAD_NAME, daemon=True)
        try:
            start_without_signals(self._thread)
        except RuntimeError:  # no thread can be started
            self._thread = None
            sampler.close()
            raise

    def close(self) -> None:
        """Stop, and account for what was seen since the last interval. May be called twice, and before `start`."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)
        if self.sampler is not None:
            self.sampler.close()

    def forked(self) -> None:
        """In the child of a fork: there is no thread, and nothing was seen. It may be started again."""
        self._thread = None
        self._stop = threading.Event()
        if self.sampler is not None:
            self.sampler.forked()
        if self.store is not None:
            self.store.forked()
        self._forget()

    def turn(self) -> float:
        """Account for the time since the last turn, and return the seconds to wait until the next one. Never raises."""
        spent = self._cpu()
        self._guarded("profiling", self._account)
        if self.store is not None:
            self._guarded("keeping profiles", self.store.maintain)
        spent = self._cpu() - spent
        self._report = replace(self._report, cpu_seconds=self._report.cpu_seconds + spent)
        return self.pause(spent)

    def pause(self, spent: float) -> float:
        """Return the seconds until the next turn, after one that took `spent` seconds of CPU."""
        affordable = spent / (self._budget * _SHARE_OF_BUDGET) if self._budget > 0 else self.interval
        return min(max(self.interval, affordable), self.interval * _LONGEST_STRETCH)

    def _forget(self) -> None:
        self._summary = Summary(self._rules)
        self._recent: dict[str, deque[Table]] = {}
        self._report = Report()

    def _run(self, stop: threading.Event) -> None:
        self._guarded("reading earlier profiles", self._remember, stop)
        wait = self.interval
        while not stop.wait(wait):
            wait = self.turn()
        # A helper that was started a moment ago cannot even be asked to end in peace.
        if self._clock() - self._taken >= _SHORTEST_SECONDS:
            self._guarded("profiling", self._account)

    def _remember(self, stop: threading.Event) -> None:
        """Do the first steps, each followed by a wait that keeps them within the budget."""
        spent = began = self._cpu()
        for _ in self._recall() if self._recall is not None else ():
            before, spent = spent, self._cpu()
            if stop.wait((spent - before) / self._budget):
                break
        self._report = replace(self._report, cpu_seconds=self._report.cpu_seconds + self._cpu() - began)

    def _account(self) -> None:
        sampler = self.sampler
        if sampler is None:
            return
        window = sampler.take()
        self._taken = self._clock()
        if window.seconds < _SHORTEST_SECONDS:
            return
        interval = self._interval(sampler, window)
        for table in interval.tables.values():
            self._summary.add(table)
        captures, captured = self._kept(interval)
        comparisons = self._guarded("comparison of profiles", self._compare, interval) or {}
        recommendations = self._guarded("advice", self._advise, interval, comparisons) or ()
        self._report = replace(
            self._report,
            backend=sampler.name,
            unbiased=sampler.capabilities.unbiased,
            interval=interval,
            tallies=self._summary.totals(),
            comparisons=comparisons,
            recommendations=recommendations,
            captures=captures,
            captured=captured,
            cpu_seconds=self._report.cpu_seconds + window.own_cpu_ns / 1e9,
            helper_cpu_seconds=self._report.helper_cpu_seconds + window.helper_cpu_ns / 1e9,
        )

    def _interval(self, sampler: Sampler, window: Window) -> Interval:
        profiles = dict(windows.profiles(window, sampler.capabilities.measures, self._comments(sampler, window)))
        for source in self._sources:
            profiles.update(self._guarded(f"profiles of {_name(source)}", source, window) or {})
        tables = {}
        for kind, profile in profiles.items():
            table = self._guarded(f"the {kind} profile", self._table, kind, profile)
            if table is not None:
                tables[kind] = table
                self._recent.setdefault(kind, deque(maxlen=self._keep)).append(table)
        recent = {kind: tuple(known) for kind, known in self._recent.items()}
        return Interval(window, profiles, tables, recent, sampler.name, sampler.capabilities.unbiased)

    def _table(self, kind: str, profile: Profile) -> Table:
        return tabulate(profile, kind=kind, idle=self._idle if kind == "wall" else None)

    def _comments(self, sampler: Sampler, window: Window) -> tuple[str, ...]:
        bias = "unbiased" if sampler.capabilities.unbiased else f"bias ratio {window.bias_ratio:.3f}"
        return (
            f"backend {sampler.name}, {bias}",
            f"looks {window.samples}, truncated {window.truncated}, dropped {window.dropped}",
            *(f"{key} {value}" for key, value in sorted(self._labels.items())),
        )

    def _kept(self, interval: Interval) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], float]]:
        """Keep each profile, and return how many there have been by kind and result, and when the last was."""
        captures, captured = dict(self._report.captures), dict(self._report.captured)
        for kind, profile in interval.profiles.items():
            kept = self.store is not None and self.store.put(profile, kind, labels=self._labels) is not None
            result = kind, "failed" if kind not in interval.tables else "kept" if kept else "unkept"
            captures[result] = captures.get(result, 0) + 1
            captured[result] = interval.window.end
        return captures, captured

    def _guarded(self, what: str, function: Callable[..., Any] | None, *arguments: Any) -> Any:
        """Return what the function does, or None where there is none or it fails, which is logged once."""
        if function is None:
            return None
        try:
            result = function(*arguments)
        except Exception as error:  # noqa: BLE001 - nothing of ours may end the thread, nor reach the application
            reason = str(error) if isinstance(error, ExporterError) else f"{type(error).__name__}: {error}"
            self._log.report(what, "failing", f"{what} failed: {reason}")
            return None
        self._log.report(what, "ok", f"{what} works again")
        return result


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)
