"""The sampler for programs that work on their main thread: a handler of SIGPROF, which Python runs there and then.

Unbiased for the main thread: the signal comes where its CPU time is spent, and the handler runs in that thread before its
next instruction. It sees no other thread; their CPU is known in total only, as "(not sampled)".
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from runtime_exporter.costs import COSTS, PROFILING
from runtime_exporter.cpuclock import cpu_time_ns
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pythonstack import Key
from runtime_exporter.profiling.samplers.cputimer import ThreadTimer, best_timer
from runtime_exporter.profiling.samplers.ledger import Ledger
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.sampler import NOT_SAMPLED, OWN, OWN_THREADS, Capabilities, Window
from runtime_exporter.profiling.samplers.stacks import StackTable
from runtime_exporter.profiling.samplers.tally import Tally, split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from runtime_exporter.profiling.profile import Stack
    from runtime_exporter.profiling.samplers.cputimer import CpuTimer

MAIN_GROUP = "MainThread"
_Record = tuple[Key, int]
"""Where the main thread was, and the CPU nanoseconds that the sample stands for."""
# A minute at the highest rate is 3,000.
_MOST_RECORDS = 65_536
_METER = COSTS.meter(PROFILING)


def _main_cpu_ns() -> int:
    return cpu_time_ns(os.getpid())


class SignalSampler:
    """Samples the main thread by its own CPU clock. To be started on the main thread, and when nobody else handles SIGPROF."""

    name = "signal"
    capabilities = Capabilities(unbiased=True, threads=False, measures=frozenset({"cpu"}))
    shortest = 0.0

    def __init__(
        self,
        *,
        pace: Pace | None = None,
        timer: Callable[[], CpuTimer] = best_timer,
        stacks: StackTable | None = None,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
        cpu: Callable[[], int] = time.thread_time_ns,
        main_cpu: Callable[[], int] = _main_cpu_ns,
    ) -> None:
        self._pace = pace or Pace()
        self._make_timer = timer
        self._stacks = stacks or StackTable()
        self._ledger = ledger or Ledger()
        self._clock = clock
        self._unix_clock = unix_clock
        self._cpu = cpu
        self._main_cpu = main_cpu
        self._handler = self._handle  # one object: a bound method is made anew each time that it is asked for
        self._timer: CpuTimer | None = None
        self._reset()

    def _reset(self) -> None:
        # The handler may take no lock: it may run while the thread that it runs in holds it. A deque needs none.
        self._records: deque[_Record] = deque(maxlen=_MOST_RECORDS)
        self._taking = threading.Lock()
        self._begin: float | None = None
        self._own_ns = self._dropped = 0
        self._last_key: Key | Stack = NOT_SAMPLED
        self._due = 0
        self._mean_ns = 0.0
        self._extra: tuple[deque[_Record], ...] = ()

    def start(self) -> None:
        """Install the handler; raises ProfileError away from the main thread, or when SIGPROF has a handler or a timer already."""
        if self._timer is not None:
            return
        if threading.current_thread() is not threading.main_thread():
            raise ProfileError("the signal sampler can only be started on the main thread")
        if signal.getsignal(signal.SIGPROF) not in (signal.SIG_DFL, self._handler):
            raise ProfileError("SIGPROF is handled by somebody else")
        timer = self._make_timer()
        self._reset()
        self._ledger.restart()
        self._begin = self._unix_clock()
        self._pace.restart(self._clock())
        signal.signal(signal.SIGPROF, self._handler)
        # A system call that was begun goes on after the signal.
        signal.siginterrupt(signal.SIGPROF, False)
        # The interpreter takes the handler away at its end: a signal that comes after that would kill the process.
        atexit.register(self.close)
        self._timer = timer
        self._arm(timer, self._pace.first_gap(), self._cpu())

    def close(self) -> None:
        """Stop the timer, and give SIGPROF back. On another thread than the main one the handler stays, and does nothing."""
        timer, self._timer = self._timer, None
        if timer is None:
            return
        timer.close()
        atexit.unregister(self.close)
        self._give_back()

    def forked(self) -> None:
        """In the child: there is no timer; SIGPROF is given back."""
        timer, self._timer = self._timer, None
        if timer is None:
            return
        if isinstance(timer, ThreadTimer):
            timer.forget()
        atexit.unregister(self.close)
        self._pace.reseed()
        self._reset()
        self._give_back()

    def take(self) -> Window:
        """Return what was seen since the last call."""
        now = self._unix_clock()
        with self._taking:
            if self._begin is None:
                return Window({}, now, now)
            records = [self._records.popleft() for _ in range(len(self._records))]
            tally = Tally()
            own, self._own_ns = self._own_ns, 0
            try:
                self._settle(tally, records, own)
            except Exception:  # noqa: BLE001 - whatever is wrong with a clock or /proc, the host goes on
                self._dropped += 1
            window = Window(
                stacks=tally.named(self._stacks.stack),
                begin=self._begin,
                end=now,
                samples=len(records),
                rate=self._pace.rate,
                truncated=self._stacks.truncated,
                dropped=self._dropped,
                own_cpu_ns=own,
                pauses=self._pace.take_pauses(),
            )
            self._begin = now
            self._dropped = self._stacks.truncated = 0
            self._stacks.forget()
        return window

    def tend(self) -> None:
        """Do nothing: the pace is kept look by look."""

    def afford(self, budget: float) -> None:
        """Keep to that."""
        self._pace.afford(budget)

    def burst(self, seconds: float, rate: float, *, wait: Callable[[float], object] = time.sleep) -> Window:
        """Return what the running handler sees in the next seconds, beside what `take()` gets; raises ProfileError when not started."""
        if self._timer is None:
            raise ProfileError("the signal sampler is not running")
        records: deque[_Record] = deque(maxlen=_MOST_RECORDS)
        begin = self._unix_clock()
        used = self._main_cpu()
        self._extra = (records,)
        try:
            with self._pace.hurried(rate):
                self._arm(self._timer, self._pace.gap(), used)
                wait(seconds)
        finally:
            self._extra = ()
        tally = Tally()
        _add(tally, tuple(records), self._main_cpu() - used)
        return Window(tally.named(self._stacks.stack), begin, self._unix_clock(), samples=len(records), rate=rate)

    def _handle(self, _signum: int, frame: FrameType | None) -> None:
        """Note where the main thread is. Runs in it between two instructions; nothing but a request to stop leaves it."""
        timer = self._timer
        if timer is None:
            return
        came = self._cpu()
        try:
            if frame is None or self._pace.paused_until > self._clock():
                return
            # Samples at random moments stand for the same time each. One that had to wait for a call of C to end, during
            # which no timer ran, stands for that time, too; the time since the last sample would be right, but noisier.
            record = self._stacks.key(frame), int(self._mean_ns) + max(0, came - self._due)
            self._records.append(record)
            for extra in self._extra:
                extra.append(record)
        except Exception:  # noqa: BLE001 - the host's code is all around: nothing of ours may reach it
            self._dropped += 1
        finally:
            done = self._cpu()
            self._own_ns += done - came
            _METER.nanoseconds += done - came
            self._arm(timer, self._next_gap(done - came), done)

    def _next_gap(self, cost_ns: int) -> float:
        # Also in a pause, which is wall time, while the timer counts CPU time: its end would be seen too late or never.
        self._pace.account(cost_ns / 1e9, self._clock())
        return self._pace.gap()

    def _arm(self, timer: CpuTimer, gap: float, now_ns: int) -> None:
        self._due = now_ns + int(gap * 1e9)
        self._mean_ns = 1e9 / self._pace.rate
        timer.arm(gap)

    def _settle(self, tally: Tally, records: list[_Record], own_ns: int) -> None:
        """Add up: the main thread's CPU by stack, of the others only how much it was."""
        if records:
            self._last_key = records[-1][0]
        tally.add(OWN_THREADS, OWN, 0, own_ns, 0)
        main = threading.main_thread().ident
        for entry in self._ledger.settle():
            if entry.ident != main:
                tally.add(entry.group, entry.stack, 0, entry.cpu_ns, 0)
            elif records:
                _add(tally, records, entry.cpu_ns - own_ns)
            else:
                tally.add(entry.group, self._last_key, 0, max(0, entry.cpu_ns - own_ns), 0)

    def _give_back(self) -> None:
        """Restore what the signal did before us, unless somebody has taken it since."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGPROF) is self._handler:
            # To ignore a signal discards one that is pending, which by default would end the process.
            signal.signal(signal.SIGPROF, signal.SIG_IGN)
            signal.signal(signal.SIGPROF, signal.SIG_DFL)


def _add(tally: Tally, records: Sequence[_Record], cpu_ns: int) -> None:
    """Distribute the main thread's CPU time over the samples of it."""
    shares = split(cpu_ns, [weight for _, weight in records])
    for (key, _), share in zip(records, shares, strict=True):
        tally.add(MAIN_GROUP, key, 1, share, 0)
