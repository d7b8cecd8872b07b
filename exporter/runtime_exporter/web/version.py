"""The version of the installed distribution."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1)
def version() -> str:
    """Return the version, or "unknown" where the package is not installed but only on the path."""
    # Not at the top: it brings the email and zip packages along.
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed_version

    try:
        return installed_version("runtime-exporter")
    except PackageNotFoundError:
        return "unknown"
