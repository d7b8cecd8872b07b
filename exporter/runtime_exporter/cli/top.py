"""`runtime-exporter top FILE`: the functions of a profile that cost most."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import click

from runtime_exporter.cli import profilefile
from runtime_exporter.profiling.amounts import Amounts, counted, percent
from runtime_exporter.profiling.table import tabulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runtime_exporter.profiling.profile import Profile
    from runtime_exporter.profiling.table import Table


@click.command(name="top")
@profilefile.argument
@click.option(
    "--sort", type=click.Choice(["self", "cum"]), default="self", show_default=True, help="Which column leads."
)
@click.option("-n", "--rows", type=click.IntRange(min=1), default=20, show_default=True, help="How many functions.")
@profilefile.sample_type_option
@profilefile.json_option
def command(*, file: str, sort: str, rows: int, sample_type: str, as_json: bool) -> None:
    """Show what each function of a profile cost: flat is its own, cum is with everything that it called.

    FILE is a profile in pprof's format, of Python, Go or anything else; - reads standard input. Functions are called as in the
    metrics: type arguments are left out, and the garbage collector is one function. What a lock or a queue made wait is counted
    for who waited.
    """
    profile = profilefile.read(file)
    profilefile.check_sample_type(profile, sample_type)
    table = tabulate(profile, sample_type)
    names = _leading(table, sort=sort)
    if as_json:
        profilefile.echo_json(_content(profile, table, names[:rows]))
        return
    click.echo(profilefile.describe(profile, sample_type))
    click.echo("\n".join(_lines(table, names[:rows])))


def _leading(table: Table, *, sort: str) -> list[str]:
    """Return the functions, those that come first by `sort`, self or cum, first."""
    leading, second = (table.self_, table.cum) if sort == "self" else (table.cum, table.self_)
    return sorted(table.cum, key=lambda name: (-abs(leading.get(name, 0)), -abs(second.get(name, 0)), name))


def _content(profile: Profile, table: Table, names: Sequence[str]) -> dict[str, object]:
    return {
        "kind": table.kind,
        "unit": table.unit,
        "total": table.total,
        "samples": table.samples,
        **profilefile.about(profile),
        "functions": [_row(table, name) for name in names],
        "left_out": len(table.cum) - len(names),
    }


def _row(table: Table, name: str) -> dict[str, object]:
    own, cum = table.self_.get(name, 0.0), table.cum[name]
    file, line = table.info.get(name, ("", 0))
    share = 1 / table.total if table.total else 0.0
    return {
        "function": name,
        "file": file,
        "line": line,
        "self": own,
        "self_share": own * share,
        "cum": cum,
        "cum_share": cum * share,
    }


def _lines(table: Table, names: Sequence[str]) -> Iterator[str]:
    """Yield a heading and a line for each function."""
    amount = Amounts(table.unit, table.total)
    flats = [table.self_.get(name, 0) for name in names]
    sums = list(accumulate(flats))
    share = percent(sums[-1] if sums else 0, table.total)
    yield f"{amount(table.total)} in {counted(table.samples, 'sample')}; {len(names)} of {len(table.cum)} functions, with {share} of it"
    yield f"{'flat':>10} {'flat%':>7} {'sum%':>7} {'cum':>10} {'cum%':>7}  function"
    for name, flat, total_so_far in zip(names, flats, sums, strict=True):
        cum = table.cum[name]
        yield (
            f"{amount(flat):>10} {percent(flat, table.total):>7} {percent(total_so_far, table.total):>7}"
            f" {amount(cum):>10} {percent(cum, table.total):>7}  {name}"
        )
