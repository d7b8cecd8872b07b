"""What was promised, a sentence each, with all the goals that are of it: what the page begins with, and its first drawing shows.

A goal belongs to the first sentence of its report whose patterns its text fits. One that fits none is told under its report's title, so
that none is lost when a report words its goals in another way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from benchmarks.sections import REPORTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.figures import Verdict
    from benchmarks.results import Judged, Result


@dataclass(frozen=True)
class Promise:
    """A sentence, and which goals of a report are of it: patterns as in a shell."""

    text: str
    report: str
    goals: tuple[str, ...] = ("*",)

    def concerns(self, goal: str) -> bool:
        """Return whether a goal of this text, of the promise's report, is of it."""
        return any(fnmatchcase(goal, pattern) for pattern in self.goals)


PARTS: tuple[tuple[str, tuple[Promise, ...]], ...] = (
    (
        "A request",
        (
            Promise("WSGI: at most 1/3 of prometheus_client by hand", "requests", ("WSGI*by hand*",)),
            Promise(
                "ASGI, Starlette, FastAPI: at most 1/4 of it",
                "requests",
                ("ASGI*by hand*", "Starlette*by hand*", "FastAPI*by hand*"),
            ),
            Promise("Starlette, FastAPI: at most 1/20 of the best package", "requests", ("Starlette*", "FastAPI*")),
            Promise("Flask: at most 1/6 of its package", "requests", ("Flask*",)),
            Promise("Django: at most 1/20 of its package", "requests", ("Django*",)),
            Promise("uvicorn under load keeps 0.95 of its speed", "served"),
        ),
    ),
    (
        "A scrape",
        (
            Promise(
                "10,000 series: 35 times faster than generate_latest",
                "exposition",
                ("*series of histograms,*a busy service*", "*series of counters,*a busy service*"),
            ),
            Promise("Also where every series changed since the last", "exposition", ("*everything changed*",)),
            Promise("A series costs no more among 100,000 series", "exposition", ("*a series among*",)),
            Promise("prometheus_client's own metrics: 11 times faster", "exposition"),
            Promise("Four workers: 45 times faster than multiprocess mode", "prefork", ("*than MultiProcess*",)),
            Promise("200 dead workers change nothing", "prefork"),
            Promise("A million samples a minute, all right", "load", ("*samples a minute*",)),
            Promise("100 scrapes at once: everybody has a right answer", "load"),
        ),
    ),
    (
        "The process",
        (
            Promise("An import: at most 40 ms more", "startup", ("*ms more",)),
            Promise("An import: at most 8 MB more", "startup", ("*MB more",)),
            Promise("A series: at most half of prometheus_client's memory", "memory"),
            Promise("Everything together: at most 1 % of a core", "overhead", ("*: within*",)),
            Promise("What it tells of its own costs is true within 20 %", "overhead"),
            Promise("A small service: a scrape in 5 ms, 15 MB more", "shop"),
            Promise("Nothing has grown after a day of churn", "soak"),
            Promise("The past of profiles has a bound: 20 MB", "past"),
        ),
    ),
    (
        "Profiling",
        (
            Promise("At most 5 points from the truth", "profiling", ("*from the truth",)),
            Promise("1 % of a core, no more than peers: for the same work", "profiling", ("*for the same work",)),
            Promise("1 % of a core, no more than peers: what each runs", "profiling"),
            Promise("A profile is read and written within its limits", "codec"),
            Promise("False alarms: 0.2 % of functions in a day", "comparison"),
        ),
    ),
)
_RANK: Mapping[Verdict, int] = {"DOES NOT HOLD": 0, "NOT RESOLVED": 1, "HOLDS": 2}


@dataclass(frozen=True)
class Told:
    """A promise with its goals, one at least, each beside its figure."""

    text: str
    judged: tuple[Judged, ...]

    @property
    def verdict(self) -> Verdict:
        """It holds where all of its goals do; it does not where one does not."""
        return min((one.verdict for one in self.judged), key=lambda verdict: _RANK[verdict])

    @property
    def held(self) -> int:
        """How many of its goals hold."""
        return sum(one.verdict == "HOLDS" for one in self.judged)

    @property
    def worst(self) -> Judged:
        """The goal that is furthest from being kept."""
        return min(self.judged, key=lambda one: (_RANK[one.verdict], better(one)))


def gather(results: Mapping[str, Result]) -> list[tuple[str, list[Told]]]:
    """Return the promises of which there are results, by parts; goals of no promise stand at the end, by their reports' titles."""
    left = {name: [*result.judged] for name, result in results.items() if name in REPORTS}
    parts = [(title, [*_told(promises, left)]) for title, promises in PARTS]
    others = [Told(REPORTS[name].title, tuple(judged)) for name, judged in left.items() if judged]
    return [(title, told) for title, told in [*parts, ("Else", others)] if told]


def _told(promises: Sequence[Promise], left: dict[str, list[Judged]]) -> Iterator[Told]:
    """Yield promises with their goals, which are taken out of `left`."""
    for promise in promises:
        mine = [one for one in left.get(promise.report, ()) if promise.concerns(one.goal.text)]
        if mine:
            left[promise.report] = [one for one in left[promise.report] if one not in mine]
            yield Told(promise.text, tuple(mine))


def better(one: Judged) -> float:
    """Return how many times better than promised a figure's median is: below 1 it is worse; infinite where there is nothing to divide by.

    Of a goal with two ends it is how far from its middle the figure may be, over how far it is.
    """
    goal, value = one.goal, one.spread.middle
    low, high = goal.at_least, goal.at_most
    if math.isinf(low):
        part, whole = value, high
    elif math.isinf(high):
        part, whole = low, value
    else:
        part, whole = abs(value - (low + high) / 2), (high - low) / 2
    if part <= 0:
        return math.inf
    return max(whole, 0.0) / part
