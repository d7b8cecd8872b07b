"""docs/detectors.md: the results for whoever wants to know how far to trust an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet.promises import FORMULAS
from gauntlet.score import unwatched
from gauntlet.table import HEAD, delay, misses, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gauntlet.cases import Case
    from gauntlet.score import Score

INTRODUCTION = """\
# How far to trust each alert

Written by `{command}`: do not edit. It makes histories of two to eight days of services that are well and of services that fall ill, backfills them into
a real Prometheus, and evaluates over them the rules that `runtime-exporter generate` writes, with the defaults, at a scrape a minute. What a history looks
like is drawn from its seed ({seeds}): another seed makes others, `make gauntlet SEED=7`.
"""

# Why a detector is late or misses: said only where it was.
REASONS = {
    "RuntimeCpuSpike": "it waits for `alerts.cpuSpike.for`, by when short jobs of every day are over, and knows only what a day has shown.",
    "RuntimeHttpErrorBudgetBurn": "a share of failures close to what a window allows takes the whole window, and chance may hide it a little longer.",
    "RuntimeHttpLatencyHigh": (
        "without a known past its threshold is one for all routes (`alerts.httpLatencyHigh.threshold`), and what is slow for a fast route is below it."
    ),
    "RuntimeMemoryLeakSuspected": (
        "it wants a straight line, of one process, above what that process has been before: lives that are shorter show none, teeth longer "
        "than `alerts.memoryLeak.long.floorWindow` bend it, and a load that grows meanwhile explains it."
    ),
    "RuntimeThreadLeakSuspected": (
        "it wants a straight line, of a good hour above all that there has been or of hours: the least of a few threads trembles, and a pool "
        "that fills up and stays is none."
    ),
    "RuntimeHttpThroughputDrop": "it compares with the same time last week and yesterday: without these it says nothing.",
}

LIMITS = """\
## What this does not tell

- The histories are simulated: shapes, noise and times are drawn, and services of the world have others. A seed is a sample, not a proof.
- Backfilled series have no staleness markers: what ends is still seen for five minutes, while a Prometheus that scrapes would know at once.
- The detectors' thresholds were chosen with such histories in view. Seeds that nobody had looked at are the better test.
"""


def page(
    command: str,
    cases: Sequence[Case],
    ours: Mapping[str, Score],
    naive: Mapping[str, Score],
    beside: Mapping[str, str],
    unreached: Sequence[str],
) -> str:
    """Return docs/detectors.md."""
    quiet = [case for case in cases if not case.faults]
    faulty = [case for case in cases if case.faults]
    loud = {name for found in ours.values() for name in found.false_cases}
    seeds = ", ".join(str(seed) for seed in sorted({case.seed for case in cases}))
    asked = {name: score for name, score in ours.items() if score.faults}
    lines = [
        INTRODUCTION.format(command=command, seeds=seeds),
        *_summary(quiet, faulty, ours, loud),
        *[f"- Not reached: {line}." for line in unreached],
        "",
        "## Detector by detector",
        "",
        "*In time*: within what the table of faults promises. A *false alarm* is one in a case that has no such fault, or before it. In italics the rules",
        "that people use for the same thing, over the same histories (`tests/gauntlet/naive.yaml`); what they say after any fault is not held against them.",
        "",
        *_markdown(HEAD, [_italic(row) for row in rows(asked, naive, beside)]),
        "",
        *_unasked(ours),
        "## What was missed, late or said for nothing",
        "",
        *(_incidents(ours) or ["Nothing."]),
        *[f"- None of these alerts tells of this: {kind}." for kind in unwatched(cases, ours)],
        "",
        "## The faults, and what is promised of each",
        "",
        *_markdown(
            ("fault", "alert", "promised within", "histories", "in time", "slowest"),
            _faults([case for case in faulty if any(fault.alerts & ours.keys() for fault in case.faults)], ours),
        ),
        "",
        *FORMULAS.splitlines(),
        "",
        "## The services that are well",
        "",
        *_markdown(("kind", "histories", "of them with an alarm"), _quiet(quiet, loud)),
        "",
        LIMITS.rstrip() + "\n",
    ]
    return "\n".join(lines)


def _summary(quiet: Sequence[Case], faulty: Sequence[Case], ours: Mapping[str, Score], loud: set[str]) -> Iterable[str]:
    caught, faults = sum(len(found.caught) for found in ours.values()), sum(found.faults for found in ours.values())
    yield f"- {len(quiet)} histories of services that are well: alarms in {sum(case.title in loud for case in quiet)} of them."
    yield f"- {len(faulty)} histories with a fault: {caught} of {faults} faults told in time ({_share(caught, faults)})."


def _share(part: int, whole: int) -> str:
    """Return a percentage that is 100 % only where nothing is missing."""
    return "100 %" if part == whole else f"{min(part / whole, 0.999):.1%}".replace("%", " %")


def _unasked(ours: Mapping[str, Score]) -> list[str]:
    names = [f"`{name}`" for name, score in sorted(ours.items()) if not score.faults]
    if not names:
        return []
    loud = sum(len(score.false) for score in ours.values() if not score.faults)
    return [
        f"No history has a fault for these, which were listened to all the same ({loud} false alarms): {', '.join(names)}.",
        "",
    ]


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---", *("---:" for _ in head[1:])], *body]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _italic(row: tuple[str, ...]) -> tuple[str, ...]:
    name, *rest = row
    return (f"*{name.strip()}*" if name.startswith(" ") else f"`{name}`", *rest)


def _incidents(ours: Mapping[str, Score]) -> list[str]:
    reasons = [
        f"`{name}`: {REASONS[name]}"
        for name, score in sorted(ours.items())
        if name in REASONS and (score.late or score.missed)
    ]
    return [f"- {' '.join(line.split())}" for line in (*misses(ours).splitlines(), *reasons)]


def _by_kind(cases: Iterable[Case]) -> dict[str, list[Case]]:
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.kind.split("/", 1)[1], []).append(case)
    return kinds


def _faults(cases: Sequence[Case], ours: Mapping[str, Score]) -> list[tuple[str, ...]]:
    delays = [(title, minutes) for score in ours.values() for title, minutes in (*score.caught, *score.late)]
    caught = [title for score in ours.values() for title, _ in score.caught]
    found = []
    for kind, members in _by_kind(cases).items():
        titles = {case.title for case in members}
        promises = [fault.within for case in members for fault in case.faults]
        slowest = max((minutes for title, minutes in delays if title in titles), default=None)
        found.append(
            (
                kind,
                ", ".join(f"`{alert}`" for alert in sorted(members[0].faults[0].alerts)),
                delay(max(promises))
                if min(promises) == max(promises)
                else f"{delay(min(promises))} to {delay(max(promises))}",
                str(len(promises)),
                str(sum(title in titles for title in caught)),
                delay(slowest),
            )
        )
    return found


def _quiet(cases: Sequence[Case], loud: set[str]) -> list[tuple[str, ...]]:
    return [
        (kind, str(len(members)), str(sum(case.title in loud for case in members)))
        for kind, members in _by_kind(cases).items()
    ]
