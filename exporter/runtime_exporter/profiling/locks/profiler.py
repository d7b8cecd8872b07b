"""Puts profiled locks in the place of threading's and asyncio's for the modules that are asked for, and takes them out again."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.locks import semaphores
from runtime_exporter.profiling.locks.deadlock import STANDING, Deadlock, Edge, deadlocks
from runtime_exporter.profiling.locks.ledger import FOREVER, HOLD, RELEASE, WAIT, Ledger, Ticket
from runtime_exporter.profiling.locks.standin import StandIn, stand_in
from runtime_exporter.profiling.locks.wrappers import ProfiledLock, ProfiledRLock
from runtime_exporter.profiling.profile import Label, Profile, build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import FrameType

_NEVER = ("threading", "_thread", "asyncio", "importlib", "runtime_exporter")
"""Modules that are never profiled: their locks are part of other ones, or our own."""
_WHAT = {"block": WAIT, "mutex": RELEASE}


class Hold(NamedTuple):
    """How long locks created at a place were held: `seconds` in `samples` holds, one of 128."""

    site: str
    samples: int
    seconds: float


class LockProfiler:
    """Profiles the locks that modules of `modules` create from `install()` on; "shop" stands for "shop.orders", too.

    None stands for every module that is not of the standard library.
    Locks that exist already stay as they are, as do those of modules that took `Lock` out of threading before, and those that
    the standard library makes for the application, in a queue for instance.
    """

    def __init__(
        self,
        modules: Iterable[str] | None,
        *,
        ledger: Ledger | None = None,
        now: Callable[[], int] = time.time_ns,
        loaded: Mapping[str, Any] = sys.modules,
    ) -> None:
        self._modules = tuple(modules) if modules is not None else None
        self._ledger = ledger or Ledger()
        self._now = now
        self._loaded = loaded
        self._began = 0
        self._allowed: dict[str, bool] = {}
        self._put: list[tuple[Any, str, Any, Any]] = []

    def install(self) -> None:
        """Stand in for the factories of locks.

        Raises ProfileError where that would do harm (gevent or eventlet have done it already), where locks are profiled
        already, and without modules.
        """
        if self._modules == ():
            raise ProfileError("no modules to profile the locks of: name the application's packages")
        green = green_threads(self._loaded)
        if green:
            raise ProfileError(f"locks are not profiled under {green}, which has replaced threading's with its own")
        if isinstance(threading.Lock, StandIn):
            raise ProfileError("locks are profiled already in this process")
        self._ledger.active = True
        self._began = self._now()
        for owner, name, instance, profiled in self._replacements():
            original = getattr(owner, name)
            replacement = stand_in(
                original, instance, self._maker(f"asyncio.{name}" if owner is asyncio else name, original, profiled)
            )
            self._put.append((owner, name, original, replacement))
            setattr(owner, name, replacement)

    def uninstall(self) -> None:
        """Put the factories back, except what somebody else has replaced since. Locks that exist work on and count no more."""
        while self._put:
            owner, name, original, replacement = self._put.pop()
            if getattr(owner, name) is replacement:
                setattr(owner, name, original)
        self._ledger.active = False

    def forked(self) -> None:
        """Count from zero in a child process."""
        self._began = self._now()
        self._ledger.forked()

    def profile(self, kind: str = "block") -> Profile:
        """Return all contentions since `install()`: "block" by who waited, "mutex", as Go has it, by who let the lock go.

        Both have the same totals. Where the one who let go is unknown (it may have done so just before the wait was seen, and
        for semaphores always), the stack is the place that created the lock.
        """
        stacks = [
            (entry.stack or (entry.site.frame,), (entry.events, entry.nanoseconds), (Label("lock", str(entry.site)),))
            for entry in self._ledger.entries()
            if entry.what == _WHAT[kind]
        ]
        return build(
            kind,
            stacks,
            time_nanos=self._began,
            duration_nanos=max(0, self._now() - self._began),
            comments=(f"locks created by {self._creators} since the lock profiler was installed",),
        )

    @property
    def _creators(self) -> str:
        return "modules beyond the standard library" if self._modules is None else ", ".join(self._modules)

    def holds(self) -> tuple[Hold, ...]:
        """Return how long locks were held, by the place that created them."""
        return tuple(
            Hold(str(entry.site), entry.events, entry.nanoseconds / 1e9)
            for entry in self._ledger.entries()
            if entry.what == HOLD
        )

    def deadlocks(self, *, standing: float = STANDING) -> tuple[Deadlock, ...]:
        """Return the deadlocks that there are now among profiled locks.

        All is looked at twice: what is the same both times was so at once in between, since who waits lets nothing go.
        """
        first = dict(self._waits())
        again = dict(self._waits())
        now = self._ledger.clock()
        edges = [
            Edge(ticket.thread, holder, repr(ticket.lock), (now - ticket.since) / 1e9, bound, ticket.trace.stack)
            for ticket, holder, bound in first.values()
            if holder and _same(again.get(ticket.thread), (ticket, holder, bound))
        ]
        return deadlocks(edges, standing=standing)

    def _waits(self) -> Iterator[tuple[int, tuple[Ticket, int, bool]]]:
        for thread, ticket in list(self._ledger.waiting.items()):
            if ticket.timeout == FOREVER and isinstance_profiled(ticket.lock):
                yield thread, (ticket, *ticket.lock.owner())

    def _maker(
        self, kind: str, original: Any, profiled: Any
    ) -> Callable[[FrameType, tuple[Any, ...], dict[str, Any]], Any]:
        def make(creator: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            try:
                site = self._ledger.site(kind, creator) if self._may(creator) else None
            except Exception:  # noqa: BLE001 - the application gets its lock whatever happens to us
                site = None
            return original(*args, **kwargs) if site is None else profiled(site, *args, **kwargs)

        return make

    def _may(self, creator: FrameType) -> bool:
        """Return whether the locks of the module that creates one are profiled."""
        module = creator.f_globals.get("__name__")
        if type(module) is not str or not self._ledger.active:
            return False
        known = self._allowed.get(module)
        if known is None:
            known = self._chosen(module) and not _within(module, _NEVER)
            self._allowed[module] = known
        return known

    def _chosen(self, module: str) -> bool:
        if self._modules is None:
            return module.partition(".")[0] not in sys.stdlib_module_names
        return _within(module, self._modules)

    def _replacements(self) -> Iterator[tuple[Any, str, type, Callable[..., Any]]]:
        condition = threading.Condition

        def conditioned(site: Any, lock: Any = None) -> threading.Condition:
            return condition(cast("threading.RLock", ProfiledRLock(site)) if lock is None else lock)

        yield threading, "Lock", type(threading.Lock()), ProfiledLock
        yield threading, "RLock", type(threading.RLock()), ProfiledRLock
        yield threading, "Condition", condition, conditioned
        yield threading, "Semaphore", threading.Semaphore, semaphores.ProfiledSemaphore
        yield threading, "BoundedSemaphore", threading.BoundedSemaphore, semaphores.ProfiledBoundedSemaphore
        yield asyncio, "Lock", asyncio.Lock, semaphores.ProfiledAsyncLock
        yield asyncio, "Semaphore", asyncio.Semaphore, semaphores.ProfiledAsyncSemaphore
        yield asyncio, "BoundedSemaphore", asyncio.BoundedSemaphore, semaphores.ProfiledAsyncBoundedSemaphore


def green_threads(loaded: Mapping[str, Any] = sys.modules) -> str:
    """Return the library that has put its green threads in the place of threading's: "gevent", "eventlet" or ""."""
    monkey = loaded.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        return "gevent"
    patcher = loaded.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        return "eventlet"
    return ""


def isinstance_profiled(lock: Any) -> bool:
    """Return whether a lock is one that knows its holder. `isinstance` asks the lock, which says what it stands for."""
    return issubclass(type(lock), ProfiledLock)


def _same(one: tuple[Ticket, int, bool] | None, other: tuple[Ticket, int, bool]) -> bool:
    return one is not None and one[0] is other[0] and one[1:] == other[1:]


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
