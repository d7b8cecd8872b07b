"""The results as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet.score import Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def total(scores: Iterable[Mapping[str, Score]]) -> dict[str, Score]:
    """Return the sums over batches."""
    found: dict[str, Score] = {}
    for part in scores:
        for name, score in part.items():
            kept = found.setdefault(name, Score(name))
            kept.caught += score.caught
            kept.late += score.late
            kept.missed += score.missed
            kept.false += score.false
            kept.false_cases |= score.false_cases
    return found


def rows(ours: Mapping[str, Score], naive: Mapping[str, Score], beside: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Each detector, and below it the naive rules that look for the same."""
    found = []
    for name in sorted(ours):
        found.append(_row(name, ours[name]))
        found += [_row("  " + rule, naive[rule]) for rule, detector in beside.items() if detector == name]
    return found


HEAD = ("detector", "faults", "in time", "late", "missed", "false alarms", "in cases", "median delay")


def _row(name: str, score: Score) -> tuple[str, ...]:
    counts = (
        score.faults,
        len(score.caught),
        len(score.late),
        len(score.missed),
        len(score.false),
        len(score.false_cases),
    )
    return (name, *(str(count) for count in counts), delay(score.median))


def delay(minutes: float | None) -> str:
    if minutes is None:
        return "-"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def text(ours: Mapping[str, Score], naive: Mapping[str, Score], beside: Mapping[str, str]) -> str:
    lines = [HEAD, *rows(ours, naive, beside)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def misses(ours: Mapping[str, Score]) -> str:
    """Every case that did not go as it should, by detector."""
    lines = []
    for name, score in sorted(ours.items()):
        lines += [f"missed      {name}: {case}" for case in score.missed]
        lines += [f"late        {name}: {case} after {delay(minutes)}" for case, minutes in score.late]
        lines += [f"false alarm {name}: {case} at {minute / 60:.1f} h" for case, minute in score.false]
    return "\n".join(lines)
