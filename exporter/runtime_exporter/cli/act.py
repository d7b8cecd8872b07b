"""The verb `act`: run commands that a file lists for alerts that it names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime_exporter import logs
from runtime_exporter.act.actor import Actor
from runtime_exporter.act.config import load
from runtime_exporter.cli.ending import Ending

if TYPE_CHECKING:
    from runtime_exporter.act.config import Config


@click.command(name="act")
@click.option(
    "--config", "path", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The actions, in YAML."
)
@click.option("--check", is_flag=True, help="Only say whether the file is right, and what it allows.")
@click.option("--dry-run", is_flag=True, help="Run nothing, whatever the file says: write down what would be run.")
def command(path: Path, check: bool, dry_run: bool) -> None:
    """Run commands for alerts, as Alertmanager's webhook posts them: those that FILE lists, and nothing else.

    Off until somebody switches it on: without `dry_run: false` in FILE it only writes down what it would run. Who posts needs the shared
    secret; a command has a cool-down, a time limit and a line in the audit log, and no shell reads it. See docs/act.md.
    """
    config = load(path, source="--config")
    if dry_run:
        config = dataclasses.replace(config, dry_run=True)
    if check:
        click.echo("\n".join(_described(config)))
        return
    logs.configure()
    _serve(config)


def _serve(config: Config) -> None:
    ending = Ending()
    actor = Actor(config).start()
    try:
        ending.wait()
    finally:
        actor.close()


def _described(config: Config) -> list[str]:
    lines = [
        f"{action.name}: for {action.alert} when {action.when}"
        + "".join(f", {label}={value}" for label, value in action.labels.items())
        + f": {' '.join(action.command)}"
        for action in config.actions
    ]
    return [*lines, "dry run: nothing would be run" if config.dry_run else "commands are run"]
