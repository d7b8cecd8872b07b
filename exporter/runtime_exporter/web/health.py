"""Named health checks: functions of the application that say whether what it depends on works."""

from __future__ import annotations

import inspect
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from runtime_exporter.errors import ConfigError
from runtime_exporter.sigmask import take_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[[], object]

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
_STATUSES = (HEALTHY, DEGRADED, UNHEALTHY)
_LONGEST_REASON = 200
F = TypeVar("F", bound="Callable[[], object]")


@dataclass(frozen=True)
class Result:
    """What one check said: its status, why, and how long it took."""

    name: str
    status: str
    reason: str
    critical: bool
    seconds: float


@dataclass(frozen=True)
class Report:
    """What all checks said, and what it comes to."""

    status: str
    results: tuple[Result, ...]


class Health:
    """The checks of a process.

    Each runs on a daemon thread of its own, all at the same time, and each at most once at a time: one that hangs costs one thread,
    is unhealthy after its timeout, and is not started again before it ends. A report is kept for `keep` seconds, so that
    many who ask cost the database one query.
    """

    def __init__(self, *, timeout: float = 2.0, keep: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        """`timeout` is the seconds of a check that has no timeout of its own."""
        self._timeout = timeout
        self._keep = keep
        self._clock = clock
        self._checks: dict[str, _Check] = {}
        self._last: tuple[float, Report] | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self.started = False
        """Whether start() is finished; set by who starts."""

    def add(self, name: str, function: Function, *, timeout: float | None = None, critical: bool = True) -> None:
        """Add a check, in the place of an earlier one of that name.

        It returns None or True (healthy), False (unhealthy), one of "healthy", "degraded" and "unhealthy", a pair of such a word and
        the reason, or another text: the reason why it is degraded. One that raises is unhealthy, with the name of the
        exception's type as the reason. One that is not `critical` makes the whole no worse than degraded.
        """
        if inspect.iscoroutinefunction(function):
            problem = "a coroutine function; checks run on threads: wrap it with asyncio.run_coroutine_threadsafe"
            raise ConfigError(f"health check {name!r}: {problem}", setting="check", value=name)
        if not name or not callable(function):
            raise ConfigError(f"health check {name!r}: a name and a function are needed", setting="check", value=name)
        self._checks[name] = _Check(
            name, function, self._timeout if timeout is None else timeout, critical, self._clock
        )
        self._last = None

    def check(self, name: str, *, timeout: float | None = None, critical: bool = True) -> Callable[[F], F]:
        """Return a decorator that adds a function as a check: `@health.check("database", timeout=1.0)`."""

        def decorator(function: F) -> F:
            self.add(name, function, timeout=timeout, critical=critical)
            return function

        return decorator

    def remove(self, name: str) -> None:
        """Remove a check, if there is one of that name."""
        self._checks.pop(name, None)
        self._last = None

    def report(self) -> Report:
        """Run the checks, unless they just ran, and return what they said. Takes as long as the longest timeout. Never raises."""
        if self._pid != os.getpid():  # forked: what ran there does not run here
            self._forget_parent()
        with self._lock:
            if self._last is not None and self._clock() - self._last[0] < self._keep:
                return self._last[1]
            checks = tuple(self._checks.values())
            runs = [check.begin() for check in checks]
            results = tuple(check.result(run) for check, run in zip(checks, runs, strict=True))
            report = Report(_overall(results), results)
            self._last = (self._clock(), report)
            return report

    def why_not_ready(self) -> str:
        """Return why no traffic should come here, or an empty text: starting, or the names of critical checks that fail."""
        if not self.started:
            return "starting"
        return ", ".join(
            result.name for result in self.report().results if result.critical and result.status == UNHEALTHY
        )

    def _forget_parent(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._last = None
        for check in self._checks.values():
            check.forget()


class _Run:
    """One call of a check's function, on a thread."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.ended = started
        self.done = threading.Event()
        self.outcome = (UNHEALTHY, "")


class _Check:
    def __init__(
        self, name: str, function: Function, timeout: float, critical: bool, clock: Callable[[], float]
    ) -> None:
        self._name = name
        self._function = function
        self._timeout = timeout
        self._critical = critical
        self._clock = clock
        self._run: _Run | None = None

    def begin(self) -> _Run:
        """Return the run that is under way, or a new one."""
        if self._run is None or self._run.done.is_set():
            self._run = _Run(self._clock())
            thread = threading.Thread(
                target=self._call, args=(self._run,), name=f"runtime-exporter-health-{self._name}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                self._run.outcome = (UNHEALTHY, "no thread can be started")
                self._run.done.set()
        return self._run

    def result(self, run: _Run) -> Result:
        """Wait for a run, no longer than its timeout, and return what came of it."""
        in_time = run.done.wait(max(0.0, run.started + self._timeout - self._clock()))
        status, reason = run.outcome if in_time else (UNHEALTHY, f"no answer within {self._timeout:g} s")
        seconds = (run.ended if in_time else self._clock()) - run.started
        return Result(self._name, status, reason, self._critical, seconds)

    def forget(self) -> None:
        """Forget a run that a fork left behind in the parent."""
        self._run = None

    def _call(self, run: _Run) -> None:
        take_signals()
        try:
            run.outcome = _outcome(self._function())
        except BaseException as error:  # noqa: BLE001 - a check that exits is unhealthy, too
            run.outcome = (UNHEALTHY, type(error).__name__)  # not its text, which may hold what nobody should see
        run.ended = self._clock()
        run.done.set()


def _outcome(value: object) -> tuple[str, str]:
    """Return status and reason of what a check returned."""
    if value is None or value is True:
        return HEALTHY, ""
    if value is False:
        return UNHEALTHY, ""
    if isinstance(value, str):
        return (value, "") if value in _STATUSES else (DEGRADED, value[:_LONGEST_REASON])
    if isinstance(value, tuple) and len(value) == 2 and value[0] in _STATUSES:  # noqa: PLR2004 - a pair
        return value[0], str(value[1])[:_LONGEST_REASON]
    return UNHEALTHY, f"the check returned {type(value).__name__}"


def _overall(results: tuple[Result, ...]) -> str:
    if any(result.status == UNHEALTHY and result.critical for result in results):
        return UNHEALTHY
    return HEALTHY if all(result.status == HEALTHY for result in results) else DEGRADED
