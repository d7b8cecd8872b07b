"""Profiles of a service, over HTTP, with somebody watching: where they are, fetching one, and how far it is."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import click
import requests

from runtime_exporter.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable

# kind -> the last part of its path, as Go has them, and whether it is taken over a time.
KINDS = {
    "cpu": ("profile", True),
    "wall": ("wall", True),
    "heap": ("heap", False),
    "allocs": ("allocs", False),
    "goroutine": ("goroutine", False),
    "block": ("block", False),
    "mutex": ("mutex", False),
    "goroutineleak": ("goroutineleak", False),
}
_PATH = "/debug/pprof"
_PATIENCE_SECONDS = 30.0  # for an answer, beyond the time that the profile itself takes
_TICK_SECONDS = 0.1


def address(url: str, kind: str) -> str:
    """Return the URL of a profile: `url` itself where it names one, else the path that Go has for the kind below it."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter("an address such as http://127.0.0.1:9464 is needed", param_hint="--url")
    base, found, name = parts.path.rstrip("/").partition(_PATH)
    path = parts.path if found and name else f"{base}{_PATH}/{KINDS[kind][0]}"
    return urlunsplit(parts._replace(path=path, fragment=""))


def of_url(url: str, kind: str, seconds: int) -> Callable[[], bytes]:
    """Return what fetches a profile of a service; it raises ProfileError where that cannot be had."""
    where = address(url, kind)

    def take() -> bytes:
        try:
            answer = requests.get(
                where,
                params={"seconds": str(seconds)} if seconds else None,
                timeout=(_PATIENCE_SECONDS, _PATIENCE_SECONDS + seconds * 1.5),
            )
        except requests.Timeout:
            raise ProfileError(f"{shown(where)} does not answer in time") from None
        except requests.RequestException as error:
            raise ProfileError(f"{shown(where)} cannot be asked: {_cause(error)}") from None
        if not answer.ok:
            first = (
                next(iter(answer.text.splitlines()), "")
                if "text/plain" in answer.headers.get("Content-Type", "")
                else ""
            )
            said = first.removeprefix(f"{answer.status_code} ") or answer.reason
            raise ProfileError(f"{shown(where)} says {answer.status_code} {said}")
        return answer.content

    return take


def watched(take: Callable[[], bytes], what: str, seconds: int) -> bytes:
    """Return what `take` does, done on a thread while this one shows the time that has passed and can be interrupted."""
    results: list[bytes] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            results.append(take())
        except Exception as error:  # noqa: BLE001 - raised again below, where somebody can see it
            errors.append(error)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    label = f"{what}{f' over {seconds} s' if seconds else ''}"
    if sys.stderr.isatty() and seconds:
        _show(worker, label, seconds)
    else:
        click.echo(label, err=True)
    while worker.is_alive():
        worker.join(_TICK_SECONDS)
    if errors:
        raise errors[0]
    return results[0]


def _show(worker: threading.Thread, label: str, seconds: int) -> None:
    began = time.monotonic()
    with click.progressbar(length=seconds * 10, label=label, file=sys.stderr) as bar:
        while worker.is_alive():
            worker.join(_TICK_SECONDS)
            done = int((time.monotonic() - began) * 10)
            bar.update(max(0, min(done, seconds * 10 - 1) - bar.pos))
        bar.update(seconds * 10 - bar.pos)


def shown(url: str | None) -> str:
    """Return a URL without the password in it."""
    parts = urlsplit(url or "")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="")) if host else (url or "")


def _cause(error: requests.RequestException) -> str:
    """Return the innermost reason: requests wraps it three times."""
    cause: BaseException = error
    while (inner := getattr(cause, "reason", None) or cause.__context__) and isinstance(inner, BaseException):
        cause = inner
    return getattr(cause, "strerror", None) or str(cause).rpartition(": ")[2]
