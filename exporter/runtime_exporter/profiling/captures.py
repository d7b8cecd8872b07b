"""Profiles that alerts ask for: one at a time in the background, rarely enough to do no harm, kept with the alert's labels.

Alert -> ask() -> queue -> a sampler's burst -> Shelf -> what `taken` does (an annotation in Grafana)
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from runtime_exporter.costs import COSTS, PROFILING
from runtime_exporter.errors import BusyError, ExporterError
from runtime_exporter.logs import StateLog
from runtime_exporter.profiling.alerts import KINDS, PROFILE, described, labels, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.profiling.alerts import Alert
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.shelf import Shelf
    from runtime_exporter.profiling.stored import Entry
    from runtime_exporter.settings import Settings

INSTANTS: Final = frozenset({"goroutine"})
"""Kinds that say how things are, and take no time."""
MOST_WAITING: Final = 4
"""Captures that may wait for their turn."""
THREAD_NAME: Final = "runtime-exporter-captures"
_PATIENCE_SECONDS, _RETRY_SECONDS = 60.0, 0.5
_JOIN_SECONDS = 5.0
_MOST_REMEMBERED = 100


@dataclass(frozen=True)
class Source:
    """Takes profiles of one kind. `seconds` is how long one takes; 0 for what is so at an instant."""

    take: Callable[[float], Profile]
    seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What comes of an alert: a profile of `kind` is taken within `seconds`, or none is, for a reason."""

    kind: str = ""
    seconds: float = 0.0
    reason: str = ""
    instead: str = ""
    """Why it is not a profile of the kind that explains the alert best; empty where it is."""

    @property
    def accepted(self) -> bool:
        """Whether a profile will be taken."""
        return not self.reason


@dataclass(frozen=True)
class Captured:
    """A profile that was taken for an alert."""

    entry: Entry
    alert: Alert


@dataclass
class _Job:
    alert: Alert
    kind: str
    source: Source
    begun: float | None = None

    def left(self, now: float) -> float:
        return self.source.seconds if self.begun is None else max(0.0, self.begun + self.source.seconds - now)


