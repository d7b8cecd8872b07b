"""Waiting for a share: of the CPU quota, the interpreter lock, a lock, a worker. And groups of threads that only grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling import leaks
from runtime_exporter.profiling.advice.share import shares
from runtime_exporter.profiling.advice.values import PROCESS, Finding, Rule, Threshold
from runtime_exporter.profiling.naming import label, waits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from runtime_exporter.profiling.advice.facts import Pool
    from runtime_exporter.profiling.advice.values import Claimed, Evidence
    from runtime_exporter.profiling.profile import Stack

THROTTLED: Final = Threshold(
    "share of quota periods that were throttled", 0.05, "ratio", "chosen: one period in twenty is where p95 begins to show it"
)  # fmt: skip
GIL_WAIT: Final = Threshold(
    "share of probes that found the GIL taken", 0.30, "ratio", "chosen: a thread that wants to run then waits about a third of its time"
)  # fmt: skip
RUNNABLE: Final = Threshold("threads that want to run, on average", 2, "count", "one thread waits for nobody")
HOT_SITE: Final = Threshold(
    "share of all contended waiting that one site has", 0.70, "ratio", "chosen: one lock, not locking as such"
)
LOCK_WAIT: Final = Threshold(
    "waiting at the site, in seconds a second", 0.05, "ratio", "chosen: a twentieth of one thread's time"
)
BUSY: Final = Threshold("share of a pool's workers that are at work", 0.95, "ratio", "chosen: a worker changes hands")
IDLE: Final = Threshold("share of a pool's workers that wait for work", 0.95, "ratio", "chosen")
LARGE_POOL: Final = Threshold(
    "workers of a pool worth making smaller", 8, "count", "chosen: each costs a stack, fewer are noise"
)
GROWTH: Final = Threshold(
    "members that a group gained", leaks.THREAD_GROUPS.floor, "count", "chosen: above what a pool's filling brings"
)
WINDOWS: Final = Threshold(
    "windows of growth",
    leaks.THREAD_GROUPS.windows,
    "count",
    "statistics: ten rises in a row come by chance once in 1000",
)
MOST: Final = 3
"""Groups or pools that one rule names at a time: more have one cause, and each is a series."""


def throttled(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where the control group's quota stops the process."""
    quota = evidence.facts.quota
    if quota is None or quota.periods <= 0 or quota.throttled_periods / quota.periods <= THROTTLED.value:
        return ()
    share = quota.throttled_periods / quota.periods
    return (
        Finding(
            claim=f"The CPU quota of {quota.cores:g} cores stopped the process in {share:.0%} of its periods.",
            evidence={
                "share": share,
                "threshold": THROTTLED.value,
                "periods": quota.periods,
                "throttled_periods": quota.throttled_periods,
                "throttled_seconds": quota.throttled_seconds,
                "quota_cores": quota.cores,
                "cpu_cores": evidence.cpu_cores if evidence.cpu_cores is not None else "unknown",
            },
            gain=min(1.0, quota.throttled_seconds / evidence.window) if evidence.window > 0 else None,
            severity="critical" if share >= 5 * THROTTLED.value else "warning",
            causes=frozenset({"cpu quota"}),
        ),
    )


