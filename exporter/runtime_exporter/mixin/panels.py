"""The dashboards' house style, and the only place that knows grafanalib: a dashboard says what it shows, this module how it looks.

Every panel takes a title, a description (what it answers, what to do about it) and a unit. Its queries are PromQL text,
written with `Scope`. A dashboard is a list of rows; panels flow through Grafana's 24 columns in the order written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import MissingExtraError
from runtime_exporter.mixin import grid, offered
from runtime_exporter.mixin.annotations import events
from runtime_exporter.mixin.differing import configured_steps, differing
from runtime_exporter.mixin.duration import seconds
from runtime_exporter.mixin.fields import (
    NEUTRAL,
    Column,
    Step,
    colored,
    column_override,
    filled_to,
    heatmap_options,
    joined,
    line,
    noted,
    steps,
    value_mappings,
)
from runtime_exporter.mixin.grafana import DATASOURCE, SCHEMA_VERSION, clean_dashboard, uid
from runtime_exporter.mixin.red import Requests, budget_left, error_budget_steps, latency_steps
from runtime_exporter.mixin.scope import Scope, quantile, ratio
from runtime_exporter.mixin.targets import Query, targets
from runtime_exporter.mixin.variables import Variable, template_variables

try:
    import attr
    from grafanalib import core
except ImportError as error:
    raise MissingExtraError("mixin", module="grafanalib") from error

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = [
    "NEUTRAL", "Column", "Dashboard", "Panel", "Query", "Requests", "Row", "Scope", "Step", "Variable", "budget_left", "colored", "configured_steps", "dashboard", "differing",
    "error_budget_steps", "filled_to", "heatmap", "latency_steps", "line", "quantile", "ratio", "row", "seconds", "stat",
    "state_timeline", "steps", "table", "timeseries",
]  # fmt: skip

Panel = Any  # a panel of grafanalib, which is not typed


@dataclass(frozen=True)
class Row:
    """A titled row of panels; collapsed, its queries only run when it is opened. Without a title it is just the panels."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


def row(title: str, *panels: Panel, collapsed: bool = False) -> Row:
    """Return a row of a dashboard."""
    return Row(title, panels, collapsed)


@dataclass(frozen=True)
class Dashboard:
    """A dashboard, complete."""

    board: Any

    def to_json(self) -> dict[str, Any]:
        """Return the dashboard as plain data, in today's format of Grafana."""
        encoded = json.dumps(self.board, default=lambda item: item.to_json_data())
        return clean_dashboard(json.loads(encoded))


def timeseries(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    width: int = 8,
    height: int = 8,
    stacked: bool = False,
    minimum: int | None = 0,
    maximum: int | None = None,
    logarithmic: bool = False,
    axis: str = "",
    thresholds: tuple[Step, ...] = NEUTRAL,
    overrides: Sequence[Mapping[str, Any]] = (),
) -> Panel:
    """Return lines over time, or areas on each other; thresholds beyond the base colour are drawn as dashed lines."""
    return core.TimeSeries(
        **_common(title, noted(description, thresholds), queries, width, height),
        axisLabel=axis,
        fillOpacity=30 if stacked else 8,
        legendDisplayMode="table",
        legendCalcs=["lastNotNull", "max"],
        overrides=list(overrides),
        scaleDistributionLog=10,
        scaleDistributionType="log" if logarithmic else "linear",
        showPoints="never",
        stacking={"group": "A", "mode": "normal" if stacked else "none"},
        thresholds=list(thresholds),
        thresholdsStyleMode="dashed" if len(thresholds) > 1 else "off",
        tooltipMode="multi",
        tooltipSort="desc",
        unit=unit,
        valueMin=None if logarithmic else minimum,
        valueMax=maximum,
        extraJson={"options": {"legend": {"showLegend": True, "sortBy": "Last *", "sortDesc": True}}},
    )


def stat(
    title: str,
    description: str,
    query: Query,
    *,
    unit: str,
    width: int = 4,
    height: int = 4,
    thresholds: tuple[Step, ...] = NEUTRAL,
    text: str = "auto",
    decimals: int | None = None,
    nothing: str = "no data",
    sparkline: bool = True,
) -> Panel:
    """Return one figure, the latest; `text` is "name" where the series' name says it all, `nothing` what stands there without data."""
    return core.Stat(
        **_common(title, noted(description, thresholds), [query], width, height, instant=not sparkline),
        color={"mode": "thresholds"},
        colorMode="value",
        decimals=decimals,
        format=unit,
        graphMode="area" if sparkline else "none",
        noValue=nothing,
        reduceCalc="lastNotNull",
        textMode=text,
        thresholds=list(thresholds),
    )


