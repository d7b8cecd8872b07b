"""Prometheus and Alertmanager themselves: are rules evaluated, alerts handed over, and is there room for more series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Query, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

EACH = "job, instance"


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the dashboard about the servers that watch, which are none of the services: they have a selector of their own."""
    own = {**config, "selector": config["prometheus"]["selector"]}
    scope = Scope.of(own)
    return panels.dashboard(
        own,
        "prometheus",
        title="Prometheus",
        description="Does watching itself work: rules, alerts on their way to people, room for series. Only where Prometheus and "
        "Alertmanager are scraped, too; Alertmanager's panels need its job, or all, to be chosen.",
        subject="prometheus_build_info",
        rows=[
            panels.row("", *_now(scope)),
            panels.row("Rules", *_rules(scope)),
            panels.row("Alerts on their way", *_notifications(scope)),
            panels.row("Series and storage", *_storage(scope)),
            panels.row("Scrapes refused", *_scrapes(scope)),
            panels.row("Remote write", *_remote_write(scope), collapsed=True),
        ],
    )


def _now(scope: Scope) -> list[panels.Panel]:
    reloaded = scope.select("prometheus_config_last_reload_successful")
    reloaded_too = scope.select("alertmanager_config_last_reload_successful")
    return [
        panels.stat(
            "Version",
            "Versions of Prometheus in use.",
            Query(f"count by (version) ({scope.select('prometheus_build_info')})", "{{version}}"),
            unit="none",
            text="name",
            sparkline=False,
        ),
        panels.stat(
            "Reloads failed",
            "Servers, Alertmanagers too, that could not load their configuration and go on with the one before. RuntimePrometheusReloadFailed tells of them.",
            Query(f"sum(1 - {reloaded}) + (sum(1 - {reloaded_too}) or vector(0))"),
            unit="none",
            decimals=0,
            thresholds=panels.steps("green", (1, "red")),
        ),
        panels.stat(
            "Rules failing",
            "Evaluations that fail, per second. Alerts of those groups are blind: the panel below names them.",
            Query(f"sum({scope.rate('prometheus_rule_evaluation_failures_total')})"),
            unit="cps",
            thresholds=panels.steps("green", (0.0001, "red")),
        ),
        panels.stat(
            "Alerts lost",
            "Alerts per second that no Alertmanager took. Nobody is told of them. 0 is the normal state.",
            Query(f"sum({scope.rate('prometheus_notifications_dropped_total')})"),
            unit="cps",
            thresholds=panels.steps("green", (0.0001, "red")),
        ),
        panels.stat(
            "Alertmanagers",
            "How many Alertmanagers the server knows that knows fewest. Without any, nobody is told of anything.",
            Query(f"min({scope.select('prometheus_notifications_alertmanagers_discovered')})"),
            unit="none",
            decimals=0,
            thresholds=panels.steps("red", (1, "green")),
        ),
        panels.stat(
            "Series",
            "Series in memory, of all servers chosen. Each costs some kilobytes: this number is what Prometheus' memory follows.",
            Query(f"sum({scope.select('prometheus_tsdb_head_series')})"),
            unit="short",
        ),
    ]


def _rules(scope: Scope) -> list[panels.Panel]:
    def of_group(title: str, description: str, expression: str, unit: str, **more: Any) -> panels.Panel:
        return panels.timeseries(
            title, description, Query(scope.max_by("job, instance, rule_group", expression), "{{rule_group}}"), unit=unit, width=12, **more
        )  # fmt: skip

    duration = scope.select("prometheus_rule_group_last_duration_seconds")
    return [
        of_group(
            "Rule evaluation of its interval",
            "How long each group took, as a share of the time that it has. From 1 on, evaluations are left out.",
            f"{duration} / {scope.select('prometheus_rule_group_interval_seconds')}",
            "percentunit",
            thresholds=panels.steps("green", (1, "red")),
        ),
        of_group(
            "Rule evaluation duration",
            "How long the last evaluation of each group took. What grows reads too many series, or too long a window.",
            duration,
            "s",
        ),
        of_group(
            "Failed evaluations",
            "Evaluations of each group that failed, per second. RuntimePrometheusRulesFailing tells of them; the error stands under Status > Rules.",
            scope.rate("prometheus_rule_evaluation_failures_total"),
            "cps",
        ),
        of_group(
            "Missed evaluations",
            "Evaluations of each group that were left out, per second, since the one before had not ended.",
            scope.rate("prometheus_rule_group_iterations_missed_total"),
            "cps",
        ),
    ]


