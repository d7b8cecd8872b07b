"""What a sampler saw, as profiles in pprof's terms: one of CPU time, one of wall time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from runtime_exporter.profiling import offcpu
from runtime_exporter.profiling.profile import Label, build

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runtime_exporter.profiling.profile import Profile, Stack
    from runtime_exporter.profiling.samplers.sampler import Window

NANOSECONDS: Final = 10**9
PROFILED_LOCKS: Final = "runtime_exporter.profiling.locks."
"""What the names of the functions begin with in which a thread waits for a lock that `profiling.locks` made."""
_UNBLOCKED: Final = frozenset({offcpu.IDLE, offcpu.SLEEP, offcpu.OTHER})
_Rows = list[tuple["Stack", tuple[int, ...], tuple[Label, ...]]]


def profiles(
    window: Window, measures: frozenset[str] = frozenset({"cpu", "wall"}), comments: Sequence[str] = ()
) -> dict[str, Profile]:
    """Return the profiles of a window by kind, of what the sampler measures. `comments` are written into each."""
    period = round(NANOSECONDS / window.rate) if window.rate > 0 else 0
    rows: dict[str, _Rows] = {}
    if measures & {"cpu", "gil"}:
        rows["cpu"] = list(_cpu(window, period))
    if "wall" in measures:
        rows["wall"] = list(_wall(window))
    return {
        kind: build(kind, stacks, period=period, comments=comments, **_times(window)) for kind, stacks in rows.items()
    }


def blocked(window: Window, comments: Sequence[str] = ()) -> Profile:
    """Return where threads waited for something, as Go's block profile: how often they were seen waiting, and for how long.

    Threads that wait for work or sleep are left out, as Go leaves them out: nobody blocks an idle pool or a pause. The label
    `wait` says what each waited for. Left out are waits for profiled locks, too, which count themselves.
    """
    rows: _Rows = []
    for (group, stack), usage in window.stacks.items():
        if stack and stack[0].name.startswith(PROFILED_LOCKS):
            continue
        waited = usage.wall_ns - usage.cpu_ns
        wait = offcpu.classify(stack) if waited > 0 and usage.samples else None
        if wait is not None and wait.kind not in _UNBLOCKED:
            rows.append((stack, (usage.samples, waited), (Label("thread_name", group), Label("wait", wait.kind))))
    return build("block", rows, comments=comments, **_times(window))


def is_idle(stack: Stack) -> bool:
    """Return whether a thread with this stack waits for work."""
    wait = offcpu.classify(stack)
    return wait is not None and wait.kind == offcpu.IDLE


def _times(window: Window) -> _Times:
    return {
        "time_nanos": round(window.begin * NANOSECONDS),
        "duration_nanos": round(window.seconds * NANOSECONDS),
    }


class _Times(TypedDict):
    time_nanos: int
    duration_nanos: int


def _cpu(window: Window, period: int) -> Iterator[tuple[Stack, tuple[int, ...], tuple[Label, ...]]]:
    for (group, stack), usage in window.stacks.items():
        if usage.cpu_ns > 0:
            # A stack is seen waiting, too: of its samples only as many were on the CPU as its CPU time is worth.
            worth = max(1, round(usage.cpu_ns / period)) if period else usage.samples
            yield stack, (min(usage.samples, worth), usage.cpu_ns), (Label("thread_name", group),)


def _wall(window: Window) -> Iterator[tuple[Stack, tuple[int, ...], tuple[Label, ...]]]:
    for (group, stack), usage in window.stacks.items():
        if usage.wall_ns > 0:
            yield stack, (usage.samples, usage.wall_ns), (Label("thread_name", group),)
