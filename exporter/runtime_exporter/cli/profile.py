"""`runtime-exporter profile`: the profile of a service by its URL, or of a process by its pid, as a file of pprof."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import click
import requests

from runtime_exporter.errors import MissingExtraError, ProfileError
from runtime_exporter.profiling import foreign, pprof
from runtime_exporter.profiling.amounts import Amounts
from runtime_exporter.profiling.samplers import pyspy
from runtime_exporter.profiling.table import tabulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.profile import Profile

# kind -> the last part of its path, as Go has them, and whether it is taken over a time.
KINDS = {
    "cpu": ("profile", True),
    "wall": ("wall", True),
    "heap": ("heap", False),
    "allocs": ("allocs", False),
    "goroutine": ("goroutine", False),
    "block": ("block", False),
    "mutex": ("mutex", False),
}
_OF_A_PROCESS = ("cpu", "wall")
_PATH = "/debug/pprof"
_USUAL_SECONDS = 10
_PATIENCE_SECONDS = 30.0  # for an answer, beyond the time that the profile itself takes
_TICK_SECONDS = 0.1
_TOP = 3
_WORTH_A_WORD = 0.01


@click.command(name="profile")
@click.option("--url", help="A service that serves /debug/pprof/, in Python or Go, such as http://127.0.0.1:9464.")
@click.option("--pid", type=click.IntRange(min=1), help="A Python process of this machine; needs the extra [pyspy].")
@click.option("--kind", type=click.Choice([*KINDS]), default="cpu", show_default=True, help="What to profile.")
@click.option(
    "--seconds",
    type=click.IntRange(min=1),
    help=f"How long; {_USUAL_SECONDS} for cpu and wall. The others say how things are, or with this what came to be meanwhile.",
)
@click.option("-o", "--output", metavar="FILE", help="Where to write; - is standard output.  [default: KIND.pb.gz]")
def command(url: str | None, pid: int | None, kind: str, seconds: int | None, output: str | None) -> None:
    """Take a profile and write it as gzipped pprof, for `go tool pprof FILE` and whatever else reads that.

    A user and a password may stand in the URL or in ~/.netrc; REQUESTS_CA_BUNDLE names the authority of a private certificate.
    """
    if (url is None) == (pid is None):
        raise click.UsageError("one of --url and --pid is needed")
    if output == "-" and sys.stdout.isatty():
        raise click.UsageError("a profile is binary: send standard output to a file or a pipe, or name a file with -o")
    target = Path(output or f"{kind}.pb.gz")
    if output != "-" and not target.absolute().parent.is_dir():  # to be told now, not after minutes
        raise click.BadParameter(f"{target.absolute().parent} is no directory", param_hint="-o")
    lasts = seconds or (_USUAL_SECONDS if KINDS[kind][1] else 0)
    take = _of_url(url, kind, lasts) if url is not None else _of_process(pid or 0, kind, lasts)
    data = _watched(take, f"{kind} profile of {_shown(url) if url else f'process {pid}'}", lasts)
    profile = pprof.decode(data)  # what is no profile is not written
    if output == "-":
        sys.stdout.buffer.write(data)
    else:
        _write(target, data)
    click.echo(_summary(profile, kind, "standard output" if output == "-" else str(target)), err=True)


def address(url: str, kind: str) -> str:
    """Return the URL of a profile: `url` itself where it names one, else the path that Go has for the kind below it."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter("an address such as http://127.0.0.1:9464 is needed", param_hint="--url")
    base, found, name = parts.path.rstrip("/").partition(_PATH)
    path = parts.path if found and name else f"{base}{_PATH}/{KINDS[kind][0]}"
    return urlunsplit(parts._replace(path=path, fragment=""))


def _of_url(url: str, kind: str, seconds: int) -> Callable[[], bytes]:
    where = address(url, kind)

    def take() -> bytes:
        try:
            answer = requests.get(
                where,
                params={"seconds": str(seconds)} if seconds else None,
                timeout=(_PATIENCE_SECONDS, _PATIENCE_SECONDS + seconds * 1.5),
            )
        except requests.Timeout:
            raise ProfileError(f"{_shown(where)} does not answer in time") from None
        except requests.RequestException as error:
            raise ProfileError(f"{_shown(where)} cannot be asked: {_cause(error)}") from None
        if not answer.ok:
            first = (
                next(iter(answer.text.splitlines()), "")
                if "text/plain" in answer.headers.get("Content-Type", "")
                else ""
            )
            said = first.removeprefix(f"{answer.status_code} ") or answer.reason
            raise ProfileError(f"{_shown(where)} says {answer.status_code} {said}")
        return answer.content

    return take


def _of_process(pid: int, kind: str, seconds: int) -> Callable[[], bytes]:
    if kind not in _OF_A_PROCESS:
        raise click.UsageError(f"--pid takes {' and '.join(_OF_A_PROCESS)} profiles: {kind} needs --url")
    try:
        program = pyspy.program()
    except ProfileError:
        raise MissingExtraError("pyspy", module="py-spy") from None
    return lambda: pprof.encode(foreign.record(pid, seconds, kind, program=program))


def _watched(take: Callable[[], bytes], what: str, seconds: int) -> bytes:
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


def _summary(profile: Profile, kind: str, where: str) -> str:
    """Return a line that says what was written and which functions have most of it."""
    if not profile.samples:
        return f"{where}: no samples, nothing of that kind happened"
    table = tabulate(profile, kind=kind if kind != "goroutine" else "threads")
    largest = sorted(table.self_.items(), key=lambda item: -item[1])[:_TOP]
    shares = [
        f"{name} {value / table.total:.0%}" for name, value in largest if value >= _WORTH_A_WORD * table.total > 0
    ]
    return f"{where}: {Amounts(table.unit, table.total)(table.total)} of {kind}" + "".join(f", {one}" for one in shares)


def _write(target: Path, data: bytes) -> None:
    """Write the whole file or nothing of it."""
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _shown(url: str | None) -> str:
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
