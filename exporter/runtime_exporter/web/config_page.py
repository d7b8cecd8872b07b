"""/debug/config: the settings in effect, and where each came from."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from runtime_exporter.settings.page import written
from runtime_exporter.web.page import Ask, Reply, json_reply, text
from runtime_exporter.web.version import version

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.settings import Settings


def config_page(settings: Settings) -> Callable[[Ask], Reply]:
    """Return the page: a table for a person, JSON where `?format=json` or the Accept header asks for it. Secrets are masked."""

    def page(ask: Ask) -> Reply:
        if ask.query.get("format") == ["json"] or "application/json" in ask.accept:
            return json_reply({"process": _process(), "settings": _settings(settings)})
        return text(_table(settings))

    return page


def _process() -> dict[str, object]:
    return {"version": version(), "python": platform.python_version(), "pid": os.getpid()}


def _settings(settings: Settings) -> dict[str, object]:
    return {row.name: {"value": row.value, "source": row.source, "default": row.default} for row in settings.table()}


def _table(settings: Settings) -> str:
    lines = [f"# {name}: {value}" for name, value in _process().items()]
    rows = [(row.name, written(row.value), row.source) for row in settings.table()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines += [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows]
    return "\n".join(lines) + "\n"
