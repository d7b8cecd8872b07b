"""Pushing put together as the settings say."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from runtime_exporter.credentials import BASIC, Credentials
from runtime_exporter.errors import ConfigError
from runtime_exporter.push import pyroscope
from runtime_exporter.push.post import Server
from runtime_exporter.push.push import Push

if TYPE_CHECKING:
    from runtime_exporter.push.pyroscope import Item
    from runtime_exporter.settings import Settings

HOST_LABEL = "hostname"
SERVICE_LABEL = "service_name"
"""The label of a profile that names its application, where profiles are of several."""


def push_of(settings: Settings, *, host: str = "", each_named: bool = False) -> Push:
    """Return what pushes profiles for these settings, not started; without `pyroscope_url` one that pushes none.

    `host` is the label that tells one machine from another, the machine's name unless given. each_named: profiles are of several
    applications, which each of them names by the label `service_name`. Raises ConfigError for settings that do not go together.
    """
    url = settings.pyroscope_url
    if url is None:
        return Push()
    if not each_named:
        _check_application(settings)
    _check(settings)
    credentials = _credentials(settings)
    server = Server(url, lambda: _headers(credentials, settings.pyroscope_tenant))
    make = {"ingest": pyroscope.ingest, "push": pyroscope.push}[settings.pyroscope_api]

    def send(item: Item) -> None:
        labels = dict(item.labels)
        application = labels.pop(SERVICE_LABEL, "") if each_named else settings.pyroscope_application
        server.post(*make(item._replace(labels=labels), application))

    return Push(
        send,
        check=credentials.header if credentials is not None else None,
        labels={HOST_LABEL: host or socket.gethostname()},
    )


def _credentials(settings: Settings) -> Credentials | None:
    """Return a token where there is a file of one, a user with a password where there is one, else None."""
    token, password = settings.pyroscope_token_file, settings.pyroscope_password_file
    if token:
        return Credentials("Bearer", token, setting="pyroscope_token_file")
    if settings.pyroscope_user and password:
        return Credentials(BASIC, password, settings.pyroscope_user, setting="pyroscope_password_file")
    return None


def _headers(credentials: Credentials | None, tenant: str) -> dict[str, str]:
    shown = credentials.header() if credentials is not None else ""
    headers = {"Authorization": shown, "X-Scope-OrgID": tenant, "User-Agent": pyroscope.AGENT}
    return {name: value for name, value in headers.items() if value}


def _check_application(settings: Settings) -> None:
    """Raise ConfigError where there is nothing to push, or no name for it."""
    if not settings.pyroscope_application:
        raise _wrong(
            settings, "pyroscope_application", "is needed with pyroscope_url: the name of the application there"
        )
    if not settings.profiling:
        raise _wrong(
            settings, "profiling", "has to be on for pyroscope_url: what is pushed are the profiles that it takes"
        )


def _check(settings: Settings) -> None:
    """Raise ConfigError for settings that do not go together."""
    if settings.pyroscope_token_file and (settings.pyroscope_user or settings.pyroscope_password_file):
        raise _wrong(settings, "pyroscope_token_file", "and pyroscope_user exclude each other")
    if bool(settings.pyroscope_user) != bool(settings.pyroscope_password_file):
        raise _wrong(settings, "pyroscope_user", "and pyroscope_password_file are needed together")


def _wrong(settings: Settings, name: str, why: str) -> ConfigError:
    source = settings.source(name)
    return ConfigError(f"{name} ({source}) {why}", setting=name, source=source)
