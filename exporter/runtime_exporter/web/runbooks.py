"""/runbooks/<Alert>: the page that an alert's runbook_url leads to, served by the very thing that is in trouble."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from runtime_exporter.web.markdown import to_html
from runtime_exporter.web.page import Ask, Reply, html, text
from runtime_exporter.web.style import document

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,99}")  # of an alert; a name that is a path finds nothing
_FOOTER = '<footer><a href="/runbooks">All runbooks</a> · <a href="/">runtime_exporter</a></footer>\n'
_PACKAGE = Path(__file__).resolve().parent.parent


def directory() -> Path:
    """Return where the runbooks are: in the package as it is installed, else in the checkout."""
    packaged = _PACKAGE / "_bundle" / "docs" / "runbooks"
    return packaged if packaged.is_dir() else _PACKAGE.parent.parent / "docs" / "runbooks"


def runbook_page(ask: Ask) -> Reply:
    """Return the runbook of an alert, or the list of all."""
    name = ask.rest.removesuffix(".md")
    if not name:
        return html(document("Runbooks", _index(sorted(path.stem for path in directory().glob("*.md")))))
    path = directory() / f"{name}.md"
    if not _NAME.fullmatch(name) or not path.is_file():
        return text("404 Not Found: no such runbook, /runbooks lists them\n", 404)
    content = to_html(path.read_text(encoding="utf-8"))
    return html(document(name, content + _FOOTER))


def _index(names: Iterable[str]) -> str:
    items = "".join(
        f'<li><a href="/runbooks/{escape(name)}">{escape(name)}</a></li>\n' for name in names if name != "README"
    )
    return f"<header><h1>Runbooks</h1></header>\n<ul>\n{items}</ul>\n{_FOOTER}"
