"""Every setting as an option of a command line."""

from __future__ import annotations

import click

from runtime_exporter.settings import SETTINGS


def setting_options() -> list[click.Parameter]:
    """Return an option a setting; None is one that was not given."""
    return [
        click.Option(
            ["--" + setting.name.replace("_", "-"), setting.name],
            metavar="VALUE",
            help=setting.help,
        )
        for setting in SETTINGS
    ]
