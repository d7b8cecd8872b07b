"""Reads configuration that is more than settings: mappings in lists in mappings, whose every mistake is one line with its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from runtime_exporter.errors import ConfigError
from runtime_exporter.nearest import did_you_mean
from runtime_exporter.settings.sources import masked_url, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runtime_exporter.configfile import ConfigFile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SECRETS: Final = ("password", "credentials", "secret", "token")
"""What people write into the file itself, where the path of a file is wanted."""


class SectionReader:
    """Reads one file. `place` is the dotted path of a mapping, such as "targets.0", empty at the top; `row` is that mapping."""

    def __init__(self, file: ConfigFile) -> None:
        self._file = file

    def _section(self, place: str, row: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Return the mapping under a key; empty where there is none."""
        value = row.get(key)
        if value is not None and not isinstance(value, dict):
            self._fail(_joined(place, key), f"{key}: a mapping is needed")
        return {str(name): item for name, item in (value or {}).items()}

    def _parsed(
        self, place: str, row: Mapping[str, Any], key: str, parse: Callable[[Any], Any], default: Any = None
    ) -> Any:
        """Return the value of a key; one that is not there is the default, or an error where there is none."""
        value = row.get(key)
        if value is None:
            return self._fail(place, f"{key} is missing") if default is None else default
        try:
            return parse(value)
        except ValueError as error:
            return self._fail(_joined(place, key), f"{key} = {shortened(masked_url(value))}: {error}")

    def _known(self, place: str, row: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """Refuse other keys than these."""
        for key in row:
            instead = [one for one in (f"{key}_file", "secret_file") if key in _SECRETS and one in known]
            if instead:
                self._fail(_joined(place, key), f"{key}: secrets are read from files: use {instead[0]}")
            if key not in known:
                hint = did_you_mean(str(key), known) or f"; known are {', '.join(known)}"
                self._fail(_joined(place, key), f"unknown key {key!r}{hint}")

    def _fail(self, key: str, message: str) -> NoReturn:
        """Raise `ConfigError` with the line of the key, or of what it is in."""
        while key and key not in self._file.lines:
            key = key.rpartition(".")[0]
        where = self._file.where(key)
        raise ConfigError(f"{where}: {message}", setting="config", source=where)


def name(value: object) -> str:
    """Return a name that can be part of a path and of a label."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError("letters, digits, '.', '_' and '-' are needed, at most 63, a letter or a digit first")


def _joined(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)
