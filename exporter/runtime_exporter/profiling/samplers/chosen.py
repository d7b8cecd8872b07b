"""Two samplers as one: CPU from the best backend that works here, waiting from the thread that sees it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.samplers.sampler import Capabilities, Usage, Window
from runtime_exporter.profiling.samplers.signal import MAIN_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runtime_exporter.profiling.profile import Stack
    from runtime_exporter.profiling.samplers.sampler import Sampler

logger = logging.getLogger("runtime_exporter")


class ChosenSampler:
    """CPU as `backend` sees it, wall time as `waiting` does; the CPU of threads that the backend does not see is from the latter, too.

    `passed_over` says of each backend that comes before this one in the order why it is not used. When one of the two cannot
    be started the other goes on alone.
    """

    def __init__(self, backend: Sampler, waiting: Sampler | None, passed_over: Mapping[str, str]) -> None:
        self.backend = backend
        self.waiting = waiting
        self.passed_over = passed_over

    @property
    def name(self) -> str:
        """The backend of CPU profiles."""
        return self.backend.name

    @property
    def capabilities(self) -> Capabilities:
        """The backend's, and wall time where there is a sampler for it."""
        ours = self.backend.capabilities
        if self.waiting is None:
            return ours
        return Capabilities(ours.unbiased, threads=True, measures=ours.measures | {"wall"}, native=ours.native)

    @property
    def shortest(self) -> float:
        """The backend's; the other one costs nothing by the window."""
        return self.backend.shortest

    def start(self) -> None:
        """Start both; raises ProfileError, and leaves nothing running, when the backend cannot be started."""
        self.backend.start()
        if self.waiting is None:
            return
        try:
            self.waiting.start()
        except BaseException as error:
            if not isinstance(error, ProfileError):
                self.backend.close()
                raise
            logger.warning("no profile of waiting: %s", error)
            self.waiting = None

    def close(self) -> None:
        """Stop both."""
        self.backend.close()
        if self.waiting is not None:
            self.waiting.close()

    def forked(self) -> None:
        """In the child of a fork: forget both."""
        self.backend.forked()
        if self.waiting is not None:
            self.waiting.forked()

    def tend(self) -> None:
        """Look after the backend's helper."""
        self.backend.tend()

    def afford(self, budget: float) -> None:
        """Divide it between both."""
        one = budget / in_process(waits=self.waiting is not None)
        self.backend.afford(one)
        if self.waiting is not None:
            self.waiting.afford(one)

    def take(self) -> Window:
        """Return what both saw since the last call, as one window."""
        seen = self.backend.take()
        if self.waiting is None:
            return seen
        return combined(seen, self.waiting.take(), threads=self.backend.capabilities.threads)


def in_process(*, waits: bool) -> int:
    """Return how many samplers share the budget of this process.

    A helper has its own, and leaves its part here unused: those that wait are looked at as often beside it as beside signals.
    """
    return 2 if waits else 1


def combined(seen: Window, waiting: Window, *, threads: bool) -> Window:
    """Return CPU of one window and wall time of another; unless the former saw all `threads`, of the main thread's CPU alone."""
    stacks: dict[tuple[str, Stack], Usage] = {}
    for place, usage in _parts(seen, waiting, threads=threads):
        before = stacks.get(place, Usage(0, 0, 0))
        stacks[place] = Usage(*(one + other for one, other in zip(before, usage, strict=True)))
    cpu_ns = sum(usage.cpu_ns for usage in stacks.values())
    doubtful_ns = sum(
        usage.cpu_ns for (group, _), usage in waiting.stacks.items() if not (threads or group == MAIN_GROUP)
    )
    return Window(
        stacks=stacks,
        begin=seen.begin,
        end=seen.end,
        samples=seen.samples + waiting.samples,
        rate=seen.rate,
        truncated=seen.truncated + waiting.truncated,
        dropped=seen.dropped + waiting.dropped,
        bias_ratio=max(seen.bias_ratio, waiting.bias_ratio * doubtful_ns / cpu_ns if cpu_ns else 0.0),
        own_cpu_ns=seen.own_cpu_ns + waiting.own_cpu_ns,
        helper_cpu_ns=seen.helper_cpu_ns + waiting.helper_cpu_ns,
        pauses=seen.pauses + waiting.pauses,
    )


def _parts(seen: Window, waiting: Window, *, threads: bool) -> Iterator[tuple[tuple[str, Stack], Usage]]:
    """Yield the usage of both, each nanosecond of CPU once."""
    for place, usage in seen.stacks.items():
        if threads or place[0] == MAIN_GROUP:
            yield place, usage
    for place, usage in waiting.stacks.items():
        yield place, usage._replace(cpu_ns=0) if threads or place[0] == MAIN_GROUP else usage
