"""Labels of an alert in the arguments of a command: `{instance}`, and `{{` for a brace. No shell ever reads the result."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_VALUE: Final = 200
_PART = re.compile(r"\{\{|\}\}|\{(?P<label>[a-zA-Z_][a-zA-Z0-9_]*)\}|[{}]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RefusedError(Exception):
    """A label's value that may not stand in a command; the text says why."""


def labels_in(word: str) -> list[str]:
    """Return the labels that an argument names. Raises ValueError for a brace that names none."""
    found = []
    for part in _PART.finditer(word):
        if part[0] in "{}":
            raise ValueError(f"{word!r}: {{label}} names a label; {{{{ and }}}} are braces")
        if part["label"]:
            found.append(part["label"])
    return found


def filled(
    command: tuple[str, ...], labels: Mapping[str, str], values: Mapping[str, re.Pattern[str]]
) -> tuple[str, ...]:
    """Return a command with the alert's labels filled in. Raises RefusedError where a value is not one of those allowed."""
    return (command[0], *(_word(word, labels, values) for word in command[1:]))


def _word(word: str, labels: Mapping[str, str], values: Mapping[str, re.Pattern[str]]) -> str:
    def put(part: re.Match[str]) -> str:
        label = part["label"]
        return _value(label, labels, values) if label else part[0][0]

    result = _PART.sub(put, word)
    if result.startswith("-") and not word.startswith("-"):
        raise RefusedError(f"the argument {word!r} would become an option: {result!r}")
    return result


def _value(label: str, labels: Mapping[str, str], values: Mapping[str, re.Pattern[str]]) -> str:
    value = labels.get(label, "")
    if not value:
        raise RefusedError(f"the alert has no label {label}")
    if len(value) > LONGEST_VALUE or _CONTROL.search(value) or not values[label].fullmatch(value):
        raise RefusedError(f"the label {label} has a value that is not allowed: {value[:LONGEST_VALUE]!r}")
    return value
