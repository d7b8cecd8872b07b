"""What advice is given on: the last intervals together, until they have enough samples, and the numbers of the same time.

One interval of a quiet process has a few dozen samples, on which no rule may speak. Ten minutes of them have some hundreds.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter, deque
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from runtime_exporter.profiling.advice import RULES, Evidence, Facts, Recommendation, Rule, advise, bias_risk, weigh
from runtime_exporter.profiling.advice.engine import LEAST_SAMPLES
from runtime_exporter.profiling.advice.weights import Weights
from runtime_exporter.profiling.offcpu import IDLE, OTHER, classify
from runtime_exporter.profiling.profile import stacks
from runtime_exporter.profiling.readings import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runtime_exporter.profiling.leaks import Suspect
    from runtime_exporter.profiling.pipeline import Interval, Taken
    from runtime_exporter.profiling.profile import Profile, Stack

LONGEST_SECONDS: Final = 600.0
"""Evidence covers no more than this: what was ten minutes ago is no news."""
PACE_SECONDS: Final = 10.0
"""Advice is given anew no more often than this. Where intervals are shorter, the last advice stands meanwhile."""
SAMPLED: Final = frozenset({"cpu", "wall"})
_ADDITIVE: Final = SAMPLED | {"block", "mutex"}
"""Kinds of which a longer time has more. Of the others only the last profile says how things are."""
_READ: Final = _ADDITIVE | {"heap", "goroutineleak"}
"""Kinds that there are rules on."""
_SAME_SECONDS: Final = 2.0
"""Apart by less, two times of a start are of one process: clocks are read one after the other."""
_THREAD: Final = "thread_name"
_NANOSECONDS: Final = 1e9


class Reading(Protocol):
    """Numbers of a process at a moment, such as `readings.Reading`."""

    def since(self, earlier: Any, seen: Seen) -> Facts:
        """Return the facts of the time since an earlier reading, or None for since measuring began."""


class Growth(Protocol):
    """What watches a process for what grows, such as `growth.Growth`."""

    def look(self, reading: Any) -> Mapping[str, Sequence[Suspect]]:
        """Take in a reading and return what is suspected now by kind; also the kinds of which nothing is."""

    def forget(self, began: float) -> None:
        """Begin anew: it is another process now, which began at `began` (Unix seconds)."""


class _Part(NamedTuple):
    """One interval, weighed."""

    taken: Taken
    weights: Mapping[str, Weights]
    busy: Mapping[str, float]
    before: Reading | None
    """The numbers when it began."""


class Adviser:
    """Gathers evidence interval by interval and asks the rules. For one thread; begins anew in the child of a fork.

    began: when the process did (Unix seconds). read: gives its numbers of now, or None where there are none. growth: looks for
    leaks in them. rules: those that are asked. samples: how many a CPU or wall profile needs. longest: seconds that are gathered at most. pace: seconds
    between two questions to the rules. clock: Unix seconds.
    """

    def __init__(
        self,
        language: Literal["python", "go"],
        *,
        began: float,
        read: Callable[[], Reading | None] | None = None,
        growth: Growth | None = None,
        rules: Sequence[Rule] = RULES,
        samples: float = LEAST_SAMPLES.value,
        longest: float = LONGEST_SECONDS,
        pace: float = PACE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._language = language
        self._began = began
        self._known = False
        self._read = read
        self._growth = growth
        self._rules = rules
        self._samples = samples
        self._longest = longest
        self._pace = pace
        self._clock = clock
        self._process = os.getpid()
        self._parts: deque[_Part] = deque()
        self._reading: Reading | None = None
        self._suspects: Mapping[str, Sequence[Suspect]] = {}
        self._advice: Sequence[Recommendation] = ()
        self._asked = -math.inf

    def forget(self, began: float) -> None:
        """Begin anew: it is another process now, which began at `began` (Unix seconds)."""
        self._began = began
        self._parts.clear()
        self._reading = None
        self._suspects, self._advice, self._asked = {}, (), -math.inf
        if self._growth is not None:
            self._growth.forget(began)

    def born(self, began: float) -> None:
        """Say when the process began (Unix seconds), which was a guess before; another time than the last is another process."""
        if self._known and abs(began - self._began) > _SAME_SECONDS:
            self.forget(began)
        self._began, self._known = began, True

    def suspects(self, interval: Interval) -> Mapping[str, Sequence[Suspect]]:
        """Take in an interval and return what is suspected to leak, by kind."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self.forget(self._clock())
        before, self._reading = self._reading, self._read() if self._read is not None else None
        new = _part(interval, before, frozenset(getattr(self._reading, "pools", ())))
        if self._parts:
            self._parts[-1] = _outdated(self._parts[-1], new)
        self._parts.append(new)
        while len(self._parts) > 1 and self._spare():
            self._parts.popleft()
        if self._growth is not None and self._reading is not None:
            self._suspects = self._growth.look(self._reading)
        return self._suspects

    def recommend(self, interval: Interval, comparisons: Mapping[str, Any]) -> Sequence[Recommendation]:
        """Return what the rules say of the intervals up to this one, which `suspects` has taken in."""
        if interval.taken.end >= self._asked + self._pace or not self._parts:
            self._asked = interval.taken.end
            self._advice = advise(self.evidence(comparisons), self._rules) if self._parts else ()
        return self._advice

    def evidence(self, comparisons: Mapping[str, Any] | None = None) -> Evidence:
        """Return what is known now. Raises IndexError before the first interval."""
        parts, last = self._parts, self._parts[-1].taken
        weights = {kind: _together(kind, self._parts) for kind in sorted(set(chain(*(one.weights for one in parts))))}
        seconds = math.fsum(one.taken.seconds for one in parts)
        return Evidence(
            language=self._language,
            window=seconds,
            profiles={kind: one for kind, one in weights.items() if one.stacks},
            facts=self._facts(weights, seconds, comparisons or {}),
            backend=last.backend,
            bias=bias_risk(
                unbiased=all(one.taken.unbiased for one in parts),
                bias_ratio=math.fsum(one.taken.bias_ratio * one.taken.seconds for one in parts) / seconds
                if seconds > 0
                else last.bias_ratio,
            ),
            age=last.end - self._began,
        )

    def _facts(self, weights: Mapping[str, Weights], seconds: float, comparisons: Mapping[str, Any]) -> Facts:
        busy: Counter[str] = Counter()
        for one in self._parts:
            busy.update(one.busy)
        seen = Seen(seconds, busy, _runnable(weights, seconds))
        facts = self._reading.since(self._parts[0].before, seen) if self._reading is not None else Facts()
        judgement = comparisons.get("cpu")
        divergence = judgement.comparison.divergence if judgement is not None else math.nan
        return replace(
            facts,
            suspects=(*facts.suspects, *chain(*self._suspects.values())),
            divergence=divergence if math.isfinite(divergence) else facts.divergence,
        )

    def _spare(self) -> bool:
        """Return whether the oldest part is not needed: it is too old, or there are enough samples without it."""
        _, *parts = self._parts
        if parts[-1].taken.end - self._parts[0].taken.begin > self._longest:
            return True
        kinds = SAMPLED & parts[-1].weights.keys()
        counts = [sum(one.weights[kind].samples for one in parts if kind in one.weights) for kind in kinds]
        return bool(counts) and min(counts) >= self._samples


