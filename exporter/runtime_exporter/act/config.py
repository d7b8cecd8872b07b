"""actions.yaml: which command answers which alert. Every mistake is one line with its place; nothing is half read."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.act.template import labels_in
from runtime_exporter.act.trust import distrust
from runtime_exporter.configfile import read
from runtime_exporter.errors import ConfigError
from runtime_exporter.settings import sections, types
from runtime_exporter.settings.sections import SectionReader

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESS: Final = "127.0.0.1"
PORT: Final = 9466
TIMEOUT_SECONDS: Final = 30.0
LONGEST_TIMEOUT_SECONDS: Final = 900.0
COOL_DOWN_SECONDS: Final = 3600.0
RUNS: Final = 6
PER_SECONDS: Final = 3600.0
STATES: Final = ("firing", "resolved")
_KEYS = ("address", "port", "secret_file", "web_config_file", "audit_log", "dry_run", "rate_limit", "actions")
_ACTION_KEYS = (
    "name",
    "alert",
    "labels",
    "when",
    "command",
    "values",
    "environment",
    "directory",
    "timeout",
    "cool_down",
    "repeat",
)


@dataclass(frozen=True, kw_only=True)
class Action:
    """One command, and the alerts that it may be run for."""

    name: str
    alert: str
    """The name of the alert, exactly."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that the alert must have, with exactly these values."""
    when: str = "firing"
    command: tuple[str, ...]
    """The program, by its whole path, and its arguments; `{label}` in an argument is a label of the alert."""
    values: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    """Of each label in the arguments: what its whole value must match."""
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = "/"
    timeout: float = TIMEOUT_SECONDS
    """Seconds until the command is ended."""
    cool_down: float = COOL_DOWN_SECONDS
    """Seconds from one run to the next of the same command with the same arguments."""
    repeat: bool = False
    """Run again, after the cool-down, while the same alert lasts."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What was configured."""

    actions: tuple[Action, ...]
    secret_file: Path
    audit_log: Path
    address: str = ADDRESS
    port: int = PORT
    web_config_file: Path | None = None
    dry_run: bool = True
    runs: int = RUNS
    """So many commands, all together, in any `per` seconds."""
    per: float = PER_SECONDS


def load(path: Path, *, source: str = "argument") -> Config:
    """Return what a file says whose path was given in `source`. Raises `ConfigError`, one line that begins with the place."""
    file = read(path, setting="config", source=source)
    if reason := distrust(path):
        raise ConfigError(reason, setting="config", source=source)
    return _Reader(file).config()


class _Reader(SectionReader):
    def config(self) -> Config:
        values = self._file.values
        self._known("", values, _KEYS)
        rate = self._section("", values, "rate_limit")
        self._known("rate_limit", rate, ("runs", "per"))
        return Config(
            actions=self._actions(values.get("actions")),
            secret_file=self._path("secret_file", values, needed=True),
            audit_log=self._path("audit_log", values, needed=True),
            address=self._parsed("", values, "address", types.text, ADDRESS),
            port=self._parsed("", values, "port", types.port, PORT),
            web_config_file=self._path("web_config_file", values) if values.get("web_config_file") else None,
            dry_run=self._parsed("", values, "dry_run", types.boolean, True),
            runs=self._parsed("rate_limit", rate, "runs", types.positive_integer, RUNS),
            per=self._parsed("rate_limit", rate, "per", types.duration, PER_SECONDS),
        )

    def _actions(self, rows: Any) -> tuple[Action, ...]:
        if not isinstance(rows, list) or not rows:
            self._fail("actions", "a list of actions is needed, each with a name, an alert and a command")
        found: dict[str, Action] = {}
        for number, row in enumerate(rows):
            place = f"actions.{number}"
            if not isinstance(row, dict):
                self._fail(place, "an action is a mapping with a name, an alert and a command")
            action = self._action(place, row)
            if action.name in found:
                self._fail(f"{place}.name", f"name = {action.name!r}: another action has this name")
            found[action.name] = action
        return tuple(found.values())

    def _action(self, place: str, row: Mapping[str, Any]) -> Action:
        self._known(place, row, _ACTION_KEYS)
        timeout = self._parsed(place, row, "timeout", types.duration, TIMEOUT_SECONDS)
        if timeout > LONGEST_TIMEOUT_SECONDS:
            self._fail(f"{place}.timeout", f"timeout = {timeout:g} s: {LONGEST_TIMEOUT_SECONDS:g} s at most")
        command = self._command(place, row)
        return Action(
            name=self._parsed(place, row, "name", sections.name),
            alert=self._parsed(place, row, "alert", types.text),
            labels=self._texts(place, row, "labels"),
            when=self._parsed(place, row, "when", types.one_of(*STATES), "firing"),
            command=command,
            values=self._values(place, row, command),
            environment=self._texts(place, row, "environment"),
            directory=self._parsed(place, row, "directory", _directory, "/"),
            timeout=timeout,
            cool_down=self._parsed(place, row, "cool_down", types.duration, COOL_DOWN_SECONDS),
            repeat=self._parsed(place, row, "repeat", types.boolean, False),
        )

    def _command(self, place: str, row: Mapping[str, Any]) -> tuple[str, ...]:
        words = row.get("command")
        key = f"{place}.command"
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            self._fail(key, "command: a list is needed, the program and its arguments, each a text; no shell reads it")
        if not words[0].startswith("/"):
            self._fail(key, f"command = {words[0]!r}: the program's whole path is needed, such as /usr/bin/systemctl")
        if shutil.which(words[0]) is None:
            self._fail(key, f"command = {words[0]!r}: this is no program that can be run")
        if reason := distrust(words[0]):
            self._fail(key, f"command: {reason}")
        return tuple(words)

    def _values(self, place: str, row: Mapping[str, Any], command: tuple[str, ...]) -> dict[str, re.Pattern[str]]:
        texts = self._texts(place, row, "values")
        patterns = {label: self._pattern(f"{place}.values.{label}", text) for label, text in texts.items()}
        try:
            used = {label for word in command[1:] for label in labels_in(word)}
        except ValueError as error:
            self._fail(f"{place}.command", f"command: {error}")
        for label in sorted(used - set(patterns)):
            hint = f"say under values which values of {label} are allowed, as a regular expression"
            self._fail(f"{place}.command", f"command: {{{label}}}: {hint}")
        for label in sorted(set(patterns) - used):
            self._fail(f"{place}.values.{label}", f"values: no argument of the command has {{{label}}}")
        return patterns

    def _pattern(self, key: str, text: str) -> re.Pattern[str]:
        try:
            return re.compile(text)
        except re.error as error:
            self._fail(key, f"values: {text!r} is no regular expression ({error})")

    def _texts(self, place: str, row: Mapping[str, Any], key: str) -> dict[str, str]:
        section = self._section(place, row, key)
        for name, value in section.items():
            if not isinstance(value, str):
                self._fail(f"{place}.{key}.{name}", f"{key}: {name} = {value!r}: a text is needed; quote it")
        return section

    def _path(self, key: str, row: Mapping[str, Any], *, needed: bool = False) -> Path:
        """Return a path, one beside this file where it is relative."""
        if needed and row.get(key) is None:
            self._fail(key, f"{key} is missing")
        return self._file.path.parent / str(self._parsed("", row, key, types.optional_path, ""))


def _directory(value: object) -> str:
    path = types.text(value)
    if Path(path).is_absolute() and Path(path).is_dir():
        return path
    raise ValueError("the whole path of a directory is needed")
