"""Go's garbage collector: what it costs, and GOGC and GOMEMLIMIT for this process from its live heap and its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.frames import Frames
from runtime_exporter.profiling.advice.share import shares
from runtime_exporter.profiling.advice.values import Finding, Rule, Threshold
from runtime_exporter.profiling.advice.weights import site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.profiling.advice.facts import GoRuntime
    from runtime_exporter.profiling.advice.values import Claimed, Evidence

COLLECTOR: Final = Frames(
    "runtime.gcBgMarkWorker*",
    "runtime.gcAssistAlloc*",
    "runtime.gcDrain*",
    "runtime.gcStart*",
    "runtime.gcMark*",
    "runtime.scanobject*",
    "runtime.scanObject*",
    "runtime.scanSpan*",
    "runtime.bgsweep*",
)
_IDLE_MARKING: Final = Frames("runtime.gcDrainMarkWorkerIdle")
"""Marking on processors that have nothing else to do: it takes CPU from nobody."""
_ALLOCATING: Final = Frames("runtime.mallocgc*", "runtime.newobject*", "runtime.makeslice*", "runtime.growslice*")

GC_SHARE: Final = Threshold(
    "share of CPU time in the collector",
    0.15,
    "ratio",
    "Uber tuned GOGC from about 25 % on; the runtime itself aims at 25 % while it marks",
)
HEADROOM: Final = Threshold(
    "twice the live heap, as a share of the memory limit", 0.70, "ratio", "Uber's GOGCTuner stops at 70 % of the limit"
)
THRASH_SHARE: Final = Threshold(
    "share of CPU time in the collector near the memory limit",
    0.25,
    "ratio",
    "the runtime's target for background marking; its limiter cuts in at 50 %",
)
NEAR_LIMIT: Final = Threshold(
    "heap goal as a share of GOMEMLIMIT", 0.90, "ratio", "chosen: stacks and the runtime's own memory take the rest"
)
_LARGEST_GOGC: Final = 800
_DEFAULT_GOGC: Final = 100
_LIMIT_SHARE: Final = 0.9
"""Part of the container's limit for GOMEMLIMIT: Go's guide to the collector advises 5 to 10 % of headroom."""
_SITES: Final = 3


def _collecting(evidence: Evidence, claimed: Claimed) -> tuple[frozenset[int], float]:
    """Return the stacks in the collector that are not idle marking, and their share of the CPU."""
    cpu = evidence.profiles.get("cpu")
    if cpu is None:
        return frozenset(), 0.0
    places = cpu.containing(COLLECTOR) - cpu.containing(_IDLE_MARKING) - claimed.of("cpu")
    return places, cpu.share(places)


def thrash(evidence: Evidence, claimed: Claimed) -> Iterable[Finding]:
    """Speak where the collector runs all the time since GOMEMLIMIT leaves it no room."""
    go = evidence.facts.go
    if go is None or not go.memory_limit or go.heap_goal is None:
        return ()
    places, share = _collecting(evidence, claimed)
    near = go.heap_goal / go.memory_limit
    if share <= THRASH_SHARE.value or near < NEAR_LIMIT.value:
        return ()
    return (
        Finding(
            claim=f"{share:.0%} of the CPU goes into collections, and the heap's goal is {near:.0%} of GOMEMLIMIT.",
            evidence={"share": share, "threshold": THRASH_SHARE.value, "near_limit": near, **_numbers(go)},
            gain=share,
            do=_more_memory(go),
            claims={"cpu": places},
            causes=frozenset({"gc"}),
        ),
    )


def collector_cost(evidence: Evidence, claimed: Claimed) -> Iterable[Finding]:
    """Speak where the collector has a large share; GOGC is proposed only where the memory for it is there."""
    places, share = _collecting(evidence, claimed)
    if share < GC_SHARE.value:
        return ()
    go = evidence.facts.go
    return (
        Finding(
            claim=f"{share:.0%} of the CPU goes into Go's garbage collector.",
            evidence={"share": share, "threshold": GC_SHARE.value, "sites": _sites(evidence), **_numbers(go)},
            gain=share,
            severity="warning" if share >= 2 * GC_SHARE.value else "info",
            do=_tuning(go, share),
            claims={"cpu": places},
            causes=frozenset({"gc"}),
        ),
    )


def proposed_gogc(go: GoRuntime) -> int | None:
    """Return a GOGC with which the heap's goal stays within 70 % of the container's limit, at most 800.

    None where the live heap or the limit is unknown, where twice the live heap is above that already, or where GOGC is as high.
    """
    if not go.live_heap or not go.container_limit or 2 * go.live_heap >= HEADROOM.value * go.container_limit:
        return None
    room = int((HEADROOM.value * go.container_limit / go.live_heap - 1) * 100)
    proposal = min(_LARGEST_GOGC, room // 10 * 10)
    return proposal if proposal > _present_gogc(go) else None


def _present_gogc(go: GoRuntime) -> int:
    return go.gogc if go.gogc is not None else _DEFAULT_GOGC


def _tuning(go: GoRuntime | None, share: float) -> str:
    proposal = proposed_gogc(go) if go else None
    if go is None or proposal is None or not go.container_limit:
        return "There is no known headroom for a higher GOGC, so allocate less: the sites are in the evidence."
    present = _present_gogc(go)
    limit = int(_LIMIT_SHARE * go.container_limit / 2**20)
    return (
        f"Set GOGC={proposal} (now {present}) with GOMEMLIMIT={limit}MiB: collections become about {proposal / present:.1f} times "
        f"rarer, and their {share:.0%} of the CPU about {share * present / proposal:.0%}."
    )


def _more_memory(go: GoRuntime) -> str:
    limit, container = go.memory_limit or 0, go.container_limit
    if container and _LIMIT_SHARE * container > limit:
        return f"Raise GOMEMLIMIT from {limit >> 20}MiB to {int(_LIMIT_SHARE * container) >> 20}MiB: the container allows {container >> 20}MiB."
    return f"The container leaves no room: give it more than {limit >> 20}MiB, or keep less alive than {(go.live_heap or 0) >> 20}MiB."


def _sites(evidence: Evidence) -> str:
    """Return where the program allocates: by the heap profile, or by the CPU that allocating takes."""
    heap, cpu = evidence.profiles.get("heap"), evidence.profiles.get("cpu")
    if heap is not None and heap.total > 0:
        return shares(heap.by(site, range(len(heap.stacks)))[:_SITES], heap.total)
    if cpu is None:
        return ""
    places = cpu.containing(_ALLOCATING)
    return shares(cpu.by(lambda stack: site(stack, _ALLOCATING), places)[:_SITES], cpu.value(places) or 1.0)


def _numbers(go: GoRuntime | None) -> dict[str, int | str]:
    if go is None:
        return {}
    return {
        "live_heap_bytes": "unknown" if go.live_heap is None else go.live_heap,
        "heap_goal_bytes": "unknown" if go.heap_goal is None else go.heap_goal,
        "gogc": _present_gogc(go),
        "gomemlimit_bytes": "off" if go.memory_limit is None else go.memory_limit,
        "container_limit_bytes": "unknown" if go.container_limit is None else go.container_limit,
    }


RULES: Final = (
    Rule(
        name="go-gc-thrash",
        language="go",
        title="GOMEMLIMIT keeps the collector running",
        judge=thrash,
        thresholds=(THRASH_SHARE, NEAR_LIMIT),
        kind="cpu",
        reads_facts=True,
        speaks="The collector's share is above the limit while the heap's goal is near GOMEMLIMIT.",
        silent="GOMEMLIMIT is not set, or the goal is well below it.",
        do="Near the limit each collection frees little and the next starts at once.",
        verify="go_gc_duration_seconds_count, and the collector's share in the next profile.",
        wrong="A burst that GOMEMLIMIT was set to survive, and that has passed.",
        severity="critical",
    ),
    Rule(
        name="go-gc-cost",
        language="go",
        title="Garbage collection takes a large share of the CPU",
        judge=collector_cost,
        thresholds=(GC_SHARE, HEADROOM),
        kind="cpu",
        reads_facts=True,
        speaks="Mark workers, assists and sweeping have the share; marking on idle processors is not counted.",
        silent="It is below, or go-gc-thrash has spoken.",
        do="Each allocation saved saves its collection, too.",
        verify="The collector's share in the next profile, and the process's memory under peak load.",
        wrong="Memory costs more than CPU here: a higher GOGC trades one for the other.",
        yields_to=frozenset({"go-gc-thrash"}),
    ),
)  # fmt: skip
