"""The configuration of the mixin: a user's files and `--set` options, checked against the defaults of rules/config.libsonnet.

Which keys there are, and of what type, is said by the defaults alone:

- an object has the keys that it has by default; **an object that is empty by default (`{}`) is open**: any keys go in;
- a text that is a Prometheus duration by default ("5m") stays one; a key `severity` is one of SEVERITIES, a key that ends in
  `selector` holds label matchers, one that ends in `Label` the name of a label;
- a list is replaced whole, its items are like the default's items; null by default means any value;
- null deletes (RFC 7396): an alert, a burn rate's window. Where the rules cannot do without the key, `generate` says so.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from runtime_exporter import configfile
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import bundle, jsonnet, promql
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

SEVERITIES = ("critical", "warning", "info", "none")
"""What the label `severity` may be; `none` is the Watchdog's."""

# model.ParseDuration of Prometheus: units in this order, whole numbers, each unit at most once.
_DURATION = re.compile(r"(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?")
_MAX_SHOWN = 60


@functools.lru_cache(maxsize=4)
def _defaults(root: Path) -> str:
    # Kept as text: whoever asks gets a value of their own.
    return json.dumps(jsonnet.evaluate("rules/defaults.jsonnet", root=root))


def defaults() -> dict[str, Any]:
    """Return the default configuration, as rules/config.libsonnet evaluates."""
    config: dict[str, Any] = json.loads(_defaults(bundle.root()))["config"]
    return config


@dataclass(frozen=True)
class Overrides:
    """What a user wants other than the defaults, checked, and where each of it was said."""

    values: Mapping[str, Any]
    """A merge patch over the defaults (RFC 7396)."""
    places: Mapping[str, str] = field(default_factory=dict)
    """The dotted path of a key -> "my.yaml:12", or "--set"."""

    def where(self, path: str) -> str:
        """Return where the key at `path`, or the nearest around it, was set; an empty text where that is not known."""
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        return self.places.get(path, "")


def load(files: Iterable[str | Path] = (), assignments: Iterable[str] = ()) -> Overrides:
    """Return the overrides of YAML or JSON files and of `key.path=value` texts, the later over the earlier.

    Raises ConfigError with file and line, the key's path and its value.
    """
    result = Overrides({})
    for file in files:
        read = configfile.read(Path(file), setting="config", source="--config")
        result = _with(result, read.values, {"": str(file)} | {key: read.where(key) for key in read.lines})
    for assignment in assignments:
        patch = _assigned(assignment)
        result = _with(result, patch, dict.fromkeys(["", *paths(patch)], "--set"))
    return result


def _with(before: Overrides, patch: Mapping[str, Any], places: Mapping[str, str]) -> Overrides:
    layer = Overrides(patch, places)
    with located(layer.where):
        values = check(patch, defaults())
    return Overrides(compose(before.values, values), {**before.places, **places})


@contextlib.contextmanager
def located(where: Callable[[str], str]) -> Iterator[None]:
    """Put the place of the setting in front of a ConfigError, as compilers do."""
    try:
        yield
    except ConfigError as error:
        place = where(error.setting)
        text = f"{place}: {error}" if place else str(error)
        raise ConfigError(text, setting=error.setting, value=error.value, source=place) from None