def _notifications(scope: Scope) -> list[panels.Panel]:
    queue = panels.ratio(
        scope.max_by(EACH, scope.select("prometheus_notifications_queue_length")),
        scope.max_by(EACH, scope.select("prometheus_notifications_queue_capacity")),
    )
    return [
        panels.timeseries(
            "Alerts sent and not taken",
            "Alerts that each Prometheus sent to Alertmanagers, per second, and errors on the way. Alerts that fire are sent again and again.",
            Query(scope.sum_by(EACH, scope.rate("prometheus_notifications_sent_total")), f"{scope.per_instance} sent"),
            Query(
                scope.sum_by(EACH, scope.rate("prometheus_notifications_errors_total")), f"{scope.per_instance} errors"
            ),
            unit="cps",
            width=6,
            overrides=[panels.colored(" errors$", "red")],
        ),
        panels.timeseries(
            "Alert queue",
            "How full the queue of alerts to be sent is. When it is full, the oldest are lost.",
            Query(queue, scope.per_instance),
            unit="percentunit",
            width=6,
            thresholds=panels.steps("green", (0.5, "yellow")),
        ),
        panels.timeseries(
            "Messages by integration",
            "Messages that Alertmanager tried to send, per second, and those that failed: a receiver with failures tells nobody.",
            Query(
                f"sum by (integration) ({scope.rate('alertmanager_notifications_total')}) > 0", "{{integration}}"
            ),
            Query(
                f"sum by (integration) ({scope.rate('alertmanager_notifications_failed_total')}) > 0",
                "{{integration}} failed",
            ),
            unit="cps",
            width=6,
            overrides=[panels.colored(" failed$", "red")],
        ),
        panels.timeseries(
            "Alerts in Alertmanager",
            "Alerts that Alertmanager knows: active ones, and those that are silenced or inhibited.",
            Query(f"max by (state) ({scope.select('alertmanager_alerts')})", "{{state}}"),
            unit="short",
            axis="alerts",
            width=6,
            stacked=True,
        ),
    ]  # fmt: skip


def _storage(scope: Scope) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "Series in memory",
            "Series of the last hours in each server. A step came with a new target or a new label; a slope that does not end is a label with too many values.",
            Query(scope.select("prometheus_tsdb_head_series"), scope.per_instance),
            unit="short",
            axis="series",
        ),
        panels.timeseries(
            "Churn of series",
            "Series that begin and that end, per second. Deployments make it rise for a while; if it stays, a label changes all the time.",
            Query(scope.sum_by(EACH, scope.rate("prometheus_tsdb_head_series_created_total")), f"{scope.per_instance} new"),
            Query(scope.sum_by(EACH, scope.rate("prometheus_tsdb_head_series_removed_total")), f"{scope.per_instance} gone"),
            unit="cps",
        ),
        panels.timeseries(
            "Samples stored",
            "Samples per second that each server stores: what its disk and its CPU follow.",
            Query(scope.sum_by(EACH, scope.rate("prometheus_tsdb_head_samples_appended_total")), scope.per_instance),
            unit="cps",
        ),
        panels.timeseries(
            "Broken storage",
            "Corruptions of the write-ahead log and compactions that failed, per second. Anything but 0 is about the disk: full, or faulty.",
            Query(scope.sum_by(EACH, scope.rate("prometheus_tsdb_wal_corruptions_total")), f"{scope.per_instance} corruptions"),
            Query(scope.sum_by(EACH, scope.rate("prometheus_tsdb_compactions_failed_total")), f"{scope.per_instance} compactions"),
            unit="cps",
            width=12,
        ),
        panels.timeseries(
            "Disk used by blocks",
            "What the blocks of the past take on each server's disk; the last hours come on top.",
            Query(scope.select("prometheus_tsdb_storage_blocks_bytes"), scope.per_instance),
            unit="bytes",
            width=12,
        ),
    ]  # fmt: skip


def _scrapes(scope: Scope) -> list[panels.Panel]:
    def refused(title: str, description: str, metric: str) -> panels.Panel:
        return panels.timeseries(
            title, description, Query(scope.sum_by(EACH, scope.rate(metric)), scope.per_instance), unit="cps"
        )

    return [
        refused(
            "Scrapes over their limit of samples",
            "Scrapes that were thrown away whole, per second, since they had more samples than sample_limit of their job allows.",
            "prometheus_target_scrapes_exceeded_sample_limit_total",
        ),
        refused(
            "Duplicate samples",
            "Samples of one series with one time and two values, per second: two targets, or two rules, have the same labels.",
            "prometheus_target_scrapes_sample_duplicate_timestamp_total",
        ),
        refused(
            "Samples out of order",
            "Samples that were older than what is stored, per second: a clock that jumps, or two sources of one series.",
            "prometheus_target_scrapes_sample_out_of_order_total",
        ),
    ]


def _remote_write(scope: Scope) -> list[panels.Panel]:
    labels = f"{scope.cluster_label}, {scope.namespace_label}, job, instance"
    lag = (
        f"{scope.select('prometheus_remote_storage_highest_timestamp_in_seconds')} - ignoring (remote_name, url) group_right () "
        f"({scope.select('prometheus_remote_storage_queue_highest_sent_timestamp_seconds')} > 0)"
    )
    return [
        panels.timeseries(
            "Remote write lag",
            "How far behind the newest sample is what was sent. It should be seconds: when it grows, the receiver is too slow, or gone.",
            Query(f"max by ({labels}, remote_name) ({lag})", f"{scope.per_instance} {{{{remote_name}}}}"),
            unit="s",
        ),
        panels.timeseries(
            "Remote write samples waiting",
            "Samples that wait to be sent.",
            Query(
                scope.sum_by(f"{EACH}, remote_name", scope.select("prometheus_remote_storage_samples_pending")),
                f"{scope.per_instance} {{{{remote_name}}}}",
            ),
            unit="short",
            axis="samples",
        ),
        panels.timeseries(
            "Remote write samples failed",
            "Samples per second that the receiver refused for good: they are missing there.",
            Query(
                scope.sum_by(f"{EACH}, remote_name", scope.rate("prometheus_remote_storage_samples_failed_total")),
                f"{scope.per_instance} {{{{remote_name}}}}",
            ),
            unit="cps",
        ),
    ]
