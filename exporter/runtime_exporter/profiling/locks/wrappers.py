"""Locks of threading that notice when they are waited for.

The fast path is the lock's own attempt without blocking: as long as it succeeds there was no contention, and no clock is
read. Only who must wait pays for the clock and for writing the stack down, while it would have waited anyway. One acquisition
in `HOLD_EVERY` has its hold timed, too.

What these locks cannot give: `with lock` of C acquires and enters the block as one step for signals, a function of Python
does not. A KeyboardInterrupt in those few instructions leaves the lock held, as with threading.Condition or Semaphore.
"""

from __future__ import annotations

import re
from _thread import RLock, allocate_lock, get_ident
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.profiling.locks.ledger import FOREVER, HOLD, NOWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.locks.ledger import Site, Ticket

HOLD_EVERY: Final = 128
"""Of so many acquisitions of a lock, the hold of one is timed."""
# "<locked _thread.RLock object owner=140 count=1 at 0x7f>": the lock's own word, at no cost for who uses it.
_OWNER: Final = re.compile(r"owner=(\d+) count=(\d+)")
_LONGEST: Final = 1e6  # seconds; longer timeouts, which may be too long for a lock, are left to the lock to judge


class ProfiledLock:
    """A threading.Lock that counts its contentions by the place that created it.

    `_holder` is the thread that holds it, negative when it came by `acquire()`, 0 when nobody does. `_handed` tells that one
    thread released what another had acquired: such a lock is a signal rather than a mutex.
    """

    __slots__ = (
        "__weakref__", "_free", "_handed", "_holder", "_lock", "_releaser", "_since", "_site", "_tick", "_try", "_waiters",
    )  # fmt: skip

    def __init__(self, site: Site, lock: Any = None) -> None:
        self._lock: Any = allocate_lock() if lock is None else lock
        self._try = self._lock.acquire
        self._free = self._lock.release
        self._site = site
        self._holder = 0
        self._handed = False
        self._tick = HOLD_EVERY
        self._since = 0
        self._waiters: dict[int, Ticket | None] = {}
        self._releaser = NOWHERE

    def __enter__(self) -> bool:
        if self._try(False):
            self._holder = get_ident()
            self._tick -= 1
            if not self._tick:
                self._time_hold()
            return True
        return self._wait(FOREVER, get_ident())

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        if self._since or self._waiters:
            self._leaving()
        self._holder = 0
        self._free()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock as `threading.Lock.acquire` does."""
        if blocking and timeout == FOREVER:
            if not self._try(False):
                return self._wait(FOREVER, -get_ident())
        elif blocking and 0 < timeout < _LONGEST:
            if not self._try(False):
                return self._wait(timeout, -get_ident())
        elif not self._try(blocking, timeout):
            return False
        self._holder = -get_ident()
        self._tick -= 1
        if not self._tick:
            self._time_hold()
        return True

    def release(self) -> None:
        """Release the lock, in whichever thread."""
        if self._since or self._waiters:
            self._leaving()
        me = get_ident()
        if self._holder not in (me, -me):
            self._handed = True
        self._holder = 0
        self._free()

    def locked(self) -> bool:
        """Return whether the lock is held."""
        return bool(self._lock.locked())

    def owner(self) -> tuple[int, bool]:
        """Return the thread that holds the lock (0: nobody, or unknown) and whether only that thread will release it."""
        holder = self._holder
        return (abs(holder), holder > 0) if holder > 0 or not self._handed else (0, False)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._lock.__reduce_ex__(protocol)  # refuses, in the lock's own words

    def __repr__(self) -> str:
        return f"{repr(self._lock)[:-1]}, created as {self._site}>"

    @property
    def __class__(self) -> Any:
        return type(self._lock)  # who asks isinstance() gets the answer that the lock would have given

    @__class__.setter
    def __class__(self, _: Any) -> None:
        raise TypeError("__class__ assignment is not supported for locks")

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()  # noqa: SLF001 - as threading calls it
        self._holder = self._since = 0
        self._waiters.clear()

    def _wait(self, timeout: float, holder: int) -> bool:
        """Wait for the lock and count that; the timeout is of the wait."""
        ledger = self._site.ledger
        ticket = ledger.arrive(self, timeout)
        me = get_ident()
        self._waiters[me] = ticket
        acquired: bool = False
        try:
            try:
                acquired = self._lock.acquire(True, timeout)
            finally:
                # Before the holder is told, or this thread would seem to wait for itself.
                self._waiters.pop(me, None)
                ledger.leave(ticket)
            releaser = NOWHERE
            if acquired:
                self._take(holder)
                releaser, self._releaser = self._releaser, NOWHERE
            ledger.waited(self._site, ticket, releaser)
        except BaseException:  # such as KeyboardInterrupt: the caller will not release what it does not know it has
            if acquired:
                self._holder = 0
                self._free()
            raise
        return acquired

    def _take(self, holder: int) -> None:
        self._holder = holder
        self._tick -= 1
        if self._tick <= 0:
            self._time_hold()

    def _time_hold(self) -> None:
        """Begin to time a hold. Never raises an `Exception`."""
        self._tick = HOLD_EVERY
        try:
            self._since = self._site.ledger.clock() if self._site.ledger.active else 0
        except Exception:  # noqa: BLE001 - a lock of the application must not fail for our sake
            self._since = 0

    def _leaving(self) -> None:
        """Say, before the lock is free, where it is released, and how long it was held. Never raises an `Exception`."""
        ledger = self._site.ledger
        try:
            since, self._since = self._since, 0
            if since:
                ledger.add(HOLD, self._site, NOWHERE, max(0, ledger.clock() - since))
            if self._waiters:
                self._releaser = ledger.trace_here()
        except Exception:  # noqa: BLE001, S110 - a lock of the application must not fail for our sake
            pass


class ProfiledRLock(ProfiledLock):
    """A threading.RLock that counts its contentions, also those of a Condition that comes back from its wait."""

    __slots__ = ()

    def __init__(self, site: Site, lock: Any = None) -> None:
        super().__init__(site, RLock() if lock is None else lock)

    def __enter__(self) -> bool:
        if self._try(False):
            self._tick -= 1
            if not self._tick:
                self._time_hold()
            return True
        return self._wait(FOREVER, 0)

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        if self._since or self._waiters:
            self._leaving()
        self._free()

    def release(self) -> None:
        """Release one level of the lock; raises RuntimeError in a thread that does not own it."""
        if self._since or self._waiters:
            self._leaving()
        self._free()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock as `threading.RLock.acquire` does."""
        if blocking and timeout == FOREVER:
            if not self._try(False):
                return self._wait(FOREVER, 0)
        elif blocking and 0 < timeout < _LONGEST:
            if not self._try(False):
                return self._wait(timeout, 0)
        elif not self._try(blocking, timeout):
            return False
        self._tick -= 1
        if not self._tick:
            self._time_hold()
        return True

    def locked(self) -> bool:
        """Return whether the lock is held."""
        return self._level()[1] > 0

    def owner(self) -> tuple[int, bool]:
        """Return the thread that owns the lock (0: nobody), and that only it can release it."""
        return self._level()[0], True

    def _level(self) -> tuple[int, int]:
        """Return the owner and how many times it has acquired the lock."""
        match = _OWNER.search(repr(self._lock))
        return (int(match[1]), int(match[2])) if match else (0, 0)

    def _time_hold(self) -> None:
        self._tick = HOLD_EVERY
        if not self._since and self._level()[1] == 1:
            super()._time_hold()

    def _leaving(self) -> None:
        if self._level() == (get_ident(), 1):
            super()._leaving()

    def _is_owned(self) -> bool:
        return bool(self._lock._is_owned())  # noqa: SLF001 - what threading.Condition asks for

    def _release_save(self) -> Any:
        if self._since or self._waiters:
            self._leaving()
            self._since = 0
        return self._lock._release_save()  # noqa: SLF001 - what threading.Condition asks for

    def _acquire_restore(self, state: Any) -> None:
        """Acquire the lock as often as `state` says, whose first item is how often."""
        if not self._try(False):
            self._wait(FOREVER, 0)
        for _ in range(state[0] - 1):
            self._lock.acquire()


def _delegate(name: str) -> Callable[..., Any]:
    def method(self: ProfiledLock, *args: Any) -> Any:
        return getattr(self._lock, name)(*args)

    method.__name__ = name
    return method


# What the locks of this Python can do besides. Not by __getattr__: a class that has one pays at each access to any attribute.
for _class, _plain in ((ProfiledLock, type(allocate_lock())), (ProfiledRLock, type(RLock()))):
    for _name in dir(_plain):
        if not hasattr(_class, _name):
            setattr(_class, _name, _delegate(_name))
