"""All profiling of this process as one object, made as the settings say.

What is not switched on is not even imported: samplers, comparison and advice are a third of this package.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.logs import LOGGER
from runtime_exporter.profiling.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.profiling.contention import Contention
    from runtime_exporter.profiling.continuous import Continuous
    from runtime_exporter.profiling.heaptracing import HeapTracing
    from runtime_exporter.profiling.joint import Joint
    from runtime_exporter.profiling.locks import LockProfiler
    from runtime_exporter.profiling.ondemand import OnDemand
    from runtime_exporter.profiling.pipeline import Report
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.settings import Settings

SHARED_BYTES: Final = 8 * 1024 * 1024
"""Bytes of the profiles of all workers in their run directory, which should be in memory: half an hour of four busy ones."""
IN_RUN_DIRECTORY: Final = (
    f"They are of all workers, and in their run directory: the newest {SHARED_BYTES >> 20} MiB. The setting profile_directory"
    " says where to keep more."
)


def store_of(settings: Settings, worker: Callable[[], int | None] = lambda: None) -> Store | None:
    """Return where all profiles are kept: the directory of the settings, else that of the workers; None where there is neither."""
    if settings.profile_directory:
        return Store(
            settings.profile_directory,
            limit=settings.profile_bytes_limit,
            worker=worker,
            interval=settings.profile_interval,
        )
    if settings.run_directory:
        return shared_store(Path(settings.run_directory), settings.profile_interval, worker)
    return None


def left_in(run_directory: str | Path) -> Path:
    """Return where in their run directory workers leave what they know of profiles."""
    return Path(run_directory) / "profiles"


def shared_store(run_directory: Path, interval: float, worker: Callable[[], int | None] = lambda: None) -> Store:
    """Return where workers share their profiles, each of which covers `interval` seconds."""
    return Store(left_in(run_directory), limit=SHARED_BYTES, worker=worker, passing=True, interval=interval)


class Profiling:
    """The parts that profile this process; None for what the settings leave off. The constructor has no effects.

    read: gives a function that reads the numbers of this process, for advice and leak suspects; called where there is
    continuous profiling. offer: is shown each profile with its kind and labels, to be sent elsewhere. allowed: tells the part of
    one core that all profiling may use at the moment; half of the budget where nobody tells. worker: gives the number of this
    process among the workers that serve together, None where it is alone.

    `continuous` is started, closed and told of forks by the collector that shows what it reports.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Callable[[], Any]] | None = None,
        offer: Callable[[Profile, str, Mapping[str, str]], object] | None = None,
        allowed: Callable[[], float] | None = None,
        worker: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.worker = worker
        self.store = store_of(settings, worker)
        """Where all profiles are kept."""
        self.locks: LockProfiler | None = _locks(settings) if settings.profile_locks else None
        # Sampling, what is made of the samples, and profiles of memory: each has an equal part, and half of one is for those of
        # all workers together, which one of them has to look at.
        half = settings.overhead_budget / 2
        parts = 2 + (1 if settings.profile_heap else 0) + (0.5 if settings.run_directory else 0)
        budget = allowed if allowed is not None else lambda: half

        def part() -> float:
            return budget() / parts

        self.heap: HeapTracing | None = _heap(part) if settings.profile_heap else None
        self.continuous: Continuous | None = None
        """What profiles all the time."""
        self.joint: Joint | None = None
        """What puts the intervals of all workers together, where there may be several."""
        self._waits: Contention | None = None
        if settings.profiling:
            from runtime_exporter.profiling.assembly import continuous, joint
            from runtime_exporter.profiling.contention import Contention
            from runtime_exporter.profiling.verdict import Verdicts

            if settings.run_directory and self.store is not None:
                verdicts = Verdicts(left_in(settings.run_directory))
                self.joint = joint(settings, self.store, verdicts, worker=worker, budget=lambda: part() / 2)

            self._waits = Contention(self.locks)
            self.continuous = continuous(
                settings,
                store=self.store,
                read=read() if read is not None else None,
                offer=offer,
                waits=self._waits,
                heap=self.heap,
                budget=part,
                worker=worker,
                then=self.joint.turn if self.joint is not None else None,
            )
        self._making = threading.Lock()
        self._on_demand: OnDemand | None = None

    @property
    def on_demand(self) -> OnDemand:
        """What takes profiles that somebody asks for."""
        with self._making:
            if self._on_demand is None:
                from runtime_exporter.profiling.ondemand import OnDemand

                self._on_demand = OnDemand(
                    running=self._sampler, locks=self.locks, waits=self._waits, tracing=self.heap, store=self.store
                )
            return self._on_demand

    @property
    def sees_waits(self) -> bool:
        """Whether waits are sampled, or those for locks counted, all the time."""
        return self.locks is not None or self._sampler() is not None

    @property
    def report(self) -> Report | None:
        """What the last interval of continuous profiling came to; None where there is none."""
        return self.continuous.report if self.continuous is not None else None

    def open(self) -> None:
        """Profile locks and memory from now on, where the settings say so, and answer who asks. Failures are logged."""
        if self._on_demand is not None:
            self._on_demand.open()
        if self.heap is not None:
            self.heap.start()
        if self.locks is not None:
            try:
                self.locks.install()
            except ProfileError as error:
                LOGGER.warning("locks are not profiled: %s", error)

    def close(self) -> None:
        """Give every hook back, and end what is being taken."""
        if self._on_demand is not None:
            self._on_demand.close()
        if self.locks is not None:
            self.locks.uninstall()
        if self.heap is not None:
            self.heap.close()

    def forked(self) -> None:
        """In the child of a fork: other threads may have held the locks, and what was counted is the parent's."""
        self._making = threading.Lock()
        for part in (self.store, self.locks, self._waits, self._on_demand, self.joint):
            if part is not None:
                part.forked()

    def _sampler(self) -> Any:
        """Return what samples now."""
        return self.continuous.sampler if self.continuous is not None and self.continuous.running else None


def _locks(settings: Settings) -> LockProfiler:
    from runtime_exporter.profiling.locks import LockProfiler

    return LockProfiler(settings.profile_lock_packages or None)


def _heap(share: Callable[[], float]) -> HeapTracing:
    from runtime_exporter.profiling.heaptracing import HeapTracing

    return HeapTracing(share=share)
