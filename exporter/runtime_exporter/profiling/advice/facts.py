"""Numbers of the running process that no stack shows. Each group is None where nobody measured it.

Times are in seconds, sizes in bytes; what is counted is counted over the evidence's window unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime_exporter.profiling.leaks import Suspect


@dataclass(frozen=True, kw_only=True)
class Collections:
    """CPython's garbage collector over the window."""

    seconds: float
    """Time inside collections, all generations."""
    collections: tuple[int, int, int]
    collected: tuple[int, int, int]
    """Objects freed, by generation."""
    thresholds: tuple[int, int, int]
    """gc.get_threshold(), now."""
    oldest_objects: int
    """Objects in the oldest generation, now: what a full collection walks, and what gc.freeze() can take away."""
    frozen: int = 0
    """gc.get_freeze_count(), now."""
    full_pause: float | None = None
    """99th percentile of a full collection's pause; the longest one where fewer than 100 were seen."""
    enabled: bool = True
    incremental: bool = False
    """CPython 3.14 came with an incremental collector, which ignores the third threshold."""


@dataclass(frozen=True, kw_only=True)
class EventLoop:
    """The asyncio loop."""

    lag: float
    """99th percentile of how late a due callback ran."""
    debug: bool = False


@dataclass(frozen=True, kw_only=True)
class Gil:
    """Waiting for the interpreter lock."""

    wait_ratio: float
    """Share of probes that found it taken."""
    runnable: float
    """Threads that wanted to run, on average."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """The control group's CPU quota."""

    cores: float
    periods: int
    throttled_periods: int
    throttled_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pool of worker threads."""

    name: str
    workers: int
    busy: float
    """Workers at work, on average."""
    queue_first: int
    queue_last: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The process's memory, now."""

    resident: int
    allocator_free: int
    """Bytes that malloc and pymalloc keep though nothing lives in them."""
    limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """What is left switched on."""

    tracers: tuple[str, ...] = ()
    """Modules of the functions that sys.settrace, sys.setprofile or sys.monitoring call."""


@dataclass(frozen=True, kw_only=True)
class GoRuntime:
    """What a Go process says of itself."""

    version: tuple[int, int] | None = None
    gomaxprocs: int | None = None
    goroutines: int | None = None
    live_heap: int | None = None
    """Bytes that the last collection found alive."""
    heap_goal: int | None = None
    gogc: int | None = None
    memory_limit: int | None = None
    """GOMEMLIMIT; None when it is not set."""
    container_limit: int | None = None
    block_profile_rate: int | None = None
    """Nanoseconds of runtime.SetBlockProfileRate; 0 when it is off."""
    pgo: bool | None = None
    """Whether the binary was built with -pgo."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All numbers of a process; None, or nothing, where they were not measured."""

    gc: Collections | None = None
    loop: EventLoop | None = None
    gil: Gil | None = None
    quota: Quota | None = None
    pools: tuple[Pool, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    """What grows and grows, of whatever unit: bytes, objects, threads, tasks, goroutines (see `profiling.leaks`)."""
    memory: Memory | None = None
    instruments: Instruments | None = None
    go: GoRuntime | None = None
    divergence: float | None = None
    """Jensen-Shannon distance of the CPU profile from its own past, 0 to 1."""
