"""The verb `serve`: answer for the workers of a run directory, from a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from runtime_exporter.cli.ending import Ending
from runtime_exporter.cli.settingoptions import setting_options
from runtime_exporter.prefork.service import Service
from runtime_exporter.settings import load

_SETTINGS: Final = frozenset(
    (
        *("config_file", "address", "port", "metrics_path"),
        *("profile_directory", "profile_interval", "profile_endpoints", "profile_seconds_limit"),
        *("web_config_file", "web_connections_limit", "web_timeout", "debug_endpoints", "log_level", "log_format"),
    )
)
"""What concerns a process that only serves."""


def _serve(directory: Path, **given: Any) -> None:
    """Serve the metrics and profiles of the workers that share DIR, the `run_directory` of their settings.

    It answers also while they are busy, are replaced, or are all gone: for a sidecar, and for workers that let nobody speak for long.
    Give it the profile_directory and the profile_interval that they have, if those are not the default.
    """
    settings = load(given)
    ending = Ending()
    service = Service(directory, settings).start()
    try:
        ending.wait()
    finally:
        service.close()


command = click.Command(
    "serve",
    callback=_serve,
    params=[
        click.Argument(["directory"], metavar="DIR", type=click.Path(path_type=Path)),
        *setting_options(_SETTINGS),
    ],
    help=_serve.__doc__,
    short_help="Answer for the workers of a run directory.",
)
