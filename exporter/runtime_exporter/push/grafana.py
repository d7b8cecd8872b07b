"""A mark in Grafana's panels where a profile was taken for an alert, with the link to it (POST /api/annotations)."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from runtime_exporter.credentials import Credentials
from runtime_exporter.errors import ConfigError, ExporterError
from runtime_exporter.logs import StateLog
from runtime_exporter.push.post import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.captures import Captured
    from runtime_exporter.settings import Settings

TAGS: Final = ("runtime-exporter", "profile")
"""Of every annotation, before the alert's name and the kind of profile: what a panel's query asks for."""
_TIMEOUT_SECONDS = 5.0
_LABELS = ("job", "instance", "severity")


def annotations_of(settings: Settings, home: Callable[[], str]) -> Annotations | None:
    """Return what tells Grafana of profiles for these settings, None without `grafana_url`. `home` is where we are served.

    Raises ConfigError for a file with the token that cannot be used, or without an address that it is for.
    """
    url, path = settings.grafana_url, settings.grafana_token_file
    if url is None:
        if path:
            source = settings.source("grafana_token_file")
            message = f"grafana_token_file ({source}) needs grafana_url: where the token is for"
            raise ConfigError(message, setting="grafana_token_file", source=source)
        return None
    credentials = Credentials("Bearer", path, setting="grafana_token_file") if path else None

    def headers() -> dict[str, str]:
        return {"Authorization": credentials.header()} if credentials is not None else {}

    headers()

    return Annotations(Server(url, headers, timeout=_TIMEOUT_SECONDS), url, home)


class Annotations:
    """Tells Grafana of each profile. What fails is one line in the log, when it begins and when it ends."""

    def __init__(self, server: Server, url: str, home: Callable[[], str], log: StateLog | None = None) -> None:
        self._server = server
        self._url = url
        self._home = home
        self._log = log or StateLog()

    def __call__(self, captured: Captured) -> None:
        """Make the annotation."""
        body = json.dumps(annotation(captured, self._home())).encode()
        try:
            self._server.post("/api/annotations", "application/json", body)
        except ExporterError as error:
            self._log.report("grafana", "failing", f"Grafana at {self._url} takes no annotation: {error}")
        else:
            self._log.report("grafana", "ok", f"Grafana at {self._url} takes annotations again")


def annotation(captured: Captured, home: str) -> dict[str, object]:
    """Return what Grafana is told: a region from the beginning to the end of the profile, in milliseconds."""
    entry, alert = captured.entry, captured.alert
    link = f"{base_of(alert.link) or home}/profiles/{quote(entry.name, safe='')}"
    about = "".join(f"<br>{name}: {escape(alert.labels[name])}" for name in _LABELS if name in alert.labels)
    return {
        "time": round(entry.begin * 1000),
        "timeEnd": round(entry.end * 1000),
        "tags": [*TAGS, alert.name, entry.kind],
        "text": f'<a href="{escape(link)}">{entry.kind} profile for {escape(alert.name)}</a>{about}',
    }


def base_of(link: str) -> str:
    """Return where the exporter is for who got this link of a notification; empty for what is no such link."""
    base, found, _ = link.partition("/profiles/")
    try:
        parts = urlsplit(base)
    except ValueError:
        return ""
    return base if found and parts.scheme in ("http", "https") and parts.netloc else ""
