"""/profiles/alert/<Name>: where the link of an alert's notification leads."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from runtime_exporter.profiling.alerts import ALERT, KINDS, PROFILE, Alert
from runtime_exporter.web import profile_views as views
from runtime_exporter.web.page import Ask, Reply, html
from runtime_exporter.web.profile_sheet import Sheet, field
from runtime_exporter.web.profile_views import link
from runtime_exporter.web.runbooks import directory
from runtime_exporter.web.style import document

if TYPE_CHECKING:
    from runtime_exporter.profiling.captures import Captures
    from runtime_exporter.profiling.shelf import Shelf
    from runtime_exporter.profiling.stored import Entry

_NAME = re.compile(r"\w{1,100}", re.ASCII)  # of our own alerts, which have runbooks; others may be called anything
_REGRESSION = "RuntimeProfileRegression"
_LONGEST_WAIT = 3.0  # seconds after which a page that waits for a profile looks again, at the latest


class AlertPage:
    """The newest profile for an alert; else a page that waits for it; else the newest profile that may explain the alert."""

    def __init__(self, shelf: Shelf, captures: Captures | None, sheet: Sheet) -> None:
        self._shelf = shelf
        self._captures = captures
        self._sheet = sheet

    def __call__(self, ask: Ask, name: str) -> Reply:
        """Return the page for an alert of this name."""
        kind = field(ask, "profile")
        every = self._shelf.entries(labels={ALERT: name})
        taken = [one for one in every if one.kind == kind] or every
        left = self._captures.left(name) if self._captures is not None else None
        if left is not None and not taken:
            return _waiting(ask, name, left)
        entry = taken[0] if taken else self._explaining(name, kind)
        if entry is None:
            return self._without(ask, name)
        before = self._remark(name, left, taken=bool(taken))
        before += self._instead(name, kind, entry.kind) if taken else ""
        before += self._regressions(name, entry.kind, field(ask, "function"))
        profile = self._shelf.read(entry.name)
        content = self._sheet.shown(ask, name, entry, profile, before=before, more=_runbook(name))
        return html(document(name, content + views.footer(ask.root), wide=True), frames=True)

    def _remark(self, name: str, left: float | None, *, taken: bool) -> str:
        """Return what is to be known of a profile that is not quite the one that was asked for."""
        if left is not None:
            return views.note(f'A new profile is being taken for it: <a href="">look again</a> in {left:.0f} s.')
        if taken:
            return ""
        why = escape(self._why(name))
        return views.note(f"This profile was not taken for the alert: {why}. It is the newest that may explain it.")

    def _instead(self, name: str, wanted: str, kind: str) -> str:
        """Return why the profile is of a kind that explains the alert less well than another."""
        labels = {PROFILE: wanted} if wanted else {}
        why = self._captures.instead(Alert(name, labels), kind) if self._captures is not None else ""
        return views.note(f"It is a {escape(kind)} profile: {escape(why)}.") if why else ""

    def _explaining(self, name: str, kind: str) -> Entry | None:
        kinds = [kind] if kind else [*KINDS.get(name, ()), "cpu", "wall"]
        found = (self._shelf.entries(one) for one in kinds)
        return next((entries[0] for entries in found if entries), None)

    def _why(self, name: str) -> str:
        if self._captures is None:
            return "alerts take no profiles here"
        return self._captures.outcome(name) or "Alertmanager has not sent it here (POST /-/alert)"

    def _without(self, ask: Ask, name: str) -> Reply:
        said = f"There is no profile for {name}: {self._why(name)}, and nothing else is kept that may explain it."
        return html(views.nothing(ask.root, said, title=name, more=_runbook(name)), 404)

    def _regressions(self, name: str, kind: str, function: str) -> str:
        findings = self._sheet.findings(kind) if name == _REGRESSION else ()
        return f"<h2>Compared with the past</h2>\n{views.regressions(findings, function)}" if findings else ""


def _runbook(name: str) -> list[tuple[str, str]]:
    known = _NAME.fullmatch(name) and (directory() / f"{name}.md").is_file()
    return [(f"/runbooks/{quote(name)}", "What to do about this alert")] if known else []


def _waiting(ask: Ask, name: str, left: float) -> Reply:
    about = f"A profile is being taken for this alert: {left:.0f} s left. This page looks again by itself."
    body = views.header(name, about, [*_runbook(name), (link(ask.root), "All profiles")]) + views.footer(ask.root)
    return html(document(name, body, again=max(1.0, min(left, _LONGEST_WAIT))))
