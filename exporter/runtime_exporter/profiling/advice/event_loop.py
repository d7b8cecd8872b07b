"""A blocked asyncio event loop, and whose code blocks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.advice.frames import Frames, package
from runtime_exporter.profiling.advice.origin import is_application
from runtime_exporter.profiling.advice.values import Finding, Rule, Threshold
from runtime_exporter.profiling.naming import label
from runtime_exporter.profiling.offcpu import IDLE, OTHER, classify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime_exporter.profiling.advice.values import Claimed, Evidence
    from runtime_exporter.profiling.advice.weights import Weights
    from runtime_exporter.profiling.profile import Stack

LAG: Final = Threshold(
    "99th percentile of the event loop's lag", 0.1, "seconds", "asyncio's own: slow_callback_duration is 0.1 s"
)
LEADING: Final = Threshold(
    "share of the loop's busy time that one site has", 0.10, "ratio", "chosen: else there is no single culprit to name"
)
_CALLBACK: Final = Frames("asyncio.events:Handle._run", "asyncio.runners:Runner.run", "uvloop:run")
"""What the loop calls callbacks by; uvloop, written in C, shows only the frame that started it."""
_WAITING: Final = package("selectors") | Frames(
    "asyncio.base_events:BaseEventLoop._run_once", "asyncio.runners:Runner.run"
)
_COMPUTING: Final = 0.5
"""From this part of its wall time on the CPU, a site computes rather than waits."""


def judge(evidence: Evidence, claimed: Claimed) -> Iterable[Finding]:
    """Speak where the loop is late and one site has a good part of what it runs."""
    loop, wall = evidence.facts.loop, evidence.profiles.get("wall")
    if loop is None or wall is None or loop.lag <= LAG.value:
        return ()
    busy = wall.containing(_CALLBACK) & wall.places(_on_loop, but=claimed.of("wall"))
    blocking = frozenset(place for place in busy if _wait(wall.stacks[place]) not in {OTHER, IDLE})
    culprits = blocking or busy
    total = wall.value(busy)
    if total <= 0:
        return ()
    target, seconds = wall.by(_site, culprits)[0]
    if seconds < LEADING.value * total:
        culprits, (target, seconds) = busy, wall.by(_site, busy)[0]
    if seconds < LEADING.value * total:
        return ()
    places = frozenset(place for place in culprits if _site(wall.stacks[place]) == target)
    return (_finding(evidence, wall, places, target, seconds / total),)


def _finding(evidence: Evidence, wall: Weights, places: frozenset[int], target: str, share: float) -> Finding:
    loop = evidence.facts.loop
    lag = loop.lag if loop else 0.0
    leaf = wall.by(lambda stack: label(stack[0]), places)[0][0]
    cpu = evidence.profiles.get("cpu")
    same = cpu.places(lambda stack: _on_loop(stack) and _site(stack) == target) if cpu else frozenset[int]()
    computing = cpu is not None and cpu.value(same) >= _COMPUTING * wall.value(places)
    waits_for = wall.by(_wait, places)[0][0]
    do = (
        "It computes: move it to a process pool, or cut it into pieces with `await asyncio.sleep(0)` between."
        if computing
        else f"It waits ({waits_for}): use the library's asynchronous twin, or `await asyncio.to_thread(...)`."
    )
    return Finding(
        claim=f"The event loop runs callbacks up to {lag * 1000:.0f} ms late (p99), and {share:.0%} of its busy time is in {target}.",
        target=target,
        evidence={
            "lag_p99_seconds": lag,
            "threshold": LAG.value,
            "share": share,
            "leaf": leaf,
            "waits_for": "nothing, it computes" if computing else waits_for,
            "seconds": wall.value(places),
            "cpu_seconds": cpu.value(same) if cpu else "unknown",
            "matching_samples": wall.count(places),
        },
        gain=share,
        severity="critical" if lag >= 10 * LAG.value else "warning",
        do=do,
        claims={"wall": places, "cpu": same},
        causes=frozenset({f"{'computing' if computing else 'waiting'} in {target}"}),
    )


def _on_loop(stack: Stack) -> bool:
    return len(stack) > 1 and not _WAITING(stack[0]) and any(map(_CALLBACK, stack[1:]))


def _callback(stack: Stack) -> Stack:
    """Return the frames of the callback: what the innermost loop called."""
    return stack[: next(place for place, frame in enumerate(stack) if place and _CALLBACK(frame))]


def _wait(stack: Stack) -> str:
    """Return what the application's code beneath a callback waits for; asyncio's own calls do not block."""
    callback = _callback(stack)
    wait = classify(callback) if any(map(is_application, callback)) else None
    return wait.kind if wait else OTHER


def _site(stack: Stack) -> str:
    callback = _callback(stack)
    return label(next(filter(is_application, callback), callback[-1]))


RULES: Final = (
    Rule(
        name="event-loop-blocked",
        language="python",
        title="The event loop is blocked",
        judge=judge,
        thresholds=(LAG, LEADING),
        kind="wall",
        reads_facts=True,
        speaks="The loop's lag is above the limit, and a site beneath its callbacks has the share of its busy time; what waits for a socket, a lock, a file, a database or a sleep comes first.",
        silent="The lag is low, no wall profile was taken, or no site stands out.",
        do="A coroutine must not compute or wait for more than a few milliseconds between two awaits.",
        verify="python_asyncio_loop_lag_seconds, and the latency of every other request of this process.",
        wrong="The process does not get the CPU (cpu-throttled says so), or another thread holds the GIL (gil-bound).",
        severity="warning",
        gain_of="the loop's busy time",
        yields_to=frozenset({"cpu-throttled"}),
    ),
)  # fmt: skip
