"""A profile of the next seconds, on request: one of CPU or wall time at a time, at a higher rate than what is always on."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from runtime_exporter.errors import BusyError, ProfileError
from runtime_exporter.profiling import windows
from runtime_exporter.profiling.samplers import pyspy, remote
from runtime_exporter.profiling.samplers.chosen import ChosenSampler, combined
from runtime_exporter.profiling.samplers.pace import USUAL_HZ, Pace
from runtime_exporter.profiling.samplers.signal import MAIN_GROUP, SignalSampler
from runtime_exporter.profiling.samplers.thread import ThreadSampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.samplers.sampler import Sampler, Window

RATE_HZ = 100.0
"""As Go's CPU profile."""
BLOCK_HZ = USUAL_HZ
"""Of waits, which last: many are seen several times."""
LONGEST_SECONDS = 300.0
_WITHOUT_LIMIT = float("inf")


class _Gate:
    """Open for one at a time, in each process anew: whoever was in it at a fork is not in the child."""

    def __init__(self, pid: Callable[[], int] = os.getpid) -> None:
        self._pid = pid
        self._locks = {0: threading.Lock()}

    def lock(self) -> threading.Lock:
        """Return this process's lock."""
        pid = self._pid()
        if pid not in self._locks:
            self._locks = {pid: threading.Lock()}
        return self._locks[pid]


_GATE, _BLOCK_GATE = _Gate(), _Gate()
# Of this process: two bursts would measure each other. Waits are looked at too seldom for that, and who scrapes asks for all at once.


def capture(
    kind: str,
    seconds: float,
    *,
    running: Sampler | None = None,
    rate: float = RATE_HZ,
    sleep: Callable[[float], object] = time.sleep,
) -> Profile:
    """Return a profile of the next `seconds` of this process, "cpu", "wall", or "block" (at BLOCK_HZ at most); blocks as long.

    `running` is the sampler that is always on: what it is told of the best backend is used, its own windows stay whole. Its
    comments say the backend and, where it has one, the bias. Raises BusyError while another is being taken (a block profile and
    one of the others do not hinder each other), ProfileError for another kind and for seconds that are none.
    """
    if kind not in {"cpu", "wall", "block"}:
        raise ProfileError(f"a process cannot be sampled for {kind!r}: cpu, wall or block")
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ProfileError(f"a profile takes more than 0 and at most {LONGEST_SECONDS:g} seconds, not {seconds:g}")
    lock = (_BLOCK_GATE if kind == "block" else _GATE).lock()
    if not lock.acquire(blocking=False):
        raise BusyError("another profile is being taken: try again when it is done")
    try:
        name, window = _window(kind, seconds, running, min(rate, BLOCK_HZ) if kind == "block" else rate, sleep)
    finally:
        lock.release()
    if kind == "block":
        return windows.blocked(window, (f"backend {name}", _looks(window)))  # of who waits, none is biased
    return windows.profiles(window, frozenset({kind}), _comments(name, window))[kind]


def _window(
    kind: str, seconds: float, running: Sampler | None, rate: float, sleep: Callable[[float], object]
) -> tuple[str, Window]:
    backend = running.backend if isinstance(running, ChosenSampler) else running
    if kind == "cpu" and isinstance(backend, SignalSampler):
        return backend.name, _beside(backend, seconds, rate, sleep)
    name = backend.name if backend is not None and kind == "cpu" else ThreadSampler.name
    sampler = _burst_sampler(name, rate)
    sampler.start()
    try:
        sleep(seconds)
        return name, sampler.take()
    finally:
        sampler.close()


def _beside(backend: SignalSampler, seconds: float, rate: float, sleep: Callable[[float], object]) -> Window:
    """Return what signals tell of the main thread, and another sampler of the others, over the same seconds."""
    others = _burst_sampler(ThreadSampler.name, rate)
    others.start()
    try:
        seen = backend.burst(seconds, rate, wait=sleep)
        beside = others.take()
    finally:
        others.close()
    stacks = {place: usage for place, usage in beside.stacks.items() if place[0] != MAIN_GROUP}
    return combined(seen, replace(beside, stacks=stacks), threads=False)


def _burst_sampler(name: str, rate: float) -> Sampler:
    """Return a sampler of a burst: somebody asked for it, so it has no budget."""
    pace = Pace(rate=rate, highest=rate, budget=_WITHOUT_LIMIT)
    if name == remote.NAME:
        return remote.sampler(pace=pace)
    if name == pyspy.NAME:
        return pyspy.sampler(pace=pace)
    return ThreadSampler(pace=pace)


def _comments(name: str, window: Window) -> tuple[str, ...]:
    biased = name == ThreadSampler.name or window.bias_ratio > 0
    bias = f", bias ratio {window.bias_ratio:.3f}" if biased else ", unbiased"
    return f"backend {name}{bias}", _looks(window)


def _looks(window: Window) -> str:
    return f"looks {window.samples}, truncated {window.truncated}, dropped {window.dropped}"