def gil_bound(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where several threads want the interpreter at once."""
    gil = evidence.facts.gil
    if gil is None or gil.wait_ratio <= GIL_WAIT.value or gil.runnable < RUNNABLE.value:
        return ()
    return (
        Finding(
            claim=f"The GIL was taken at {gil.wait_ratio:.0%} of the probes while {gil.runnable:.1f} threads wanted to run.",
            evidence={"wait_ratio": gil.wait_ratio, "threshold": GIL_WAIT.value, "runnable_threads": gil.runnable},
            gain=1 - 1 / gil.runnable,
        ),
    )


def lock_hot_spot(evidence: Evidence, claimed: Claimed) -> Iterable[Finding]:
    """Speak where most waiting for locks happens at one site."""
    block = evidence.profiles.get("block")
    if block is None or block.total <= 0 or evidence.window <= 0:
        return ()
    places = block.places(bool, but=claimed.of("block"))
    sites = block.by(_waiting_site, places)
    if not sites:
        return ()
    target, delay = sites[0]
    share, rate = delay / block.total, delay / evidence.window
    if share < HOT_SITE.value or rate < LOCK_WAIT.value:
        return ()
    here = frozenset(place for place in places if _waiting_site(block.stacks[place]) == target)
    return (
        Finding(
            claim=f"{share:.0%} of all waiting for locks is at {target}: {rate:.2f} seconds a second over {block.count(here)} waits.",
            target=target,
            evidence={
                "share": share,
                "threshold": HOT_SITE.value,
                "wait_seconds": delay,
                "wait_per_second": rate,
                "contentions": block.count(here),
                "sites": shares(sites[:3], block.total),
            },
            gain=share,
            severity="critical" if rate >= 1 else "warning",
            claims={"block": here},
            causes=frozenset({f"waiting in {target}"}),
        ),
    )


def _waiting_site(stack: Stack) -> str:
    return next((name for name in map(label, stack) if not waits(name)), label(stack[0]))


def pool_starved(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak of each pool whose workers are all busy while its queue grows."""
    return [
        _pool(pool, f"All {pool.workers} workers of {pool.name} are busy, and its queue grew from {pool.queue_first} to {pool.queue_last}.")
        for pool in evidence.facts.pools
        if pool.workers > 0 and pool.busy >= BUSY.value * pool.workers and pool.queue_last > pool.queue_first
    ][:MOST]  # fmt: skip


def pool_oversized(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak of each large pool whose workers nearly all wait for work."""
    return [
        _pool(pool, f"Of {pool.workers} workers of {pool.name} {pool.busy:.1f} are busy on average.")
        for pool in evidence.facts.pools
        if pool.workers >= LARGE_POOL.value and pool.busy < (1 - IDLE.value) * pool.workers and pool.queue_last == 0
    ][:MOST]


def _pool(pool: Pool, claim: str) -> Finding:
    return Finding(
        claim=claim,
        target=pool.name,
        evidence={"workers": pool.workers, "busy": pool.busy, "queue_first": pool.queue_first, "queue_last": pool.queue_last},
    )  # fmt: skip


def group_growth(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak of each group of threads or tasks that only grows."""
    return [growth(each) for each in growing(evidence, {leaks.THREADS, leaks.TASKS}, GROWTH, WINDOWS)]


def growing(evidence: Evidence, units: Collection[str], gained: Threshold, windows: Threshold) -> list[leaks.Suspect]:
    """Return the suspects of these units that gained so many over so many windows, the first of them steepest."""
    found = [
        each
        for each in evidence.facts.suspects
        if each.unit in units and each.last - each.first >= gained.value and each.windows >= windows.value
    ]
    return leaks.ranked(found, most=MOST)


def growth(suspect: leaks.Suspect) -> Finding:
    """Return what there is to say of a growing number of threads, tasks or goroutines."""
    return Finding(
        claim=f"The {suspect.unit} of {suspect.site or PROCESS} grew from {suspect.first:.0f} to {suspect.last:.0f} over {suspect.windows} windows: a leak is suspected.",
        target=suspect.site or PROCESS,
        evidence={
            "first": suspect.first,
            "last": suspect.last,
            "windows": suspect.windows,
            "p_value": suspect.p,
            "slope_per_second": suspect.slope,
        },
    )


RULES: Final = (
    Rule(
        name="cpu-throttled",
        language="any",
        title="The CPU quota stops the process",
        judge=throttled,
        thresholds=(THROTTLED,),
        speaks="The control group counts throttled periods above the limit.",
        silent="There is no quota, or few periods hit it.",
        do="Raise or remove the CPU limit (the request keeps the fair share), or have as few runnable threads as the quota has cores: eight threads use up a 2-core quota in a quarter of each period. Look at this before blaming code.",
        verify="rate(process_cpu_throttled_periods_total[5m]) / rate(process_cpu_periods_total[5m])",
        wrong="The process does batch work that nobody waits for, and the quota is meant to slow it down.",
        severity="warning",
        gain_of="wall time",
    ),
    Rule(
        name="gil-bound",
        language="python",
        title="Threads wait for the interpreter lock",
        judge=gil_bound,
        thresholds=(GIL_WAIT, RUNNABLE),
        speaks="Probes find the GIL taken, and at least two threads want to run.",
        silent="One thread computes alone: the lock is taken, but nobody waits for it. Also while the CPU quota stops the process.",
        do="Serve with more processes and fewer threads, give computing to a process pool, or run a free-threaded build (3.13 on) if every extension supports it.",
        verify="python_gil_wait_seconds before and after, and requests per second at full load.",
        wrong="The waiting threads have no deadline (batch, background), so that sharing one interpreter is fine.",
        severity="warning",
        gain_of="wall time of a thread that wants to run",
        yields_to=frozenset({"cpu-throttled"}),
    ),
    Rule(
        name="lock-hot-spot",
        language="python",
        title="One lock has most of the waiting",
        judge=lock_hot_spot,
        thresholds=(HOT_SITE, LOCK_WAIT),
        kind="block",
        speaks="One site has most of the contended waiting, and it is a noticeable part of a thread's time.",
        silent="Waits are short or spread, or the lock profiler is off.",
        do="Hold it for less (no I/O, no logging inside), split it by key, or replace it by a queue that one thread reads.",
        verify="The block profile, and the latency of the requests that pass the site.",
        wrong="The lock guards what can only be done one at a time: the wait is then the queue for it, and a faster holder is what helps.",
        severity="warning",
        gain_of="contended waiting",
    ),
    Rule(
        name="pool-starved",
        language="python",
        title="A thread pool has no free worker",
        judge=pool_starved,
        thresholds=(BUSY,),
        speaks="All workers are busy and the queue grew over the window.",
        silent="A worker is free, or the queue drains; also when a lock that they wait for is the cause.",
        do="See in the wall profile what the workers do: if they wait for others, more workers help; if they compute, processes do. Bound the queue, so that callers learn of it.",
        verify="The queue's length, and the time that work waits in it.",
        wrong="A burst that has already ended.",
        severity="critical",
        gain_of="waiting in the queue",
        yields_to=frozenset({"lock-hot-spot", "cpu-throttled", "gil-bound"}),
    ),
    Rule(
        name="pool-oversized",
        language="python",
        title="A thread pool is larger than its work",
        judge=pool_oversized,
        thresholds=(IDLE, LARGE_POOL),
        speaks="Nearly all workers of a pool of some size wait for work, and nothing is queued.",
        silent="The pool is small.",
        do="Lower max_workers to a few times what is busy at the peak.",
        verify="The latency at the peak of the day does not change; RSS falls by what the stacks touched.",
        wrong="The peak is in another window than this one.",
        gain_of="memory of idle stacks",
    ),
    Rule(
        name="group-growth",
        language="any",
        title="A group of threads or tasks only grows",
        judge=group_growth,
        thresholds=(GROWTH, WINDOWS),
        speaks="One group of threads or asyncio tasks grew in window after window.",
        silent="The number moves both ways, or has just filled a pool.",
        do="See where they wait (`/debug/pprof/goroutine?debug=2`): threads that are started for each request need an end, executors a shutdown(), tasks a timeout and somebody who awaits them.",
        verify="python_threads or python_asyncio_tasks of the group, over an hour of steady load.",
        wrong="Load grew in the same time: compare with the rate of requests.",
        severity="warning",
        gain_of="threads",
    ),
)  # fmt: skip
