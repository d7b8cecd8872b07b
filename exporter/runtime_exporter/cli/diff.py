"""`runtime-exporter diff BEFORE AFTER`: what became more expensive, and what cheaper, between two profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime_exporter.cli import profilefile
from runtime_exporter.profiling.amounts import Amounts
from runtime_exporter.profiling.difference import changes
from runtime_exporter.profiling.table import tabulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runtime_exporter.profiling.difference import Change
    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.table import Table

_ALIKE = 1.1  # durations that differ by less are compared as they are


@click.command(name="diff")
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@click.option(
    "--sort", type=click.Choice(["self", "cum"]), default="self", show_default=True, help="Which value to compare."
)
@click.option("-n", "--rows", type=click.IntRange(min=1), default=20, show_default=True, help="How many functions.")
@click.option(
    "--normalised", is_flag=True, help="Scale BEFORE to the total of AFTER, and sort by the change of shares."
)
@profilefile.sample_type_option
@profilefile.json_option
def command(
    *, before: str, after: str, sort: str, rows: int, normalised: bool, sample_type: str, as_json: bool
) -> None:
    """Show the functions that changed most from BEFORE to AFTER: in amounts, and in percentage points of the total.

    Amounts tell what became slower when both profiles saw the same work; shares (--normalised) compare profiles of different
    lengths or load. One of the files may be - for standard input.
    """
    old, new = profilefile.read_two(before, after, sample_type)
    tables = tabulate(old, sample_type), tabulate(new, sample_type)
    found = changes(*tables, column=sort, normalised=normalised)
    if as_json:
        profilefile.echo_json(_content((old, new), tables, found, rows))
        return
    click.echo(_heading(*tables))
    if not normalised and _differ(old, new):
        click.echo("the profiles differ in length: amounts say little, see the shares (--normalised sorts by them)")
    if not found:
        click.echo("no difference")
        return
    click.echo("\n".join(_lines(found[:rows], tables, sort)))
    if len(found) > rows:
        click.echo(f"... and {len(found) - rows} more that changed")


def _content(
    profiles: tuple[Profile, Profile], tables: tuple[Table, Table], found: Sequence[Change], rows: int
) -> dict[str, object]:
    sides = ("before", "after")
    return {
        "kind": tables[1].kind,
        "unit": tables[1].unit,
        **{
            side: {"total": table.total, **profilefile.about(profile)}
            for side, table, profile in zip(sides, tables, profiles, strict=True)
        },
        "functions": [
            {**change._asdict(), "change": change.amount, "share_change": change.share} for change in found[:rows]
        ],
        "left_out": max(0, len(found) - rows),
    }


def _heading(before: Table, after: Table) -> str:
    amount = Amounts(after.unit, max(before.total, after.total))
    change = f" ({(after.total / before.total - 1) * 100:+.1f}%)" if before.total else ""
    return f"{after.kind}: {amount(before.total)} before, {amount(after.total)} after{change}"


def _differ(old: Profile, new: Profile) -> bool:
    shorter, longer = sorted((old.duration_nanos, new.duration_nanos))
    return longer > shorter * _ALIKE


def _lines(found: Sequence[Change], tables: tuple[Table, Table], column: str) -> Iterator[str]:
    largest = max(max(abs(change.before), abs(change.after)) for change in found)
    amount = Amounts(tables[1].unit, largest)
    yield f"{'before':>10} {'after':>10} {'change':>11}  {'before%':>8} {'after%':>8} {'points':>7}  function ({column})"
    for change in found:
        yield (
            f"{amount(change.before):>10} {amount(change.after):>10} {amount(change.amount, '+'):>11}"
            f"  {change.share_before * 100:>7.2f}% {change.share_after * 100:>7.2f}% {change.share * 100:>+7.2f}  {change.function}"
        )
