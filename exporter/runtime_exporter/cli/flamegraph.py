"""`runtime-exporter flamegraph FILE -o out.html`: a profile, or what changed between two, as a picture to search and to zoom."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePath

import click

from runtime_exporter.cli import profilefile
from runtime_exporter.profiling.flamegraph import render, render_change


@click.command(name="flamegraph")
@click.argument("file", metavar="[BEFORE] FILE")
@click.argument("after", required=False, metavar="")
@click.option("-o", "--output", metavar="HTML", required=True, help="Where to write the page; - is standard output.")
@click.option("--title", metavar="TEXT", default="", help="The page's title; default: the file's name.")
@click.option(
    "--normalised", is_flag=True, help="Of two profiles: scale BEFORE to the total of FILE, to compare shares."
)
@profilefile.sample_type_option
def command(*, file: str, after: str | None, output: str, title: str, normalised: bool, sample_type: str) -> None:
    """Write a flame graph of a profile: one HTML file that loads nothing, to send or to keep.

    FILE is a profile in pprof's format; - reads standard input. All its sample types are in the page, --sample-type is the one
    that it shows first. In the page: click or Enter zooms, / searches, arrows move.

    With BEFORE it shows what changed: red grew, blue shrank, and a frame is as wide as what it was and is together.
    """
    if after is None:
        profile = profilefile.read(file)
        profilefile.check_sample_type(profile, sample_type)
        page = render(profile, title=title or _named(file), sample_type=sample_type)
    else:
        old, new = profilefile.read_two(file, after, sample_type)
        title = title or f"{_named(file)} → {_named(after)}"
        page = render_change(old, new, title=title, sample_type=sample_type, normalised=normalised)
    if output == "-":
        click.echo(page, nl=False)
        return
    _write(Path(output), page)
    click.echo(f"wrote {output}", err=True)


def _named(file: str) -> str:
    return "Profile" if file == "-" else PurePath(file).name


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 - it is open already
            file.write(text)
        Path(scratch).chmod(0o666 & ~_umask())
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
