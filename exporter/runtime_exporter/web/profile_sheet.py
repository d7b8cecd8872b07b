"""What is to be seen of one profile: where it is from, the functions that cost most, the flame graph, what to compare it with."""

from __future__ import annotations

import math
import time
from html import escape
from typing import TYPE_CHECKING, Final

from runtime_exporter.profiling.amounts import counted
from runtime_exporter.profiling.naming import label
from runtime_exporter.profiling.profile import Frame
from runtime_exporter.profiling.stored import CAPTURE
from runtime_exporter.profiling.table import sample_index, tabulate
from runtime_exporter.profiling.together import said
from runtime_exporter.profiling.windows import is_idle
from runtime_exporter.web import profile_views as views
from runtime_exporter.web.page import HTML, Reply
from runtime_exporter.web.profile_views import link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from runtime_exporter.profiling.comparison import Finding
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.shelf import Shelf
    from runtime_exporter.profiling.stored import Entry
    from runtime_exporter.profiling.table import Table
    from runtime_exporter.web.page import Ask

FLAME_GRAPH: Final = "flamegraph"
"""The last part of the path of a flame graph alone."""


class Sheet:
    """Writes profiles of a shelf as HTML. comparisons: what the last comparison with the past said, by kind."""

    def __init__(self, shelf: Shelf, comparisons: Callable[[], Mapping[str, Any]]) -> None:
        self._shelf = shelf
        self._comparisons = comparisons

    def shown(
        self,
        ask: Ask,
        title: str,
        entry: Entry,
        profile: Profile,
        *,
        before: str = "",
        more: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Return all that is to be seen of a profile; `before` is HTML that comes first, `more` are links of the head."""
        root, function, sample_type = ask.root, field(ask, "function"), field(ask, "sample_type")
        table = tabulated(profile, entry.kind, sample_type)
        earlier = self._earlier(entry, self._since(entry.kind, function))
        alone = link(root, entry.name, FLAME_GRAPH, function=function, sample_type=sample_type)
        links = [
            *more,
            (link(root), "All profiles"),
            (link(root, entry.name, "pprof"), "Download, for go tool pprof"),
            (alone, "Flame graph alone"),
        ]
        if earlier is not None:
            words = f"Compare with {views.moment(earlier.begin)}"
            links.append((link(root, "diff", before=earlier.name, after=entry.name, function=function), words))
        shown = profile.sample_types[sample_index(profile, sample_type, "" if sample_type else entry.kind)].type
        types = [
            (link(root, entry.name, function=function, sample_type=one.type), one.type) for one in profile.sample_types
        ]
        absent = function and function not in table.cum
        return (
            views.header(title, _about(entry, profile, table), links)
            + before
            + self._workers(root, entry.name, function)
            + (views.note(f"<code>{escape(function)}</code> is not in this profile.") if absent else "")
            + "<h2>Functions that cost most</h2>\n"
            + (f"{views.navigation(types, shown)}\n" if len(types) > 1 else "")
            + views.functions(table, function)
            + f'<h2>Flame graph</h2>\n<iframe src="{alone}" title="Flame graph"></iframe>\n'
        )

    def _workers(self, root: str, name: str, function: str) -> str:
        """Return the links to what each of several workers did."""
        parts = self._shelf.parts(name)
        links = "".join(
            f'<a href="{link(root, one.name, function=function)}">Worker {one.worker} alone</a>' for one in parts
        )
        return f"<nav>{links}</nav>\n" if len(parts) > 1 else ""

    def _since(self, kind: str, function: str) -> float:
        """Return when a function became more expensive; infinity where it did not."""
        return next((one.since for one in self.findings(kind) if one.function == function), math.inf)

    def _earlier(self, entry: Entry, since: float) -> Entry | None:
        """Return the newest profile of the same kind that ended before, and before `since`; of intervals where there are any."""
        ended = min(entry.begin, since)
        found = [one for one in self._shelf.entries(entry.kind) if one.end <= ended and one.name != entry.name]
        return next((one for one in found if one.resolution != CAPTURE), found[0] if found else None)

    def findings(self, kind: str) -> Sequence[Finding]:
        """Return what became more expensive, by the last comparison of this kind of profile."""
        judgement = self._comparisons().get(kind)
        return judgement.comparison.findings if judgement is not None else ()


def tabulated(profile: Profile, kind: str, sample_type: str) -> Table:
    """Return the table of a profile; threads that wait for work are one line of wall time."""
    return tabulate(profile, sample_type, "" if sample_type else kind, idle=is_idle if kind == "wall" else None)


def _about(entry: Entry, profile: Profile, table: Table) -> str:
    labels = dict(entry.labels)
    words = [
        f"{views.moment(entry.begin)}, {views.since(time.time() - entry.end)}",
        f"over {views.lasting(entry.end - entry.begin)}",
        counted(table.samples, "sample"),
        *(comment for comment in profile.comments if comment.startswith(("backend ", "heap window"))),
    ]
    words += [f"version {labels['version']}"] if "version" in labels else []
    words += filter(None, [said(profile) if not entry.workers else ""])
    if entry.workers:
        several = ", ".join(map(str, entry.workers))
        words.append(
            f"{len(entry.workers)} workers: {several}" if len(entry.workers) > 1 else f"worker {several} alone"
        )
    words += [f"worker {entry.worker}"] if entry.worker is not None else []
    words += [f"process {entry.process}"] if entry.process else []
    return " · ".join(words)


def field(ask: Ask, name: str) -> str:
    """Return the last value of a field of the query, or an empty text."""
    return ask.query.get(name, [""])[-1]


def flame_graph(page: str) -> Reply:
    """Return a flame graph for a frame of our pages. What may run in it, it says itself; here, who may show it."""
    return Reply(page.encode(), HTML, headers=(("Content-Security-Policy", "frame-ancestors 'self'"),))


def spelled(profile: Profile, function: str) -> str:
    """Return the name in the profile of what a series calls a function; empty where it is not in it."""
    if not function:
        return ""
    names = (
        one.name for one in profile.functions if label(Frame(one.name, one.filename, 0, one.start_line)) == function
    )
    return next(names, "")
