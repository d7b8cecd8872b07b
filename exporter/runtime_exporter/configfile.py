"""Configuration files: YAML or JSON, read to plain values that know the line they were written in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from runtime_exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Of what PyYAML says, the words that quote the file: a password that starts with "*" or "!" is an alias or a tag to it.
_QUOTED_CONTENT = re.compile(r"(?<=alias|e tag|nchor) .*", re.DOTALL)
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
    except _MalformedError as error:
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


class _MalformedError(Exception):
    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def _parse_json(content: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        values = json.loads(content, object_pairs_hook=_unique_pairs)
    except json.JSONDecodeError as error:
        raise _MalformedError(f"malformed JSON: {error.msg}", error.lineno, error.colno) from None
    except RecursionError:
        raise _MalformedError("malformed JSON: nested too deeply") from None
    if not isinstance(values, dict):
        raise _MalformedError("an object of names and values is needed")
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
        raise _MalformedError(f"{twice!r} is given twice")
    return values


def _parse_yaml(content: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        return _load_yaml(content)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = _QUOTED_CONTENT.sub("", error.problem or error.context or "cannot be read")
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _MalformedError(f"malformed YAML: {problem}", line, column) from None
    except yaml.reader.ReaderError as error:
        line = content.count("\n", 0, error.position) + 1
        raise _MalformedError("malformed YAML: a control character", line) from None
    except RecursionError:
        raise _MalformedError("malformed YAML: nested too deeply") from None
    except ValueError as error:  # such as a date with a 13th month, which YAML makes of a plain 2026-13-01
        raise _MalformedError(f"malformed YAML: {error}") from None


def _load_yaml(content: str) -> tuple[dict[str, Any], dict[str, int]]:
    loader = yaml.SafeLoader(content)  # not the C one: it overflows the stack where this one raises RecursionError
    try:
        node = loader.get_single_node()
        if node is None or node.tag == "tag:yaml.org,2002:null":  # empty, or only comments: nothing is set
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            raise _MalformedError("a mapping of names to values is needed", node.start_mark.line + 1)
        lines = dict(_key_lines(node, "", set()))
        return {str(key): value for key, value in loader.construct_document(node).items()}, lines
    finally:
        loader.dispose()


def _key_lines(node: yaml.MappingNode, outer: str, visited: set[int]) -> Iterator[tuple[str, int]]:
    """Yield the keys of a mapping and of those in it, also in its lists, with their lines.

    Raises where a key is given twice in one mapping: YAML takes the last, silently.
    """
    if id(node) in visited:  # an alias: looked through already
        return
    visited.add(id(node))
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line, column = key.start_mark.line + 1, key.start_mark.column + 1
        if key.value in seen:
            raise _MalformedError(f"{key.value!r} is given twice", line, column)
        seen.add(key.value)
        yield outer + key.value, line
        yield from _lines_within(value, outer + key.value, visited)


def _lines_within(node: yaml.Node, name: str, visited: set[int]) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        yield from _key_lines(node, f"{name}.", visited)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield f"{name}.{number}", item.start_mark.line + 1
            if isinstance(item, yaml.MappingNode):
                yield from _key_lines(item, f"{name}.{number}.", visited)