def table(
    title: str,
    description: str,
    *columns: Column,
    sort: str,
    descending: bool = True,
    width: int = 24,
    height: int = 9,
    nothing: str = "no data",
) -> Panel:
    """Return a table of instant queries, one line for each set of labels, ordered by the column titled `sort`."""
    values = [column for column in columns if column.expr]
    notes = dict.fromkeys(noted("", column.thresholds) for column in values)
    description += "".join(notes)
    return core.Table(
        **_common(
            title, description, [Query(column.expr) for column in values], width, height, instant=True, form="table"
        ),
        filterable=True,
        overrides=[column_override(column) for column in columns],
        sortBy=[core.TableSortByField(displayName=sort, desc=descending)],
        thresholds=list(NEUTRAL),
        transformations=joined(columns),
        unit="none",
        extraJson={"fieldConfig": {"defaults": {"noValue": nothing}}, "options": {"cellHeight": "sm"}},
    )


def heatmap(title: str, description: str, query: Query, *, unit: str, width: int = 12, height: int = 9) -> Panel:
    """Return the distribution over time of a histogram: `query` gives its buckets, summed by le."""
    return core.Heatmap(
        **_common(title, description, [query], width, height, form="heatmap"),
        thresholds=list(NEUTRAL),
        extraJson={"options": heatmap_options(unit), "fieldConfig": {"defaults": {"unit": unit}, "overrides": []}},
    )


def state_timeline(
    title: str,
    description: str,
    query: Query,
    *,
    states: Mapping[str, tuple[str, str]],
    width: int = 12,
    height: int = 8,
    nothing: str = "no data",
) -> Panel:
    """Return one coloured band a series; `states` names each value: {"1": ("firing", "red")}."""
    return core.StateTimeline(
        **_common(title, description, [query], width, height),
        mappings=value_mappings(states),
        showValue="never",
        thresholds=list(NEUTRAL),
        tooltipMode="single",
        extraJson={
            "fieldConfig": {"defaults": {"unit": "none", "noValue": nothing}},
            "options": {"legend": {"showLegend": True}},
        },
    )


def dashboard(
    config: Mapping[str, Any],
    name: str,
    *,
    title: str,
    description: str,
    subject: str,
    rows: Sequence[Row],
    variables: Sequence[Variable] = (),
    exposed: Collection[str] = (),
) -> Dashboard:
    """Return a dashboard of the mixin: `name` is its key in `dashboardUids`, `subject` the metric whose jobs can be chosen.

    It shows what the configured source has, and the metrics of `exposed`, which are the application's own; one without the
    subject has no panels at all.
    """
    scope = Scope.of(config)
    shown = offered.rows(rows, scope.source, exposed) if scope.source.has(scope.source.name(subject)) else []
    board = core.Dashboard(
        annotations=core.Annotations(list=events(scope)),
        description=description,
        editable=False,
        graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        links=_links_to_siblings(config["dashboardTags"]),
        panels=_placed(shown),
        refresh=config["dashboardRefresh"],
        schemaVersion=SCHEMA_VERSION,
        tags=list(config["dashboardTags"]),
        templating=core.Templating(list=template_variables(config, scope, subject, variables)),
        time=core.Time(config["dashboardPeriod"], "now"),
        timezone=config["dashboardTimezone"],
        title=config["dashboardNamePrefix"] + title,
        uid=uid(config, name),
    )
    return Dashboard(board.auto_panel_ids())


def _common(
    title: str,
    description: str,
    queries: Sequence[Query],
    width: int,
    height: int,
    *,
    instant: bool = False,
    form: str = "time_series",
) -> dict[str, Any]:
    return {
        "title": title,
        "description": description,
        "dataSource": DATASOURCE,
        "targets": targets(queries, instant=instant, form=form),
        "gridPos": core.GridPos(h=height, w=width, x=0, y=0),
    }


def _links_to_siblings(tags: Sequence[str]) -> list[Any]:
    """Return the link to the dashboards with the first tag, which keeps time and variables; without a tag it would list all of Grafana."""
    if not tags:
        return []
    return [core.DashboardLink(icon="dashboard", includeVars=True, keepTime=True, tags=[tags[0]], type="dashboards")]


def _placed(rows: Sequence[Row]) -> list[Panel]:
    """Give every panel its place: rows below each other, panels of a row from left to right."""
    placed, top = [], 0
    for each in rows:
        header = 1 if each.title else 0
        places = list(grid.flow([grid.Size(panel.gridPos.w, panel.gridPos.h) for panel in each.panels], top + header))
        members = [_at(panel, place) for panel, place in zip(each.panels, places, strict=True)]
        if each.title:
            inside = members if each.collapsed else []
            here = core.GridPos(h=1, w=grid.COLUMNS, x=0, y=top)
            placed.append(core.RowPanel(title=each.title, collapsed=each.collapsed, panels=inside, gridPos=here))
        placed += [] if each.collapsed else members
        top = top + header if each.collapsed else grid.bottom(places, top + header)
    return placed


def _at(panel: Panel, place: grid.Place) -> Panel:
    return attr.evolve(panel, gridPos=core.GridPos(h=place.size.height, w=place.size.width, x=place.x, y=place.y))
