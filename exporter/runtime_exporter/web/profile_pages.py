"""/profiles: kept profiles for people. A list, each with its functions and flame graph, two compared, and where an alert's link leads.

No page is a dead end: where there is nothing to show, it says why and where to go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.alerts import ALERT
from runtime_exporter.profiling.amounts import counted
from runtime_exporter.profiling.flamegraph import render
from runtime_exporter.web import profile_views as views
from runtime_exporter.web.alert_page import AlertPage
from runtime_exporter.web.difference_page import DifferencePage
from runtime_exporter.web.page import Ask, Reply, Route, html
from runtime_exporter.web.pprof_pages import attachment
from runtime_exporter.web.profile_sheet import FLAME_GRAPH, Sheet, field, flame_graph, spelled
from runtime_exporter.web.profile_views import PATH, link
from runtime_exporter.web.style import document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from runtime_exporter.profiling.captures import Captures
    from runtime_exporter.profiling.shelf import Shelf

_ON_A_PAGE = 100
_LONGEST_ALERT = 1000  # as `web.alert` cuts names


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
        self._difference = DifferencePage(shelf)
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
        if first == "diff" and rest in ("", FLAME_GRAPH):
            return self._difference(ask, rest)
        alert = _utf8(rest) if first == "alert" else ""
        if alert.isprintable() and 0 < len(alert) <= _LONGEST_ALERT:
            return self._alert(ask, alert)
        if rest in _FORMS:
            return _FORMS[rest](self, ask, first)
        return html(views.nothing(ask.root, "There is no such page."), 404)

    def _list(self, ask: Ask) -> Reply:
        kind, skip = field(ask, "kind"), _number(field(ask, "skip"))
        known = self._shelf.entries()
        found = [entry for entry in known if kind in ("", entry.kind)]
        kinds = sorted({entry.kind for entry in known})
        links = [(link(ask.root), "All"), *((link(ask.root, kind=one), views.called(one)) for one in kinds)]
        about = f"{counted(len(found), 'profile')}, the newest first."
        if self._shelf.store is None:
            about += " They are in memory only, and few: the setting profile_directory says where to keep them."
        elif self._shelf.about:
            about += f" {self._shelf.about}"
        pages = [
            (link(ask.root, kind=kind, skip=str(at) if at else ""), words)
            for at, words in ((skip - _ON_A_PAGE, "Newer"), (skip + _ON_A_PAGE, "Older"))
            if 0 <= at < len(found)
        ]
        more = "".join(f'<a href="{address}">{words}</a>' for address, words in pages)
        body = (
            views.header("Profiles", about, links, views.called(kind) if kind else "All")
            + views.listing(ask.root, found[skip : skip + _ON_A_PAGE])
            + f"<nav>{more}</nav>\n{views.footer(ask.root)}"
        )
        return html(document("Profiles", body, wide=True))

    def _profile(self, ask: Ask, name: str) -> Reply:
        profile = self._shelf.read(name)
        entry = self._shelf.entry(name)
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
            function=spelled(profile, field(ask, "function")),
        )
        return flame_graph(page)

    def _file(self, _: Ask, name: str) -> Reply:
        return attachment(name, self._shelf.read_bytes(name))


_FORMS: Mapping[str, Callable[[_Pages, Ask, str], Reply]] = {
    "": _Pages._profile,  # noqa: SLF001 - a table of its methods
    FLAME_GRAPH: _Pages._flame_graph,  # noqa: SLF001
    "pprof": _Pages._file,  # noqa: SLF001
}


def _utf8(path: str) -> str:
    """Return a part of a path as its author wrote it: WSGI gives each byte as a character."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _number(written: str) -> int:
    return int(written) if written.isascii() and written.isdigit() and len(written) < 9 else 0  # noqa: PLR2004 - digits
