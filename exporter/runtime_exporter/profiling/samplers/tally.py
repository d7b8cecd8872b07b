"""Adding up what was seen, by group of threads and stack."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from runtime_exporter.profiling.samplers.sampler import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime_exporter.profiling.profile import Stack
    from runtime_exporter.profiling.pythonstack import Key


class Tally:
    """Samples, CPU and wall nanoseconds by group and stack, or key of a stack."""

    def __init__(self) -> None:
        self._usage: dict[tuple[str, Key | Stack], list[int]] = {}

    def add(self, group: str, key: Key | Stack, samples: int, cpu_ns: int, wall_ns: int) -> None:
        """Add to a stack; without effect when there is nothing to add."""
        if not (samples or cpu_ns or wall_ns):
            return
        usage = self._usage.get((group, key))
        if usage is None:
            self._usage[group, key] = [samples, cpu_ns, wall_ns]
        else:
            usage[0] += samples
            usage[1] += cpu_ns
            usage[2] += wall_ns

    def named(self, name: Callable[[Key | Stack], Stack]) -> Mapping[tuple[str, Stack], Usage]:
        """Return the usage by named stack; different keys with the same name become one."""
        found: dict[tuple[str, Stack], Usage] = {}
        for (group, key), (samples, cpu_ns, wall_ns) in self._usage.items():
            place = group, name(key)
            before = found.get(place, Usage(0, 0, 0))
            found[place] = Usage(before.samples + samples, before.cpu_ns + cpu_ns, before.wall_ns + wall_ns)
        return found


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Return `total` in shares in proportion to the weights; the shares add up to it exactly, and none is negative."""
    whole = sum(weights)
    if total <= 0 or whole <= 0:
        return [0] * len(weights)
    ends = [total * reached // whole for reached in accumulate(weights)]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
