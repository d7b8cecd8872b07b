"""The results as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gauntlet.score import unwatched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gauntlet.cases import Case
    from gauntlet.score import Score


def add(total: dict[str, Score], more: Mapping[str, Score]) -> None:
    """Add the scores of another world."""
    for name, score in more.items():
        if name not in total:
            total[name] = score
            continue
        kept = total[name]
        kept.delays += score.delays
        kept.late += score.late
        kept.missed += score.missed
        kept.false += score.false
        kept.false_cases |= score.false_cases


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
        len(score.delays),
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


def page(
    seeds: Sequence[int],
    cases: Sequence[Case],
    ours: Mapping[str, Score],
    naive: Mapping[str, Score],
    beside: Mapping[str, str],
    unreached: Sequence[str],
    *,
    quick: bool,
    chosen: Sequence[str] = (),
) -> str:
    """Return docs/detectors.md."""
    quiet = [case for case in cases if not case.faults]
    faulty = [case for case in cases if case.faults]
    loud = {name for found in ours.values() for name in found.false_cases} & {case.name for case in quiet}
    caught, faults = sum(len(found.delays) for found in ours.values()), sum(found.faults for found in ours.values())
    lines = [
        INTRODUCTION.format(seeds=", ".join(map(str, seeds)), command=_command(seeds, quick=quick, chosen=chosen)),
        f"- {len(quiet)} histories of services that are well: alarms in {len(loud)} of them.",
        f"- {len(faulty)} histories with a fault: {caught} of {faults} faults told in time ({caught / max(1, faults):.0%}).",
        *[f"- Not reached: {line}." for line in unreached],
        *(
            ["- This was a quick run, with one history of each kind: too few to show that false alarms are rare."]
            if quick
            else []
        ),
        "",
        "## Detector by detector",
        "",
        "*In time*: within what the table of faults promises. A *false alarm* is one in a case that has no such fault, or before it. In italics the rules",
        "that people use for the same thing, over the same histories (`tests/gauntlet/naive.yaml`); what they say after any fault is not held against them.",
        "",
        *_markdown(HEAD, [_italic(row) for row in rows(ours, naive, beside)]),
        "",
        "## What was missed, late or said for nothing",
        "",
        *(_incidents(ours) or ["Nothing."]),
        *[f"- None of these alerts tells of this: {kind}." for kind in unwatched(cases, ours)],
        "",
        "## The faults, and what is promised of each",
        "",
        *_markdown(
            ("fault", "histories", "alert", "promised within"),
            _promises([case for case in faulty if any(fault.alerts & ours.keys() for fault in case.faults)]),
        ),
        "",
        "## The services that are well",
        "",
        *_markdown(("kind", "histories", "of them with an alarm"), _quiet(quiet, loud)),
        "",
        LIMITS.rstrip() + "\n",
    ]
    return "\n".join(lines)


INTRODUCTION = """\
# How far to trust each alert

Written by the gauntlet (`{command}`), seeds {seeds}: do not edit. It makes histories of two to eight days of services that are
well and of services that fall ill, backfills them into a real Prometheus, and evaluates over them the rules that `runtime-exporter generate` writes, with
the defaults, at a scrape a minute. Another seed makes other histories: `make gauntlet SEED=7`.
"""

# Why a detector is late or misses: said only where it was.
REASONS = {
    "RuntimeCpuSpike": "it waits for `alerts.cpuSpike.for`, by when short jobs of every day are over.",
    "RuntimeHttpLatencyHigh": "its threshold is one for all routes (`alerts.httpLatencyHigh.threshold`); what is slow for a fast route is below it.",
    "RuntimeMemoryLeakSuspected": (
        "it wants a straight line in most of `alerts.memoryLeak.window`, of one process, above the same time yesterday: that takes hours, "
        "lives that are shorter show none, and teeth longer than `memory.floorWindow` bend it."
    ),
}

LIMITS = """\
## What this does not tell

- The histories are simulated: shapes, noise and times are drawn, and services of the world have others. A seed is a sample, not a proof.
- Backfilled series have no staleness markers: what ends is still seen for five minutes, while a Prometheus that scrapes would know at once.
"""


def _command(seeds: Sequence[int], *, quick: bool, chosen: Sequence[str]) -> str:
    seed = "" if list(seeds) == [1] else f" SEED='{' '.join(map(str, seeds))}'"
    detectors = f" DETECTOR='{' '.join(chosen)}'" if chosen else ""
    return "make gauntlet" + seed + detectors + (" QUICK=1" if quick else "")


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
    return [f"- {line}" for line in (*misses(ours).splitlines(), *reasons)]


def _promises(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    kinds: dict[str, list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.kind.split("/", 1)[1], []).append(case)
    return [
        (
            kind,
            str(len(members)),
            ", ".join(f"`{alert}`" for alert in sorted(members[0].faults[0].alerts)),
            delay(max(fault.within for case in members for fault in case.faults)),
        )
        for kind, members in kinds.items()
    ]


def _quiet(cases: Sequence[Case], loud: set[str]) -> list[tuple[str, ...]]:
    kinds: dict[str, list[str]] = {}
    for case in cases:
        kinds.setdefault(case.kind.split("/", 1)[1], []).append(case.name)
    return [(kind, str(len(names)), str(len(loud & set(names)))) for kind, names in kinds.items()]
