"""What is configured, and where each value was said: the answer to "why does this alert fire at 90 %?"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import config, services

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT = "default"
_MOST_SHOWN = 100


def explain(overrides: config.Overrides, known: Mapping[str, Any] | None = None) -> list[str]:
    """Return a line a value, "key = value  (place)": first what holds for all services, then what a service has of its own.

    `known` is the configuration by default. Raises ConfigError where a service is wrong.
    """
    known = config.defaults() if known is None else known
    patch = config.check(overrides.values, known)
    with config.located(overrides.where):
        own = services.read(patch, known)
    general = {key: value for key, value in patch.items() if key != "services"}
    lines = [_line(path, value, overrides) for path, value in _leaves(_effective(known, general))]
    for service in own:
        place = f"services.{service.name}"
        jobs = ", ".join(service.jobs)
        lines.append(f"{place}: the job{'s' if len(service.jobs) > 1 else ''} {jobs}  ({overrides.where(place)})")
        lines += [_line(f"{place}.{path}", value, overrides) for path, value in _leaves(service.patch)]
    return lines


def _effective(known: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with a patch over it; what the patch deletes is there as None, so that it can be told."""
    return {key: value for key, value in config.compose(known, patch).items() if key != "services"}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _line(path: str, value: Any, overrides: config.Overrides) -> str:
    said = json.dumps(value, ensure_ascii=False)
    shown = said if len(said) <= _MOST_SHOWN else f"{said[:_MOST_SHOWN]}…"
    if value is None:
        shown = "null, deleted"
    return f"{path} = {shown}  ({overrides.where(path) if _is_said(path, overrides.values) else DEFAULT})"


def _is_said(path: str, values: Mapping[str, Any]) -> bool:
    """Return whether an override says the value at `path`, or deletes what is around it."""
    found: Any = values
    for key in _keys(path, values):
        if found is None:
            return True
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True


def _keys(path: str, values: Mapping[str, Any]) -> list[str]:
    """Return the keys on the way to `path`: the name of a service may have a dot in it."""
    for name in values.get("services") or {}:
        head = f"services.{name}."
        if path.startswith(head):
            return ["services", name, *path.removeprefix(head).split(".")]
    return path.split(".")
