"""Settings as options of a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime_exporter.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Container


def setting_options(names: Container[str] | None = None) -> list[click.Parameter]:
    """Return an option a setting, or for these only; None is one that was not given."""
    return [
        click.Option(
            ["--" + setting.name.replace("_", "-"), setting.name],
            metavar="VALUE",
            help=setting.help,
        )
        for setting in SETTINGS
        if names is None or setting.name in names
    ]
