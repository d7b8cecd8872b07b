"""/profiles/diff: what changed from one profile to another, as a table of shares and as a flame graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.profiling.difference import changes
from runtime_exporter.profiling.flamegraph import render_change
from runtime_exporter.web import profile_views as views
from runtime_exporter.web.api_pages import chosen
from runtime_exporter.web.page import Ask, Reply, html
from runtime_exporter.web.profile_sheet import FLAME_GRAPH, field, flame_graph, spelled, tabulated
from runtime_exporter.web.profile_views import link
from runtime_exporter.web.style import document

if TYPE_CHECKING:
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.shelf import Shelf

_SIDES = ("before", "after")
_FIELDS = (*_SIDES, "kind", "function", "sample_type")


class DifferencePage:
    """Compares the profiles that the fields before and after of the query name, by shares: loads and lengths differ."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def __call__(self, ask: Ask, form: str) -> Reply:
        """Return the page, or the flame graph that is in it. Raises ValueError and ProfileError as `chosen` does."""
        before, after = (chosen(self._shelf, ask, side) for side in _SIDES)
        return _flame_graph(ask, before, after) if form == FLAME_GRAPH else _page(ask, before, after)


def _flame_graph(ask: Ask, before: Profile, after: Profile) -> Reply:
    function = field(ask, "function")
    page = render_change(
        before,
        after,
        title="What changed",
        sample_type=field(ask, "sample_type"),
        function=spelled(after, function) or spelled(before, function),
        normalised=True,
    )
    return flame_graph(page)


def _page(ask: Ask, before: Profile, after: Profile) -> Reply:
    asked = {name: field(ask, name) for name in _FIELDS}
    column = "self" if field(ask, "column") == "self" else "cum"
    tables = [
        tabulated(profile, _kind(asked[side]), asked["sample_type"])
        for side, profile in zip(_SIDES, (before, after), strict=True)
    ]
    found = changes(*tables, column=column, normalised=True)
    title = f"{views.called(tables[1].kind)}: what changed"
    meant = "what they called included" if column == "cum" else "without what they called"
    about = f"{_written('before', before)}; {_written('after', after)}. Shares of each profile's total, {meant}."
    drawn = link(ask.root, "diff", FLAME_GRAPH, **asked)
    body = (
        views.header(title, about, _links(ask, asked, column))
        + views.changed(found, asked["function"])
        + f'<h2>Flame graph</h2>\n<iframe src="{drawn}" title="Flame graph of what changed"></iframe>\n'
        + views.footer(ask.root)
    )
    return html(document(title, body, wide=True), frames=True)


def _links(ask: Ask, asked: dict[str, str], column: str) -> list[tuple[str, str]]:
    other, words = ("self", "Without what they called") if column == "cum" else ("cum", "With what they called")
    sides = [(link(ask.root, asked[side], function=asked["function"]), f"The profile {side}") for side in _SIDES]
    return [
        (link(ask.root), "All profiles"),
        (link(ask.root, "diff", **asked, column=other), words),
        *(one for one, side in zip(sides, _SIDES, strict=True) if _is_id(asked[side])),
    ]


def _written(side: str, profile: Profile) -> str:
    return f"{side}: {views.moment(profile.time_nanos / 1e9)}, over {views.lasting(profile.duration_nanos / 1e9)}"


def _kind(wanted: str) -> str:
    return wanted.partition("_")[0] if _is_id(wanted) else ""


def _is_id(wanted: str) -> bool:
    return ".." not in wanted
