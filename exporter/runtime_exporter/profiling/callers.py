"""Who calls whom, and what that says about a rise: cost that only moved, and one rise seen at every level of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from runtime_exporter.profiling.regression import Change

Callers = dict[str, dict[str, float]]
"""function -> {function above it on the stack: part of the function's cost that is below that one}, nearest first."""

COMMON = 0.9
"""A caller is common to (nearly) all of a function's cost from this part on."""

EXPLAINED = 0.7
"""A function explains its caller's rise when its own rise below that caller is at least this part of it."""

CERTAIN = 4.0
"""Standard errors between "rose with its callee" and "did not move" from which on a caller is a witness: 2 on each side of the middle."""


def callers(stacks: Iterable[tuple[Sequence[str], float]], functions: Collection[str]) -> Callers:
    """Return the callers of `functions` in `stacks`: (function names leaf first, weight).

    A function that calls itself counts once, at its outermost frame, since its inclusive share does.
    """
    wanted = frozenset(functions)
    weights: dict[str, float] = dict.fromkeys(functions, 0.0)
    above: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in functions}
    for stack, weight in stacks:
        if wanted.isdisjoint(stack):
            continue
        outermost = {name: place for place, name in enumerate(stack)}
        for name in wanted.intersection(outermost):
            weights[name] += weight
            for ancestor in {*stack[outermost[name] + 1 :]}:
                part, distance = above[name].get(ancestor, (0.0, 0.0))
                steps = outermost[ancestor] - outermost[name]
                above[name][ancestor] = (part + weight, distance + weight * steps)
    return {name: _nearest_first(above[name], weights[name]) for name in functions}


def unmoved_caller(change: Change, found: Mapping[str, Change], relation: Callers) -> str:
    """Return the nearest common caller that should have risen with the function and did not; empty when there is none.

    If a function at share p costs more, and nothing else does, its caller at share s rises by (1-s)/(1-p) of its rise, for
    the whole grows too: a caller near 100 % cannot rise and is no witness. One is, when its error is small enough to
    tell that rise from none. It did not move when it moved by less than half of that.
    """
    for caller, part in relation.get(change.function, {}).items():
        other = found.get(caller)
        if other is None or part < COMMON or change.before >= 1:
            continue
        expected = change.delta * (1 - other.before) / (1 - change.before)
        if expected > 0 and expected >= CERTAIN * other.error and other.delta < expected / 2:
            return caller
    return ""


def deepest(rises: Mapping[str, Change], relation: Callers) -> dict[str, tuple[str, ...]]:
    """Return the rises that no deeper one explains, each with the callers that it stands for, nearest first."""
    explained: dict[str, set[str]] = {
        name: {
            caller
            for caller, part in relation.get(name, {}).items()
            if caller in rises and rises[name].delta * part >= EXPLAINED * rises[caller].delta
        }
        for name in rises
    }
    for name in rises:  # of two functions that call each other, the larger rise (then the name) explains the other
        for other in [*explained[name]]:
            if name in explained[other] and _rank(rises[name]) > _rank(rises[other]):
                explained[other].discard(name)
            elif name in explained[other]:
                explained[name].discard(other)
    dropped: set[str] = set().union(*explained.values())
    return {
        name: tuple(caller for caller in relation.get(name, {}) if caller in explained[name])
        for name in rises
        if name not in dropped
    }


def _rank(change: Change) -> tuple[float, str]:
    return change.delta, change.function


def _nearest_first(above: Mapping[str, tuple[float, float]], weight: float) -> dict[str, float]:
    ordered = sorted(above.items(), key=lambda item: (item[1][1] / item[1][0], item[0]))
    return {name: part / weight for name, (part, _) in ordered}
