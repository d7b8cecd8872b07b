"""Configuration files: YAML or JSON, read to plain values that know the line they were written in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime_exporter.configfile.malformed import MalformedError
from runtime_exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LARGEST_BYTES = 1 << 20  # a configuration is small: what is larger is another file, named by mistake


@dataclass(frozen=True)
class ConfigFile:
    """A file that was read: its values by key, and the line of each key.

    A key in another mapping is "outer.inner", one in a list "outer.0.inner"; the item of a list has a line, too: "outer.0".
    """

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def where(self, key: str) -> str:
        """Return "path:line" of a key, or the path where the line is not known."""
        line = self.lines.get(key)
        return f"{self.path}:{line}" if line else str(self.path)


def read(path: Path, *, setting: str, source: str) -> ConfigFile:
    """Read a mapping from a YAML file, or from a JSON file where the name ends in .json.

    `setting` is the setting that named the file, `source` where it was given. Raises `ConfigError` with file, line and column where it is malformed.
    """
    content = _read_text(path, setting, source)
    parse = _parse_json if path.suffix == ".json" else _parse_yaml
    try:
        values, lines = parse(content)
    except MalformedError as error:
        where = f"{path}:{error.line}:{error.column}"
        raise ConfigError(f"{where}: {error}", setting=setting, value=str(path), source=where) from None
    return ConfigFile(path, values, lines)


def _read_text(path: Path, setting: str, source: str) -> str:
    """Return the text of a file; raises `ConfigError` where it cannot be read, is too large or is not UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        text = content.decode("utf-8-sig")
        problem = "larger than 1 MiB, which no configuration is" if len(content) > _LARGEST_BYTES else ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = f"not UTF-8 text in line {line}"
    except OSError as error:
        problem = error.strerror or str(error)
    except ValueError as error:  # a path with a NUL in it
        problem = str(error)
    if problem:
        message = f"{setting} = {str(path)!r} ({source}): {problem}"
        raise ConfigError(message, setting=setting, value=str(path), source=source)
    return text


def _parse_yaml(content: str) -> tuple[dict[str, Any], dict[str, int]]:
    # PyYAML takes 10 ms to import and 2 MB, which a process without such a file shall not pay.
    from runtime_exporter.configfile import yamltext

    return yamltext.parse(content)


def _parse_json(content: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        values = json.loads(content, object_pairs_hook=_unique_pairs)
    except json.JSONDecodeError as error:
        raise MalformedError(f"malformed JSON: {error.msg}", error.lineno, error.colno) from None
    except RecursionError:
        raise MalformedError("malformed JSON: nested too deeply") from None
    if not isinstance(values, dict):
        raise MalformedError("an object of names and values is needed")
    return values, {key: _json_line(content, key) for key in values}


def _json_line(content: str, key: str) -> int:
    """Return the line of a key: json does not keep it, and the first `"key":` is it in all but contrived files."""
    found = re.search(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", content)
    return content.count("\n", 0, found.start()) + 1 if found else 0


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedError(f"{twice!r} is given twice")
    return values
