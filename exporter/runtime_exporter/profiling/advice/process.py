"""What this process says of itself without a profile: the collector's state and what traces the program."""

from __future__ import annotations

import gc
import sys
import threading
from typing import TYPE_CHECKING, Any

from runtime_exporter.profiling import tracked
from runtime_exporter.profiling.advice.facts import Collections, Instruments

if TYPE_CHECKING:
    from collections.abc import Callable

_MONITORING_TOOLS = 6  # sys.monitoring has the ids 0 to 5


def collections(
    *,
    seconds: float,
    before: list[dict[str, int]],
    full_pause: float | None = None,
    oldest_objects: int | None = None,
) -> Collections:
    """Return the garbage collector's numbers since `before`, an earlier gc.get_stats().

    `seconds` and `full_pause` come from who times the collections. Without `oldest_objects` they are counted here, which
    makes a list of them: some 13 ns an object, with the GIL held.
    """
    now = gc.get_stats()
    return Collections(
        seconds=seconds,
        collections=_since(now, before, "collections"),
        collected=_since(now, before, "collected"),
        thresholds=gc.get_threshold(),
        oldest_objects=tracked.count(2) if oldest_objects is None else oldest_objects,
        frozen=gc.get_freeze_count(),
        full_pause=full_pause,
        enabled=gc.isenabled(),
        incremental=sys.version_info >= (3, 14) and gc.get_threshold()[2] == 0,  # 0 is its default
    )


def instruments() -> Instruments:
    """Return the modules of what traces or profiles this process; sys.settrace is seen for the calling thread and new ones."""
    functions: tuple[Callable[..., Any] | None, ...] = (
        sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile(),
    )  # fmt: skip
    names = {_module(function) for function in functions if function is not None}
    return Instruments(tracers=tuple(sorted(names | _monitors())))


def _since(now: list[dict[str, int]], before: list[dict[str, int]], key: str) -> tuple[int, int, int]:
    young, middle, oldest = (after[key] - earlier[key] for after, earlier in zip(now, before, strict=True))
    return (young, middle, oldest)


def _module(function: Callable[..., Any]) -> str:
    return getattr(function, "__module__", None) or type(function).__module__


def _monitors() -> set[str]:
    monitoring = getattr(sys, "monitoring", None)  # Python 3.12
    if monitoring is None:
        return set()
    names = (monitoring.get_tool(number) for number in range(_MONITORING_TOOLS))
    return {name for name in names if name}
