"""Where the sources of the mixin are: rules/, dashboards/, alertmanager/."""

from __future__ import annotations

from pathlib import Path


def root() -> Path:
    """Return the directory that holds rules/, dashboards/ and alertmanager/: the one in the wheel, else the checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_bundle"
    return packaged if packaged.is_dir() else package.parents[1]
