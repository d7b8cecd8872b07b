"""What each detector is worth: its firings held against what the cases say."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gauntlet.alerts import Firing
    from gauntlet.cases import Case, Fault

# So many minutes after its end a fault may still be told for the first time.
GRACE = 15
# What tells of the same from another side: where requests fail or are slow, a budget burns, where they do not come, a band is left.
COMPANIONS = {
    "RuntimeHttpErrorBudgetBurn": {"RuntimeSloBudgetBurn", "RuntimeSloLowTraffic"},
    "RuntimeHttpLatencyHigh": {"RuntimeSloBudgetBurn", "RuntimeSloLowTraffic", "RuntimeHttpLatencyRegression"},
    "RuntimeMemoryLeakSuspected": {"RuntimeProfileLeakSuspect"},
    "RuntimeHttpThroughputDrop": {"RuntimeAnomaly"},
}


@dataclass
class Score:
    """One detector: the cases that it caught and was late in, each with the delay in minutes, missed, or spoke up in for nothing."""

    detector: str
    caught: list[tuple[str, float]] = field(default_factory=list)
    late: list[tuple[str, float]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    false: list[tuple[str, int]] = field(default_factory=list)  # (case, minute of the history)
    false_cases: set[str] = field(default_factory=set)

    @property
    def faults(self) -> int:
        return len(self.caught) + len(self.late) + len(self.missed)

    @property
    def median(self) -> float | None:
        told = [delay for _, delay in (*self.caught, *self.late)]
        return statistics.median(told) if told else None


def judge(cases: Sequence[Case], firings: Iterable[Firing], detectors: Iterable[str]) -> dict[str, Score]:
    """Return the score of each of our detectors: only what names the alert counts, and everything else that fires is false."""
    scores = {name: Score(name) for name in detectors}
    for case in cases:
        mine = [firing for firing in firings if firing.labels.get("job") == case.job and firing.alert in scores]
        for fault in case.faults:
            wanted = [name for name in sorted(fault.alerts) if name in scores]
            if wanted:
                _delay(scores[wanted[0]], case, fault, mine)
        for firing in mine:
            if not _called_for(case, firing):
                scores[firing.alert].false.append((case.title, _minute(case, firing)))
                scores[firing.alert].false_cases.add(case.title)
    return scores


def judge_naive(cases: Sequence[Case], firings: Iterable[Firing], beside: dict[str, str]) -> dict[str, Score]:
    """The same for the naive rules; what `beside` says they stand beside is what they are looked at for, faults of others aside."""
    scores = {name: Score(name) for name in beside}
    for case in cases:
        for name, detector in beside.items():
            mine = [firing for firing in firings if firing.labels.get("job") == case.job and firing.alert == name]
            wanted = [fault for fault in case.faults if detector in fault.alerts]
            for fault in wanted:
                _delay(scores[name], case, fault, mine)
            early = [
                firing for firing in mine if not any(_minute(case, firing) >= fault.begin for fault in case.faults)
            ]
            if early:
                scores[name].false += [(case.title, _minute(case, firing)) for firing in early]
                scores[name].false_cases.add(case.title)
    return scores


def _delay(score: Score, case: Case, fault: Fault, firings: Iterable[Firing]) -> None:
    end = fault.until + GRACE if fault.until is not None else case.minutes + GRACE
    delays = [
        _minute(case, firing) - fault.begin
        for firing in firings
        if (firing.alert in fault.alerts or firing.labels.get("beside") in fault.alerts)
        and fault.begin <= _minute(case, firing) <= end
        and _matches(firing, fault)
    ]
    if not delays:
        score.missed.append(case.title)
    elif min(delays) <= fault.within:
        score.caught.append((case.title, min(delays)))
    else:
        score.late.append((case.title, min(delays)))


def _called_for(case: Case, firing: Firing) -> bool:
    minute = _minute(case, firing)
    if firing.alert in case.tolerated:
        return any(minute >= fault.begin for fault in case.faults)
    return any(
        (firing.alert in fault.alerts or any(firing.alert in COMPANIONS.get(alert, ()) for alert in fault.alerts))
        and minute >= fault.begin
        and _matches(firing, fault)
        for fault in case.faults
    )


def _matches(firing: Firing, fault: Fault) -> bool:
    """A label that the alert does not carry (a job's has no instance) says nothing against it."""
    return all(firing.labels.get(name, value) == value for name, value in fault.labels.items())


def _minute(case: Case, firing: Firing) -> int:
    return firing.begin // 60 - case.first


def unwatched(cases: Iterable[Case], detectors: Iterable[str]) -> list[str]:
    """Return the kinds of faults that no detector is there for."""
    known = set(detectors)
    return sorted({case.kind.split("/", 1)[1] for case in cases for fault in case.faults if not fault.alerts & known})


def quiet_cases(cases: Iterable[Case]) -> list[str]:
    return [case.title for case in cases if not case.faults]


def goals(cases: Sequence[Case], scores: Iterable[Score], *, quiet: int, share: float) -> list[str]:
    """Return what is not reached: no false alarm in at least `quiet` quiet cases, at least `share` of the faults caught in time."""
    unreached = []
    still = set(quiet_cases(cases))
    scores = list(scores)
    loud = {name for score in scores for name in score.false_cases}
    if len(still) < quiet:
        unreached.append(f"{len(still)} quiet cases are fewer than {quiet}")
    if loud:
        unreached.append(
            f"false alarms in {len(loud & still)} of {len(still)} quiet cases, {len(loud - still)} of others"
        )
    caught, faults = sum(len(score.caught) for score in scores), sum(score.faults for score in scores)
    if faults and caught < share * faults:
        unreached.append(f"{caught} of {faults} faults were caught in time: fewer than {share:.0%}")
    return unreached
