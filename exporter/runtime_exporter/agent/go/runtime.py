"""What a Go process says of itself: from its metrics, from expvar, or from the end of the heap profile's text form."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runtime_exporter.profiling.advice.facts import GoRuntime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runtime_exporter.profiling.profile import Profile

_NO_LIMIT: Final = 2**63 - 1
"""math.MaxInt64, which GOMEMLIMIT is when it is off."""
_GOGC_OFF: Final = 2**63
_MEMSTATS: Final = re.compile(rb"^# (\w+) = (\d+)$", re.MULTILINE)
_VERSION: Final = re.compile(r"go(\d+)\.(\d+)")
# name{labels} value, as the text format has it; labels are looked at for go_info only.
_SAMPLE: Final = re.compile(r"^([a-zA-Z_:][\w:]*)(\{[^}]*\})?[ \t]+(\S+)")
_FAMILIES: Final = {
    "go_sched_gomaxprocs_threads": "gomaxprocs",
    "go_goroutines": "goroutines",
    "go_gc_heap_live_bytes": "live_heap",
    "go_memstats_next_gc_bytes": "heap_goal",
    "go_gc_heap_goal_bytes": "heap_goal",
    "go_gc_gogc_percent": "gogc",
    "go_gc_gomemlimit_bytes": "memory_limit",
    "process_start_time_seconds": "started",
}
"""Families of client_golang's collectors. The live heap is only there with its GC metrics switched on."""


class Said(NamedTuple):
    """The process's own numbers. None where it does not tell them."""

    version: tuple[int, int] | None = None
    gomaxprocs: int | None = None
    goroutines: int | None = None
    live_heap: int | None = None
    heap_goal: int | None = None
    gogc: int | None = None
    memory_limit: int | None = None
    started: float | None = None
    """When the process did, in seconds since the epoch."""

    def facts(
        self, standing: Mapping[str, int], profiles: Mapping[str, Profile], container_limit: int | None = None
    ) -> GoRuntime:
        """Return them as facts for advice; what the process does not tell is taken from what its profiles show."""
        goroutines, heap = profiles.get("goroutine"), profiles.get("heap")
        listed = goroutines.total(0) if goroutines is not None else None
        live = heap.total(heap.index("inuse_space")) if heap is not None else None
        return GoRuntime(
            version=self.version,
            gomaxprocs=self.gomaxprocs,
            goroutines=self.goroutines if self.goroutines is not None else standing.get("goroutine", listed),
            live_heap=self.live_heap if self.live_heap is not None else live,
            heap_goal=self.heap_goal,
            gogc=self.gogc,
            memory_limit=self.memory_limit,
            container_limit=container_limit,
        )


def of_metrics(text: bytes) -> Said:
    """Return what an exposition in Prometheus's text format says of the Go process that serves it."""
    found: dict[str, Any] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        if not line.startswith(("go_", "process_start_time_seconds")):
            continue
        sample = _SAMPLE.match(line)
        if sample is None:
            continue
        name, labels, value = sample.groups()
        if name == "go_info":
            found["version"] = version(labels or "")
        elif name in _FAMILIES:
            found[_FAMILIES[name]] = _number(value)
    return _said(found)


def of_expvar(text: bytes) -> Said:
    """Return what /debug/vars says: its `memstats` have the heap's goal. Nothing for what is no such page."""
    try:
        page = json.loads(text)
    except (ValueError, RecursionError):
        return Said()
    memstats = page.get("memstats") if isinstance(page, dict) else None
    goal = memstats.get("NextGC") if isinstance(memstats, dict) else None
    return _said({"heap_goal": _number(str(goal))}) if isinstance(goal, int) else Said()


def of_heap_text(text: bytes) -> Said:
    """Return what the end of heap?debug=1 says: runtime.MemStats, a field a line."""
    fields = {name.decode(): float(value) for name, value in _MEMSTATS.findall(text)}
    return _said({"heap_goal": fields["NextGC"]}) if "NextGC" in fields else Said()


def version(text: str) -> tuple[int, int] | None:
    """Return the first version of Go that a text has: (1, 27) of "go1.27.3"."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2])) if match else None


def merged(parts: Iterable[Said]) -> Said:
    """Return what several sources say together; the first that says something counts."""
    known: dict[str, Any] = {}
    for part in parts:
        known = {**{name: value for name, value in part._asdict().items() if value is not None}, **known}
    return Said(**known)


def _said(found: Mapping[str, Any]) -> Said:
    numbers = {
        name: found[name] for name in Said._fields if isinstance(found.get(name), float) and math.isfinite(found[name])
    }
    if numbers.get("memory_limit", 0) >= _NO_LIMIT:
        del numbers["memory_limit"]
    if numbers.get("gogc", 0) >= _GOGC_OFF:
        del numbers["gogc"]
    whole: dict[str, Any] = {name: value if name == "started" else int(value) for name, value in numbers.items()}
    return Said(**whole, version=found.get("version"))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
