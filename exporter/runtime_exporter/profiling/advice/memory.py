"""Memory that grows, memory that nobody uses, and tracers that are left on."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling import leaks
from runtime_exporter.profiling.advice.values import PROCESS, Finding, Rule, Threshold
from runtime_exporter.profiling.leaks import BYTES, MEMORY, OBJECT_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.profiling.advice.values import Claimed, Evidence, Severity
    from runtime_exporter.profiling.leaks import Suspect

TREND: Final = Threshold(
    "p-value of the trend",
    MEMORY.significance,
    "ratio",
    "Mann-Kendall; a chance of one in a hundred for each type watched",
)
WINDOWS: Final = Threshold(
    "windows of the trend", MEMORY.windows, "count", "chosen: five minutes each, they span an hour after the warm-up"
)
SMALLEST: Final = Threshold(
    "growth over those windows",
    MEMORY.floor,
    "bytes",
    "chosen: below, nobody looks; Scalene, too, demands growth beside likelihood",
)
OF_RESIDENT: Final = Threshold(
    "that growth as a share of resident memory", MEMORY.floor_ratio, "ratio", "chosen: as above, in large processes"
)
OBJECTS: Final = Threshold(
    "growth of a type in objects", OBJECT_TYPES.floor, "count", "chosen: some 5 MB of small ones"
)
UNUSED: Final = Threshold(
    "share of resident memory that the allocators keep free", 0.30, "ratio", "chosen: some 10 to 20 % is usual"
)
LEAST_UNUSED: Final = Threshold("unused memory", 50e6, "bytes", "chosen: less buys nothing")
_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR
_SUSPECTS: Final = 3


def leak_suspect(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak of the steepest suspects whose trend holds and whose growth matters.

    The process as a whole is told only where no type or site is known: its growth is theirs.
    """
    found = [each for each in evidence.facts.suspects if _matters(each, evidence)]
    sites = [each for each in found if each.site]
    return [_suspect(each) for each in sorted(sites or found[:1], key=_order)[:_SUSPECTS]]


def _matters(suspect: Suspect, evidence: Evidence) -> bool:
    if suspect.p >= TREND.value or suspect.windows < WINDOWS.value:
        return False
    memory = evidence.facts.memory
    floors = {
        BYTES: max(SMALLEST.value, OF_RESIDENT.value * memory.resident if memory else 0.0),
        leaks.OBJECTS: OBJECTS.value,
        leaks.BLOCKS: leaks.BLOCKS_IN_USE.floor,
    }
    return suspect.last - suspect.first >= floors.get(suspect.unit, inf)


def _order(suspect: Suspect) -> tuple[bool, float]:
    return (suspect.unit != BYTES, -suspect.slope)


def _suspect(suspect: Suspect) -> Finding:
    left = suspect.seconds_to_limit
    end = f"; at this pace the limit is reached in {_duration(left)}" if isfinite(left) else ""
    name = f"{suspect.kind} of {suspect.site}" if suspect.site else suspect.kind
    return Finding(
        claim=f"Suspected leak: {name} grew from {_amount(suspect.first, suspect.unit)} to {_amount(suspect.last, suspect.unit)}, {_amount(suspect.slope * _HOUR, suspect.unit)} an hour{end}.",
        target=suspect.site or PROCESS,
        evidence={
            "unit": suspect.unit,
            "first": suspect.first,
            "last": suspect.last,
            "slope_per_second": suspect.slope,
            "slope_low": suspect.slope_low,
            "slope_high": suspect.slope_high,
            "p_value": suspect.p,
            "windows": suspect.windows,
            "after_full_collections": "yes" if suspect.settled else "no",
            "seconds_to_limit": left if isfinite(left) else "unknown",
        },
        gain=(suspect.last - suspect.first) / suspect.last if suspect.last > 0 else None,
        severity=_urgency(left),
    )


def _amount(value: float, unit: str) -> str:
    return f"{value / 1e6:.1f} MB" if unit == BYTES else f"{value:,.0f} {unit}"


def _urgency(left: float) -> Severity:
    return "critical" if left < _DAY else "warning"


def _duration(seconds: float) -> str:
    return f"{seconds / _DAY:.1f} days" if seconds >= 2 * _DAY else f"{seconds / _HOUR:.1f} hours"


def unused_memory(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where the allocators keep a large part of the resident memory though nothing lives in it."""
    memory = evidence.facts.memory
    if memory is None or memory.resident <= 0:
        return ()
    share = memory.allocator_free / memory.resident
    if share <= UNUSED.value or memory.allocator_free < LEAST_UNUSED.value:
        return ()
    return (
        Finding(
            claim=f"{share:.0%} of the resident {memory.resident / 1e6:.0f} MB is free memory that the allocators keep.",
            evidence={
                "share": share,
                "threshold": UNUSED.value,
                "free_bytes": memory.allocator_free,
                "resident_bytes": memory.resident,
            },
            gain=share,
        ),
    )


def tracing(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where a trace function or asyncio's debug mode is set."""
    tracers = evidence.facts.instruments.tracers if evidence.facts.instruments else ()
    loop = evidence.facts.loop
    found = [*tracers, *(["asyncio's debug mode"] if loop is not None and loop.debug else [])]
    if not found:
        return ()
    names = ", ".join(found)
    return (Finding(claim=f"The program runs under {names}.", target=PROCESS, evidence={"instruments": names}),)


RULES: Final = (
    Rule(
        name="tracing-left-on",
        language="python",
        title="A tracer or asyncio's debug mode is on",
        judge=tracing,
        speaks="sys.settrace, sys.setprofile or a tool of sys.monitoring is set, or the event loop is in debug mode.",
        silent="None is. debug-left-on has spoken of the same.",
        do="Start without coverage, the debugger and PYTHONASYNCIODEBUG; a trace function is called for each line and costs a multiple of the work.",
        verify="CPU per request before and after.",
        wrong="It is on purpose and for a short time. A tool of sys.monitoring (3.12 on) may cost next to nothing.",
        severity="warning",
        yields_to=frozenset({"debug-left-on"}),
    ),
    Rule(
        name="leak-suspect",
        language="any",
        title="Memory grows by a steady trend",
        judge=leak_suspect,
        thresholds=(TREND, WINDOWS, SMALLEST, OF_RESIDENT, OBJECTS),
        speaks="A type, a site or the process grows by a significant trend, and by enough to matter.",
        silent="The growth is noise, small, or went away after a full collection.",
        do="Take a heap profile now and in an hour and compare them. The usual places: a cache without a bound, a list of a module, handlers or callbacks that are registered again, exceptions kept with their frames.",
        verify="process_resident_memory_bytes over a day after the change.",
        wrong="A cache that still fills, or load that still grows. It is a suspect, not a proof.",
        severity="warning",
        gain_of="memory of the target",
    ),
    Rule(
        name="memory-unused",
        language="python",
        title="The allocators keep memory that nothing uses",
        judge=unused_memory,
        thresholds=(UNUSED, LEAST_UNUSED),
        speaks="Free memory inside malloc and pymalloc is a large part of what is resident.",
        silent="It is small, or nobody measured it.",
        do="Set MALLOC_ARENA_MAX=2 where many threads allocate, or run with jemalloc; do what takes much memory for a moment in a process of its own. malloc_trim(0) gives back once.",
        verify="process_malloc_free_bytes and process_resident_memory_bytes after the next peak.",
        wrong="The next peak needs the memory again; giving it back only costs page faults.",
        gain_of="resident memory",
    ),
)  # fmt: skip