def check(patch: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return `patch`, with numbers that YAML took for text (5e6) made numbers; raise ConfigError where `known` has no room for it."""
    try:
        json.dumps(patch, default=str)
    except (ValueError, RecursionError):
        raise ConfigError("a value contains itself, or is nested too deeply") from None
    return _object(patch, known, ())


def compose(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch (RFC 7396) that does what `first` and then `second` do; null, which deletes, is kept."""
    result = dict(first)
    for key, value in second.items():
        before = result.get(key)
        result[key] = compose(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def paths(patch: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the value at each dotted path of a patch, those of its mappings too."""
    found: dict[str, Any] = {}
    for key, value in patch.items():
        found[prefix + key] = value
        if isinstance(value, dict):
            found.update(paths(value, f"{prefix}{key}."))
    return found


def is_duration(text: object) -> bool:
    """Return whether `text` is a duration in Prometheus' own grammar: 30s, 5m, 1h30m, 7d, or 0."""
    return isinstance(text, str) and (text == "0" or (text != "" and _DURATION.fullmatch(text) is not None))


def number(value: object) -> int | float | None:
    """Return a finite number, also where YAML read it as text (5e6); None for anything else."""
    if isinstance(value, str) and value.strip() and "_" not in value:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def refuse(path: Sequence[str], value: object, problem: str) -> ConfigError:
    """Return the error for `value` at `path`: what, and what would be right."""
    name = ".".join(path)
    return ConfigError(f"{name}: {_short(value)} {problem}", setting=name, value=value)


def wrong(path: Sequence[str], problem: str) -> ConfigError:
    """Return the error for what stands at `path`, or is missing there."""
    name = ".".join(path)
    return ConfigError(f"{name}: {problem}", setting=name)


def _assigned(assignment: str) -> dict[str, Any]:
    """Return the patch that `a.b.c=value` means; the value is YAML."""
    name, equals, text = assignment.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys) or not text.strip():
        raise ConfigError(f"--set {assignment}: not of the form key.path=value (null deletes)", source="--set")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(
            f"--set {assignment}: the value is not YAML", setting=name, value=text, source="--set"
        ) from None
    return _nested(keys, value)


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    return {keys[0]: _nested(keys[1:], value) if len(keys) > 1 else value}


def _object(patch: Mapping[Any, Any], known: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in patch:
        if not isinstance(key, str):
            raise refuse((*path, str(key)), key, "is not a text, as a key must be")
        if key not in known:
            raise _unknown(key, known, path)
    return {key: _value(value, known[key], (*path, key)) for key, value in patch.items()}


def _unknown(key: str, known: Mapping[str, Any], path: tuple[str, ...]) -> ConfigError:
    name = ".".join((*path, key))
    hint = did_you_mean(key, known) or f"; known there: {', '.join(sorted(known))}"
    return ConfigError(f"{name}: no such key{hint}", setting=name)


def _value(value: Any, default: Any, path: tuple[str, ...]) -> Any:
    if default is None or value is None:
        return _free(value, path)
    if isinstance(default, dict):
        if not isinstance(value, dict):
            raise refuse(path, value, "is not a mapping")
        return _object(value, default, path) if default else _free(value, path)
    if isinstance(default, list):
        return _list(value, default, path)
    return _scalar(value, default, path)


def _free(value: Any, path: tuple[str, ...]) -> Any:
    """Return a value of an open map: anything that JSON can say."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise refuse((*path, str(key)), key, "is not a text, as a key must be")
        return {key: _free(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_free(item, (*path, str(index))) for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse(path, value, "is not a finite number")
    if value is not None and not isinstance(value, (str, bool, int, float)):
        raise refuse(path, str(value), f"is a {type(value).__name__} to YAML; quote it")
    return value


def _list(value: Any, default: list[Any], path: tuple[str, ...]) -> list[Any]:
    if not isinstance(value, list):
        raise refuse(path, value, "is not a list")
    checked = []
    for index, item in enumerate(value):
        place = (*path, str(index))
        checked.append(_value(item, default[0], place) if default else _free(item, place))
        if default and isinstance(default[0], dict):
            missing = set.intersection(*(set(each) for each in default)) - set(item)
            if missing:
                raise refuse(place, item, f"lacks {', '.join(sorted(missing))}")
    return checked


def _scalar(value: Any, default: Any, path: tuple[str, ...]) -> Any:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise refuse(path, value, "is not true or false")
        return value
    if isinstance(default, (int, float)):
        converted = number(value)
        if converted is None:
            raise refuse(path, value, "is not a number")
        return converted
    if path[-1] == "severity":
        if value not in SEVERITIES:
            raise refuse(
                path, value, f"is not a severity: {', '.join(SEVERITIES)}{did_you_mean(str(value), SEVERITIES)}"
            )
    elif is_duration(default):
        if not is_duration(value):
            raise refuse(path, value, "is not a duration such as 30s, 5m or 1h30m")
    else:
        _check_text(value, path)
    return value


def _check_text(value: Any, path: tuple[str, ...]) -> None:
    if not isinstance(value, str):
        raise refuse(path, value, "is not a text")
    if path[-1].lower().endswith("selector"):
        check_matchers(path, value, 'job="shop", env=~"prod|canary"')
    if path[-1].endswith("Label") and not promql.is_label(value):
        raise refuse(path, value, "is not the name of a label")


def check_matchers(path: tuple[str, ...], value: Any, example: str) -> None:
    """Raise ConfigError unless `value`, at `path`, is what may stand between the braces of a selector, such as `example`."""
    if not isinstance(value, str) or not promql.is_matchers(value):
        raise refuse(path, value, f"is not a list of label matchers such as {example}")
    problem = promql.syntax_error(f"up{{{value}}}")
    if problem:
        raise refuse(path, value, f"is not PromQL: {problem}")


def _short(value: object) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
