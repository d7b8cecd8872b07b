"""A sampler outside of the process: a helper that reads its memory, needs no GIL for it, and so sees what runs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers.collapsed import modules_by_file, parse
from runtime_exporter.profiling.samplers.ledger import Ledger
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.sampler import NOT_SAMPLED, Capabilities, Window
from runtime_exporter.profiling.samplers.tally import Tally, split
from runtime_exporter.profiling.samplers.tracer import Tracer
from runtime_exporter.profiling.threadgroup import without_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runtime_exporter.profiling.profile import Stack
    from runtime_exporter.profiling.pythonstack import Key
    from runtime_exporter.profiling.samplers.collapsed import Line
    from runtime_exporter.profiling.samplers.ledger import Entry

logger = logging.getLogger("runtime_exporter")

# Of the budget, what starting the helper may take, and after how many seconds it is known for certain to have started.
_SHARE_OF_STARTS = 0.25
_STARTED_SECONDS = 1.0
# A thread that used as much CPU as so many looks stand for, and was not seen once, was not by chance: one in 20 would be.
_BY_CHANCE = 3

Command = Callable[[int, float, bool], Sequence[str]]
"""(pid, rate in Hz, whether only the holder of the GIL is to be looked at) -> the helper's command. Raises ProfileError."""


