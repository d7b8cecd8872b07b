"""The judgement that most rules share: certain functions have at least a certain share of a profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from runtime_exporter.profiling.advice.origin import is_standard
from runtime_exporter.profiling.advice.values import Finding, Threshold
from runtime_exporter.profiling.advice.weights import interval, site
from runtime_exporter.profiling.naming import label
from runtime_exporter.profiling.offcpu import IDLE, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime_exporter.profiling.advice.frames import Frames
    from runtime_exporter.profiling.advice.values import Claimed, Evidence, Severity
    from runtime_exporter.profiling.advice.weights import Weights
    from runtime_exporter.profiling.profile import Stack

_CALLERS: Final = 3
_WARNING_SHARE, _WARNING_FACTOR = 0.10, 2
"""A finding is a warning from a tenth of the total and twice its threshold on: below, it is worth knowing and no more."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Speaks when `frames` have at least `threshold` of the profile `kind`.

    `by` is how a stack counts: `cum`, one of the functions is anywhere in it; `self`, its leaf is one; `own`, the frame
    nearest to its leaf that is not of the standard library is one, so that what a library wraps is not its cost.
    """

    frames: Frames
    threshold: Threshold
    what: str
    """What the time goes into: `compiling regular expressions`."""
    kind: str = "cpu"
    by: Literal["cum", "self", "own"] = "cum"
    without: Frames | None = None
    """A stack with one of these does not count."""
    idle: Callable[[Stack], bool] | None = None
    """Stacks that are not in the total: threads that wait for work."""
    called: bool = False
    """Count a stack only where a function, and not only the top of a module, called the outermost of the frames."""
    time: str = "CPU time"

    def __call__(self, evidence: Evidence, claimed: Claimed) -> Iterable[Finding]:
        """Return one finding with the heaviest caller as its target, or none."""
        weights = evidence.profiles.get(self.kind)
        if weights is None or weights.total <= 0:
            return ()
        out = claimed.of(self.kind) | (weights.containing(self.without) if self.without else frozenset())
        places = frozenset(
            place for place in weights.containing(self.frames) - out if self._counts(weights.stacks[place])
        )
        if not places:
            return ()
        everything = range(len(weights.stacks))
        awake = [place for place in everything if not (self.idle and self.idle(weights.stacks[place]))]
        total = weights.value(awake)
        share = weights.value(places) / total if total > 0 else 0.0
        if share < self.threshold.value:
            return ()
        return (self._finding(weights, places, share, weights.count(awake)),)

    def _finding(self, weights: Weights, places: frozenset[int], share: float, samples: int) -> Finding:
        callers = weights.by(lambda stack: site(stack, self.frames), places)
        functions = weights.by(self._function, places)
        low, high = interval(share, samples)
        severe = share >= max(_WARNING_SHARE, _WARNING_FACTOR * self.threshold.value)
        value = weights.value(places)
        severity: Severity | None = "warning" if severe else None
        return Finding(
            claim=f"{share:.1%} of the {self.time} goes into {self.what}, most of it for {callers[0][0]}.",
            target=callers[0][0],
            evidence={
                "share": share,
                "share_low": low,
                "share_high": high,
                "threshold": self.threshold.value,
                "value": value,
                "matching_samples": weights.count(places),
                "function": functions[0][0],
                "callers": shares(callers[:_CALLERS], value),
            },
            gain=share,
            severity=severity,
            claims={self.kind: places},
        )

    def _function(self, stack: Stack) -> str:
        """Return the function of the rule that the application called into."""
        return next((label(frame) for frame in reversed(stack) if self.frames(frame)), label(stack[0]))

    def _counts(self, stack: Stack) -> bool:
        if self.by == "self":
            return self.frames.at_leaf(stack)
        if self.by == "own":
            return self.frames.at_leaf(_without_standard_library(stack))
        return not self.called or _called(stack, self.frames)


def waits_for_work(stack: Stack) -> bool:
    """Return whether a thread that stands here waits for something to do, and not for the end of what it does."""
    wait = classify(stack)
    return wait is not None and wait.kind == IDLE


def shares(values: Iterable[tuple[str, float]], total: float) -> str:
    """Return names with their shares of a total, as one line."""
    return ", ".join(f"{name} {value / total:.0%}" for name, value in values)


def _called(stack: Stack, matched: Frames) -> bool:
    outermost = max(place for place, frame in enumerate(stack) if matched(frame))
    return any(not frame.name.endswith(_TOPS) for frame in stack[outermost + 1 :])


# What is above a module that Python runs as a program: an import below these alone is the start, or the program itself.
_TOPS: Final = ("<module>", "runpy:_run_module_as_main", "runpy:_run_code", "runpy:run_path", "runpy:_run_module_code")


def _without_standard_library(stack: Stack) -> Stack:
    for place, frame in enumerate(stack):
        if not is_standard(frame):
            return stack[place:]
    return ()
