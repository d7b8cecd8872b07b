"""What a sampler is, and what it hands over: stacks of a stretch of time, with the CPU and the wall time spent in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runtime_exporter.profiling.profile import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.profiling.profile import Stack

OWN_THREADS = "runtime-exporter"
"""Every thread of ours has a name that begins so; they are one group, and their stacks are not looked at."""

OWN: Stack = (Frame("(runtime-exporter)"),)
ENDED: Stack = (Frame("(ended threads)"),)
NATIVE: Stack = (Frame("(native thread)"),)
NOT_SAMPLED: Stack = (Frame("(not sampled)"),)
"""Stacks of CPU time that is known from the kernel while nobody saw where it went."""

TRUNCATED = Frame("(truncated)")
"""Stands for the outer frames of a stack that is deeper than the limit."""


@dataclass(frozen=True)
class Capabilities:
    """What a sampler can tell.

    `unbiased`: its CPU stacks are where the CPU time goes. `threads`: it sees all Python threads and not the main one alone.
    `measures`: of "cpu", "wall" and "gil" (CPU while holding the GIL). `native`: it sees frames of C.
    """

    unbiased: bool
    threads: bool
    measures: frozenset[str]
    native: bool = False


class Usage(NamedTuple):
    """How often a stack was seen, and the nanoseconds that it stands for."""

    samples: int
    cpu_ns: int
    wall_ns: int


@dataclass(frozen=True)
class Window:
    """What a sampler saw between two calls of `take()`. `begin` and `end` are Unix seconds.

    The CPU of all stacks is the CPU time of the process in that time, exactly: what no sample tells about is in the stacks
    (ended threads), (native thread) and (not sampled), what we used ourselves in (runtime-exporter).
    """

    stacks: Mapping[tuple[str, Stack], Usage]
    """(group of threads, stack) -> usage."""
    begin: float
    end: float
    samples: int = 0
    """Looks at the process, each of which adds one sample a thread."""
    rate: float = 0.0
    """Looks a second that the sampler aims at now."""
    truncated: int = 0
    """Stacks that were deeper than the limit."""
    dropped: int = 0
    """Looks that failed, and threads beyond the limit in one look (others stand for them)."""
    bias_ratio: float = 0.0
    """Share of the CPU time that was attributed under conditions in which the stack may be the wrong one; 0 to 1."""
    own_cpu_ns: int = 0
    """CPU nanoseconds that sampling took in this process."""
    helper_cpu_ns: int = 0
    """CPU nanoseconds that sampling took in another process."""
    pauses: int = 0
    """How often sampling stopped for a while because it could not be held within its budget."""

    @property
    def seconds(self) -> float:
        """The length of the window."""
        return max(0.0, self.end - self.begin)


class Sampler(Protocol):
    """A source of windows. Made without effects; after `start()` it never raises into the host application."""

    @property
    def name(self) -> str:
        """The backend: "remote", "py-spy", "signal" or "thread"."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can tell here."""

    @property
    def shortest(self) -> float:
        """Seconds that a window must have for what each one costs by itself, such as the start of a helper, to be affordable."""

    def start(self) -> None:
        """Begin to sample; without effect while it runs. Raises ProfileError where this cannot work."""

    def close(self) -> None:
        """Stop, and leave nothing behind. May be called twice, and before `start()`."""

    def take(self) -> Window:
        """Return what was seen since the last call, or since the start."""

    def tend(self) -> None:
        """See to it that a helper costs no more than it may. To be called every few seconds."""

    def afford(self, budget: float) -> None:
        """Let sampling cost this process so much of a core from now on. Of a helper, see `tend`."""

    def forked(self) -> None:
        """In the child of a fork: forget the threads, timers and helpers of the parent. May be started again."""
