"""Where single services differ from all others: a panel about all of them then draws no threshold, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin.duration import seconds
from runtime_exporter.mixin.fields import Steps, steps

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_NAMED = 3


def differing(config: Mapping[str, Any], *paths: str) -> str:
    """Return a sentence that says which services have a value of their own at the first of `paths` where one has; an empty text where none has.

    What a service has switched off or deleted is no other threshold.
    """
    for path in paths:
        general = _at(config, path)
        own = {name: _at(spec or {}, path) for name, spec in (config.get("services") or {}).items()}
        other = {name: value for name, value in own.items() if value is not None and value != general}
        if other:
            return (
                f"No threshold is drawn, since services differ in {path}: {_named(other)}, all others {_text(general)}."
            )
    return ""


def configured_steps(config: Mapping[str, Any], base: str, *changes: tuple[float | str, str]) -> Steps:
    """Return thresholds as `steps` does, where a value may be a path such as "alerts.gcPressure.ratio": what is configured there.

    A duration becomes seconds. None is drawn where services differ in one of the paths, of which the last counts first.
    """
    paths = [value for value, _ in changes if isinstance(value, str)]
    return steps(
        base,
        *((_number(config, value), color) for value, color in changes),
        unless=differing(config, *reversed(paths)),
    )


def _number(config: Mapping[str, Any], value: float | str) -> float:
    if not isinstance(value, str):
        return value
    found: float | str = _at(config, value)
    return seconds(found) if isinstance(found, str) else found


def _at(tree: Mapping[str, Any], path: str) -> Any:
    found: Any = tree
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _named(values: Mapping[str, Any]) -> str:
    shown = [f"{name} has {_text(value)}" for name, value in list(values.items())[:_MOST_NAMED]]
    more = len(values) - len(shown)
    return ", ".join(shown + ([f"{more} more have their own"] if more else []))


def _text(value: Any) -> str:
    return "those by default" if isinstance(value, dict) else f"{value:g}" if isinstance(value, float) else str(value)
