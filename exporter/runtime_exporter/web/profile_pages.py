"""/profiles: kept profiles for people. A list, each with its functions and flame graph, two compared, and where an alert's link leads.

No page is a dead end: where there is nothing to show, it says why and where to go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.captures import ALERT
from runtime_exporter.profiling.difference import changes
from runtime_exporter.profiling.flamegraph import render
from runtime_exporter.profiling.naming import label
from runtime_exporter.profiling.profile import Frame
from runtime_exporter.web import profile_views as views
from runtime_exporter.web.alert_page import AlertPage
from runtime_exporter.web.api_pages import chosen
from runtime_exporter.web.page import HTML, Ask, Reply, Route, html
from runtime_exporter.web.pprof_pages import attachment
from runtime_exporter.web.profile_sheet import Sheet, field, tabulated
from runtime_exporter.web.profile_views import PATH, link
from runtime_exporter.web.style import document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from runtime_exporter.profiling.captures import Captures
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.shelf import Shelf
    from runtime_exporter.profiling.table import Table

_ON_A_PAGE = 100
_ALERT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def profile_routes(
    shelf: Shelf,
    captures: Captures | None = None,
    *,
    comparisons: Callable[[], Mapping[str, Any]] = dict,
    title: str = "Profiles to look at: flame graphs, functions, and what changed",
) -> tuple[Route, ...]:
    """Return the pages below /profiles. comparisons: what the last interval's comparison with the past said, by kind."""
    return (Route(PATH, _Pages(shelf, captures, comparisons), subtree=True, title=title),)


class _Pages:
    """Every page below /profiles."""

    def __init__(self, shelf: Shelf, captures: Captures | None, comparisons: Callable[[], Mapping[str, Any]]) -> None:
        self._shelf = shelf
        self._sheet = Sheet(shelf, comparisons)
        self._alert = AlertPage(shelf, captures, self._sheet)

    def __call__(self, ask: Ask) -> Reply:
        try:
            return self._found(ask)
        except ProfileError as error:
            return html(views.nothing(ask.root, f"There is no such profile: {error}."), 404)
        except ValueError as error:
            return html(views.nothing(ask.root, f"This cannot be shown: {error}."), 400)

    def _found(self, ask: Ask) -> Reply:
        first, _, rest = ask.rest.partition("/")
        if not first:
            return self._list(ask)
        if first == "diff" and not rest:
            return self._difference(ask)
        if first == "alert" and _ALERT.fullmatch(rest):
            return self._alert(ask, rest)
        if rest in _FORMS:
            return _FORMS[rest](self, ask, first)
        return html(views.nothing(ask.root, "There is no such page."), 404)

    def _list(self, ask: Ask) -> Reply:
        kind, skip = field(ask, "kind"), _number(field(ask, "skip"))
        known = self._shelf.entries()
        found = [entry for entry in known if kind in ("", entry.kind)]
        kinds = sorted({entry.kind for entry in known})
        links = [(link(ask.root), "All"), *((link(ask.root, kind=one), views.called(one)) for one in kinds)]
        about = f"{len(found)} profiles, the newest first."
        if self._shelf.store is None:
            about += " They are in memory only, and few: the setting profile_directory says where to keep them."
        pages = [
            (link(ask.root, kind=kind, skip=str(at) if at else ""), words)
            for at, words in ((skip - _ON_A_PAGE, "Newer"), (skip + _ON_A_PAGE, "Older"))
            if 0 <= at < len(found)
        ]
        more = "".join(f'<a href="{address}">{words}</a>' for address, words in pages)
        body = (
            views.header("Profiles", about, links)
            + views.listing(ask.root, found[skip : skip + _ON_A_PAGE])
            + f"<nav>{more}</nav>\n{views.footer(ask.root)}"
        )
        return html(document("Profiles", body, wide=True))

    def _profile(self, ask: Ask, name: str) -> Reply:
        profile = self._shelf.read(name)
        entry = next((one for one in self._shelf.entries() if one.name == name), None)
        if entry is None:
            raise ProfileError(f"{name!r} is not kept any more")
        alert = dict(entry.labels).get(ALERT, "")
        title = f"{views.called(entry.kind)} profile" + (f" for {alert}" if alert else "")
        return html(
            document(title, self._sheet.shown(ask, title, entry, profile) + views.footer(ask.root), wide=True),
            frames=True,
        )

    def _flame_graph(self, ask: Ask, name: str) -> Reply:
        profile = self._shelf.read(name)
        page = render(
            profile,
            title=name.partition("_")[0],
            sample_type=field(ask, "sample_type"),
            function=_spelled(profile, field(ask, "function")),
        )
        # What may run in it, it says itself; here, who may show it in a page.
        return Reply(page.encode(), HTML, headers=(("Content-Security-Policy", "frame-ancestors 'self'"),))

    def _file(self, _: Ask, name: str) -> Reply:
        return attachment(name, self._shelf.read_bytes(name))

    def _difference(self, ask: Ask) -> Reply:
        function, sample_type = field(ask, "function"), field(ask, "sample_type")
        column = "self" if field(ask, "column") == "self" else "cum"
        sides = []
        for name in ("before", "after"):
            profile = chosen(self._shelf, ask, name)
            sides.append((name, profile, tabulated(profile, _kind_of(field(ask, name)), sample_type)))
        (_, _, before), (_, _, after) = sides
        found = changes(before, after, column=column, normalised=True)
        kept = {name: field(ask, name) for name in ("before", "after", "kind")}
        other = "self" if column == "cum" else "cum"
        words = "Compare what functions cost themselves" if other == "self" else "Compare with what they called"
        links = [(link(ask.root), "All profiles"), (link(ask.root, "diff", **kept, column=other), words)]
        links += [
            (link(ask.root, kept[name], function=function), f"The profile {name}")
            for name, *_ in sides
            if _is_id(kept[name])
        ]
        about = f"{_written(sides[0])}; {_written(sides[1])}. Shares are of each profile's total, {'callees included' if column == 'cum' else 'callees apart'}."
        title = f"{views.called(after.kind)}: what changed"
        return html(
            document(
                title,
                views.header(title, about, links) + views.changed(found, function) + views.footer(ask.root),
                wide=True,
            )
        )


_FORMS: Mapping[str, Callable[[_Pages, Ask, str], Reply]] = {
    "": _Pages._profile,  # noqa: SLF001 - a table of its methods
    "flamegraph": _Pages._flame_graph,  # noqa: SLF001
    "pprof": _Pages._file,  # noqa: SLF001
}


def _written(side: tuple[str, Profile, Table]) -> str:
    name, profile, _ = side
    return f"{name}: {views.moment(profile.time_nanos / 1e9)}, over {views.lasting(profile.duration_nanos / 1e9)}"


def _kind_of(wanted: str) -> str:
    return wanted.partition("_")[0] if _is_id(wanted) else ""


def _is_id(wanted: str) -> bool:
    return ".." not in wanted


def _spelled(profile: Profile, function: str) -> str:
    """Return the name in the profile of what a series calls a function; empty where it is not in it."""
    if not function:
        return ""
    names = (
        one.name for one in profile.functions if label(Frame(one.name, one.filename, 0, one.start_line)) == function
    )
    return next(names, "")


def _number(written: str) -> int:
    return int(written) if written.isascii() and written.isdigit() and len(written) < 9 else 0  # noqa: PLR2004 - digits
