"""`runtime-exporter check [DIR]`: whether generated files are right, by the tools that will read them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from runtime_exporter.cli.generate import configuration_options
from runtime_exporter.errors import CheckError, ConfigError
from runtime_exporter.mixin import business, check, config, contract, exposition, write
from runtime_exporter.mixin.generate import generate


@click.command(name="check")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@configuration_options
@click.option(
    "--metrics",
    "catalogues",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What targets expose: a saved /metrics, or names of metrics. Rules and dashboards may then read nothing else. Again for more.",
)
def command(
    directory: Path | None, files: tuple[Path, ...], assignments: tuple[str, ...], catalogues: tuple[Path, ...]
) -> None:
    """Check the files in DIR, or those that --config and --set would generate: promtool, amtool, dashboards, names of metrics.

    Prints all findings, and fails if there are any. promtool comes with Debian's package prometheus, amtool with
    prometheus-alertmanager; a missing one is a finding.
    """
    if directory is not None and (files or assignments):
        raise click.UsageError("DIR is checked as it is: --config and --set are for a check without DIR")
    scrapes = [_text(path) for path in catalogues]
    known = frozenset().union(*map(contract.names_exposed, scrapes)) if scrapes else None
    if directory is not None:
        _report(str(directory), check.check(directory, known=known))
        return
    overrides = config.load(files, assignments)
    texts = generate(overrides)
    measured = overrides.values.get(business.SECTION) or []
    findings = business.mismatches(measured, exposition.families(scrapes)) if scrapes else []
    with tempfile.TemporaryDirectory(prefix="runtime-exporter-") as scratch:
        target = Path(scratch)
        write.apply(write.plan(target, texts))
        findings += check.check(target, known=known)
    _report("the generated files", [finding.replace(f"{scratch}/", "") for finding in findings])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(
            f"--metrics {path}: {reason}", setting="metrics", value=str(path), source="--metrics"
        ) from None


def _report(what: str, findings: list[str]) -> None:
    if findings:
        raise CheckError(findings)
    click.echo(f"{what}: no findings")
