"""The exporter watches itself: is it scraped, do its collectors work, what does it cost, is anything folded away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime_exporter.mixin import panels
from runtime_exporter.mixin.panels import Column, Query, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

EACH = "job, instance"
# The retired are a number that only grows: they are told by how they ended.
THERE = 'state!="retired"'


def dashboard(config: Mapping[str, Any]) -> panels.Dashboard:
    """Return the dashboard about the exporter itself."""
    scope = Scope.of(config)
    return panels.dashboard(
        config,
        "exporter",
        title="Exporter",
        description="Can the other dashboards be trusted: is the exporter scraped, do its collectors work, and what does it cost?",
        subject="runtime_exporter_build_info",
        rows=[
            panels.row("", *_now(scope, config)),
            panels.row("Scrapes", *_scrapes(scope, config)),
            panels.row("Collectors", *_collectors(scope)),
            panels.row("Cost and size", *_cost(scope)),
        ],
    )


def _now(scope: Scope, config: Mapping[str, Any]) -> list[panels.Panel]:
    limit = panels.seconds(config["scrapeTimeout"])
    over = panels.ratio(
        scope.sum_by(EACH, scope.select("runtime_exporter_overhead_ratio")),
        scope.max_by(EACH, scope.select("runtime_exporter_overhead_budget_ratio")),
    )
    return [
        panels.stat(
            "Version",
            "Versions of the exporter in use. More than one: a rollout is under way, or was forgotten half way.",
            Query(f"count by (version) ({scope.select('runtime_exporter_build_info')})", "{{version}}"),
            unit="none",
            text="name",
            sparkline=False,
        ),
        panels.stat(
            "Exporters up",
            "The share of the chosen targets that Prometheus can scrape.",
            Query(f"avg({scope.select('up')})"),
            unit="percentunit",
            decimals=0,
            thresholds=panels.steps("red", (1, "green")),
        ),
        panels.stat(
            "Collectors failing",
            "Collectors whose last run failed. Their metrics are missing, those of the others are right; the exporter's log says why.",
            Query(f"sum(1 - {scope.select('runtime_exporter_collector_success')})"),
            unit="none",
            decimals=0,
            thresholds=panels.steps("green", (1, "red")),
        ),
        panels.stat(
            "Overhead of budget",
            "CPU that the exporter itself uses, as a share of its budget, in the instance where it is worst. Red from the ratio of RuntimeExporterOverBudget.",
            Query(f"max({over})"),
            unit="percentunit",
            thresholds=panels.configured_steps(config, "green", (1, "yellow"), ("alerts.overBudget.ratio", "red")),
        ),
        panels.stat(
            "Slowest scrape",
            "The longest scrape of a chosen target, as Prometheus measures it. Red from the share of the scrape timeout of RuntimeExporterScrapeSlow.",
            Query(f"max({scope.select('scrape_duration_seconds')})"),
            unit="s",
            thresholds=panels.steps(
                "green",
                (limit * config["alerts"]["scrapeSlow"]["ratio"], "red"),
                unless=panels.differing(config, "alerts.scrapeSlow.ratio", "scrapeTimeout"),
            ),
        ),
        panels.stat(
            "Folded",
            "Observations within the time range that went to the label value `other`, because a label had reached its limit of values.",
            Query(f"sum(increase({scope.select('runtime_exporter_folded_total')}[$__range]))"),
            unit="short",
            decimals=0,
            thresholds=panels.configured_steps(config, "green", ("alerts.labelsFolded.folded", "yellow")),
            sparkline=False,
        ),
    ]


def _scrapes(scope: Scope, config: Mapping[str, Any]) -> list[panels.Panel]:
    limit = panels.seconds(config["scrapeTimeout"]) * config["alerts"]["scrapeSlow"]["ratio"]
    duration = scope.select("scrape_duration_seconds")
    rendered = scope.sum_by(f"{EACH}, le", scope.rate("runtime_exporter_scrape_duration_seconds_bucket"))
    return [
        panels.state_timeline(
            "Target up",
            "When Prometheus could scrape each target. A gap here is a gap in every other panel.",
            Query(scope.max_by(EACH, scope.select("up")), scope.per_instance),
            states={"0": ("down", "red"), "1": ("up", "green")},
        ),
        panels.timeseries(
            "Scrape duration",
            "From request to last byte, as Prometheus measures it. The line is the share of the scrape timeout from which RuntimeExporterScrapeSlow fires.",
            Query(scope.select("scrape_duration_seconds"), scope.per_instance),
            unit="s",
            width=12,
            thresholds=panels.steps(
                "green", (limit, "red"), unless=panels.differing(config, "alerts.scrapeSlow.ratio", "scrapeTimeout")
            ),
        ),
        panels.timeseries(
            "Time to render a scrape",
            "What of a scrape the exporter itself takes, to collect and to write, the median and the longest of 100. The rest is the network and waiting for the GIL.",
            Query(panels.quantile(0.5, rendered), f"{scope.per_instance} p50"),
            Query(panels.quantile(0.99, rendered), f"{scope.per_instance} p99"),
            unit="s",
            width=12,
        ),
        panels.timeseries(
            "Samples per scrape",
            "How many samples each scrape brings. It costs Prometheus memory for as long as the data is kept.",
            Query(scope.select("scrape_samples_scraped"), scope.per_instance),
            unit="short",
            axis="samples",
            width=12,
        ),
        panels.timeseries(
            "Samples kept and their limit",
            "Samples of each scrape that are left after relabelling, and from how many on the whole scrape is thrown away. "
            "Prometheus says the limit with --enable-feature=extra-scrape-metrics.",
            Query(scope.select("scrape_samples_post_metric_relabeling"), scope.per_instance),
            Query(f"{scope.select('scrape_sample_limit')} > 0", f"{scope.per_instance} limit"),
            unit="short",
            axis="samples",
            width=12,
            overrides=[panels.line(" limit$", "red")],
        ),
        panels.timeseries(
            "New series",
            "Series per scrape that Prometheus had not seen. They should come after a start and then stop; if they go on, a label has too many values.",
            Query(scope.select("scrape_series_added"), scope.per_instance),
            unit="short",
            axis="series",
            width=12,
        ),
        panels.table(
            "Slowest targets",
            "How long the scrapes of each target took in the time range, on average and at most, and how many samples the last one had.",
            Column("Service", label="job"),
            Column("Instance", label="instance"),
            Column("Longest", scope.max_by(EACH, f"max_over_time({duration}[$__range])"), unit="s"),
            Column("Average", scope.max_by(EACH, f"avg_over_time({duration}[$__range])"), unit="s"),
            Column("Samples", scope.max_by(EACH, scope.select("scrape_samples_scraped")), unit="short"),
            sort="Longest",
            height=7,
        ),
    ]


def _collectors(scope: Scope) -> list[panels.Panel]:
    return [
        panels.state_timeline(
            "Collector success",
            "Whether each collector's last run succeeded, in every chosen instance. A failing one costs its own metrics only.",
            Query(f"min by (collector) ({scope.select('runtime_exporter_collector_success')})", "{{collector}}"),
            states={"0": ("failed", "red"), "1": ("ok", "green")},
        ),
        panels.timeseries(
            "Collector duration",
            "How long each collector's last run took, in the slowest instance chosen.",
            Query(
                f"max by (collector) ({scope.select('runtime_exporter_collector_duration_seconds')})", "{{collector}}"
            ),
            unit="s",
            width=12,
        ),
    ]


def _cost(scope: Scope) -> list[panels.Panel]:
    return [
        panels.timeseries(
            "Overhead and its budget",
            "CPU that the exporter uses by itself, by part, as a share of one core, in the instance where it is worst; the dashed line is the budget.",
            Query(f"max by (part) ({scope.select('runtime_exporter_overhead_ratio')})", "{{part}}"),
            Query(f"min({scope.select('runtime_exporter_overhead_budget_ratio')})", "budget"),
            unit="percentunit",
            overrides=[panels.line("^budget$", "red")],
        ),
        panels.timeseries(
            "Series exposed",
            "Series that each instance exposes. Bounded by the limits of the labels, whatever the application does.",
            Query(scope.sum_by(EACH, scope.select("runtime_exporter_series")), scope.per_instance),
            unit="short",
            axis="series",
        ),
        panels.timeseries(
            "Folded observations",
            "Observations per second that went to `other`, by family: its label has reached the limit of its values. Raise the limit, or use fewer values.",
            Query(f"sum by (family) ({scope.rate('runtime_exporter_folded_total')})", "{{family}}"),
            unit="cps",
        ),
        panels.timeseries(
            "Workers",
            "Processes that one endpoint speaks for: those that live, and those that have died and are not yet added to what is left of all dead.",
            Query(f"sum by (state) ({scope.select('runtime_exporter_workers', THERE)})", "{{state}}"),
            unit="short",
            axis="workers",
            stacked=True,
        ),
        panels.timeseries(
            "Left out with several workers",
            "What is not exposed: series that had no room in the run directory, series that a worker of another version defines otherwise, and collectors "
            "of the application whose values would be of one worker only. More than 0: the log says which.",
            Query(
                scope.sum_by(EACH, scope.select("runtime_exporter_unshared_series")), f"{scope.per_instance} no room"
            ),
            Query(
                scope.sum_by(EACH, scope.select("runtime_exporter_conflicting_series")),
                f"{scope.per_instance} two definitions",
            ),
            Query(
                scope.sum_by(EACH, scope.select("runtime_exporter_left_out_collectors")),
                f"{scope.per_instance} collectors",
            ),
            unit="short",
            axis="series",
        ),
        panels.timeseries(
            "Memory with the exporter",
            "Resident memory of the process that the exporter is in. The exporter's own share is constant: growth is the application's.",
            Query(scope.select("process_resident_memory_bytes"), scope.per_instance),
            unit="bytes",
        ),
    ]
