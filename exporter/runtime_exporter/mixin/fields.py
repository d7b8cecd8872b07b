"""How values look, in Grafana's words: thresholds, value mappings, overrides of single series, columns of tables."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Step:
    """From `value` (in the panel's unit) upwards, the colour is `color`."""

    value: float
    color: str

    def to_json_data(self) -> dict[str, Any]:
        """Return Grafana's form; grafanalib's own Threshold writes the first one's value as the text "null"."""
        return {"color": self.color, "value": self.value}


class Steps(tuple[Step, ...]):  # noqa: SLOT001 - a tuple with an attribute cannot have them
    """Thresholds; `note` says in the panel's description why there are none."""

    note: str = ""


def steps(base: str, *changes: tuple[float, str], unless: str = "") -> Steps:
    """Return thresholds: `base` is the colour below the first change, each change (value, colour) holds from its value upwards.

    With a sentence `unless`, which is why none can be drawn, what has no threshold: neither good nor bad.
    """
    if unless:
        neutral = Steps(NEUTRAL)
        neutral.note = unless
        return neutral
    # Grafana reads the first step as minus infinity, whatever its value; a number there avoids JSON's null.
    return Steps((Step(0, base), *(Step(value, color) for value, color in changes)))


def noted(description: str, thresholds: Sequence[Step]) -> str:
    """Return a description with the note of the thresholds."""
    note = thresholds.note if isinstance(thresholds, Steps) else ""
    return f"{description} {note}" if note else description


# A value that is neither good nor bad. Without thresholds of its own, Grafana would paint everything from 80 upwards red.
NEUTRAL = steps("blue")


def value_mappings(states: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Return Grafana's mappings of values to texts and colours: {"1": ("firing", "red")}."""
    if not states:
        return []
    options = {value: {"text": text, "color": color} for value, (text, color) in states.items()}
    return [{"type": "value", "options": options}]


def line(pattern: str, color: str) -> dict[str, Any]:
    """Return an override: series whose legend matches the regular expression are limits, drawn dashed, unfilled, never stacked."""
    look = {
        "color": {"mode": "fixed", "fixedColor": color},
        "custom.fillOpacity": 0,
        "custom.lineStyle": {"fill": "dash", "dash": [10, 10]},
        "custom.stacking": {"group": "B", "mode": "none"},
    }
    return _override("byRegexp", f"/{pattern}/", look)


def colored(pattern: str, color: str) -> dict[str, Any]:
    """Return an override: series whose legend matches the regular expression have this colour."""
    return _override("byRegexp", f"/{pattern}/", {"color": {"mode": "fixed", "fixedColor": color}})


def filled_to(pattern: str, lower: str) -> dict[str, Any]:
    """Return an override: what lies between the series whose legend matches the regular expression and the one called `lower` is filled."""
    return _override("byRegexp", f"/{pattern}/", {"custom.fillBelowTo": lower, "custom.fillOpacity": 10})


@dataclass(frozen=True)
class Column:
    """A column of a table: the value of one instant query in a unit of Grafana, or where `expr` is empty the label `label`.

    `thresholds` colour the cell, `states` name its values, `link` is a text and a URL that a click on the cell opens.
    """

    title: str
    expr: str = ""
    label: str = ""
    unit: str = "none"
    thresholds: tuple[Step, ...] = ()
    states: Mapping[str, tuple[str, str]] | None = None
    decimals: int | None = None
    link: tuple[str, str] | None = None
    width: int | None = None


def column_override(column: Column) -> dict[str, Any]:
    """Return the override that gives a column its look."""
    look: dict[str, Any] = {}
    if column.expr:
        look["unit"] = column.unit
    if column.thresholds or column.states:
        look["custom.cellOptions"] = {"type": "color-text"}
        look["color"] = {"mode": "thresholds"}
    if column.thresholds:
        look["thresholds"] = {"mode": "absolute", "steps": [step.to_json_data() for step in column.thresholds]}
    if column.states:
        look["mappings"] = value_mappings(column.states)
    if column.decimals is not None:
        look["decimals"] = column.decimals
    if column.link:
        look["links"] = [{"title": column.link[0], "url": column.link[1], "targetBlank": False}]
    if column.width:
        look["custom.width"] = column.width
    return _override("byName", column.title, look)


def joined(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return the transformations that make one table of the columns' queries: a line for each set of labels, in the order given."""
    values = [column for column in columns if column.expr]
    # With one query, Grafana calls its value "Value", with several "Value #A", "Value #B" and so on.
    names = ["Value"] if len(values) == 1 else [f"Value #{ref}" for ref in ascii_uppercase[: len(values)]]
    field_of = {column.title: name for column, name in zip(values, names, strict=True)}
    fields = {field_of.get(column.title, column.label): column.title for column in columns}
    organize = {
        "excludeByName": {},
        "indexByName": {field: index for index, field in enumerate(fields)},
        "renameByName": {field: title for field, title in fields.items() if field != title},
    }
    return [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(fields)}}},
        {"id": "organize", "options": organize},
    ]


def heatmap_options(unit: str) -> dict[str, Any]:
    """Return the options of a heatmap of a histogram's buckets, whose bounds are in `unit`; grafanalib's are those of Grafana 6."""
    return {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "steps": 64, "reverse": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }


def _override(matcher: str, pattern: str, look: Mapping[str, Any]) -> dict[str, Any]:
    properties = [{"id": key, "value": value} for key, value in look.items()]
    return {"matcher": {"id": matcher, "options": pattern}, "properties": properties}
