"""/debug/pprof/ of a target: its last profiles, at once, and new ones over `seconds`, taken by the agent in the asker's place."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling import pprof
from runtime_exporter.web.page import Ask, Reply, Route, html
from runtime_exporter.web.pprof_pages import PATH, attachment, refusal
from runtime_exporter.web.style import document

if TYPE_CHECKING:
    from runtime_exporter.agent.watcher import Watcher

# The parts of the path that Go calls differently from what the profile is.
_KINDS: Final = {"profile": "cpu"}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def last_profiles_route(watcher: Watcher, *, longest: float) -> Route:
    """Return the pages; a new profile takes `longest` seconds at most."""
    title = "Profiles: the last interval's, and with seconds= a new one; for go tool pprof"
    return Route(PATH, _Pages(watcher, longest), methods=("GET",), subtree=True, title=title)


class _Pages:
    """The index, and a profile a kind."""

    def __init__(self, watcher: Watcher, longest: float) -> None:
        self._watcher = watcher
        self._longest = longest

    def __call__(self, ask: Ask) -> Reply:
        if not ask.rest:
            return self._index(ask.root)
        kind = _KINDS.get(ask.rest, ask.rest)
        wanted = ask.query.get("seconds", [""])[-1]
        if not wanted:
            return self._last(kind, ask.rest)
        seconds = _seconds(wanted)
        if seconds is None or seconds > self._longest:
            return refusal(400, f'invalid value for "seconds" - a number up to {self._longest:g} is needed')
        try:
            return attachment(ask.rest, pprof.encode(self._watcher.source.capture(kind, seconds, ask.gone)))
        except ProfileError as error:
            return refusal(500, f"Could not take the profile {ask.rest}: {error}")

    def _last(self, kind: str, name: str) -> Reply:
        interval = self._watcher.report.interval
        profile = interval.profiles.get(kind) if interval is not None else None
        if profile is None:
            why = self._watcher.state.problem or "the last interval has none"
            return refusal(404, f"No profile {name} of {self._watcher.name}: {why}")
        return attachment(name, pprof.encode(profile))

    def _index(self, root: str) -> Reply:
        interval = self._watcher.report.interval
        kinds = sorted(interval.profiles) if interval is not None else []
        rows = "".join(_row(root, _NAMES.get(kind, kind)) for kind in kinds)
        body = (
            f"<header><h1>{escape(self._watcher.name)}</h1>"
            '<p class="soft">The profiles of its last interval, in the format of pprof.'
            " <code>profile?seconds=10</code> takes a new one.</p></header>\n"
            + (f"<dl>\n{rows}</dl>\n" if rows else "<p>There is none yet.</p>\n")
            + f'<footer><a href="{escape(root or "/", quote=True)}">All of this target</a></footer>\n'
        )
        return html(document(f"Profiles of {self._watcher.name}", body))


def _row(root: str, name: str) -> str:
    return f'<div><dt><a href="{escape(f"{root}{PATH}/{name}", quote=True)}">{escape(name)}</a></dt></div>\n'


def _seconds(written: str) -> float | None:
    try:
        seconds = float(written)
    except ValueError:
        return None
    return seconds if 0 < seconds < math.inf else None
