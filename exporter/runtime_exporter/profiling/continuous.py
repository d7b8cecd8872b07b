"""The profiler that is always on: each interval what the sampler saw becomes profiles, which a pipeline takes in.

    sampler.take() -> Window -> Profile a kind -> Pipeline -> Report

One daemon thread does it. What it costs is measured, and the interval grows before the budget is exceeded.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.costs import PROFILING
from runtime_exporter.logs import StateLog
from runtime_exporter.ownthread import OwnThread
from runtime_exporter.profiling import windows
from runtime_exporter.profiling.guard import Guard
from runtime_exporter.profiling.pipeline import Pipeline, Taken
from runtime_exporter.profiling.samplers.sampler import OWN_THREADS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runtime_exporter.profiling.pipeline import Report
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.samplers.sampler import Sampler, Window

    Source = Callable[[Window], Mapping[str, Profile]]

INTERVAL_SECONDS: Final = 60.0
THREAD_NAME: Final = f"{OWN_THREADS}-profiles"
_JOIN_SECONDS = 5.0
# What is shorter says nothing; it is what is left when the profiler is closed right after an interval.
_SHORTEST_SECONDS = 1.0
# An interval may grow to so many times what was asked for.
_LONGEST_STRETCH = 10.0
# What an earlier process left is read once, in a minute or two: of the five minutes over which the budget holds that is a part.
_HASTE = 4
_TEND_SECONDS = 5.0
# Workers do not all compute at the same moment: so many follow each other, at this part of an interval.
_TURNS, _TURN = 16, 1 / 200


class Continuous:
    """Profiles this process all the time. The constructor has no effects; `start` starts the sampler and one thread.

    sampler: makes the sampler, when it is started. pipeline: what takes in the profiles of each interval. sources: what gives
    further ones of an interval; what the `paced` ones cost, which keep a pace of their own, does not stretch it, nor does `then`,
    which is called after each. recall: what is to be done first, in steps, such as to read what an earlier process left.
    worker: gives the number of this process among those that serve together: their intervals end at the same times of the clock,
    `now`, so that what they saw can be put together. budget: tells the part of one core for sampling at the moment, which is as
    much as there is for the rest. Whatever fails is logged once and costs only itself.
    """

    def __init__(
        self,
        sampler: Callable[[], Sampler],
        pipeline: Pipeline | None = None,
        *,
        interval: float = INTERVAL_SECONDS,
        sources: Sequence[Source] = (),
        paced: Sequence[Source] = (),
        recall: Callable[[], Iterable[object]] | None = None,
        then: Callable[[], object] | None = None,
        budget: Callable[[], float] = lambda: 0.005,
        worker: Callable[[], int | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        cpu: Callable[[], float] = time.thread_time,
        log: StateLog | None = None,
    ) -> None:
        self.sampler: Sampler | None = None
        """What samples, from the first start on."""
        self.pipeline = pipeline if pipeline is not None else Pipeline(log=log)
        self.interval = interval
        self._make_sampler = sampler
        self._sources = tuple(sources)
        self._paced = tuple(paced)
        self._paced_cpu = 0.0
        self._recall = recall
        self._then = then
        self._budget = budget
        self._worker = worker
        self._clock = clock
        self._now = now
        self._cpu = cpu
        self._taken = 0.0
        self._log = log or StateLog()
        self._guard = Guard(self._log)
        self._thread = OwnThread(THREAD_NAME, PROFILING)

    @property
    def report(self) -> Report:
        """What is known as of the last interval."""
        return self.pipeline.report

    @property
    def running(self) -> bool:
        """Whether this process is being profiled."""
        return self._thread.running

    def start(self) -> None:
        """Start to profile; without effect while it runs.

        Raises ProfileError where the sampler cannot work here, RuntimeError where no thread can be started.
        """
        if self.running:
            return
        sampler = self.sampler = self.sampler or self._make_sampler()
        sampler.start()
        self._taken = self._clock()
        try:
            self._thread.start(self._run)
        except RuntimeError:
            sampler.close()
            raise

    def close(self) -> None:
        """Stop, and account for what was seen since the last interval. May be called twice, and before `start`."""
        self._thread.close(_JOIN_SECONDS)
        if self.sampler is not None:
            self.sampler.close()

    def forked(self) -> None:
        """In the child of a fork: there is no thread, and nothing was seen. It may be started again.

        The store is told by whoever made it: others keep profiles in it, too.
        """
        self._thread.forked()
        if self.sampler is not None:
            self.sampler.forked()
        self.pipeline.forget()

    def turn(self) -> float:
        """Account for the time since the last turn, and return the seconds to wait until the next one. Never raises."""
        spent = self._cpu()
        self._guard.call("profiling", self._account)
        spent = self._cpu() - spent
        self.pipeline.charge(spent)
        if self._then is not None:
            ended = self._cpu()
            self._guard.call("profiles of all workers", self._then)
            self.pipeline.charge(self._cpu() - ended)
        spent, self._paced_cpu = spent - self._paced_cpu, 0.0
        return self.pause(spent)

    def pause(self, spent: float) -> float:
        """Return the seconds until the next turn, after one that took `spent` seconds of CPU."""
        budget = self._budget()
        affordable = spent / budget if budget > 0 else self.interval
        shortest = self.sampler.shortest if self.sampler is not None else 0.0
        return min(max(self.interval, affordable, shortest), self.interval * _LONGEST_STRETCH)

    def until_end(self, pause: float) -> float:
        """Return the seconds until this interval ends, which should be in `pause`: with other workers, when theirs end, too."""
        number = self._worker()
        if number is None:
            return pause
        return aligned(self._now() - number % _TURNS * _TURN * self.interval, pause, self.interval)

    def _run(self, stop: threading.Event) -> None:
        self._guard.call("reading earlier profiles", self._remember, stop)
        wait = self.interval
        while not self._ended(stop, self.until_end(wait)):
            wait = self.turn()
        # A helper that was started a moment ago cannot even be asked to end in peace.
        if self._clock() - self._taken >= _SHORTEST_SECONDS:
            self._guard.call("profiling", self._account)

    def _ended(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until the next turn, or less long when it is to end; look after the sampler meanwhile."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            if stop.wait(min(left, _TEND_SECONDS)):
                return True
            if self.sampler is not None:
                self._guard.call("keeping the sampler within its budget", self._tend, self.sampler)
        return stop.is_set()

    def _tend(self, sampler: Sampler) -> None:
        sampler.afford(self._budget())
        sampler.tend()

    def _remember(self, stop: threading.Event) -> None:
        """Do the first steps, each followed by a wait that keeps them within the budget."""
        spent = began = self._cpu()
        for _ in self._recall() if self._recall is not None else ():
            before, spent = spent, self._cpu()
            if stop.wait((spent - before) / (self._budget() * _HASTE)):
                break
        self.pipeline.charge(self._cpu() - began)

    def _account(self) -> None:
        sampler = self.sampler
        if sampler is None:
            return
        window = sampler.take()
        self._taken = self._clock()
        self._tell(window)
        if window.seconds >= _SHORTEST_SECONDS:
            self.pipeline.take_in(self._of(sampler, window))

    def _tell(self, window: Window) -> None:
        if window.pauses:
            self._log.report(
                "budget", "paused", "sampling had to pause: even at its lowest rate it costs more than its budget"
            )
        else:
            self._log.report("budget", "ok", "sampling is within its budget without pauses again")

    def _of(self, sampler: Sampler, window: Window) -> Taken:
        profiles = dict(windows.profiles(window, sampler.capabilities.measures, self._comments(sampler, window)))
        for source in self._sources:
            profiles.update(self._asked(source, window))
        before = self._cpu() if self._paced else 0.0
        for source in self._paced:
            profiles.update(self._asked(source, window))
        self._paced_cpu += self._cpu() - before if self._paced else 0.0
        return Taken(
            profiles,
            window.begin,
            window.end,
            backend=sampler.name,
            unbiased=sampler.capabilities.unbiased,
            bias_ratio=window.bias_ratio,
            samples=window.samples,
            own_cpu_seconds=window.own_cpu_ns / 1e9,
            helper_cpu_seconds=window.helper_cpu_ns / 1e9,
            pauses=window.pauses,
        )

    def _asked(self, source: Source, window: Window) -> Mapping[str, Profile]:
        return self._guard.call(f"profiles of {_name(source)}", source, window) or {}

    def _comments(self, sampler: Sampler, window: Window) -> tuple[str, ...]:
        bias = "unbiased" if sampler.capabilities.unbiased else f"bias ratio {window.bias_ratio:.3f}"
        return (
            f"backend {sampler.name}, {bias}",
            f"looks {window.samples}, truncated {window.truncated}, dropped {window.dropped}",
            *(f"{key} {value}" for key, value in sorted(self.pipeline.labels.items())),
        )


def aligned(now: float, pause: float, interval: float) -> float:
    """Return the seconds from `now` (Unix seconds) to a multiple of `interval`: to the one nearest to `pause`.

    A longer pause becomes the next multiple of 2, 4, 8 or 16 intervals, so that those who have to pause longer still end together.
    """
    if pause <= interval:
        return round((now + pause) / interval) * interval - now
    step = math.ldexp(interval, math.ceil(math.log2(min(pause / interval, _LONGEST_STRETCH))))
    return math.ceil((now + pause) / step) * step - now


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)
