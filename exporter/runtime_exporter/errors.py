"""Every exception of the project.

ExporterError
├── ConfigError           a setting, a configuration file or a rule's configuration is wrong (.setting .value .source)
├── RunDirectoryError     workers cannot share their numbers through a directory
├── AlreadyStartedError   this process already has a started exporter
├── ProfileError          a profile cannot be read, taken or written
│   └── BusyError         another one is being taken: it may be asked for again
├── BundleError           a file of the mixin does not evaluate (.path, the evaluator's own text)
├── MissingExtraError     an optional dependency is not installed (.extra, names the pip command)
├── MissingToolError      a program that a command needs is not installed (.tool, .package)
└── CheckError            findings of a check, all of them (.findings)

`NoData` is not an error: a collector raises it to say that there is nothing to report here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ExporterError(Exception):
    """Base of everything that this package raises on purpose; its text is one line a user can act on."""


class ConfigError(ExporterError):
    """A configured value is wrong. Says what, where it came from, and what would be right."""

    def __init__(self, message: str, *, setting: str = "", value: object = None, source: str = "") -> None:
        super().__init__(message)
        self.setting = setting
        self.value = value
        self.source = source


class RunDirectoryError(ExporterError):
    """A process cannot share its numbers through this directory. Says what, where, and what would be right."""


class AlreadyStartedError(ExporterError):
    """`start()` was called twice in one process without `close()` between."""


class ProfileError(ExporterError):
    """A profile cannot be read, taken or written."""


class BusyError(ProfileError):
    """Another profile is being taken; the same may be asked for again when it is done."""


class BundleError(ExporterError):
    """A file of the mixin does not evaluate; the message carries the evaluator's own text."""

    def __init__(self, message: str, *, path: Path | str = "") -> None:
        super().__init__(message)
        self.path = path


class MissingExtraError(ExporterError):
    """An optional dependency is missing; the message is the pip command that brings it."""

    def __init__(self, extra: str, *, module: str = "") -> None:
        what = f"{module} is not installed: " if module else ""
        super().__init__(f"{what}pip install 'runtime-exporter[{extra}]'")
        self.extra = extra
        self.module = module


class MissingToolError(ExporterError):
    """A program is missing; the message names the package that brings it."""

    def __init__(self, tool: str, *, package: str) -> None:
        super().__init__(f"{tool} is not installed: apt-get install {package} (or put it on PATH)")
        self.tool = tool
        self.package = package


class CheckError(ExporterError):
    """A check has findings: all of them, not the first."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = tuple(findings)


class NoData(Exception):  # noqa: N818 - not an error: the field's word, as node_exporter's ErrNoData
    """A collector has nothing to report on this machine."""
