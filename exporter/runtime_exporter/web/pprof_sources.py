"""What a process that profiles itself serves below /debug/pprof."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

from runtime_exporter.profiling.profile import ALLOCATED
from runtime_exporter.profiling.stoppable import UNSTOPPABLE, can_stop
from runtime_exporter.profiling.threadcreate import threadcreate_profile
from runtime_exporter.profiling.threads import inventory, thread_profile, thread_text
from runtime_exporter.web.pprof_pages import Sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.process import Profiling
    from runtime_exporter.profiling.profile import Profile

MEMORY = ("heap", "allocs")
"""One profile under two names, as in Go, where they are shown by different sample types. Alloy and Parca ask for the second."""


def sources_of(profiling: Profiling, *, keep: bool = True) -> Sources:
    """Return where the profiles of this process come from. Nothing is taken, and nothing imported, before somebody asks.

    keep: whether the store keeps what is taken over a time.
    """
    waits = ("block", "mutex") if profiling.locks is not None else ("block",)
    return Sources(
        windows={
            "profile": _over(profiling, "cpu", keep),
            "wall": _over(profiling, "wall", keep),
            "heap": _over(profiling, "heap", keep),
            "allocs": _allocated(profiling, keep),
        },
        deltas={kind: _over(profiling, kind, keep) for kind in waits},
        instants={
            "goroutine": lambda: thread_profile(inventory(), kind="goroutine"),
            "threadcreate": threadcreate_profile,
            **dict.fromkeys(MEMORY, _now(profiling, "heap")),
            **{kind: _now(profiling, kind) for kind in waits},
        },
        texts={"goroutine": lambda: thread_text(inventory())},
        unavailable={**dict.fromkeys(MEMORY, _no_heap), "block": lambda: _no_waits(profiling)},
    )


def _over(profiling: Profiling, kind: str, keep: bool) -> Callable[[float, Callable[[], bool]], Profile]:
    return lambda seconds, gone: profiling.on_demand.take(kind, seconds, gone, keep=keep)


def _allocated(profiling: Profiling, keep: bool) -> Callable[[float, Callable[[], bool]], Profile]:
    """Return the profile of the heap by what was allocated, where it tells that: what was freed meanwhile is not in it."""

    def take(seconds: float, gone: Callable[[], bool]) -> Profile:
        profile = profiling.on_demand.take("heap", seconds, gone, keep=keep)
        shown = ALLOCATED[-1].type
        known = any(shown == sample_type.type for sample_type in profile.sample_types)
        return replace(profile, default_sample_type=shown) if known else profile

    return take


def _now(profiling: Profiling, kind: str) -> Callable[[], Profile]:
    return lambda: profiling.on_demand.now(kind)


def _no_waits(profiling: Profiling) -> str:
    if profiling.sees_waits:
        return ""
    return (
        "nothing looks at waits all the time: the setting profiling has it done, and profile_locks counts those for locks;"
        " block?seconds=10 looks for as long"
    )


def _no_heap() -> str:
    if tracemalloc.is_tracing():
        return ""
    why = "nothing traces allocations: the setting profile_heap lets tracemalloc do so all the time"
    if not can_stop():
        return f"{why}; {UNSTOPPABLE}"
    return f"{why}, and heap?seconds=10 for as long, which slows the process down 7 times and more meanwhile"
