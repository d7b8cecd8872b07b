"""/: what this is and what it serves."""

from __future__ import annotations

import os
import platform
import socket
from html import escape
from typing import TYPE_CHECKING

from runtime_exporter.web.page import Ask, Reply, Route, html
from runtime_exporter.web.style import document
from runtime_exporter.web.version import version

if TYPE_CHECKING:
    from collections.abc import Callable


def make_landing_page(routes: tuple[Route, ...]) -> Callable[[Ask], Reply]:
    """Return the page: links to the routes that have a title."""

    def page(ask: Ask) -> Reply:
        links = "".join(_link(ask.root, route) for route in routes)
        about = f"Python {platform.python_version()}, process {os.getpid()} on {socket.gethostname()}"
        head = f'<header><h1>runtime_exporter</h1><p class="soft">Version {escape(version())}. {escape(about)}.</p></header>\n'
        return html(document("runtime_exporter", f"{head}<dl>\n{links}</dl>\n"))

    return page


def _link(root: str, route: Route) -> str:
    if not route.title:
        return ""
    path = escape(root + route.path, quote=True)
    return f'<div><dt><a href="{path}">{path}</a></dt><dd>{escape(route.title)}</dd></div>\n'
