"""What the recording rules make of a history: evaluated pass by pass, because rules read what other rules have recorded."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from gauntlet import history
from gauntlet.alerts import seconds
from gauntlet.worlds import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gauntlet.worlds import Group


def record(groups: list[Group], data: Path, begin: int, end: int) -> None:
    """Backfill what the recording rules of these groups make of the history between two Unix times.

    All of a pass goes into one block. `promtool tsdb create-blocks-from rules` would make some for each rule, and each query
    would then have to look into all of them: that took most of the time.
    """
    for number, ready in enumerate(levels(groups)):
        metrics = data.parent / f"pass-{number}.om"
        with history.prometheus(data) as url, metrics.open("w", encoding="utf-8") as file:
            for group in ready:
                for rule in group["rules"]:
                    file.writelines(_recorded(url, group, rule, begin, end))
            file.write("# EOF\n")
        history.backfill(metrics, data)
        metrics.unlink()


def _recorded(url: str, group: Group, rule: dict[str, Any], begin: int, end: int) -> Iterator[str]:
    """Yield the samples of one rule, as OpenMetrics has them."""
    step = seconds(group.get("interval", "1m"))
    start = begin - begin % step + offset(group["name"], step)
    for series in history.query(url, rule["expr"], start, end, step):
        labels = {name: value for name, value in series["metric"].items() if name != "__name__"} | rule.get(
            "labels", {}
        )
        head = history.series_head(rule["record"], labels)
        yield from (f"{head}{value} {at}\n" for at, value in series["values"])


def offset(group: str, step: int) -> int:
    """Return when in its interval a group is evaluated: as in Prometheus each at its own time, the same every time."""
    return zlib.crc32(group.encode()) % step


def levels(groups: list[Group]) -> list[list[Group]]:
    """Return the groups of each pass: first the rules that read no recorded series, then those that read these, and so on."""
    # Several rules may record the same name, with different labels: it is known once all of them are.
    pending = [(group, rule) for group in groups for rule in group["rules"]]
    passes = []
    while pending:
        names = {rule["record"] for _, rule in pending}
        ready: dict[str, Group] = {}
        later = []
        for group, rule in pending:
            if names & words(rule["expr"]):
                later.append((group, rule))
            else:
                ready.setdefault(group["name"], {**group, "rules": []})["rules"].append(rule)
        if not ready:
            raise ValueError(f"rules that read each other in a circle: {sorted(names)}")
        pending = later
        passes.append(list(ready.values()))
    return passes
