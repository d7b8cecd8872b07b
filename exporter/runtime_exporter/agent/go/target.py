"""A Go service as a target: what it serves at /debug/pprof/, taken window by window at the least cost for the service.

What Go counts since the start of the process (mutex, block, allocs) is subtracted here and not there; the heap is fetched once
and serves `allocs`, too; many goroutines are left alone; the search for leaked ones, which forces a collection, is rare.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from runtime_exporter.agent.go.client import PATIENCE_SECONDS
from runtime_exporter.agent.go.deltas import differences, restarted, without_profiler
from runtime_exporter.agent.go.growth import Growth
from runtime_exporter.agent.go.service import PAGES, Service
from runtime_exporter.errors import BusyError, ProfileError
from runtime_exporter.logs import StateLog
from runtime_exporter.profiling.advice import Facts
from runtime_exporter.profiling.pipeline import Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.agent.config import Target
    from runtime_exporter.profiling.profile import Profile

BACKEND: Final = "go"
MOST_GOROUTINES: Final = 20_000
"""With more of them they are not asked for: a profile takes the service about a microsecond for each."""
LEAKS_SECONDS: Final = 600.0
"""Between two searches for leaked goroutines, each of which forces a collection."""
_COUNTED: Final = ("heap", "allocs", "mutex", "block")
"""Kinds that are counted since the start of the process, at least in a part of their values."""
_DEFAULT_TYPES: Final = {"heap": "inuse_space", "allocs": "alloc_space"}
_UNANSWERED: Final = 2
"""So many requests in a row without an answer say that nobody is there."""
_NANOSECONDS: Final = 10**9


class GoTarget:
    """Profiles of a Go service. The constructor has no effects. `take` is for one thread, `capture` and `close` for any.

    growth: what looks for leaks. patience: seconds for an answer. leaks_seconds, most_goroutines: see LEAKS_SECONDS and
    MOST_GOROUTINES. clock: seconds since the epoch.
    """

    language: Literal["go"] = "go"

    def __init__(
        self,
        target: Target,
        *,
        growth: Growth | None = None,
        patience: float = PATIENCE_SECONDS,
        leaks_seconds: float = LEAKS_SECONDS,
        most_goroutines: int = MOST_GOROUTINES,
        clock: Callable[[], float] = time.time,
        log: StateLog | None = None,
    ) -> None:
        self.problems: Mapping[str, str] = {}
        """What could not be taken the last time, by kind: why."""
        self._target = target
        self._service = Service(target, patience=patience, clock=clock)
        self._growth = growth or Growth()
        self._leaks_seconds = leaks_seconds
        self._most_goroutines = most_goroutines
        self._clock = clock
        self._log = log or StateLog()
        self._cpu = threading.Lock()  # Go profiles the CPU for one at a time, and refuses the second
        self._before: Mapping[str, Profile] = {}
        self._since = 0.0
        self._started: float | None = None
        self._leaked: Profile | None = None
        self._searched = 0.0
        self._facts = Facts()

    @property
    def started(self) -> float | None:
        """When the service did, in seconds since the epoch, where its metrics say it."""
        return self._started

    def take(self) -> Taken:
        """Take a CPU profile and return it with what came to be since the last call; blocks as long as that takes.

        Raises ProfileError where nobody answers, or nothing is served. What fails alone, or is left alone, is in `problems`.
        """
        problems: dict[str, str] = {}
        self._service.unanswered = 0
        self._service.standing()  # is there anybody, and are we welcome: said once, and not for each kind
        if not self._since:
            self._before, self._since = self._counted(problems), self._clock()
        cpu = self._kind("cpu", problems, self._cpu_window)
        standing, said = self._service.standing(), self._service.said()
        now, begin, end = self._counted(problems), self._since, self._clock()
        if self._is_another(said.started) or restarted(now, self._before):
            self._forget(said.started or begin)
            gained = now
        else:
            gained = differences(now, self._before)
        self._before, self._since, self._started = {**self._before, **now}, end, said.started
        instants = self._instants(now, standing, problems)
        self._growth.look(instants, end)
        self._facts = Facts(
            go=said.facts(standing, instants, self._target.memory_limit), suspects=self._growth.suspects()
        )
        windows = {kind: _dated(one, begin, end) for kind, one in {**instants, **self._wanted(gained)}.items()}
        self._tell(problems)
        profiles = windows if cpu is None else {"cpu": cpu, **windows}
        if not profiles:
            raise ProfileError(next(iter(problems.values()), f"{self._service.where} serves no profile that is wanted"))
        return Taken(profiles, begin, end, backend=BACKEND, samples=cpu.total(0) if cpu is not None else 0)

    def facts(self) -> Facts:
        """Return what the runtime said of itself, and what grows, as of the last `take`."""
        return self._facts

    def capture(self, kind: str, seconds: float, unwanted: Callable[[], bool] | None = None) -> Profile:
        """Return one profile now: of the CPU over `seconds`, of anything else as it is, or over `seconds` where they are not 0.

        Raises ProfileError where there is no such kind or it becomes `unwanted`, and BusyError where a CPU profile is being taken.
        """
        if kind not in PAGES:
            raise ProfileError(f"no profile {kind!r}: a Go service has {', '.join(PAGES)}")
        if kind != "cpu":
            return self._service.profile(kind, round(seconds), unwanted)
        if not self._cpu.acquire(blocking=False):
            raise BusyError(f"{self._service.where}: a CPU profile is being taken, and Go takes one at a time")
        try:
            return self._service.profile(kind, max(1, round(seconds)), unwanted)
        finally:
            self._cpu.release()

    def close(self) -> None:
        """End what is under way; who waits for it gets a ProfileError. A second call does nothing."""
        self._service.close()

    def _is_another(self, started: float | None) -> bool:
        """Return whether the process says that it began at another time than the one before."""
        return None not in (started, self._started) and started != self._started

    def _forget(self, began: float) -> None:
        self._growth.forget(began)
        self._service.restarted()
        self._before, self._leaked, self._searched = {}, None, 0.0

    def _counted(self, problems: dict[str, str]) -> dict[str, Profile]:
        """Return the profiles that count since the start, of the kinds that are wanted; the heap has what allocs has."""
        both = {"heap", "allocs"} <= {*self._target.kinds}
        found = {
            kind: self._kind(kind, problems, self._service.profile)
            for kind in _COUNTED
            if not (both and kind == "allocs")
        }
        return {
            kind: without_profiler(profile) if kind == "block" else profile
            for kind, profile in found.items()
            if profile is not None
        }

    def _wanted(self, gained: Mapping[str, Profile]) -> dict[str, Profile]:
        """Return what came to be in the window, of the kinds that are wanted; where nothing did there is no profile."""
        named = {"allocs" if kind == "heap" else kind: profile for kind, profile in gained.items() if profile.samples}
        return {kind: _shown_as(kind, one) for kind, one in named.items() if kind in self._target.kinds}

    def _instants(
        self, counted: Mapping[str, Profile], standing: Mapping[str, int], problems: dict[str, str]
    ) -> dict[str, Profile]:
        """Return the profiles that say how things are."""
        found = {"heap": _shown_as("heap", counted["heap"])} if "heap" in counted else {}
        many = standing.get("goroutine", 0)
        if many > self._most_goroutines:
            problems["goroutine"] = (
                f"{self._service.where} has {many} goroutines: to list more than {self._most_goroutines} would cost it too much"
            )
        elif (goroutines := self._kind("goroutine", problems, self._service.profile)) is not None:
            found["goroutine"] = goroutines
        if "goroutineleak" in standing and self._clock() >= self._searched + self._leaks_seconds:
            self._searched = self._clock()
            leaked = self._kind("goroutineleak", problems, self._service.profile)
            if leaked is not None:
                self._leaked = leaked if leaked.samples else None
        if self._leaked is not None:  # what is proven stays true as long as the process lives
            found["goroutineleak"] = self._leaked
        return found

    def _cpu_window(self, kind: str) -> Profile:
        seconds = max(1, round(self._target.seconds))
        if not self._cpu.acquire(timeout=seconds):
            raise BusyError(f"{self._service.where}: a CPU profile is being taken for somebody else")
        try:
            begin = self._clock()
            profile = self._service.profile(kind, seconds)
        finally:
            self._cpu.release()
        return replace(profile, time_nanos=round(begin * _NANOSECONDS))

    def _kind(self, kind: str, problems: dict[str, str], fetch: Callable[[str], Profile]) -> Profile | None:
        """Return a profile if it is wanted and there, else None, and note why. Raises ProfileError where nobody answers."""
        if kind not in self._target.kinds or self._service.lacks(kind):
            return None
        try:
            return fetch(kind)
        except ProfileError as error:
            if self._service.unanswered >= _UNANSWERED:
                raise
            problems[kind] = str(error)
            return None

    def _tell(self, problems: Mapping[str, str]) -> None:
        """Log what fails when that changes, and once more when it works again."""
        for kind in sorted(self.problems.keys() | problems.keys()):
            state = "failing" if kind in problems else "ok"
            text = problems.get(kind, f"{self._service.where}: the {kind} profile is there again")
            self._log.report((str(self._service.where), kind), state, text)
        self.problems = dict(problems)


def _shown_as(kind: str, profile: Profile) -> Profile:
    """Return a profile that is shown by the values that its kind is about: Go's heap and allocs have the same four."""
    return replace(profile, default_sample_type=_DEFAULT_TYPES.get(kind, profile.default_sample_type))


def _dated(profile: Profile, begin: float, end: float) -> Profile:
    """Return a profile as one of a window by our clock: the service's own may be wrong, and tells no duration of what stands."""
    return replace(profile, time_nanos=round(begin * _NANOSECONDS), duration_nanos=round((end - begin) * _NANOSECONDS))