class OutsideSampler:
    """Runs a helper from one `take()` to the next.

    What it counts says how each thread's CPU time, which the kernel knows, was divided. Where `command` can, it looks at every
    running thread, or, in a program with many, at the holder of the GIL alone: then `capabilities.measures` is "gil", and C
    code that lets go of the GIL is not seen.
    """

    def __init__(
        self,
        name: str,
        command: Command,
        *,
        most_threads: int | None = None,
        pace: Pace | None = None,
        tracer: Tracer | None = None,
        ledger: Ledger | None = None,
        modules: Callable[[], Mapping[str, str]] = modules_by_file,
        pid: Callable[[], int] = os.getpid,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
        own_cpu: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self.name = name
        self._command = command
        self._most_threads = most_threads
        self._pace = pace or Pace()
        self._tracer = tracer or Tracer()
        self._ledger = ledger or Ledger()
        self._modules = modules
        self._pid = pid
        self._clock = clock
        self._unix_clock = unix_clock
        self._own_cpu = own_cpu
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._begin: float | None = None
        self._helper_ns = self._tracer.cpu_ns
        self._complained = False
        self._gil = False
        self._paid_ns = self._tracer.cpu_ns
        self._failed = 0
        self._period_ns = 0.0
        self._lines: list[Line] = []
        self._starts = _Starts()

    @property
    def capabilities(self) -> Capabilities:
        """What it measures now: "gil" in a program with many threads."""
        return Capabilities(unbiased=True, threads=True, measures=frozenset({"gil" if self._gil else "cpu"}))

    @property
    def shortest(self) -> float:
        """Seconds after which the start of the helper has cost no more than its part of the budget."""
        return self._starts.cost / (self._pace.budget * _SHARE_OF_STARTS) if self._pace.budget > 0 else 0.0

    def start(self) -> None:
        """Start the helper; raises ProfileError when it cannot be."""
        if self._begin is not None:
            return
        self._reset()
        self._ledger.restart()
        self._pace.restart(self._clock())
        self._launch()
        self._begin = self._unix_clock()

    def close(self) -> None:
        """End the helper."""
        with self._lock:
            self._begin = None
            self._tracer.close()

    def forked(self) -> None:
        """In the child: the helper is the parent's."""
        self._tracer.forked()
        self._pace.reseed()
        self._reset()

    def take(self) -> Window:
        """Return what the helper saw since the last call, and let it go on. Waits for it, usually 0.05 s."""
        own = self._own_cpu()
        with self._lock:
            if self._begin is None:
                now = self._unix_clock()
                return Window({}, now, now)
            self._pay()
            self._collect()
            lines, self._lines = self._lines, []
            tally = Tally()
            try:
                self._distribute(lines, tally)
            except Exception:  # noqa: BLE001 - whatever is wrong with a clock or /proc, the host goes on
                self._failed += 1
            begin, self._begin = self._begin, self._unix_clock()
            helper, self._helper_ns = self._tracer.cpu_ns - self._helper_ns, self._tracer.cpu_ns
            self._pay(window=True)
            if not self._paused():
                self._relaunch()
            failed, self._failed = self._failed, 0
            return Window(
                stacks=tally.named(_as_it_is),
                begin=begin,
                end=self._begin,
                samples=sum(line.samples for line in lines),
                rate=self._pace.rate,
                dropped=failed,
                own_cpu_ns=self._own_cpu() - own,
                helper_cpu_ns=helper,
                pauses=self._pace.take_pauses(),
            )

    def tend(self) -> None:
        """End the helper when it has used up what was saved for it, and start it again when there is enough for it."""
        with self._lock:
            if self._begin is None:
                return
            self._pay()
            if self._paused():
                self._collect()
            elif not self._tracer.running:
                self._relaunch()

    def afford(self, budget: float) -> None:
        """Do nothing: the helper has a budget of its own, and what this process does is once an interval."""

    def _pay(self, *, window: bool = False) -> None:
        """Account for what the helper has used since the last time; the rate follows at the end of a window, with its next start."""
        total, now = self._tracer.cpu_time_ns(), self._clock()
        spent, self._paid_ns = max(0, total - self._paid_ns), total
        (self._pace.account if window else self._pace.pay)(spent / 1e9, now)
        if self._tracer.running:
            self._starts.see(now, total / 1e9)

    def _paused(self) -> bool:
        return self._pace.paused_until > self._clock()

    def _collect(self) -> None:
        """End the helper, if one runs, and keep what it has seen."""
        if not self._tracer.running:
            return
        self._tracer.interrupt()
        try:
            self._lines += parse(self._tracer.collect(), self._modules())
        except (ProfileError, OSError) as error:
            self._complain(error)
        else:
            self._complained = False
        self._starts.end(self._clock(), self._tracer.cpu_ns / 1e9)

    def _relaunch(self) -> None:
        try:
            self._launch()
        except (ProfileError, OSError) as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        self._failed += 1
        if not self._complained:
            logger.warning("no profile: %s", error)
        self._complained = True

    def _launch(self) -> None:
        others = sum(not member.own for member in self._ledger.roster.members.values())
        self._gil = self._most_threads is not None and others > self._most_threads
        self._tracer.start(self._command(self._pid(), self._pace.rate, self._gil))
        self._starts.begin(self._clock(), self._tracer.cpu_ns / 1e9)
        self._period_ns = 1e9 / self._pace.rate

    def _distribute(self, lines: Sequence[Line], tally: Tally) -> None:
        """Divide each thread's CPU as its samples are.

        The CPU of ended threads goes to those that were sampled and are gone, and that of a thread which was missed by
        chance is divided as its group's samples are: threads of a pool do the same things.
        """
        rows: dict[int, list[Line]] = {}
        for line in lines:
            rows.setdefault(line.thread, []).append(line)
        groups: dict[str, list[Line]] = {}
        unseen: list[Entry] = []
        for entry in self._ledger.settle():
            found = rows.pop(entry.native_id, None) or rows.pop(entry.ident, None)
            if found and entry.stack is NOT_SAMPLED:
                _add(tally, entry.group, found, entry.cpu_ns)
                groups.setdefault(entry.group, []).extend(found)
            elif entry.native_id == 0 and rows:
                self._distribute_ended(rows, entry, tally)
            else:
                unseen.append(entry)
        for entry in unseen:
            found = groups.get(entry.group)
            if found and entry.stack is NOT_SAMPLED and entry.cpu_ns < _BY_CHANCE * self._period_ns:
                _add(tally, entry.group, found, entry.cpu_ns, seen=False)
            else:
                tally.add(entry.group, entry.stack, 0, entry.cpu_ns, 0)

    def _distribute_ended(self, rows: Mapping[int, Sequence[Line]], entry: Entry, tally: Tally) -> None:
        shares = split(entry.cpu_ns, [sum(line.samples for line in found) for found in rows.values()])
        for found, share in zip(rows.values(), shares, strict=True):
            _add(tally, without_numbers(found[0].thread_name), found, share)


class _Starts:
    """What it costs to start the helper: what it had used early on, less what it went on to use in as much time."""

    def __init__(self) -> None:
        self.cost = 0.0
        """CPU seconds, of the last starts."""
        self._begin: tuple[float, float] = (0.0, 0.0)
        self._early: tuple[float, float] | None = None

    def begin(self, now: float, used: float) -> None:
        """Take note of a start; `used` is the CPU time of all helpers so far."""
        self._begin, self._early = (now, used), None

    def see(self, now: float, used: float) -> None:
        """Take note of what was used while it runs; of interest is the first time at which it has surely begun to look."""
        began, before = self._begin
        if self._early is None and now - began >= _STARTED_SECONDS:
            self._early = now - began, used - before

    def end(self, now: float, used: float) -> None:
        """Take note of the end."""
        seconds, spent = now - self._begin[0], used - self._begin[1]
        early, cost = self._early or (seconds, spent)
        if seconds - early >= _STARTED_SECONDS:
            cost -= early * max(0.0, spent - cost) / (seconds - early)
        # Where it did not run long enough to tell, all of it: the next windows are longer, and will tell.
        self.cost = (self.cost + max(0.0, cost)) / 2 if self.cost else max(0.0, cost)


def _as_it_is(stack: Key | Stack) -> Stack:
    return cast("Stack", stack)


def _add(tally: Tally, group: str, lines: Iterable[Line], cpu_ns: int, *, seen: bool = True) -> None:
    """Divide a CPU time as the samples are; these are counted if it was `seen` in them."""
    lines = tuple(lines)
    for line, share in zip(lines, split(cpu_ns, [line.samples for line in lines]), strict=True):
        tally.add(group, line.stack, line.samples if seen else 0, share, 0)
