"""The CPU time of the process, thread by thread, from the kernel: exact whatever the stacks say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runtime_exporter.profiling.samplers.roster import Roster
from runtime_exporter.profiling.samplers.sampler import ENDED, NATIVE, NOT_SAMPLED, OWN
from runtime_exporter.profiling.threadclock import ThreadClock, native_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runtime_exporter.profiling.profile import Stack

UNKNOWN = -1
"""What a thread used whose clock cannot be read."""


class Entry(NamedTuple):
    """CPU nanoseconds of a thread; `ident` is 0 for what is no Python thread that runs. `stack` says what is known of them."""

    ident: int
    native_id: int
    group: str
    stack: Stack
    cpu_ns: int


class Ledger:
    """Hands out each thread's CPU time once: while sampling by `used()`, what is left of it by `settle()`."""

    def __init__(
        self,
        *,
        roster: Roster | None = None,
        clock: ThreadClock | None = None,
        tids: Callable[[], Iterable[int]] = native_threads,
    ) -> None:
        self.roster = roster or Roster()
        self._clock = clock or ThreadClock()
        self._tids = tids

    def restart(self) -> None:
        """Begin now, with the threads that there are."""
        self.roster.refresh()
        self._clock.restart(self._native_ids())

    def used(self, ident: int) -> int:
        """Return the CPU nanoseconds of a thread since it was asked last, or UNKNOWN."""
        native_id = self.roster.member(ident).native_id
        # 0 is no number of a thread, but to the kernel the thread that asks.
        if native_id <= 0:
            return UNKNOWN
        try:
            return self._clock.used(native_id)
        except OSError:
            return UNKNOWN

    def settle(self) -> Iterator[Entry]:
        """Yield all that was not handed out yet, so that everything adds up to the CPU time of the process."""
        self.roster.refresh()
        known = set()
        for ident, member in self.roster.members.items():
            known.add(member.native_id)
            stack = OWN if member.own else NOT_SAMPLED
            yield Entry(ident, member.native_id, member.group, stack, max(0, self.used(ident)))
        alive = list(self._native_ids())
        for native_id in alive:
            if native_id not in known:
                yield Entry(0, native_id, "native", NATIVE, self._used_natively(native_id))
        yield Entry(0, 0, "ended", ENDED, self._clock.rest(alive))

    def _used_natively(self, native_id: int) -> int:
        try:
            return self._clock.used(native_id)
        except OSError:
            return 0

    def _native_ids(self) -> Iterable[int]:
        try:
            return self._tids()
        except OSError:
            return [member.native_id for member in self.roster.members.values() if member.native_id]
