"""What a setting may be: one function a type, from what a user wrote to the value, or a `ValueError` that says what would be right.

Every function takes text (an argument of the command line, an environment variable) as well as what YAML, JSON or Python
already typed, so that one setting means the same wherever it is written.
"""

from __future__ import annotations

import math
import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_COLLECTOR = re.compile(r"-?[a-z][a-z0-9_]*")
_PORT_MAX = 65535


def text(value: object) -> str:
    """Return a non-empty text without surrounding space."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a non-empty text is needed")
    return value.strip()


def optional_path(value: object) -> str | None:
    """Return a path as text, "~" expanded, or None for None; whether there is such a file is for who reads it."""
    if value is None:
        return None
    if isinstance(value, (str, os.PathLike)):
        path = os.path.expanduser(os.fspath(value))  # noqa: PTH111 - keeps "./x" as it was written
        if isinstance(path, str) and path.strip():
            return path
    raise ValueError("a path of a file is needed")


def url_path(value: object) -> str:
    """Return a path of a URL that starts with a slash and is neither the landing page nor needs quoting."""
    if isinstance(value, str) and re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+", value):
        return value
    raise ValueError("a path such as /metrics is needed: a slash, then letters, digits, '.', '_', '~' or '-'")


def http_url(value: object) -> str | None:
    """Return the address of a server that speaks HTTP, or None for None; a user and a password have no place in it."""
    if value is None:
        return None
    try:
        parts = urlsplit(value.strip() if isinstance(value, str) else "")
        fits = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none, half an IPv6 address
        fits = False
    if fits and "@" not in parts.netloc and not (parts.query or parts.fragment):
        return parts.geturl().rstrip("/")
    raise ValueError("an address such as http://pyroscope:4040 is needed, without a user, a password or a query")


def application_name(value: object) -> str:
    """Return a name as Pyroscope takes it for an application."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._/-]+", value):
        return value
    raise ValueError("a name of letters, digits, '.', '_', '-' and '/' is needed")


def boolean(value: object) -> bool:
    """Return a truth value: true/false, yes/no, on/off, 1/0."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("true or false is needed")


def port(value: object) -> int:
    """Return a TCP port; 0 lets the operating system choose a free one."""
    number = _integer(value)
    if number is not None and 0 <= number <= _PORT_MAX:
        return number
    raise ValueError("a port from 0 to 65535 is needed (0: any free port)")


def positive_integer(value: object) -> int:
    """Return a whole number of at least 1."""
    return _at_least(1, value)


def whole_number(value: object) -> int:
    """Return a whole number of at least 0."""
    return _at_least(0, value)


def duration(value: object) -> float:
    """Return seconds, more than 0: a number, or a duration as Prometheus writes it ("15s", "500ms", "1m30s")."""
    seconds = _number(value)
    if seconds is None and isinstance(value, str) and _DURATION.fullmatch(value.strip()):
        seconds = math.fsum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(value))
    if seconds is not None and 0 < seconds < math.inf:
        return seconds
    raise ValueError('seconds greater than 0 or a duration such as "15s", "500ms" or "1m30s" are needed')


def ratio(value: object) -> float:
    """Return a part of one, more than 0 and at most 1: 0.01 and "1%" are the same."""
    number = _number(value)
    if number is None and isinstance(value, str) and value.strip().endswith("%"):
        percent = _number(value.strip()[:-1])
        number = None if percent is None else percent / 100
    if number is not None and 0 < number <= 1:
        return number
    raise ValueError('a ratio greater than 0 and at most 1, such as 0.01 or "1%", is needed')


def buckets(value: object) -> tuple[float, ...]:
    """Return the upper bounds of a histogram in seconds: finite, greater than 0 and increasing. +Inf is understood."""
    bounds = tuple(_number(item) for item in _items(value))
    finite = [bound for bound in bounds if bound is not None and 0 < bound < math.inf]
    increasing = all(low < high for low, high in pairwise(finite))
    if finite and len(finite) == len(bounds) and increasing:
        return tuple(finite)
    raise ValueError("a list of increasing numbers greater than 0, such as 0.1,0.5,1,5, is needed")


def directories(value: object) -> tuple[str, ...]:
    """Return paths of directories; whether there are such is for who looks at them."""
    paths = tuple(str(item).strip() for item in _items(value))
    if all(paths):
        return paths
    raise ValueError("paths of directories with commas between them are needed")


def collector_names(value: object) -> tuple[str, ...]:
    """Return names of collectors, each perhaps with a "-" before it to leave it out; no names stand for all.

    Whether there is such a collector is for who knows them: see `runtime_exporter.settings.select`.
    """
    names = tuple(str(item).strip() for item in _items(value))
    if all(_COLLECTOR.fullmatch(name) for name in names):
        return names
    raise ValueError("names of collectors with commas between them are needed, each perhaps with a '-' to leave it out")


def patterns(value: object) -> tuple[str, ...]:
    """Return regular expressions, as text."""
    return tuple(_pattern(str(item).strip()) for item in _items(value))


def packages(value: object) -> tuple[str, ...]:
    """Return names of Python packages and modules."""
    names = tuple(str(item).strip() for item in _items(value))
    if all(part.isidentifier() for name in names for part in name.split(".")):
        return names
    raise ValueError("names of packages with commas between them are needed, such as shop,shop_api.views")


def one_of(*choices: str) -> Callable[[object], str]:
    """Return the type whose values are `choices`, in any case."""

    def choice(value: object) -> str:
        word = str(value).strip().lower()
        if word in choices:
            return word
        raise ValueError(f"one of {', '.join(choices)} is needed{did_you_mean(word, choices)}")

    return choice


def _pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"regular expressions with commas between them are needed ({error})") from None
    return pattern


def _items(value: object) -> list[object]:
    """Return the items of a sequence, or of a text with commas between them; an empty text has none."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)):
        return list(value)
    raise ValueError("a list, or a text with commas between the items, is needed")


def _at_least(least: int, value: object) -> int:
    number = _integer(value)
    if number is not None and number >= least:
        return number
    raise ValueError(f"a whole number of at least {least} is needed")


def _integer(value: object) -> int | None:
    """Return a whole number, or None where `value` is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
        return None
    return int(value)


def _number(value: object) -> float | None:
    """Return a number that is not NaN, or None where `value` is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number
