"""A configuration that would make an alert which can never fire is refused, with the place and the reason."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import config, custom, limits
from runtime_exporter.mixin.generate import generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

DEFAULTS = config.defaults()


def checked(assignment: str) -> None:
    limits.check(config.compose(DEFAULTS, config.load(assignments=[assignment]).values))


def test_the_defaults_can_fire() -> None:
    limits.check(DEFAULTS)


@pytest.mark.parametrize(
    ("assignment", "why"),
    [
        ("alerts.memoryNearLimit.ratio=1", "the kernel ends the process at the limit"),
        ("alerts.memoryNearLimit.prediction.ratio=1.2", "the kernel ends the process at the limit"),
        ("alerts.fdExhaustion.ratio=1", "no more descriptors than the limit"),
        ("alerts.cpuThrottled.ratio=25", "a share lies between 0 and 1"),
        ("alerts.gcPressure.ratio=10", "more than all of the time"),
        ("alerts.gcPressure.ratio=0", "more than all of the time"),
        ("alerts.scrapeSlow.ratio=1", "a scrape that takes all of scrapeTimeout fails"),
        ("alerts.httpLatencyHigh.quantile=95", "a quantile lies between 0 and 1"),
        ("alerts.httpLatencyHigh.quantile=1", "a quantile lies between 0 and 1"),
        ("alerts.cpuSpike.baselineQuantile=99", "a quantile lies between 0 and 1"),
        ("alerts.httpLatencyHigh.threshold=10s", "a quantile of http_server_request_duration_seconds is 10s at most"),
        ("alerts.eventLoopBlocked.threshold=15s", "a quantile of python_asyncio_loop_lag_seconds is 10s at most"),
        ("alerts.memoryLeak.minCorrelation=1", "a correlation is 1 at most"),
        ("alerts.memoryLeak.minCoverage=1", "there are never more samples than evaluations"),
        ("alerts.memoryLeak.recentWindow=7h", "alerts.memoryLeak.window is 6h"),
        ("alerts.cpuSpike.minHistory=2d", "alerts.cpuSpike.baseline is 1d"),
        ("alerts.profileNewDominantFunction.minShare=20", "a share lies between 0 and 1"),
        ("alerts.lockHotSpot.minShare=1", "a share lies between 0 and 1"),
        ("alerts.targetDown.window=5s", "scrapeInterval is 15s"),
        ("memory.floorWindow=10s", "scrapeInterval is 15s"),
        ("rateInterval=20s", "a rate needs two samples"),
        ("alerts.prometheusNotificationsLost.receiver.ratio=2", "a share lies between 0 and 1"),
        ("alerts.sloLowTraffic.ratio=1.5", "a share lies between 0 and 1"),
        ("alerts.sloLowTraffic.minBadEvents=50", "of fewer than alerts.sloLowTraffic.maxEvents, 50"),
        (
            "alerts.httpErrorBudgetBurn.windows.pageFast.short=2h",
            "alerts.httpErrorBudgetBurn.windows.pageFast.long is 1h",
        ),
        ("alerts.sloBudgetBurn.windows.ticketSlow.short=4d", "alerts.sloBudgetBurn.windows.ticketSlow.long is 3d"),
        ("alerts.restarting.window=1m", "no more than 3 restarts are seen within so few scrapes"),
        ("anomaly.minCoverage=2", "there are never more samples than evaluations"),
        ("http.objective=1", "an objective lies between 0 and 1"),
        ("http.objective=99.9", "an objective lies between 0 and 1"),
    ],
)
def test_a_value_with_which_nothing_can_fire_is_refused(assignment: str, why: str) -> None:
    key = assignment.partition("=")[0]
    with pytest.raises(ConfigError) as refused:
        checked(assignment)
    assert refused.value.setting == key
    assert str(refused.value).startswith(f"{key}: ")
    assert "makes an alert that can never fire" in str(refused.value)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "key",
    [
        "alertmanager.groupInterval",
        "alertmanager.resolveTimeout",
        "alertmanager.critical.repeatInterval",
        "alertmanager.warning.repeatInterval",
        "alertmanager.info.groupInterval",
        "alertmanager.watchdog.interval",
        "evaluationInterval",
        "http.budgetInterval",
        "scrapeInterval",
        "rateInterval",
        "alerts.memoryLeak.window",
        "alerts.cpuSpike.baseline",
    ],
)
def test_a_pause_of_nothing_is_refused_before_alertmanager_does(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}: '0s' is no time at all; give a duration"):
        checked(f"{key}=0s")


@pytest.mark.parametrize(
    "assignment",
    [
        "alertmanager.groupWait=0s",
        "alerts.targetDown.absentFor=0s",
        "alerts.gcPressure={enabled: false, ratio: 5}",
        "alerts={enabled: false, gcPressure: {ratio: 5}}",
        "alerts.gcPressure=null",
        "alerts.memoryNearLimit.prediction=null",
        "alerts.memoryLeak.minCorrelation=-0.5",
        "alerts.sloLowTraffic.ratio=1",
        "alerts.cpuSpike.minCores=0",
    ],
)
def test_what_can_fire_or_is_switched_off_is_nobodys_mistake(assignment: str) -> None:
    checked(assignment)


@pytest.mark.parametrize("key", ["cpuSpike.minCores", "restarting.restarts", "httpThroughputDrop.maxRatio"])
def test_what_nothing_can_be_compared_with_is_refused(key: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"alerts\.{key}: -2 is negative, and nothing that it is compared with ever is"
    ):
        checked(f"alerts.{key}=-2")


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        (["namespaceLabel=job"], "namespaceLabel: 'job' is the label of the service"),
        (["showMultiCluster=true", "clusterLabel=namespace"], "clusterLabel: 'namespace' is namespaceLabel, too"),
    ],
)
def test_each_level_has_a_label_of_its_own(assignments: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        limits.check(config.compose(DEFAULTS, config.load(assignments=assignments).values))


WRONG = {
    "alerts: {memoryLeak: {window: 0s}}": "alerts.memoryLeak.window: '0s' is no time at all",
    "slo: {buckets: []}": "slo.buckets: [] is not a list of seconds, each more than the one before",
    "slo: {buckets: [1, 0.5]}": "slo.buckets: [1, 0.5] is not a list of seconds, each more than the one before",
    'selector: job=~"a(b"': "selector: 'job=~\"a(b\"' is not PromQL: ",
    "slos: {a: {objective: 0.9, selector: 'http_route=~\"[\"'}}": "slos.a.selector: 'http_route=~\"[\"' is not PromQL: ",
    "slos: {a: {sli: custom, objective: 0.9, events: process_cpu_second_total, badEvents: x_total}}": (
        "slos.a.events: 'process_cpu_second_total' reads process_cpu_second_total, which nothing exposes; "
        "did you mean 'process_cpu_seconds_total'?"
    ),
    "services: {a: {slos: {b: {objective: 99}}}}": "services.a.slos.b.objective: 99 must lie between 0 and 1",
    "businessMetrics: [{metric: orders_total, alert: {below: 0}}]": (
        "businessMetrics.0.alert.below: 0 is below what a counter's rate can be"
    ),
    "customAlerts: {Mine: {expression: sum by (job) (x) > 1, summary: 'on {{ $labels.pod }}'}}": (
        "customAlerts.Mine.summary: 'on {{ $labels.pod }}' names the label pod, which the aggregation removes: "
        "it keeps job; add pod to its by"
    ),
    "customAlerts: {Mine: {metric: x, aggregation: max, operator: '>', threshold: 1, description: '{{ $labels.job }}'}}": (
        "customAlerts.Mine.description: '{{ $labels.job }}' names the label job, which the aggregation removes: it keeps none"
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.items(), ids=[said.partition(":")[0] for said in WRONG.values()])
def test_one_line_with_the_place_says_what_is_wrong_and_nothing_is_written(
    text: str, said: str, tmp_path: Path, runtime_exporter: Callable[..., Result]
) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    done = runtime_exporter("generate", tmp_path / "out", "--config", path)
    assert done.exit_code == 2
    assert done.output.startswith(f"error: {path}:1: {said}")
    assert done.output.count("\n") == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "expression: 'sum by (job, pod) (x) > 1', summary: 'on {{ $labels.pod }}'",
        "expression: sum without (pod) (x) > 1, summary: 'on {{ $labels.other }}'",
        "expression: 'topk(3, x) > 1', summary: 'on {{ $labels.pod }}'",
        "expression: sum by (job) (x) * on (job) group_left (pod) y > 1, summary: 'on {{ $labels.pod }}'",
        "expression: sum(x) > 1, labels: {team: a}, summary: '{{ $labels.team }} {{ `$labels.pod` }}'",
    ],
)
def test_a_label_that_may_be_there_may_be_named(text: str) -> None:
    custom.complete({"Mine": yaml.safe_load(f"{{{text}}}")})


def test_a_service_with_slower_buckets_may_have_a_slower_threshold() -> None:
    slow = {**DEFAULTS, "slo": {**DEFAULTS["slo"], "buckets": [1, 30]}}
    slow["alerts"] = {
        **DEFAULTS["alerts"],
        "httpLatencyHigh": {**DEFAULTS["alerts"]["httpLatencyHigh"], "threshold": "20s"},
    }
    limits.check(slow)


def test_every_limit_is_about_a_setting_that_there_is() -> None:
    keys = set(config.paths(DEFAULTS))
    about_nothing = [row.pattern for row in limits.RANGES if not fnmatch.filter(keys, row.pattern)]
    assert about_nothing == []


def test_the_last_bounds_are_those_of_the_exporter() -> None:
    from runtime_exporter.collectors.asyncio import LAG_BUCKETS_SECONDS
    from runtime_exporter.settings import OTEL_BUCKETS_SECONDS

    assert (limits.LARGEST_REQUEST_SECONDS, limits.LARGEST_LAG_SECONDS) == (
        OTEL_BUCKETS_SECONDS[-1],
        LAG_BUCKETS_SECONDS[-1],
    )


def test_the_place_is_named_for_all_and_for_one_service(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    text: dict[str, Any] = {
        "one": "alerts:\n  gcPressure: {ratio: 2}\n",
        "of": "services:\n  shop:\n    alerts:\n      gcPressure: {ratio: 2}\n",
    }
    path.write_text(text["one"], encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"my\.yaml:2: alerts\.gcPressure\.ratio: 2 makes an alert that can never fire"
    ):
        generate(config.load([path]))
    path.write_text(text["of"], encoding="utf-8")
    with pytest.raises(ConfigError, match=r"my\.yaml:4: services\.shop\.alerts\.gcPressure\.ratio: 2 makes an alert"):
        generate(config.load([path]))
