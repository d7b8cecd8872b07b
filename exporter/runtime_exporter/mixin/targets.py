"""The queries of a panel, in Grafana's form."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin.grafana import DATASOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Query:
    """One PromQL query of a panel. `exemplar` asks for the traces behind a histogram's buckets."""

    expr: str
    legend: str = ""
    exemplar: bool = False


def targets(queries: Sequence[Query], *, instant: bool, form: str) -> list[dict[str, Any]]:
    """Return queries as targets A, B, C…; `form` is time_series, table or heatmap.

    Plain data: grafanalib's Target knows neither `range` nor `exemplar`, and writes six keys that nothing reads.
    """
    return [
        {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "exemplar": query.exemplar,
            "expr": query.expr,
            "format": form,
            "instant": instant,
            "legendFormat": query.legend or "__auto",
            "range": not instant,
            "refId": ref,
        }
        for ref, query in zip(ascii_uppercase[: len(queries)], queries, strict=True)
    ]
