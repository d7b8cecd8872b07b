"""Semaphores of threading, and locks and semaphores of asyncio, that notice when they are waited for.

The time counted for a semaphore is the wait for its value, in a coroutine the time in which it was suspended for it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from runtime_exporter.profiling.locks.ledger import FOREVER, NOWHERE

if TYPE_CHECKING:
    from runtime_exporter.profiling.locks.ledger import Site


class ProfiledSemaphore(threading.Semaphore):
    """A threading.Semaphore that counts its contentions by the place that created it."""

    def __init__(self, site: Site, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._site = site

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the semaphore as `threading.Semaphore.acquire` does."""
        if not blocking:
            return super().acquire(blocking, timeout)
        if super().acquire(blocking=False):
            return True
        ledger = self._site.ledger
        ticket = ledger.arrive(self, FOREVER if timeout is None else timeout)
        try:
            return super().acquire(blocking, timeout)
        finally:
            ledger.leave(ticket)
            ledger.waited(self._site, ticket, NOWHERE)

    __enter__ = acquire


class ProfiledBoundedSemaphore(ProfiledSemaphore, threading.BoundedSemaphore):
    """A threading.BoundedSemaphore that counts its contentions."""


class _ProfiledAcquire:
    """`acquire` of what asyncio has to lock with, all alike."""

    _site: Site
    _waiters: Any

    async def acquire(self) -> bool:
        """Acquire as the class of asyncio does."""
        # As asyncio's own acquire() decides whether it must suspend itself: it lets nobody overtake who waits already.
        waits = self.locked() or any(not waiter.cancelled() for waiter in self._waiters or ())  # type: ignore[attr-defined]
        if not waits:
            return await super().acquire()  # type: ignore[misc, no-any-return]
        ledger = self._site.ledger
        # Not `arrive`: the coroutine waits, its thread does not.
        trace = ledger.trace_here() if ledger.active else None
        since = ledger.clock()
        try:
            return await super().acquire()  # type: ignore[misc, no-any-return]
        finally:
            if trace is not None:
                ledger.count_wait(self._site, trace, since, NOWHERE)


class ProfiledAsyncLock(_ProfiledAcquire, asyncio.Lock):  # type: ignore[misc]
    """An asyncio.Lock that counts its contentions."""

    def __init__(self, site: Site, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._site = site


class ProfiledAsyncSemaphore(_ProfiledAcquire, asyncio.Semaphore):  # type: ignore[misc]
    """An asyncio.Semaphore that counts its contentions."""

    def __init__(self, site: Site, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._site = site


class ProfiledAsyncBoundedSemaphore(ProfiledAsyncSemaphore, asyncio.BoundedSemaphore):  # type: ignore[misc]
    """An asyncio.BoundedSemaphore that counts its contentions."""
