"""How a Go program was built and set up: what its profilers record, and whether the compiler had a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.values import Finding, Rule, Threshold
from runtime_exporter.profiling.naming import label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.profiling.advice.values import Claimed, Evidence

BLOCK_RATE: Final = Threshold(
    "nanoseconds of runtime.SetBlockProfileRate", 1e6, "count", "4 % of CPU were seen at 10 µs; Datadog's default is 100 ms"
)  # fmt: skip
STEADY: Final = Threshold("distance of the CPU profile from its past", 0.1, "ratio", "chosen: Jensen-Shannon, 0 to 1")
HOT: Final = Threshold(
    "functions that have 80 % of the CPU", 64, "count", "chosen: PGO inlines hot calls, and needs some to be hot"
)

_MOST: Final = 0.8
_PGO_GAIN: Final = 0.14
"""The upper end of what Go's documentation of PGO tells of its benchmarks (2 to 14 %)."""


def block_profiling(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where the block profiler is set to record far too much."""
    rate = evidence.facts.go.block_profile_rate if evidence.facts.go else None
    if not rate or rate >= BLOCK_RATE.value:
        return ()
    return (
        Finding(
            claim=f"The block profiler records an event for every {rate:,} ns of blocking.",
            evidence={"rate_nanoseconds": rate, "threshold": BLOCK_RATE.value},
        ),
    )


def pgo(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where a steady profile with few hot functions was not given to the compiler."""
    cpu, go, divergence = evidence.profiles.get("cpu"), evidence.facts.go, evidence.facts.divergence
    if cpu is None or cpu.total <= 0 or go is None or go.pgo is not False or divergence is None:
        return ()
    hot = _hot_functions(
        cpu.by(lambda stack: label(stack[0]) if stack else "unknown", range(len(cpu.stacks))), cpu.total
    )
    if divergence > STEADY.value or hot >= HOT.value:
        return ()
    return (
        Finding(
            claim=f"{hot} functions have {_MOST:.0%} of the CPU, the profile is steady, and the binary was built without it.",
            evidence={"hot_functions": hot, "divergence": divergence, "threshold": STEADY.value},
            gain=_PGO_GAIN,
        ),
    )


def _hot_functions(functions: list[tuple[str, float]], total: float) -> int:
    seen = 0.0
    for number, (_, value) in enumerate(functions, start=1):
        seen += value
        if seen >= _MOST * total:
            return number
    return len(functions)


RULES: Final = (
    Rule(
        name="go-block-profile-rate",
        language="go",
        title="The block profiler's rate is too fine",
        judge=block_profiling,
        thresholds=(BLOCK_RATE,),
        speaks="The rate is known and below a millisecond.",
        silent="The rate is unknown, 0 (off), or coarse. go-block-profiling has seen the cost itself.",
        do="runtime.SetBlockProfileRate(100_000_000) records one event in 100 ms of blocking, as Datadog does; rate 1 records each.",
        verify="CPU per request before and after.",
        wrong="Hardly anything blocks in this program.",
        severity="warning",
        yields_to=frozenset({"go-block-profiling"}),
    ),
    Rule(
        name="go-pgo",
        language="go",
        title="The compiler could use this profile",
        judge=pgo,
        thresholds=(STEADY, HOT),
        kind="cpu",
        reads_facts=True,
        speaks="The CPU profile is steady, few functions are hot, and the build settings have no -pgo.",
        silent="It is built with one, the build settings or the profile's past are unknown, or the profile moves.",
        do="Put a merged CPU profile of production beside main.go as default.pgo and build again.",
        verify="Benchmarks, or CPU per request, of the two builds.",
        wrong="The time is in system calls or assembly. Go's documentation tells 2 to 14 % for its benchmarks.",
    ),
)  # fmt: skip