def _part(interval: Interval, before: Reading | None, pools: frozenset[str]) -> _Part:
    profiles = interval.profiles
    weights = {kind: weigh(profile, kind) for kind, profile in profiles.items() if kind in _READ and profile.samples}
    return _Part(
        interval.taken, weights, _busy(profiles["wall"], pools) if pools and "wall" in profiles else {}, before
    )


def _outdated(old: _Part, new: _Part) -> _Part:
    """Return a part without what the next one says anew, which may be large and would be kept for nothing."""
    gone = new.weights.keys() - _ADDITIVE
    return old._replace(weights={kind: one for kind, one in old.weights.items() if kind not in gone})


def _busy(wall: Profile, pools: frozenset[str]) -> dict[str, float]:
    """Return the seconds that the threads of each of these groups did not wait for work."""
    index, seconds = wall.index("wall"), Counter[str]()
    for sample, stack in zip(wall.samples, stacks(wall), strict=True):
        group = next((one.str for one in sample.labels if one.key == _THREAD), "")
        if group in pools and _kind(stack) != IDLE:
            seconds[group] += sample.values[index]
    return {group: value / _NANOSECONDS for group, value in seconds.items()}


def _kind(stack: Stack) -> str:
    """Return what a thread that stands here waits for if it waits; empty for an empty stack."""
    wait = classify(stack)
    return wait.kind if wait is not None else ""


def _runnable(weights: Mapping[str, Weights], seconds: float) -> float | None:
    """Return how many threads ran or wanted to, on average: those at stacks that use CPU and are known for no wait."""
    wall, cpu = weights.get("wall"), weights.get("cpu")
    if wall is None or seconds <= 0:
        return None
    working: frozenset[Stack] = frozenset(cpu.stacks) if cpu is not None else frozenset()
    places = wall.places(lambda stack: stack in working and _kind(stack) in ("", OTHER))
    return wall.value(places) / seconds


def _together(kind: str, parts: Iterable[_Part]) -> Weights:
    """Return the weights of all parts as one; of a kind that says how things are, those of the last part that has it."""
    known = [one.weights[kind] for one in parts if kind in one.weights]
    if kind not in _ADDITIVE or len(known) == 1:
        return known[-1]
    values: dict[Stack, float] = {}
    counts: dict[Stack, int] = {}
    for one in known:
        for stack, value, count in zip(one.stacks, one.values, one.counts, strict=True):
            values[stack] = values.get(stack, 0.0) + value
            counts[stack] = counts.get(stack, 0) + count
    return Weights(kind, tuple(values), tuple(values.values()), tuple(counts.values()))
