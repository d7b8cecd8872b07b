"""The sampler that works everywhere: a thread that reads `sys._current_frames()`. Right for waiting threads, biased for busy ones.

It can only look when it has the GIL, and it gets the GIL where another thread gives it away: what it sees of a running
thread is the place of a system call, not where the time goes. So its wall and blocked stacks are good, its CPU totals are
exact (from the kernel), and its CPU stacks come with a `bias_ratio`.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from typing import TYPE_CHECKING

from runtime_exporter.costs import COSTS, PROFILING
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers.frames import current_frames, gil_enabled
from runtime_exporter.profiling.samplers.ledger import Ledger
from runtime_exporter.profiling.samplers.pace import Pace
from runtime_exporter.profiling.samplers.sampler import NOT_SAMPLED, OWN_THREADS, Capabilities, Window
from runtime_exporter.profiling.samplers.stacks import StackTable
from runtime_exporter.profiling.samplers.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from runtime_exporter.profiling.profile import Stack
    from runtime_exporter.profiling.pythonstack import Key

THREAD_NAME = f"{OWN_THREADS}-sampler"
MOST_THREADS = 32
"""Threads looked at in one pass; of more, as many are chosen at random and stand for all."""
_JOIN_SECONDS = 2.0
_REFRESH_SECONDS = 1.0
# A wake-up that is not late found the GIL free: nobody was running Python then, and nobody was kept from it.
_PROMPT_NS = 200_000
# This long after the switch interval the thread that ran was stopped at some bytecode, wherever it was; later than that it
# was in a C call that does not let go, and long calls are seen too often.
_FORCED_SLACK_NS = 1_000_000
# Who waits for the GIL is woken whenever it is let go, to find it taken again, many hundred times in a program that does a system
# call every half a millisecond: some 8 ms of CPU for one look on an idle machine, and as much again for those who wake it.
_COST_OF_WAITING = 2
# So the rate starts low, and may fall that far before there are pauses.
LOWEST_HZ, FIRST_HZ = 0.1, 1.0


class ThreadSampler:
    """Looks at all threads from one daemon thread.

    Each thread's CPU since it was looked at last goes to the stack that is seen now; wall time is the gap between two looks.
    A thread that has used no CPU since cannot have moved: its stack is not walked again.
    """

    name = "thread"
    capabilities = Capabilities(unbiased=False, threads=True, measures=frozenset({"cpu", "wall"}))
    shortest = 0.0

    def __init__(
        self,
        *,
        pace: Pace | None = None,
        most_threads: int = MOST_THREADS,
        stacks: StackTable | None = None,
        ledger: Ledger | None = None,
        frames: Callable[[], dict[int, FrameType]] = current_frames,
        clock: Callable[[], int] = time.monotonic_ns,
        unix_clock: Callable[[], float] = time.time,
        own_cpu: Callable[[], int] = time.thread_time_ns,
        switch_interval: Callable[[], float] = sys.getswitchinterval,
        gil: Callable[[], bool] = gil_enabled,
        chance: random.Random | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._most_threads = most_threads
        self._stacks = stacks or StackTable()
        self._ledger = ledger or Ledger()
        self._current_frames = frames
        self._clock = clock
        self._unix_clock = unix_clock
        self._own_cpu = own_cpu
        self._switch_interval = switch_interval
        self._gil = gil
        self._chance = chance or random.Random()  # noqa: S311 - which threads to look at, no secret
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        # Held while sampling goes on: to wait for it is to sleep until the next look or the end, in one call of C.
        self._halt = threading.Lock()
        self._thread: threading.Thread | None = None
        self._last_keys: dict[int, Key | Stack] = {}
        # Threads that were started beside `threading`: without a name, and without a clock that is known.
        self._strangers: set[int] = set()
        self._refresh_at = 0
        self._last = 0
        self._begin: float | None = None
        self._open_window()

    def _open_window(self) -> None:
        self._tally = Tally()
        self._looks = self._dropped = self._own_ns = 0
        self._cpu_ns = self._doubtful_ns = 0
        self._stacks.truncated = 0

    def start(self) -> None:
        """Start the thread; raises ProfileError on a build without a GIL."""
        if self._thread is not None:
            return
        self.prepare()
        self._halt.acquire()
        self._thread = threading.Thread(target=self._run, args=(self._halt,), name=THREAD_NAME, daemon=True)
        COSTS.start(self._thread, PROFILING)

    def prepare(self) -> None:
        """Do all of `start()` but the thread: whoever calls `look()` is the sampler's pace."""
        if not self._gil():
            raise ProfileError(
                "the thread sampler cannot run without a GIL: other threads' frames are not safe to read"
            )
        self._reset()
        self._ledger.restart()
        self._begin = self._unix_clock()
        self._last = self._clock()
        self._pace.restart(self._last / 1e9)

    def close(self) -> None:
        """Stop the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._halt.release()
        if thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)

    def forked(self) -> None:
        """In the child: the thread is gone, and may hold the lock for ever."""
        self._pace.reseed()
        self._chance.seed()
        self._reset()

    def take(self) -> Window:
        """Return what was seen since the last call."""
        now = self._unix_clock()
        with self._lock:
            if self._begin is None:
                return Window({}, now, now)
            try:
                self._settle()
            except Exception:  # noqa: BLE001 - whatever is wrong with a clock or /proc, the host goes on
                self._dropped += 1
            window = Window(
                stacks=self._tally.named(self._stacks.stack),
                begin=self._begin,
                end=now,
                samples=self._looks,
                rate=self._pace.rate,
                truncated=self._stacks.truncated,
                dropped=self._dropped,
                bias_ratio=self._doubtful_ns / self._cpu_ns if self._cpu_ns else 0.0,
                own_cpu_ns=self._own_ns,
                pauses=self._pace.take_pauses(),
            )
            self._begin = now
            self._open_window()
            if self._stacks.forget():
                self._last_keys.clear()
        return window

    def tend(self) -> None:
        """Do nothing: the pace is kept look by look."""

    def afford(self, budget: float) -> None:
        """Keep to that."""
        self._pace.afford(budget)

    def look(self, due: int) -> None:
        """Look once at all threads; `due` is when that was to happen, in nanoseconds of the clock."""
        now = self._clock()
        with self._lock:
            gap, self._last = now - self._last, now
            if now >= self._refresh_at:
                self._refresh(now)
            # The clocks before the frames: what a thread does in between then counts as used, and its stack is walked next time.
            used = {ident: self._ledger.used(ident) for ident in self._chosen()}
            frames = self._current_frames()
            try:
                unknown = frames.keys() - self._ledger.roster.members.keys() - self._strangers
                if unknown:
                    self._refresh(now)
                    self._strangers = set(frames) - self._ledger.roster.members.keys()
                    room = max(0, self._most_threads - len(used))
                    used |= {ident: self._ledger.used(ident) for ident in [*unknown][:room] if not self._is_own(ident)}
                self._attribute(frames, used, gap, doubtful=self._is_doubtful(now - due))
            finally:
                # Whoever keeps a frame keeps all that is in its variables.
                frames.clear()

    def _run(self, halt: threading.Lock) -> None:
        due = self._clock() + int(self._pace.first_gap() * 1e9)
        spent = self._own_cpu()
        while not halt.acquire(timeout=max(0.0, (due - self._clock()) / 1e9)):
            if sys.is_finalizing():
                return
            waited = self._clock() - due > _PROMPT_NS
            try:
                self.look(due)
            except Exception:  # noqa: BLE001 - never into the host; the next look may succeed
                self._dropped += 1
            before, spent = spent, self._own_cpu()
            now = self._clock()
            self._pay(spent - before, now, waited=waited)
            due = now + int(self._pace.gap() * 1e9)
            pause = self._pace.paused_until - now / 1e9
            if pause > 0:
                if halt.acquire(timeout=pause):
                    return
                due = self._clock()
                self._resume(due)

    def _pay(self, spent_ns: int, now: int, *, waited: bool) -> None:
        self._own_ns += spent_ns
        self._pace.account(spent_ns * (_COST_OF_WAITING if waited else 1) / 1e9, now / 1e9)

    def _resume(self, now: int) -> None:
        """After a pause: nobody knows where the CPU of that time went, and no stack stands for it."""
        with self._lock:
            self._last = now
            for ident, member in self._ledger.roster.members.items():
                if not member.own:
                    self._tally.add(member.group, NOT_SAMPLED, 0, max(0, self._ledger.used(ident)), 0)

    def _refresh(self, now: int) -> None:
        self._ledger.roster.refresh()
        self._refresh_at = now + int(_REFRESH_SECONDS * 1e9)
        for ident in self._last_keys.keys() - self._ledger.roster.members.keys() - self._strangers:
            del self._last_keys[ident]

    def _chosen(self) -> Iterable[int]:
        members = self._ledger.roster.members
        idents = [*(ident for ident, member in members.items() if not member.own), *self._strangers]
        return self._chance.sample(idents, self._most_threads) if len(idents) > self._most_threads else idents

    def _is_own(self, ident: int) -> bool:
        return self._ledger.roster.member(ident).own

    def _attribute(self, frames: dict[int, FrameType], used: dict[int, int], gap: int, *, doubtful: bool) -> None:
        self._looks += 1
        everybody = sum(not self._is_own(ident) for ident in frames)
        seen = sum(ident in frames for ident in used)
        self._dropped += everybody - seen
        # Each thread that was looked at stands for as many as it was chosen from.
        wall = gap * everybody // seen if seen else 0
        for ident, cpu in used.items():
            frame = frames.get(ident)
            key = self._last_keys.get(ident)
            if frame is not None and (cpu or key is None):
                key = self._last_keys[ident] = self._stacks.key(frame)
            known_cpu = max(0, cpu)
            group = self._ledger.roster.member(ident).group
            if frame is None:
                self._tally.add(group, key or NOT_SAMPLED, 0, known_cpu, 0)
            else:
                self._tally.add(group, key or NOT_SAMPLED, 1, known_cpu, wall)
            self._cpu_ns += known_cpu
            self._doubtful_ns += known_cpu if doubtful else 0

    def _is_doubtful(self, late_ns: int) -> bool:
        """Return whether a look that came so late may have been let in at a chosen place."""
        switch_ns = self._switch_interval() * 1e9
        return late_ns > _PROMPT_NS and not switch_ns <= late_ns <= switch_ns + _FORCED_SLACK_NS

    def _settle(self) -> None:
        """Account for the CPU that no look has attributed, so that the window holds all of the process."""
        for entry in self._ledger.settle():
            stack = entry.stack
            self._tally.add(
                entry.group,
                self._last_keys.get(entry.ident, stack) if stack is NOT_SAMPLED else stack,
                0,
                entry.cpu_ns,
                0,
            )
