"""A process under observation: py-spy looks at it all the time, and the kernel says what each thread used."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runtime_exporter.agent.processes import Process, began
from runtime_exporter.cpuclock import process_cpu_time_ns
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import foreign, windows
from runtime_exporter.profiling.foreignmodules import ForeignModules
from runtime_exporter.profiling.pipeline import Taken
from runtime_exporter.profiling.samplers import pyspy
from runtime_exporter.profiling.samplers.collapsed import parse
from runtime_exporter.profiling.samplers.sampler import ENDED, NOT_SAMPLED, Window
from runtime_exporter.profiling.samplers.tally import Tally, split
from runtime_exporter.profiling.samplers.tracer import Tracer
from runtime_exporter.profiling.threadclock import ThreadClock
from runtime_exporter.profiling.threadgroup import without_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.samplers.collapsed import Line
    from runtime_exporter.profiling.samplers.pace import Pace

_WAITING_HZ: Final = 5.0
"""Looks a second at waiting threads: each look costs py-spy 0.25 ms a thread."""
_SHORTEST_SECONDS = 1.0
_NANOSECONDS = 10**9


class Observed:
    """One process, from one interval to the next. The constructor starts nothing."""

    def __init__(self, process: Process, kinds: Iterable[str], pace: Pace) -> None:
        self.process = process
        self.began = began(process)
        """When it did, in seconds since the epoch: asked once, since the clock may be set."""
        self.since = 0.0
        self._pid = process.pid
        self._program = pyspy.program()
        self._modules = ForeignModules(process.pid)
        self._pace = pace
        self._running, self._waiting = Tracer(), Tracer() if "wall" in kinds else None
        self._clock = ThreadClock(clock=self._thread_ns, process_clock=self._process_ns)
        self._helper_ns = self._paid_ns = 0
        self._lines: tuple[list[Line], list[Line]] = [], []
        self._gil = False
        self._begun = False

    def begin(self) -> None:
        """Start to look, unless that is done. Raises ProfileError with py-spy's reason where it may not."""
        if self._begun:
            return
        foreign.probe(self._pid, program=self._program)
        self._clock.restart(self._threads())
        self._pace.restart(time.monotonic())
        self._launch()
        self._begun = True

    def end(self, *, again: bool) -> Taken:
        """Return what was seen since the last call, and go on `again`."""
        own = time.thread_time()
        self._pay()
        self._gather()
        (running, waiting), self._lines = self._lines, ([], [])
        threads = self._threads()
        begin, end = self.since, time.time()
        tally = Tally()
        self._divide(running, threads, tally)
        _spread(waiting, end - begin, tally)
        helper = self._helpers_ns() - self._helper_ns
        self._helper_ns += helper
        self._pay(window=True)
        window = Window(
            tally.named(lambda stack: stack),  # type: ignore[arg-type, return-value] # the keys are stacks already
            begin,
            end,
            samples=sum(line.samples for line in running),
            rate=self._pace.rate,
            pauses=self._pace.take_pauses(),
        )
        if again:
            self._launch()
        return self._taken(window, helper / 1e9, time.thread_time() - own)

    def tend(self) -> None:
        """End the helpers when they have used up what was saved for them, and start them again when there is enough."""
        self._pay()
        if self._pace.paused_until > time.monotonic():
            self._gather()
        elif not self._running.running:
            self._start()

    def close(self) -> None:
        """End the helpers."""
        self._running.close()
        if self._waiting is not None:
            self._waiting.close()

    def _launch(self) -> None:
        self._gil = len(self._threads()) > pyspy.MOST_THREADS_SEEN
        self.since = time.time()
        if self._pace.paused_until <= time.monotonic():
            self._start()

    def _start(self) -> None:
        self._running.start(pyspy.command(self._program, self._pid, rate=self._pace.rate, gil=self._gil))
        if self._waiting is not None:
            self._waiting.start(pyspy.command(self._program, self._pid, rate=_WAITING_HZ, idle=True))

    def _pay(self, *, window: bool = False) -> None:
        """Account for what the helpers have used since the last time; the rate follows at the end of a window."""
        total = self._helpers_ns()
        spent, self._paid_ns = max(0, total - self._paid_ns), total
        (self._pace.account if window else self._pace.pay)(spent / 1e9, time.monotonic())

    def _gather(self) -> None:
        """End the helpers that run, and keep what they have seen."""
        running, waiting = self._lines
        running += self._collected(self._running)
        waiting += self._collected(self._waiting) if self._waiting is not None else ()

    def _collected(self, tracer: Tracer) -> tuple[Line, ...]:
        if not tracer.running:
            return ()
        tracer.interrupt()
        return tuple(parse(tracer.collect(), self._modules))

    def _divide(self, lines: Iterable[Line], threads: list[int], tally: Tally) -> None:
        """Divide each thread's CPU time as its samples are, and that of ended threads among those that were seen and are gone."""
        rows: dict[int, list[Line]] = {}
        for line in lines:
            rows.setdefault(line.thread, []).append(line)
        unseen = 0
        for thread in threads:
            try:
                used = self._clock.used(thread)
            except OSError:  # ended a moment ago
                continue
            found = rows.pop(thread, None)
            if found:
                _add(tally, found, used)
            else:
                unseen += used
        ended = self._clock.rest(threads)
        # Before Python 3.11 py-spy does not know which thread of the kernel one is: then all of them are left here.
        rest = [line for found in rows.values() for line in found]
        if rest:
            _add(tally, rest, unseen + ended)
        else:
            tally.add("native", NOT_SAMPLED, 0, unseen, 0)
            tally.add("ended", ENDED, 0, ended, 0)

    def _taken(self, window: Window, helper_seconds: float, own_seconds: float) -> Taken:
        if window.seconds < _SHORTEST_SECONDS:
            raise ProfileError("ended before there was something to see")
        comments = (f"backend py-spy, process {self._pid}", f"looks {window.samples} at {window.rate:g} Hz")
        measures = frozenset({"gil" if self._gil else "cpu", *(("wall",) if self._waiting is not None else ())})
        profiles: Mapping[str, Profile] = windows.profiles(window, measures, comments)
        if self._waiting is not None:
            profiles = {**profiles, "block": windows.blocked(window)}
        return Taken(
            profiles,
            window.begin,
            window.end,
            backend=pyspy.NAME,
            samples=window.samples,
            own_cpu_seconds=own_seconds,
            helper_cpu_seconds=helper_seconds,
            pauses=window.pauses,
        )

    def _helpers_ns(self) -> int:
        return self._running.cpu_time_ns() + (self._waiting.cpu_time_ns() if self._waiting is not None else 0)

    def _threads(self) -> list[int]:
        try:
            return [int(path.name) for path in Path(f"/proc/{self._pid}/task").iterdir()]
        except OSError:
            raise ProfileError(f"the process {self._pid} has ended") from None

    def _thread_ns(self, thread: int) -> int:
        # Unlike the thread's `stat` in nanoseconds, and like a thread's own clock what the scheduler has counted.
        return int(Path(f"/proc/{self._pid}/task/{thread}/schedstat").read_bytes().split()[0])

    def _process_ns(self) -> int:
        try:
            return process_cpu_time_ns(self._pid)
        except OSError:
            raise ProfileError(f"the process {self._pid} has ended") from None


def _spread(lines: Sequence[Line], seconds: float, tally: Tally) -> None:
    """Give each stack its part of the time: who was seen at every look was there all the time."""
    looks: dict[int, int] = {}
    for line in lines:
        looks[line.thread] = looks.get(line.thread, 0) + line.samples
    most = max(looks.values(), default=0)
    for line in lines:
        tally.add(_group(line), line.stack, line.samples, 0, round(seconds * _NANOSECONDS * line.samples / most))


def _add(tally: Tally, lines: Iterable[Line], cpu_ns: int) -> None:
    lines = tuple(lines)
    for line, share in zip(lines, split(cpu_ns, [line.samples for line in lines]), strict=True):
        tally.add(_group(line), line.stack, line.samples, share, 0)


def _group(line: Line) -> str:
    return without_numbers(line.thread_name)
