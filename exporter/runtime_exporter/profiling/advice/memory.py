"""Memory that grows, memory that nobody uses, and tracers that are left on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.values import PROCESS, Finding, Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.profiling.advice.facts import Suspect
    from runtime_exporter.profiling.advice.values import Claimed, Evidence, Severity

TREND: Final = Threshold(
    "p-value of the trend", 0.01, "ratio", "Mann-Kendall; a chance of one in a hundred for each type watched"
)
WINDOWS: Final = Threshold(
    "windows of the trend", 12, "count", "chosen: five minutes each, they span an hour after the warm-up"
)
SMALLEST: Final = Threshold(
    "growth over those windows",
    5e6,
    "bytes",
    "chosen: below, nobody looks; Scalene, too, demands growth beside likelihood",
)
OF_RESIDENT: Final = Threshold(
    "growth as a share of resident memory", 0.02, "ratio", "chosen: as above, in large processes"
)
UNUSED: Final = Threshold(
    "share of resident memory that the allocators keep free", 0.30, "ratio", "chosen: some 10 to 20 % is usual"
)
LEAST_UNUSED: Final = Threshold("unused memory", 50e6, "bytes", "chosen: less buys nothing")
_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR
_SUSPECTS: Final = 3


def leak_suspect(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak of the steepest suspects whose trend holds and whose growth matters."""
    memory = evidence.facts.memory
    floor = max(SMALLEST.value, OF_RESIDENT.value * memory.resident if memory else 0.0)
    suspects = [
        each
        for each in evidence.facts.suspects
        if each.p_value < TREND.value and each.windows >= WINDOWS.value and each.last - each.first >= floor
    ]
    steepest = sorted(suspects, key=lambda each: -each.slope)[:_SUSPECTS]
    return [_suspect(each, memory.limit if memory else None) for each in steepest]


def _suspect(suspect: Suspect, limit: int | None) -> Finding:
    left = suspect.to_limit
    end = "" if left is None else f"; at this pace the limit is reached in {_duration(left)}"
    return Finding(
        claim=f"{suspect.name} grew from {suspect.first / 1e6:.0f} to {suspect.last / 1e6:.0f} MB, {suspect.slope * _HOUR / 1e6:.1f} MB an hour{end}.",
        target=suspect.name,
        evidence={
            "first_bytes": suspect.first,
            "last_bytes": suspect.last,
            "slope_bytes_per_second": suspect.slope,
            "p_value": suspect.p_value,
            "windows": suspect.windows,
            "seconds_to_limit": "unknown" if left is None else left,
            "limit_bytes": "unknown" if limit is None else limit,
        },
        gain=min(1.0, (suspect.last - suspect.first) / suspect.last) if suspect.last > 0 else None,
        severity=_urgency(left),
    )


def _urgency(left: float | None) -> Severity:
    return "critical" if left is not None and left < _DAY else "warning"


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
        thresholds=(TREND, WINDOWS, SMALLEST, OF_RESIDENT),
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
