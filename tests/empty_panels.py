"""Which of the dashboards' queries may return nothing, and why: the list is may_be_empty.yaml, beside this file."""

from __future__ import annotations

from pathlib import Path

import yaml

import promql_tree

REASONS: dict[str, dict[str, dict[str, str]]] = yaml.safe_load(
    (Path(__file__).parent / "may_be_empty.yaml").read_text()
)


def why_empty(dashboard: str, title: str, expression: str) -> str | None:
    """Return why a query of a panel may be empty, or None where it must return data; `dashboard` is overview, runtime, http or exporter."""
    reasons = REASONS.get(dashboard, {}).get(title, {})
    absent = sorted(promql_tree.metrics(expression) & set(reasons))
    return reasons[absent[0]] if absent else None
