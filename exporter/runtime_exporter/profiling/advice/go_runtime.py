"""What Go's runtime shows: locks, leaked goroutines, the scheduler, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.concurrency import growing, growth
from runtime_exporter.profiling.advice.frames import Frames
from runtime_exporter.profiling.advice.share import shares
from runtime_exporter.profiling.advice.values import Finding, Rule, Threshold
from runtime_exporter.profiling.advice.weights import site
from runtime_exporter.profiling.leaks import GOROUTINES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.profiling.advice.values import Claimed, Evidence

HOT_SITE: Final = Threshold(
    "share of all mutex delay that one site has", 0.70, "ratio", "chosen: one lock, not locking as such"
)
DELAY: Final = Threshold(
    "mutex delay at the site, as a share of all goroutines' time", 0.10, "ratio", "chosen: a tenth of what all of them live"
)  # fmt: skip
LEAST_DELAY: Final = Threshold(
    "mutex delay at the site, where nobody knows of how much time", 1.0, "seconds", "chosen: below, one slow moment is all of it"
)  # fmt: skip
GROWTH: Final = Threshold(
    "goroutines that a stack signature gained", GOROUTINES.floor, "count", "chosen: above what a burst leaves"
)
WINDOWS: Final = Threshold(
    "windows of that growth", GOROUTINES.windows, "count", "statistics: ten rises in a row come by chance once in 1000"
)
SCHEDULER: Final = Threshold(
    "share of CPU time in the scheduler", 0.20, "ratio", "chosen: well above a server's usual 5 to 10 %"
)
TIMERS: Final = Threshold(
    "share of the live heap that timers have", 0.05, "ratio", "chosen: timers are small, so that is many"
)
LEAST_TIMERS: Final = Threshold("live bytes of timers", 1e6, "bytes", "chosen: some 5000 timers")
GOROUTINES_UNIT: Final = "goroutines"
"""Unit of a suspect that counts goroutines by stack."""

_SCHEDULING: Final = Frames("runtime.findRunnable", "runtime.findrunnable", "runtime.schedule", "runtime.futex*")
_TIMERS: Final = Frames("time.NewTimer", "time.newTimer", "time.After", "time.AfterFunc", "time.NewTicker", "time.Tick")
_QUOTA_AWARE: Final = (1, 25)
_TIMERS_COLLECTED: Final = (1, 23)


def mutex_hot_spot(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where most waiting for mutexes is for one holder."""
    mutex = evidence.profiles.get("mutex")
    if mutex is None or mutex.total <= 0:
        return ()
    sites = mutex.by(site, range(len(mutex.stacks)))
    target, delay = sites[0]
    share, part = delay / mutex.total, _of_all_time(delay, evidence)
    if share < HOT_SITE.value or (delay < LEAST_DELAY.value if part is None else part < DELAY.value):
        return ()
    lived = (
        f"{delay:.3g} s in a time that the profile does not tell"
        if part is None
        else f"{part:.0%} of the time of all goroutines"
    )
    return (
        Finding(
            claim=f"{share:.0%} of all waiting for mutexes is for {target}, {lived}.",
            target=target,
            evidence={
                "share": share,
                "delay_seconds": delay,
                "delay_ratio": "unknown" if part is None else part,
                "threshold": HOT_SITE.value if part is None else DELAY.value,
                "sites": shares(sites[:3], mutex.total),
            },
            gain=share,
            severity="info" if part is None else None,
        ),
    )  # fmt: skip


def _of_all_time(delay: float, evidence: Evidence) -> float | None:
    """Return the share of a delay in what all goroutines live; None where it is not known how many or how long.

    A file that a service has served without `seconds` has all since the start, and no duration.
    """
    go = evidence.facts.go
    if go is None or not go.goroutines or evidence.window <= 0:
        return None
    return delay / (evidence.window * go.goroutines)


