"""`runtime-exporter generate DIR`: rules, dashboards and Alertmanager files from one configuration."""

from __future__ import annotations

from pathlib import Path

import click

from runtime_exporter.agent.collector import AgentCollector
from runtime_exporter.errors import CheckError
from runtime_exporter.exporter import Exporter
from runtime_exporter.http import HTTPMetrics
from runtime_exporter.metrics import catalogue
from runtime_exporter.mixin import bundle, config, explain, exposed, outputs, write
from runtime_exporter.mixin.generate import generate
from runtime_exporter.settings import Settings


def configuration_options(function: click.decorators.FC) -> click.decorators.FC:
    """Add --config and --set: the configuration of the mixin, as `generate` and `check` take it."""
    with_set = click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override one key, such as alerts.memoryLeak.for=1h; the value is YAML, null deletes. Again for more.",
    )(function)
    return click.option(
        "--config",
        "files",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Override the keys of a YAML or JSON file. Again for more: a later one wins.",
    )(with_set)


def _show_defaults(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo((bundle.root() / "rules" / "config.libsonnet").read_text(encoding="utf-8"), nl=False)
        context.exit()


@click.command(name="generate")
@click.argument("directory", metavar="DIR", required=False, type=click.Path(path_type=Path))
@configuration_options
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Write nothing: show every value, and which file and line, or what else, said it.",
)
@click.option(
    "--target",
    type=click.Choice(outputs.TARGETS),
    help="What evaluates the rules; operator and kubernetes write manifests.  [default: prometheus]",
)
@click.option(
    "--rule-set",
    type=click.Choice(outputs.RULE_SETS),
    default="all",
    help="leaf: the rules that belong beside what is scraped; global: those over what leaves record. See docs/scale.md.",
)
@click.option("--check", is_flag=True, help="Write nothing: show what differs from DIR, and fail if anything does.")
@click.option("--list", "list_only", is_flag=True, help="Write nothing: list the files that belong into DIR.")
@click.option(
    "--defaults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_defaults,
    help="Show every key that --config and --set know, with its default and what it means.",
)
def command(
    directory: Path | None,
    files: tuple[Path, ...],
    assignments: tuple[str, ...],
    explained: bool,
    target: str | None,
    rule_set: str,
    check: bool,
    list_only: bool,
) -> None:
    """Write alerting and recording rules, Grafana dashboards and alertmanager.yml into DIR.

    Every threshold, window and link can be overridden by --config and --set (--defaults shows them), for all services or, under
    services, for single ones; customAlerts adds alerts of your own. Files are written all or not at all, and only those that changed; what an earlier run wrote and this one does not is
    removed, and what others wrote is never touched.
    """
    if target:
        assignments = (*assignments, f"target={outputs.evaluated_by(target)}")
    overrides = config.load(files, assignments)
    with config.located(overrides.where):
        values = overrides.values
        exposed.check(values.get("customAlerts") or {}, _exposed(), values.get("businessMetrics") or ())
        exposed.check_bands(values.get("anomalies") or {}, _exposed())
        exposed.check_objectives(values.get("slos") or {}, _exposed())
    if explained:
        generate(overrides)  # what is wrong with it is said first
        click.echo("\n".join(explain.explain(overrides)))
        return
    if directory is None:
        raise click.UsageError("Missing argument 'DIR'.")
    written = outputs.shape(generate(overrides), target or "prometheus", rule_set)
    todo = write.plan(directory, written)
    if list_only:
        click.echo("\n".join(todo.wanted))
    elif check:
        _check(todo)
    else:
        write.apply(todo)
        _report(todo)


def _exposed() -> frozenset[str]:
    families = (
        *Exporter(Settings(http_body_sizes=True), http=HTTPMetrics(body_sizes=True)).families(),
        *AgentCollector(tuple).families,
    )
    return frozenset(name for metric in families for name in catalogue.names(metric.family))


def _check(todo: write.Plan) -> None:
    if not todo.drifted:
        click.echo(f"{todo.target}: {len(todo.wanted)} files, all up to date")
        return
    click.echo("\n".join(write.differences(todo)))
    findings = [f"{todo.target / path} is not up to date" for path in todo.changed]
    findings += [f"{todo.target / path} is not generated any more" for path in todo.stale]
    raise CheckError([*findings, f"run: runtime-exporter generate {todo.target} (with the same --config and --set)"])


def _report(todo: write.Plan) -> None:
    for path in todo.changed:
        click.echo(f"wrote    {todo.target / path}")
    for path in todo.stale:
        click.echo(f"removed  {todo.target / path}")
    for path in todo.kept:
        click.echo(f"kept     {todo.target / path} (not generated any more, but edited: remove it yourself)")
    click.echo(f"{len(todo.changed)} written, {len(todo.unchanged)} unchanged, {len(todo.stale)} removed")
