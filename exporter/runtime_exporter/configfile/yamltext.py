"""YAML to plain values, and the line of each key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from runtime_exporter.configfile.malformed import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of what PyYAML says, the words that quote the file: a password that starts with "*" or "!" is an alias or a tag to it.
_QUOTED_CONTENT = re.compile(r"(?<=alias|e tag|nchor) .*", re.DOTALL)


def parse(content: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the values of a mapping in YAML, and the line of each key. Raises `MalformedError` where it is none."""
    try:
        return _load(content)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = _QUOTED_CONTENT.sub("", error.problem or error.context or "cannot be read")
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise MalformedError(f"malformed YAML: {problem}", line, column) from None
    except yaml.reader.ReaderError as error:
        line = content.count("\n", 0, error.position) + 1
        raise MalformedError("malformed YAML: a control character", line) from None
    except RecursionError:
        raise MalformedError("malformed YAML: nested too deeply") from None
    except ValueError as error:  # such as a date with a 13th month, which YAML makes of a plain 2026-13-01
        raise MalformedError(f"malformed YAML: {error}") from None


def _load(content: str) -> tuple[dict[str, Any], dict[str, int]]:
    loader = yaml.SafeLoader(content)  # not the C one: it overflows the stack where this one raises RecursionError
    try:
        node = loader.get_single_node()
        if node is None or node.tag == "tag:yaml.org,2002:null":  # empty, or only comments: nothing is set
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            raise MalformedError("a mapping of names to values is needed", node.start_mark.line + 1)
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
            raise MalformedError(f"{key.value!r} is given twice", line, column)
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