class Captures:
    """Takes profiles for alerts. The constructor has no effects; a thread runs only while there is something to take.

    sources: what can be taken, by kind. pause: seconds between two profiles for alerts of one name. taken: is told of each
    profile on that thread; what it raises is logged.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        shelf: Shelf,
        *,
        pause: float = 600.0,
        taken: Callable[[Captured], None] | None = None,
        patience: float = _PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        log: StateLog | None = None,
    ) -> None:
        self.unable: Mapping[str, str] = {}
        """Why a kind of profile cannot be taken here, for who wants one."""
        self._sources = dict(sources)
        self._shelf = shelf
        self._pause = pause
        self._taken = taken
        self._patience = patience
        self._clock = clock
        self._now = now
        self._log = log or StateLog()
        self.forked()

    @classmethod
    def of(
        cls,
        settings: Settings,
        takes: Mapping[str, Callable[[float], Profile]],
        shelf: Shelf,
        taken: Callable[[Captured], None] | None = None,
    ) -> Captures:
        """Return what takes profiles as the settings say. takes: for each kind, what takes one over some seconds."""
        usual = settings.alert_profile_seconds
        seconds = {"heap": float(settings.alert_heap_seconds), **dict.fromkeys(INSTANTS, 0.0)}
        sources = {kind: Source(take, seconds.get(kind, usual)) for kind, take in takes.items()}
        if not (settings.alert_heap_seconds or settings.profile_heap):
            sources.pop("heap", None)
        return cls(sources, shelf, pause=settings.alert_pause, taken=taken)

    def forked(self) -> None:
        """In the child of a fork: nothing was asked for, and there is no thread."""
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._times: dict[tuple[str, str], float] = {}
        self._jobs: deque[_Job] = deque()
        self._asked: dict[str, float] = {}
        self._outcomes: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._shelf.forked()

    def open(self) -> None:
        """Take profiles again after `close`."""
        self._stop = threading.Event()

    def close(self) -> None:
        """Take no more. What is being taken is kept as far as it is, if its sampler is told to end, too."""
        self._stop.set()
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)

    def kind(self, alert: Alert) -> str:
        """Return the kind of profile that explains an alert and can be taken here; empty where there is none."""
        return next((kind for kind in wanted(alert) if kind in self._sources), "")

    def instead(self, alert: Alert, kind: str) -> str:
        """Return why an alert gets this kind, where another explains it better; empty where it does not."""
        better = tuple(takewhile(lambda one: one != kind, wanted(alert)))
        if not better or any(one in self._sources for one in better):
            return ""
        return f"no {' or '.join(better)} profile can be taken here, and {kind} comes next"

    def ask(self, alert: Alert) -> Answer:
        """Have a profile taken for an alert; return at once what comes of it."""
        kind = self.kind(alert)
        if not kind:
            return self._refused(alert, kind, self._unable(alert))
        source = self._sources[kind]
        with self._lock:
            reason = self._reason(alert)
            if not reason:
                self._asked[alert.name] = self._clock()
                self._jobs.append(_Job(alert, kind, source))
                seconds = sum(job.left(self._clock()) for job in self._jobs)
                self._work()
        return (
            self._refused(alert, kind, reason) if reason else Answer(kind, seconds, instead=self.instead(alert, kind))
        )

    def left(self, name: str) -> float | None:
        """Return the seconds after which the profile for an alert of this name is there; None where none is being taken."""
        with self._lock:
            seconds = 0.0
            for job in self._jobs:
                seconds += job.left(self._clock())
                if job.alert.name == name:
                    return seconds
        return None

    def outcome(self, name: str) -> str:
        """Return why the last alert of this name got no profile; empty where it got one, or there was none."""
        return self._outcomes.get(name, "")

    def counted(self) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], float]]:
        """Return how many profiles were asked for, by kind and result, and when the last one was, in seconds since the epoch.

        Results are "kept", "unkept" (in memory only), "failed" and "skipped".
        """
        with self._lock:
            return dict(self._counts), dict(self._times)

    def _unable(self, alert: Alert) -> str:
        kinds = alert.wants or alert.labels.get(PROFILE) or " or ".join(KINDS.get(alert.name, ()))
        if not kinds:
            return "no kind of profile explains this alert: a label or annotation profile of its rule would name one"
        why = self.unable.get(kinds, "")
        return f"no {kinds} profile can be taken here{why and ': '}{why}"

    def _reason(self, alert: Alert) -> str:
        """Return why no profile is taken now; empty where nothing speaks against it."""
        now = self._clock()
        self._asked = {name: at for name, at in self._asked.items() if now - at < self._pause}
        if self._stop.is_set():
            return "the exporter is being closed"
        if alert.name in self._asked:
            ago = now - self._asked[alert.name]
            return f"one was asked for {ago:.0f} s ago, and there is one in {self._pause:.0f} s for alerts of one name"
        if len(self._jobs) > MOST_WAITING:
            return f"{MOST_WAITING} others are waiting for their turn"
        return ""

    def _refused(self, alert: Alert, kind: str, reason: str) -> Answer:
        self._count(kind or "none", "skipped")
        self._remember(alert.name, reason)
        return Answer(kind, reason=reason)

    def _count(self, kind: str, result: str) -> None:
        with self._lock:
            self._counts[kind, result] += 1
            self._times[kind, result] = self._now()

    def _remember(self, name: str, outcome: str) -> None:
        with self._lock:
            self._outcomes.pop(name, None)
            self._outcomes[name] = outcome
            while len(self._outcomes) > _MOST_REMEMBERED:
                del self._outcomes[next(iter(self._outcomes))]

    def _work(self) -> None:
        """Start the thread, unless it runs. The lock is held."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(self._stop,), name=THREAD_NAME, daemon=True)
            try:
                COSTS.start(self._thread, PROFILING)
            except RuntimeError:  # no thread can be started now: the next alert tries again
                self._thread = None

    def _run(self, stop: threading.Event) -> None:
        while True:
            with self._lock:
                if stop.is_set():
                    self._jobs.clear()
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs[0]
            self._do(job, stop)
            with self._lock:
                self._jobs.popleft()

    def _do(self, job: _Job, stop: threading.Event) -> None:
        name = job.alert.name
        try:
            profile = self._profile(job, stop)
            entry, kept = self._shelf.put(described(profile, job.alert), job.kind, labels(job.alert))
        except Exception as error:  # noqa: BLE001 - nothing of ours may end the thread, nor reach the application
            reason = str(error) if isinstance(error, ExporterError) else f"{type(error).__name__}: {error}"
            self._log.report(name, "failing", f"the {job.kind} profile for {name} failed: {reason}")
            self._count(job.kind, "failed")
            self._remember(name, f"the {job.kind} profile failed: {reason}")
            with self._lock:
                self._asked.pop(name, None)  # the next notification may try again
            return
        self._log.report(name, "ok", f"the {job.kind} profile for {name} was taken again")
        self._count(job.kind, "kept" if kept else "unkept")
        self._remember(name, "")
        if self._taken is not None:
            self._tell(Captured(entry, job.alert))

    def _profile(self, job: _Job, stop: threading.Event) -> Profile:
        """Return the profile; while somebody else has one taken, wait for it to end."""
        until = self._clock() + self._patience
        while True:
            job.begun = self._clock()
            try:
                return job.source.take(job.source.seconds)
            except BusyError:
                job.begun = None
                if self._clock() >= until or stop.wait(_RETRY_SECONDS):
                    raise

    def _tell(self, captured: Captured) -> None:
        try:
            if self._taken is not None:
                self._taken(captured)
        except Exception as error:  # noqa: BLE001 - as above
            self._log.report("taken", "failing", f"telling of a profile failed: {type(error).__name__}: {error}")
