"""The joint between the two halves: names of metrics. What rules and dashboards read must be exposed, or recorded by a rule."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from runtime_exporter.mixin import promql
from runtime_exporter.mixin.exposition import told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

# What Prometheus and Alertmanager expose of themselves, of which rules and dashboards read what 2.42 and 0.25 have, and all since.
OF_SERVERS = frozenset({
    "prometheus_build_info", "prometheus_config_last_reload_successful",
    "prometheus_rule_group_last_duration_seconds", "prometheus_rule_group_interval_seconds",
    "prometheus_rule_evaluation_failures_total", "prometheus_rule_group_iterations_missed_total",
    "prometheus_tsdb_head_series", "prometheus_tsdb_head_series_created_total", "prometheus_tsdb_head_series_removed_total",
    "prometheus_tsdb_head_samples_appended_total", "prometheus_tsdb_wal_corruptions_total",
    "prometheus_tsdb_compactions_failed_total", "prometheus_tsdb_storage_blocks_bytes",
    "prometheus_target_scrapes_exceeded_sample_limit_total", "prometheus_target_scrapes_sample_duplicate_timestamp_total",
    "prometheus_target_scrapes_sample_out_of_order_total",
    "prometheus_notifications_sent_total", "prometheus_notifications_errors_total", "prometheus_notifications_dropped_total",
    "prometheus_notifications_queue_length", "prometheus_notifications_queue_capacity",
    "prometheus_notifications_alertmanagers_discovered",
    "prometheus_remote_storage_highest_timestamp_in_seconds", "prometheus_remote_storage_queue_highest_sent_timestamp_seconds",
    "prometheus_remote_storage_samples_pending", "prometheus_remote_storage_samples_failed_total",
    "alertmanager_config_last_reload_successful", "alertmanager_notifications_total", "alertmanager_notifications_failed_total",
    "alertmanager_alerts",
})  # fmt: skip

# What `runtime-exporter act` exposes of itself, beside the processes that the exporter is in.
OF_ACT = frozenset({
    "runtime_exporter_act_runs_total", "runtime_exporter_act_run_seconds_sum", "runtime_exporter_act_run_seconds_count",
    "runtime_exporter_act_last_run_timestamp_seconds", "runtime_exporter_act_refused_total", "runtime_exporter_act_dry_run",
})  # fmt: skip

# What Prometheus itself adds for every target and alert, and what the servers beside the services say of themselves.
OF_PROMETHEUS = OF_SERVERS | OF_ACT | {
    "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added",
    "scrape_sample_limit", "ALERTS", "ALERTS_FOR_STATE",
}  # fmt: skip

_SUFFIXES = {
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
    "counter": ("", "_total"),
    "info": ("", "_info"),
}
# Grafana's: $__rate_interval stands where a duration does, $job where a value does; neither is PromQL.
_DURATION_VARIABLE = re.compile(r"\$\{?__(?:rate_interval|interval|range)\}?")
_VARIABLE = re.compile(r"\$(?:\{\w+(?::\w+)?\}|\w+)")
_TEMPLATE_QUERY = re.compile(r"(?:label_values|query_result|metrics)\((.*)\)\s*$", re.DOTALL)


def names_used(text: str) -> frozenset[str]:
    """Return the metrics that a generated file reads: of a rule file, a dashboard, or one PromQL expression."""
    names = [promql.metric_names(expression) for expression in expressions(text)]
    return frozenset().union(*names)


def names_of(expression: str) -> frozenset[str]:
    """Return the metrics that one PromQL expression, perhaps of a dashboard, reads."""
    return promql.metric_names(_without_variables(expression))


def document(text: str) -> Any:
    """Return what a generated file says, by libyaml where PyYAML has it, which is ten times as fast. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def expressions(text: str) -> list[str]:
    """Return the PromQL in a rule file (YAML), a dashboard (JSON), or `text` itself where it is neither."""
    try:
        read = document(text)
    except yaml.YAMLError:
        read = None
    if not isinstance(read, dict):
        return [_without_variables(text)]
    return [_without_variables(found) for found in _found(read)]


def names_recorded(text: str) -> frozenset[str]:
    """Return the names of the series that the rules of a rule file record."""
    rules = [rule for group in document(text).get("groups", []) for rule in group.get("rules", [])]
    return frozenset(rule["record"] for rule in rules if "record" in rule)


def names_exposed(text: str) -> frozenset[str]:
    """Return the names that samples may have by a text exposition (with its TYPE lines), or by a plain list of names."""
    names: set[str] = set()
    for line in told(text):
        names.update(line.name + suffix for suffix in _SUFFIXES.get(line.type, ("",)))
    return frozenset(names)


def unknown_names(paths: Iterable[Path], exposed: Collection[str]) -> list[str]:
    """Return a finding for every metric that one of the files reads and nobody exposes, records or adds."""
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    recorded = [names_recorded(text) for path, text in texts.items() if path.suffix == ".yaml"]
    known = OF_PROMETHEUS.union(exposed, *recorded)
    return [
        f"{path}: reads {name}, which nothing exposes or records"
        for path, text in texts.items()
        for name in sorted(names_used(text) - known)
    ]


def _found(value: Any) -> Iterator[str]:
    """Yield every `expr`, and the query of a dashboard's variables and annotations."""
    if isinstance(value, list):
        for item in value:
            yield from _found(item)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key == "expr" and isinstance(item, str):
            yield item
        elif key in {"query", "definition"} and isinstance(item, str) and (query := _TEMPLATE_QUERY.match(item)):
            yield query[1].rpartition(",")[0] or query[1]
        else:
            yield from _found(item)


def _without_variables(expression: str) -> str:
    return _VARIABLE.sub("variable", _DURATION_VARIABLE.sub("5m", expression)) if "$" in expression else expression


_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
