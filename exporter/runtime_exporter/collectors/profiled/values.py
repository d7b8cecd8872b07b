"""What a report of profiles has for each series: labels and a value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.profiling.bias import bias_risk
from runtime_exporter.profiling.naming import OTHER
from runtime_exporter.profiling.table import WAITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runtime_exporter.profiling.pipeline import Report
    from runtime_exporter.profiling.summary import Account, Tally

    Values = Iterator[tuple[tuple[str, ...], float]]

# A tally counts time in whole nanoseconds.
_NANOSECONDS: Final = 1e9
_TIMES: Final = ("cpu", "wall")
# Those of `profiling.comparison` and `profiling.leaks`, which a process that is not profiled does not import.
STATES: Final = ("confirmed", "shift", "transient", "gone")
SITES: Final = 10
"""Suspects of each kind that have a series, the steepest."""
_BYTES: Final = "bytes"
_PROCESS: Final = "process"


def _tallies(report: Report, *kinds: str) -> Iterator[Tally]:
    return (report.tallies[kind] for kind in kinds if kind in report.tallies)


def _parts(account: Account, profile: str, scale: float = 1.0) -> Values:
    """Yield the members' values and the rest's."""
    for name, value in account.members.items():
        yield (profile, name), value / scale
    yield (profile, OTHER), account.other / scale


def self_(report: Report) -> Values:
    """Yield of each member of each profile of time the seconds in itself."""
    for tally in _tallies(report, *_TIMES):
        yield from _parts(tally.self_, tally.kind, _NANOSECONDS)


def cum(report: Report) -> Values:
    """Yield of each member of each profile of time the seconds in all that it called, too."""
    for tally in _tallies(report, *_TIMES):
        for name, value in tally.cum.items():
            yield (tally.kind, name), value / _NANOSECONDS


def total(report: Report) -> Values:
    """Yield of each profile that has seconds all of them."""
    for tally in report.tallies.values():
        if tally.unit == "seconds":
            yield (tally.kind,), tally.self_.total / _NANOSECONDS


def samples(report: Report) -> Values:
    """Yield of each profile of time its samples."""
    for tally in _tallies(report, *_TIMES):
        yield (tally.kind,), tally.counts.total


def wait(report: Report) -> Values:
    """Yield of each site of each profile of waits the seconds."""
    for tally in _tallies(report, *sorted(WAITS)):
        yield from _parts(tally.self_, tally.kind, _NANOSECONDS)


def contentions(report: Report) -> Values:
    """Yield of each site of each profile of waits how many there were."""
    for tally in _tallies(report, *sorted(WAITS)):
        yield from _parts(tally.counts, tally.kind)


def inuse(report: Report) -> Values:
    """Yield of each member the bytes that it holds."""
    for tally in _tallies(report, "heap"):
        yield from _parts(tally.self_, "heap")


def allocated(report: Report) -> Values:
    """Yield of each member the bytes that it has allocated."""
    for tally in _tallies(report, "allocs"):
        yield from _parts(tally.self_, "heap")


def goroutines(report: Report) -> Values:
    """Yield of each member the goroutines that stand in it."""
    for tally in _tallies(report, "goroutine", "goroutineleak"):
        yield from _parts(tally.self_, tally.kind)


def functions(report: Report) -> Values:
    """Yield where each member is defined."""
    known: dict[str, tuple[str, int]] = {}
    for tally in report.tallies.values():
        known.update(tally.info)
    for name, (file, line) in known.items():
        yield (name, file, str(line)), 1


def finding(value: Callable[[Any], float]) -> Callable[[Report], Values]:
    """Return what yields this of each finding of each comparison."""

    def values(report: Report) -> Values:
        for kind, judgement in report.comparisons.items():
            for finding in judgement.comparison.findings:
                yield (kind, finding.function, finding.baseline), value(finding)

    return values


def regressions(report: Report) -> Values:
    """Yield how many functions of each profile are in each state."""
    for kind, judgement in report.comparisons.items():
        for state in STATES:
            yield (kind, state), judgement.comparison.count(state)


def comparison(value: Callable[[Any], float]) -> Callable[[Report], Values]:
    """Return what yields this of each comparison, where it is a number."""

    def values(report: Report) -> Values:
        for kind, judgement in report.comparisons.items():
            number = value(judgement)
            if math.isfinite(number):
                yield (kind,), number

    return values


def recommendations(report: Report) -> Values:
    """Yield the recommendations that hold."""
    for recommendation in report.recommendations:
        yield (recommendation.rule, recommendation.severity, recommendation.target), 1


def impacts(report: Report) -> Values:
    """Yield the most that each recommendation can bring, where a bound is known."""
    for recommendation in report.recommendations:
        if recommendation.gain_upper_bound is not None:
            yield (recommendation.rule, recommendation.severity, recommendation.target), recommendation.gain_upper_bound


def suspects(report: Report) -> Values:
    """Yield how many suspects of each kind there are."""
    for kind, suspects in report.suspects.items():
        yield (kind,), len(suspects)


def slopes(*, of_bytes: bool) -> Callable[[Report], Values]:
    """Return what yields the slope of the steepest suspects, of those in bytes or of the others."""

    def values(report: Report) -> Values:
        for kind, suspects in report.suspects.items():
            for suspect in suspects[:SITES]:
                if (suspect.unit == _BYTES) == of_bytes:
                    yield (kind, suspect.site or _PROCESS), suspect.slope

    return values


def captures(report: Report) -> Values:
    """Yield how many profiles were taken, by what became of them."""
    yield from report.captures.items()


def captured(report: Report) -> Values:
    """Yield when the last was taken, by what became of it."""
    yield from report.captured.items()


def backend(report: Report) -> Values:
    """Yield what takes the samples, and the risk that it is wrong."""
    ratio = report.interval.taken.bias_ratio if report.interval is not None else 0.0
    yield (report.backend, bias_risk(unbiased=report.unbiased, bias_ratio=ratio)), 1