def goroutine_leak(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where the runtime proves a leak; else where a stack signature only grows."""
    leaked = evidence.profiles.get("goroutineleak")
    if leaked is not None and leaked.total > 0:
        sites = leaked.by(site, range(len(leaked.stacks)))
        return (
            Finding(
                claim=f"{leaked.total:.0f} goroutines can never run again, {sites[0][1]:.0f} of them in {sites[0][0]}.",
                target=sites[0][0],
                evidence={"leaked": leaked.total, "proof": "goroutineleak profile", "sites": shares(sites[:3], leaked.total)},
                severity="critical",
            ),
        )  # fmt: skip
    return [growth(each) for each in growing(evidence, {GOROUTINES_UNIT}, GROWTH, WINDOWS)]


def scheduler_cost(evidence: Evidence, claimed: Claimed) -> Iterable[Finding]:
    """Speak where goroutines cost more to run than some of them do."""
    cpu, go = evidence.profiles.get("cpu"), evidence.facts.go
    if cpu is None:
        return ()
    places = cpu.containing(_SCHEDULING) - claimed.of("cpu")
    share = cpu.share(places)
    if share < SCHEDULER.value:
        return ()
    quota = evidence.facts.quota.cores if evidence.facts.quota else None
    procs = go.gomaxprocs if go else None
    too_many = quota is not None and procs is not None and procs > max(1.0, quota)
    aware = go is not None and go.version is not None and go.version >= _QUOTA_AWARE
    what = f"Set GOMAXPROCS={max(1, round(quota))}" if too_many and quota else ""
    why = "." if aware else ", or build with Go 1.25, which reads the quota."
    return (
        Finding(
            claim=f"{share:.0%} of the CPU goes into finding and waking goroutines.",
            evidence={
                "share": share,
                "threshold": SCHEDULER.value,
                "gomaxprocs": "unknown" if procs is None else procs,
                "quota_cores": "unknown" if quota is None else quota,
            },
            gain=share,
            do=f"{what}{why}" if what else "",
            claims={"cpu": places},
            causes=frozenset({"cpu quota"}) if too_many else frozenset(),
        ),
    )


def timers(evidence: Evidence, _: Claimed) -> Iterable[Finding]:
    """Speak where timers that nobody stopped hold a part of the live heap."""
    heap, go = evidence.profiles.get("heap"), evidence.facts.go
    if heap is None:
        return ()
    places = heap.containing(_TIMERS)
    value, share = heap.value(places), heap.share(places)
    if share < TIMERS.value or value < LEAST_TIMERS.value:
        return ()
    target = heap.by(lambda stack: site(stack, _TIMERS), places)[0][0]
    collected = go is not None and go.version is not None and go.version >= _TIMERS_COLLECTED
    return (
        Finding(
            claim=f"Timers hold {share:.0%} of the live heap, most of them made in {target}.",
            target=target,
            evidence={"share": share, "threshold": TIMERS.value, "bytes": value},
            gain=share,
            do="From Go 1.23 on unreachable timers are collected: something keeps these." if collected else "",
        ),
    )


RULES: Final = (
    Rule(
        name="go-mutex-hot-spot",
        language="go",
        title="One mutex has most of the waiting",
        judge=mutex_hot_spot,
        thresholds=(HOT_SITE, DELAY, LEAST_DELAY),
        kind="mutex",
        reads_facts=True,
        speaks="One site has most of the mutex delay, and that is a large part of what all goroutines live. Of a file nobody knows how many lived how long: its shares decide.",
        silent="The delay is small or spread, or runtime.SetMutexProfileFraction is off.",
        do="The site is the holder that unlocked: hold it for less there, split the lock by key, use atomics or sync.RWMutex for what is mostly read.",
        verify="The mutex profile's difference over a minute, and the latency.",
        wrong="The lock guards what can only be done one at a time. Where the evidence does not know the time: the delay is of days.",
        severity="warning",
        gain_of="mutex delay",
    ),
    Rule(
        name="go-goroutine-leak",
        language="go",
        title="Goroutines leak",
        judge=goroutine_leak,
        thresholds=(GROWTH, WINDOWS),
        speaks="The goroutineleak profile (Go 1.27, or the experiment of 1.26) is not empty: that is proof. Else a signature grew in window after window.",
        silent="No leaked goroutine is found, and the numbers move both ways.",
        do="Give every send, receive and wait a way out: a context that ends it, a buffered channel for a single answer, a close() by the sender.",
        verify="The goroutineleak profile after the change, go_goroutines over a day.",
        wrong="Growth without proof can be load: compare with the rate of requests.",
        severity="warning",
        gain_of="goroutines",
    ),
    Rule(
        name="go-scheduler-cost",
        language="go",
        title="Scheduling costs a large part of the CPU",
        judge=scheduler_cost,
        thresholds=(SCHEDULER,),
        kind="cpu",
        reads_facts=True,
        speaks="runtime.schedule, findRunnable or futex have the share.",
        silent="It is below: a server that waits for the network always has some.",
        do="Give a goroutine more work at a time: batches instead of single items over a channel, fewer goroutines than items, fewer tiny sleeps and timers.",
        verify="The share in the next profile, and requests per second at full load.",
        wrong="The process is nearly idle: looking for work is then most of what it does.",
    ),
    Rule(
        name="go-timers",
        language="go",
        title="Timers pile up",
        judge=timers,
        thresholds=(TIMERS, LEAST_TIMERS),
        kind="heap",
        reads_facts=True,
        speaks="Allocations of time.NewTimer, After or Tick hold a part of the live heap.",
        silent="They are few, or freed.",
        do="Do not call time.After in a loop: make one timer, Reset and Stop it, or use context.WithTimeout and call its cancel.",
        verify="The heap profile after an hour.",
        wrong="The program is a scheduler, and the timers are its data.",
        gain_of="live heap",
    ),
)  # fmt: skip
