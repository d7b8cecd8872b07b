"""`runtime-exporter profile`: the profile of a service by its URL, or of a process by its pid, as a file of pprof."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime_exporter.cli.service import KINDS, of_url, shown, watched
from runtime_exporter.errors import MissingExtraError, ProfileError
from runtime_exporter.profiling import foreign, pprof
from runtime_exporter.profiling.amounts import Amounts
from runtime_exporter.profiling.samplers import pyspy
from runtime_exporter.profiling.table import tabulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime_exporter.profiling.profile import Profile

_OF_A_PROCESS = ("cpu", "wall")
_USUAL_SECONDS = 10
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
    take = of_url(url, kind, lasts) if url is not None else _of_process(pid or 0, kind, lasts)
    data = watched(take, f"{kind} profile of {shown(url) if url else f'process {pid}'}", lasts)
    profile = pprof.decode(data)  # what is no profile is not written
    if output == "-":
        sys.stdout.buffer.write(data)
    else:
        _write(target, data)
    click.echo(_summary(profile, kind, "standard output" if output == "-" else str(target)), err=True)


def _of_process(pid: int, kind: str, seconds: int) -> Callable[[], bytes]:
    if kind not in _OF_A_PROCESS:
        raise click.UsageError(f"--pid takes {' and '.join(_OF_A_PROCESS)} profiles: {kind} needs --url")
    try:
        program = pyspy.program()
    except ProfileError:
        raise MissingExtraError("pyspy", module="py-spy") from None
    return lambda: pprof.encode(foreign.record(pid, seconds, kind, program=program))


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
