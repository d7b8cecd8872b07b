"""`runtime-exporter list`: the settings, the collectors and the metrics of this installation."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runtime_exporter.settings import SETTINGS, load
from runtime_exporter.settings_page import page, written

if TYPE_CHECKING:
    from collections.abc import Sequence

_json = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
_config_file = click.option("--config-file", metavar="PATH", help="Read the settings of this file.")


@click.group()
def command() -> None:
    """List settings, collectors or metrics."""


@command.command()
@_json
@click.option("--markdown", is_flag=True, help="Write the page docs/settings.md.")
@_config_file
def settings(*, as_json: bool, markdown: bool, config_file: str | None) -> None:
    """Show every setting, where its value comes from, and its default. Secrets are masked."""
    if markdown:
        click.echo(page(SETTINGS), nl=False)
        return
    rows = load({"config_file": config_file}).table()
    if as_json:
        _echo_json([asdict(row) for row in rows])
        return
    lines = [(row.name, written(row.value), row.source, written(row.default), row.help) for row in rows]
    _echo_table(("NAME", "VALUE", "SOURCE", "DEFAULT", "HELP"), lines)


def _echo_json(rows: Sequence[object]) -> None:
    click.echo(json.dumps(rows, indent=2))


def _echo_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Write columns that line up; the last one is as wide as it likes, for a reader to grep or cut."""
    table = [header, *lines]
    widths = [max(len(line[column]) for line in table) for column in range(len(header) - 1)]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        click.echo("  ".join([*cells, line[-1]]).rstrip())
