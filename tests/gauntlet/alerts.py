"""When would each alert have fired? Range queries of its expression, and `for` and `keep_firing_for` as Prometheus has them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gauntlet import history

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Firing(NamedTuple):
    """One alert that fired: from the evaluation `begin` to the one, `end`, in which it no longer did (Unix seconds)."""

    alert: str
    labels: dict[str, str]
    begin: int
    end: int


def firings(url: str, group: dict[str, Any], begin: int, end: int) -> Iterator[Firing]:
    """Yield what the alerting rules of one group would have said between two Unix times."""
    step = seconds(group.get("interval", "1m"))
    for rule in group["rules"]:
        if "alert" not in rule:
            continue
        hold, keep = (seconds(rule.get(key, "0s")) for key in ("for", "keep_firing_for"))
        found: dict[str, list[int]] = {}
        for series in history.query(url, rule["expr"], begin, end, step):
            labels = {name: value for name, value in series["metric"].items() if name != "__name__"} | rule["labels"]
            found.setdefault(json.dumps(labels, sort_keys=True), []).extend(int(at) for at, _ in series["values"])
        for labels, times in found.items():
            for first, last in held(sorted(times), step, hold, keep, end):
                yield Firing(rule["alert"], json.loads(labels), first, last)


def held(times: Sequence[int], step: int, hold: int, keep: int, end: int) -> list[tuple[int, int]]:
    """Return (first, first no more) of each time that an alert fires, from the evaluations in which its expression had a value.

    The steps of Prometheus' AlertingRule.Eval: pending from the first value on, firing once it has been for `hold` without a gap;
    without a value it is over at once, unless it fires: then once `keep` has gone by since the first evaluation without one.
    """
    spans: list[tuple[int, int]] = []
    for first, last in runs(times, step):
        # Kept since the run before, up to this evaluation: it never stopped firing, so it is not held again.
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], last + step + keep)
        elif last - first >= hold:
            spans.append((first + -(-hold // step) * step, last + step + keep))
    return [(first, min(last, end + step)) for first, last in spans]


def runs(times: Sequence[int], step: int) -> Iterable[tuple[int, int]]:
    """Return (first, last) of every stretch of consecutive evaluations."""
    first = last = None
    for at in times:
        if last is None or at > last + step:
            if last is not None:
                yield first, last
            first = at
        last = at
    if last is not None:
        yield first, last


def seconds(duration: str) -> int:
    """Return the seconds of a Prometheus duration such as 1h30m."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([smhdw])", duration))
