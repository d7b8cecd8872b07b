"""`runtime-exporter list`: the settings, the collectors and the metrics of this installation."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click

from runtime_exporter.agent.collector import AgentCollector
from runtime_exporter.collectors import ALL
from runtime_exporter.exporter import Exporter
from runtime_exporter.http import HTTPMetrics
from runtime_exporter.metrics import catalogue
from runtime_exporter.metrics.catalogue import exposed_name
from runtime_exporter.settings import SETTINGS, Settings, load, select
from runtime_exporter.settings.page import page, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runtime_exporter.collectors import Collector

_WIDEST, _NARROWEST = 28, 24
"""Characters of a column in a terminal: of one between the first and the last at most, of the last at least."""

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
    # A default that is in effect is in the column before.
    lines = [
        (row.name, written(row.value), row.source, written(row.default) if row.value != row.default else "", row.help)
        for row in rows
    ]
    _echo_table(("NAME", "VALUE", "SOURCE", "DEFAULT", "HELP"), lines)


@command.command()
@_json
@_config_file
def collectors(*, as_json: bool, config_file: str | None) -> None:
    """Show every collector, whether the settings let it run, when it is updated, and its metrics."""
    settings = load({"config_file": config_file})
    chosen = select(settings, ALL)
    rows = [_collector_row(make(settings), runs=name in chosen) for name, make in ALL.items()]
    if as_json:
        _echo_json(rows)
        return
    lines = [(row["name"], "yes" if row["runs"] else "no", row["updated"], " ".join(row["metrics"])) for row in rows]
    _echo_table(("NAME", "RUNS", "UPDATED", "METRICS"), lines)


@command.command()
@_json
@click.option("--markdown", is_flag=True, help="Write the page docs/metrics.md.")
@_config_file
def metrics(*, as_json: bool, markdown: bool, config_file: str | None) -> None:
    """Show every metric that may be exposed, apart from the application's own."""
    if markdown:
        everything = Exporter(Settings(http_body_sizes=True), http=HTTPMetrics(body_sizes=True))
        click.echo(catalogue.page([*everything.families(), *AgentCollector(tuple).families]), nl=False)
        return
    families = Exporter(load({"config_file": config_file})).families()
    rows: list[dict[str, Any]] = [
        {
            "name": exposed_name(metric.family),
            "type": metric.family.type,
            "labels": list(metric.family.labelnames),
            "help": metric.family.documentation,
        }
        for metric in sorted(families, key=lambda metric: exposed_name(metric.family))
    ]
    if as_json:
        _echo_json(rows)
        return
    lines = [(row["name"], row["type"], ",".join(row["labels"]), row["help"]) for row in rows]
    _echo_table(("NAME", "TYPE", "LABELS", "HELP"), lines)


def _collector_row(collector: Collector, *, runs: bool) -> dict[str, Any]:
    return {
        "name": collector.name,
        "runs": runs,
        "updated": "at a scrape" if collector.interval is None else f"every {collector.interval:g} s",
        "metrics": [exposed_name(metric.family) for metric in collector.families],
    }


def _echo_json(rows: Sequence[object]) -> None:
    click.echo(json.dumps(rows, indent=2))


def _echo_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    click.echo("\n".join(aligned(header, lines, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)))


def aligned(header: Sequence[str], lines: Sequence[Sequence[str]], columns: int | None = None) -> Iterator[str]:
    """Yield the lines of a table whose columns line up.

    For a terminal of so many `columns` every cell but the first goes on below itself where it is long. None: one line a
    row, all of it, for a reader to grep or cut.
    """
    most = None if columns is None else _WIDEST
    table = [[[line[0]], *(_wrapped(cell, most) for cell in line[1:-1]), [line[-1]]] for line in (header, *lines)]
    widths = [max(len(part) for cell in column for part in cell) for column in zip(*table, strict=True)][:-1]
    left = None if columns is None else max(_NARROWEST, columns - sum(widths) - 2 * len(widths))
    for *cells, (last,) in table:
        for parts in zip_longest(*cells, _wrapped(last, left), fillvalue=""):
            padded = [part.ljust(width) for part, width in zip(parts, widths, strict=False)]
            yield "  ".join([*padded, parts[-1]]).rstrip()


def _wrapped(text: str, width: int | None) -> list[str]:
    """Return the lines of a cell; a list without spaces is broken at its commas."""
    if width is None or len(text) <= width:
        return [text]
    spaced = text if " " in text else text.replace(",", ", ")
    return textwrap.wrap(spaced, width, break_on_hyphens=False, break_long_words=False)
