"""CPython's garbage collector: what it costs, and thresholds for this process from its own numbers."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.values import Finding, Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.profiling.advice.facts import Collections
    from runtime_exporter.profiling.advice.values import Claimed, Evidence

GC_SHARE: Final = Threshold(
    "share of wall time inside collections", 0.05, "ratio", "Datadog calls GC pauses above 10 % a finding; half of it, since a gc.freeze() costs one line"
)  # fmt: skip
FULL_PAUSE: Final = Threshold(
    "99th percentile of a full collection's pause", 0.1, "seconds", "chosen: what a user notices (Nielsen's 0.1 s)"
)
_AIM: Final = 0.01
"""Share of time that the proposed threshold aims at."""
_LARGEST_THRESHOLD: Final = 100_000
"""Young objects that a proposal keeps uncollected at most: some ten megabytes of the usual small containers."""
_LOW_YIELD: Final = 0.01
"""A full collection that frees less than this part of what it walks was not needed (chosen)."""


def judge(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where collections take much of the time, or a full one stops the process for long."""
    gc = evidence.facts.gc
    if gc is None or evidence.window <= 0 or not gc.enabled:
        return ()
    share = gc.seconds / evidence.window
    long_pause = gc.full_pause is not None and gc.full_pause > FULL_PAUSE.value
    if share < GC_SHARE.value and not long_pause:
        return ()
    pause = "" if gc.full_pause is None else f", a full collection up to {gc.full_pause * 1000:.0f} ms"
    return (
        Finding(
            claim=f"The garbage collector takes {share:.1%} of the time{pause}.",
            evidence=_numbers(gc, share),
            gain=share,
            severity="critical" if share >= 5 * GC_SHARE.value else "warning",
            do=" ".join(_advice(gc, share)),
            causes=frozenset({"gc"}),
        ),
    )


def freeze_ratio(gc: Collections) -> float:
    """Return the share of a full collection's walk that gc.freeze() would take away.

    What the window's full collections did not free stays: it is long-lived, or garbage that the next one finds.
    """
    if gc.oldest_objects <= 0:
        return 0.0
    freed = gc.collected[2] / max(1, gc.collections[2])
    return max(0.0, 1 - freed / (gc.oldest_objects + freed))


def proposed_threshold(gc: Collections, share: float) -> int:
    """Return a first threshold at which collections would take about 1 % of the time at best, at most 100 000.

    A threshold k times as high makes collections of every generation k times rarer. The old ones, which cost most, walk no more
    for it; a young one walks k times as much, less what dies meanwhile. Hence "at best". Never below the present threshold.
    """
    present = max(gc.thresholds[0], 1)
    if share <= _AIM:
        return present
    return max(present, min(ceil(present * share / _AIM / 1000) * 1000, _LARGEST_THRESHOLD))


def _advice(gc: Collections, share: float) -> Iterable[str]:
    ratio = freeze_ratio(gc)
    if gc.frozen == 0 and gc.oldest_objects > 0 and ratio >= 1 - _LOW_YIELD:
        yield (
            f"Of {gc.oldest_objects:,} objects in the oldest generation {ratio:.1%} survive a full collection: call gc.collect() "
            "and gc.freeze() once the application is loaded (before the fork, under prefork), and full collections walk only what came later."
        )
    proposal = proposed_threshold(gc, share)
    if share >= GC_SHARE.value and proposal > gc.thresholds[0]:
        rest = gc.thresholds[1:] if not gc.incremental else gc.thresholds[1:2]
        arguments = ", ".join(str(each) for each in (proposal, *rest))
        yield (
            f"Try gc.set_threshold({arguments}) instead of {gc.thresholds}: {gc.collections[0]:,} young and {gc.collections[2]:,} full "
            f"collections in the window come up to {proposal / max(1, gc.thresholds[0]):.0f} times more rarely."
        )
    if sum(gc.collected) == 0 and sum(gc.collections) > 0:
        yield "No collection of the window freed anything: the program makes no cycles, and gc.disable() after a gc.freeze() is an option to be watched."


def _numbers(gc: Collections, share: float) -> dict[str, float | int | str]:
    numbers: dict[str, float | int | str] = {
        "share": share,
        "threshold": GC_SHARE.value,
        "gc_seconds": gc.seconds,
        "collections": "/".join(map(str, gc.collections)),
        "collected": "/".join(map(str, gc.collected)),
        "gc_threshold": "/".join(map(str, gc.thresholds)),
        "oldest_objects": gc.oldest_objects,
        "frozen_objects": gc.frozen,
        "freeze_ratio": freeze_ratio(gc),
    }
    return numbers if gc.full_pause is None else {**numbers, "full_pause_seconds": gc.full_pause}


RULES: Final = (
    Rule(
        name="gc-cost",
        language="python",
        title="Garbage collection costs time or stops the process",
        judge=judge,
        thresholds=(GC_SHARE, FULL_PAUSE),
        speaks="Collections take the share of wall time, or the 99th percentile of a full collection's pause is above the limit.",
        silent="Both are below, or automatic collection is off.",
        do="Long-lived objects are what a full collection walks; short-lived containers are what starts young ones.",
        verify="rate(python_gc_duration_seconds_sum[5m]) before and after, and process_resident_memory_bytes over a day.",
        wrong="A full collection also waits until a quarter as many objects have grown old as are old already, so that the threshold may not be what times it. Cycles that are freed later keep more memory meanwhile; watch it before the change stays. Interpreters with an incremental collector (3.14 came with one) have no long full pause and ignore the third threshold.",
        severity="warning",
        gain_of="wall time",
    ),
)  # fmt: skip
