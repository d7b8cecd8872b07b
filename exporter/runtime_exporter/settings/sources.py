"""Where settings come from: arguments, the environment, a configuration file; what each of them may not say."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime_exporter.configfile import ConfigFile, read
from runtime_exporter.errors import ConfigError
from runtime_exporter.nearest import did_you_mean
from runtime_exporter.settings.types import optional_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "RUNTIME_EXPORTER_"
# What the package sets for the processes that it starts; no setting, hence not refused as an unknown one.
INTERNAL_VARIABLES = frozenset({"RUNTIME_EXPORTER_BOOTSTRAP", "RUNTIME_EXPORTER_BOOTSTRAP_DIRECTORY"})
COMPILED_VARIABLE = "RUNTIME_EXPORTER_COMPILED"
"""Read when a middleware is imported, and when the package is built: before there are settings, hence none of them."""
MASK = "********"
_LONGEST_SHOWN = 120
# Kubernetes describes a Service named runtime-exporter to every pod in variables such as RUNTIME_EXPORTER_SERVICE_HOST and
# RUNTIME_EXPORTER_PORT=tcp://10.0.0.7:9464. They are not ours.
_SERVICE_LINK = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(?:_\w+)?$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$"
)
_SERVICE_URL = re.compile(r"(?:tcp|udp|sctp)://\S+:\d+")
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")


@dataclass(frozen=True)
class Setting:
    """One setting: `parse` takes what a user wrote and returns the value, or raises `ValueError` saying what would be right."""

    name: str
    parse: Callable[[object], Any]
    default: Any
    help: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()

    def read(self, value: object, source: str) -> Any:
        """Return the value that `value`, written in `source`, stands for; raises `ConfigError` where it does not."""
        try:
            return self.parse(value)
        except ValueError as error:
            seen = masked_url(value)
            message = f"{self.name} = {shortened(seen)} ({source}): {error}"
            raise ConfigError(message, setting=self.name, value=seen, source=source) from None


@dataclass(frozen=True)
class Given:
    """What a user wrote for a setting, and where."""

    value: object
    source: str


def gather(
    rows: Mapping[str, Setting], arguments: Mapping[str, object], environ: Mapping[str, str]
) -> dict[str, Given]:
    """Return what is given for each setting that is given at all: by an argument, else the environment, else the file.

    Raises `ConfigError` for a name that is not in `rows`, and for a file that cannot be read.
    """
    given = {**_from_environment(rows, environ), **_from_arguments(rows, arguments)}
    path = _find_file(rows, given, environ)
    if path:
        given.setdefault("config_file", Given(str(path), "found"))
        given = {**_from_file(rows, read(path, setting="config_file", source=given["config_file"].source)), **given}
    return given


def _from_arguments(rows: Mapping[str, Setting], arguments: Mapping[str, object]) -> dict[str, Given]:
    for name in arguments:
        if name not in rows:
            raise _unknown(name, "argument", did_you_mean(name, rows))
    return {name: Given(value, "argument") for name, value in arguments.items() if value is not None}


def _from_environment(rows: Mapping[str, Setting], environ: Mapping[str, str]) -> dict[str, Given]:
    """Return what the environment sets; an empty variable sets nothing, as compose files write `${PORT:-}`."""
    variables = {row.variable: row.name for row in rows.values()}
    given = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or _is_no_setting(variable, value):
            continue
        if variable not in variables:
            raise _unknown(variable, "environment", did_you_mean(variable, variables))
        if value:
            given[variables[variable]] = Given(value, f"environment {variable}")
    return given


def _is_no_setting(variable: str, value: str) -> bool:
    return variable in INTERNAL_VARIABLES or variable == COMPILED_VARIABLE or _is_service_link(variable, value)


def _is_service_link(variable: str, value: str) -> bool:
    if _SERVICE_LINK.search(variable):
        return True
    return variable.endswith("_PORT") and _SERVICE_URL.fullmatch(value) is not None


def _find_file(rows: Mapping[str, Setting], given: Mapping[str, Given], environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file that an argument or the environment names, or the first in the XDG directories."""
    if "config_file" in given:
        origin = given["config_file"]
        return Path(rows["config_file"].read(origin.value, origin.source))
    candidates = (
        directory / f"config{end}" for directory in _xdg_directories(environ) for end in (".yaml", ".yml", ".json")
    )
    return next((path for path in candidates if os.path.isfile(path)), None)  # noqa: PTH113 - False where Path raises


def _xdg_directories(environ: Mapping[str, str]) -> list[Path]:
    """Return where configuration is looked for; the XDG base directory specification has relative ones ignored."""
    home = environ.get("HOME", "")
    own = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    shared = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [Path(base) / "runtime-exporter" for base in (own, *shared.split(":")) if base.startswith("/")]


def _from_file(rows: Mapping[str, Setting], file: ConfigFile) -> dict[str, Given]:
    known = rows.keys() - {"config_file"}
    for name in file.values:
        if name not in known:
            raise _unknown(name, file.where(name), did_you_mean(name, known))
    return {
        name: Given(_beside(file.path, rows[name], value), file.where(name))
        for name, value in file.values.items()
        if value is not None
    }


def _beside(file: Path, row: Setting, value: object) -> object:
    """Return `value`; the relative path of a file is one beside the file that names it."""
    if row.parse is not optional_path or not isinstance(value, str) or value.startswith("~"):
        return value
    return str(file.parent / value) if value.strip() else value


def _unknown(name: str, source: str, hint: str) -> ConfigError:
    # Without the value: what has a wrong name may well be a secret.
    return ConfigError(f"unknown setting {shortened(name)} ({source}){hint}", setting=name, source=source)


def shortened(value: object) -> str:
    """Return `value` as one line of a message, cut where it is long."""
    line = repr(value)
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 1]}…"


def masked_url(value: object) -> object:
    """Return `value`, with the password masked where it is a URL that has one."""
    return _URL_PASSWORD.sub(rf"\1:{MASK}@", value) if isinstance(value, str) else value
