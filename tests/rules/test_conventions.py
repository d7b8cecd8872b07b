"""What holds for every rule: the conventions of mixins, the pages and tests that each alert has, the switches that each obeys."""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest

import rule_files
from rule_files import UNIT_TESTS, groups, rules
from runtime_exporter.errors import ExporterError
from runtime_exporter.mixin import config, contract
from runtime_exporter.profiling import alerts

ALERTS = rules("alert")
NAMES = sorted({rule["alert"] for rule in ALERTS})
RECORDED = [rule["record"] for rule in rules("record")]
RULES = rule_files.HERE.parent.parent / "rules"
RUNBOOKS = rule_files.HERE.parent.parent / "docs" / "runbooks"

# Recorded for people who look, not for an alert.
FOR_DASHBOARDS = {
    "job:http_server_error_budget_remaining:ratio30d",
    "slo:error_budget_remaining:ratio",
}
# The key in `_config.alerts` of each alert.
KEYS = {
    "actAuditFailing": "RuntimeActAuditFailing",
    "actCommandFailing": "RuntimeActCommandFailing",
    "actRefused": "RuntimeActRefused",
    "anomaly": "RuntimeAnomaly",
    "cpuSpike": "RuntimeCpuSpike",
    "cpuThrottled": "RuntimeCpuThrottled",
    "collectorFailing": "RuntimeExporterCollectorFailing",
    "diskFilling": "RuntimeDiskFilling",
    "eventLoopBlocked": "RuntimeEventLoopBlocked",
    "fdExhaustion": "RuntimeFdExhaustion",
    "threadExhaustion": "RuntimeThreadExhaustion",
    "gcPressure": "RuntimeGcPressure",
    "httpErrorBudgetBurn": "RuntimeHttpErrorBudgetBurn",
    "httpLatencyHigh": "RuntimeHttpLatencyHigh",
    "httpLatencyRegression": "RuntimeHttpLatencyRegression",
    "httpThroughputDrop": "RuntimeHttpThroughputDrop",
    "labelsFolded": "RuntimeLabelsFolded",
    "lockHotSpot": "RuntimeLockHotSpot",
    "memoryLeak": "RuntimeMemoryLeakSuspected",
    "memoryNearLimit": "RuntimeMemoryNearLimit",
    "overBudget": "RuntimeExporterOverBudget",
    "prometheusNotificationsLost": "RuntimePrometheusNotificationsLost",
    "prometheusReloadFailed": "RuntimePrometheusReloadFailed",
    "prometheusRulesFailing": "RuntimePrometheusRulesFailing",
    "profileLeakSuspect": "RuntimeProfileLeakSuspect",
    "profileNewDominantFunction": "RuntimeProfileNewDominantFunction",
    "profileRegression": "RuntimeProfileRegression",
    "restarting": "RuntimeRestarting",
    "scrapeSlow": "RuntimeExporterScrapeSlow",
    "sloBudgetBurn": "RuntimeSloBudgetBurn",
    "sloLowTraffic": "RuntimeSloLowTraffic",
    "targetDown": "RuntimeTargetDown",
    "threadLeak": "RuntimeThreadLeakSuspected",
    "watchdog": "Watchdog",
    "workersDying": "RuntimeWorkersDying",
}

each_alert = pytest.mark.parametrize(
    "rule",
    ALERTS,
    ids=lambda rule: "-".join([rule["alert"], rule["labels"]["severity"], rule["labels"].get("long", "")]),
)
each_name = pytest.mark.parametrize("name", NAMES)


def labels_used(rule: dict[str, Any]) -> set[str]:
    """Return the labels that the texts show; one that is asked for, or that a query asks with, may be missing."""
    shown = re.sub(r"\{\{ (?:with|if) query .*?\) \}\}", "", " ".join(rule["annotations"].values()))
    shown = re.sub(r"\{\{ if \$labels\.(\w+) \}\}\{\{ \$labels\.\1 \}\}\{\{ else \}\}", "", shown)
    return set(re.findall(r"\$labels\.(\w+)", shown))


def unit_tests_of(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return (group of tests, alert_rule_test) of an alert under the default configuration."""
    return [
        (group, case)
        for tests in UNIT_TESTS
        if not tests.overrides
        for group in tests.document["tests"]
        for case in group.get("alert_rule_test", [])
        if case["alertname"] == name
    ]


def metrics_behind(rule: dict[str, Any]) -> set[str]:
    """Return the metrics of targets that a rule reads, through what is recorded in between."""
    sources = {recording["record"]: recording["expr"] for recording in rules("record")}
    found: set[str] = set()
    names = set(contract.names_used(rule["expr"]))
    while names:
        name = names.pop()
        if name in sources:
            names |= contract.names_used(sources[name]) - {name}
        else:
            found.add(name)
    return found


# --- what a rule looks like -------------------------------------------------------------------------------------------


@each_alert
def test_an_alert_has_a_severity_and_a_name_in_camel_case(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in config.SEVERITIES
    assert re.fullmatch(r"([A-Z]+[a-z0-9]+)+", rule["alert"])
    assert len(rule["alert"]) <= 40
    assert rule["alert"] == "Watchdog" or rule["alert"].startswith("Runtime")


@each_alert
def test_a_summary_is_the_same_sentence_for_all_that_are_grouped_together(rule: dict[str, Any]) -> None:
    summary = rule["annotations"]["summary"]
    assert re.fullmatch(r"[A-Z].+\.", summary)
    assert "{{" not in summary


@each_alert
def test_a_description_says_which_and_how_much(rule: dict[str, Any]) -> None:
    description = rule["annotations"]["description"]
    assert "{{" in description
    assert description.endswith(".")


@each_alert
def test_three_to_five_actions_are_suggested(rule: dict[str, Any]) -> None:
    lines = rule["annotations"]["suggested_actions"].split("\n")
    assert 3 <= len(lines) <= 5
    assert all(line.startswith("- ") and line.endswith(".") for line in lines)


@each_alert
def test_an_alert_links_to_its_page_and_to_its_dashboard(rule: dict[str, Any]) -> None:
    assert rule["annotations"]["runbook_url"] == f"http://localhost:9464/runbooks/{rule['alert']}"
    uid = re.match(r"http://localhost:3000/d/([\w-]+)", rule["annotations"]["dashboard_url"])
    assert uid is not None
    assert uid[1] in config.defaults()["dashboardUids"].values()


@each_alert
def test_no_label_holds_the_value(rule: dict[str, Any]) -> None:
    assert not any("$value" in text for text in rule["labels"].values())


def test_groups_are_small_enough_for_every_ruler() -> None:
    names = [group["name"] for group in groups()]
    assert sorted(set(names)) == sorted(names)
    assert [group["name"] for group in groups() if len(group["rules"]) > 20 or len(group["name"]) > 40] == []


def test_every_group_is_evaluated_at_the_pace_that_its_expressions_count_in() -> None:
    paces = {group["name"]: group["interval"] for group in groups({"evaluationInterval": "30s"})}
    assert paces.pop("runtime-http-budget.rules") == "5m"
    assert paces.pop("runtime-slo-budgets.rules") == "5m"
    assert paces.pop("runtime-baselines.rules") == "5m"
    assert set(paces.values()) == {"30s"}


@pytest.mark.parametrize("rule", rules("alert") + rules("record"), ids=lambda rule: rule.get("alert") or rule["record"])
def test_an_expression_is_promql_of_prometheus_3_too(rule: dict[str, Any]) -> None:
    promql_parser.parse(rule["expr"])


def test_what_is_recorded_is_used() -> None:
    used = set().union(*(contract.names_used(rule["expr"]) for rule in [*ALERTS, *rules("record")]))
    assert set(RECORDED) - used == FOR_DASHBOARDS


def test_recorded_names_say_level_metric_and_operation() -> None:
    assert [
        name
        for name in RECORDED
        if not re.fullmatch(r"(instance|job|job_route|job_function|slo|anomaly):[a-z_]+:[a-z_0-9]+", name)
    ] == []


def test_with_several_clusters_no_aggregation_and_no_text_forgets_which() -> None:
    several = {"showMultiCluster": True, "clusterLabel": "k8s_cluster"}
    for rule in rules("alert", several) + rules("record", several):
        for aggregation in re.findall(r"(?:by|on) \(([^)]*)\)", rule["expr"]):
            assert aggregation.startswith("k8s_cluster, "), rule["expr"]
    texts = {rule["alert"]: rule["annotations"] for rule in rules("alert", several)}
    del texts["Watchdog"]
    assert all("{{ $labels.k8s_cluster }}" in text["description"] for text in texts.values())
    assert all("var-cluster={{ $labels.k8s_cluster | urlquery }}" in text["dashboard_url"] for text in texts.values())


def test_with_one_cluster_no_text_speaks_of_clusters() -> None:
    assert [
        rule["alert"] for rule in ALERTS if "cluster" in str(rule["annotations"]["description"]) + rule["expr"]
    ] == []


# --- its page and its tests -------------------------------------------------------------------------------------------


@each_name
def test_an_alert_has_a_page_to_read_at_night(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert [heading for heading in headings if heading in ("Meaning", "Impact", "Diagnosis", "Mitigation")] == [
        "Meaning", "Impact", "Diagnosis", "Mitigation",
    ]  # fmt: skip


@each_name
def test_the_settings_that_a_page_names_exist(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:act|alerts|anomaly|http|memory|profiles|slo|threads)\.[\w.]+)`", page)
    assert any(path.startswith(f"alerts.{key}") for key, alert in KEYS.items() if alert == name for path in named), (
        "its own settings"
    )
    for path in named:
        value: Any = config.defaults()
        for key in path.split("."):
            assert key in value, path
            value = value[key]


@each_name
def test_the_queries_on_a_page_are_promql(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    for query in re.findall(r"```promql\n(.*?)```", page, re.DOTALL):
        for line in query.strip().split("\n"):
            promql_parser.parse(line)


def test_there_is_no_page_without_an_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == NAMES


@each_alert
def test_an_alert_has_a_test_that_fires_it(rule: dict[str, Any]) -> None:
    fired = [expected for _, case in unit_tests_of(rule["alert"]) for expected in case.get("exp_alerts", [])]
    mine = [expected for expected in fired if rule["labels"].items() <= expected["exp_labels"].items()]
    assert mine != []
    # promtool compares these labels exactly: what an annotation speaks of has survived the aggregations.
    assert all(labels_used(rule) <= set(expected["exp_labels"]) for expected in mine)


@each_name
def test_an_alert_has_a_test_in_which_it_must_stay_quiet(name: str) -> None:
    if name == "Watchdog":
        return
    reads = set().union(*(metrics_behind(rule) for rule in ALERTS if rule["alert"] == name))
    quiet = [group for group, case in unit_tests_of(name) if not case.get("exp_alerts")]
    given = [{re.split(r"\{", series["series"])[0] for series in group["input_series"]} for group in quiet]
    # Quiet although there is something to look at.
    assert any(reads & metrics for metrics in given)


# --- its switches -----------------------------------------------------------------------------------------------------


def test_every_alert_has_a_key_and_every_key_an_alert() -> None:
    assert sorted(KEYS.values()) == NAMES
    assert sorted(KEYS) == sorted(set(config.defaults()["alerts"]) - {"enabled"})


@pytest.mark.parametrize("off", [{"enabled": False}, None], ids=["enabled: false", "null"])
@pytest.mark.parametrize("parity", [0, 1])
def test_alerts_can_be_switched_off_one_by_one(parity: int, off: dict[str, bool] | None) -> None:
    # Every other key at once: to evaluate the mixin for each takes its time.
    gone = sorted(KEYS)[parity::2]
    left = rules("alert", {"alerts": dict.fromkeys(gone, off)})
    assert {rule["alert"] for rule in left} == {KEYS[key] for key in set(KEYS) - set(gone)}


def test_all_alerts_can_be_switched_off_and_what_is_recorded_stays() -> None:
    off = {"alerts": {"enabled": False}}
    assert rules("alert", off) == []
    assert [rule["record"] for rule in rules("record", off)] == RECORDED


TUNED = {
    "alerts": {
        "memoryNearLimit": {"prediction": {"enabled": False}},
        "httpErrorBudgetBurn": {"windows": {"ticketSlow": None}},
        "gcPressure": {"for": "0s", "keepFiringFor": "10m", "severity": "critical"},
    }
}


def test_a_prediction_can_be_switched_off_and_its_level_stays() -> None:
    assert [
        rule["labels"]["severity"] for rule in rules("alert", TUNED) if rule["alert"] == "RuntimeMemoryNearLimit"
    ] == ["critical"]


def test_a_window_of_the_burn_rate_can_be_left_out() -> None:
    burns = [rule for rule in rules("alert", TUNED) if rule["alert"] == "RuntimeHttpErrorBudgetBurn"]
    assert sorted(rule["labels"]["long"] for rule in burns) == ["1d", "1h", "6h"]


def test_severity_and_durations_are_taken_over_and_a_for_of_nothing_is_left_out() -> None:
    [rule] = [rule for rule in rules("alert", TUNED) if rule["alert"] == "RuntimeGcPressure"]
    assert ("for" in rule, rule["keep_firing_for"], rule["labels"]["severity"]) == (False, "10m", "critical")
    [rule] = [rule for rule in ALERTS if rule["alert"] == "RuntimeGcPressure"]
    assert (rule["for"], "keep_firing_for" in rule) == ("10m", False)


def leaves(settings: dict[str, Any]) -> set[str]:
    nested = [leaves(value) if isinstance(value, dict) else {name} for name, value in settings.items()]
    return set().union(*nested)


def test_every_setting_of_an_alert_is_read_by_the_rules() -> None:
    sources = " ".join(path.read_text(encoding="utf-8") for path in (RULES / "alerts").glob("*.libsonnet"))
    sources += " ".join(path.read_text(encoding="utf-8") for path in (RULES / "lib").glob("*.libsonnet"))
    sources += " ".join(path.read_text(encoding="utf-8") for path in (RULES / "recording").glob("*.libsonnet"))
    read = set(re.findall(r"\.(\w+)", sources))
    assert leaves(config.defaults()["alerts"]) - read - {"for"} == set()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"http": {"objective": 1}}, "http.objective is 1: it must lie between 0 and 1"),
        ({"http": {"objective": 0.9}}, "a factor of 14.4 at an objective of 0.9 asks for 1.44 of all requests to fail"),
        ({"rateInterval": "10m"}, "the window 5m is shorter than rateInterval, 10m"),
        ({"alerts": {"gcPressure": {"ratio": "much"}}}, "is not a number"),
        ({"alerts": {"gcPressure": {"for": "ten minutes"}}}, "is not a duration"),
    ],
    ids=["objective of 1", "unreachable burn rate", "window below the rate's", "no number", "no duration"],
)
def test_a_setting_that_makes_no_sense_is_refused_with_its_reason(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(ExporterError) as refused:
        groups(overrides)
    assert said in str(refused.value)


def test_who_wants_it_is_told_of_no_job_that_is_gone() -> None:
    found = rules("alert", {"alerts": {"targetDown": {"absentFor": "0s"}}})
    [whole] = [
        rule for rule in found if rule["alert"] == "RuntimeTargetDown" and rule["labels"]["severity"] == "critical"
    ]
    assert whole["expr"] == 'max by (namespace, job) (max_over_time(up{job=~".+"}[1m])) == 0'


@pytest.mark.parametrize(
    ("alert", "part"),
    [
        ("memoryNearLimit", "prediction"),
        ("fdExhaustion", "prediction"),
        ("threadExhaustion", "prediction"),
        ("targetDown", "instance"),
    ],
)
def test_null_removes_the_lesser_of_two_alerts_and_leaves_the_other(alert: str, part: str) -> None:
    found = rules("alert", {"alerts": {alert: {part: None}}})
    assert [rule["labels"]["severity"] for rule in found if rule["alert"] == KEYS[alert]] == ["critical"]


def test_two_halves_of_an_alert_stay_two_where_they_have_one_severity() -> None:
    halved = ("memoryNearLimit", "fdExhaustion", "threadExhaustion", "targetDown")
    alike = {"alerts": {alert: {"severity": "warning"} for alert in halved}}
    found = rules("alert", alike)
    identities = [(rule["alert"], tuple(sorted(rule["labels"].items()))) for rule in found]
    assert sorted(set(identities)) == sorted(identities)
    parts = {rule["alert"]: rule["labels"]["part"] for rule in found if "part" in rule["labels"]}
    halves = ("RuntimeMemoryNearLimit", "RuntimeFdExhaustion", "RuntimeThreadExhaustion")
    expected = dict.fromkeys(halves, "prediction")
    assert parts == {**expected, "RuntimeTargetDown": "instance"}
    assert not any("part" in rule["labels"] for rule in ALERTS)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("https://wiki.example/a%20b/%s", "https://wiki.example/a%20b/Watchdog"),
        ("https://wiki.example/all", "https://wiki.example/all"),
        ("", None),
    ],
    ids=["other percent signs", "one page for all", "none"],
)
def test_any_address_will_do_for_the_pages(pattern: str, expected: str | None) -> None:
    [watchdog] = [rule for rule in rules("alert", {"runbookURLPattern": pattern}) if rule["alert"] == "Watchdog"]
    assert watchdog["annotations"].get("runbook_url") == expected


def test_a_slash_at_the_end_of_grafanas_address_is_not_doubled() -> None:
    custom = {"Mine": {"expression": "up == 0", "summary": "Mine.", "description": "{{ $value }}"}}
    found = rules("alert", {"grafanaUrl": "https://grafana.example/g/", "customAlerts": custom})
    urls = [rule["annotations"]["dashboard_url"] for rule in found]
    assert [url for url in urls if not url.startswith("https://grafana.example/g/d/")] == []


def test_with_vmalert_no_text_queries_and_what_needs_no_query_stays() -> None:
    found = {rule["alert"]: rule["annotations"] for rule in rules("alert", {"target": "vmalert"})}
    assert "query (" not in str(found)
    assert found["RuntimeCpuSpike"]["description"].endswith("over the last 1d.")
    where = "{{ if $labels.agent }}{{ $labels.agent }}{{ else }}{{ $labels.instance }}{{ end }}"
    assert found["RuntimeCpuSpike"]["profile_url"] == f"http://{where}/profiles/alert/RuntimeCpuSpike"
    # It would have to be asked which instance is slow.
    assert "profile_url" not in found["RuntimeHttpLatencyHigh"]


def test_an_unknown_target_is_one_clear_line() -> None:
    with pytest.raises(ExporterError, match="target: 'nagios' is not 'prometheus' or 'vmalert'"):
        groups({"target": "nagios"})


def test_who_wants_no_functions_in_the_texts_has_none() -> None:
    found = {rule["alert"]: rule["annotations"] for rule in rules("alert", {"profiles": {"topFunctions": 0}})}
    assert "query (" not in found["RuntimeCpuSpike"]["description"]
    assert "topk(5" in str(rules("alert", {"profiles": {"topFunctions": 5}}))


AGENT = "https://agent.example/targets/all?x=%20&page=%s"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (
            "http://{{ $labels.instance }}/profiles/alert/%s",
            "http://{{ $labels.instance }}/profiles/alert/RuntimeProfileRegression?function={{ $labels.function | urlquery }}",
        ),
        (AGENT, AGENT.replace("%s", "RuntimeProfileRegression") + "&function={{ $labels.function | urlquery }}"),
        ("", None),
    ],
    ids=["the instance", "a query of its own", "none"],
)
def test_any_address_will_do_for_profiles(pattern: str, expected: str | None) -> None:
    found = rules("alert", {"profileUrlPattern": pattern})
    [regression] = [rule for rule in found if rule["alert"] == "RuntimeProfileRegression"]
    assert regression["annotations"].get("profile_url") == expected


def test_an_address_without_an_instance_needs_none_to_be_asked_for() -> None:
    found = rules("alert", {"profileUrlPattern": AGENT, "target": "vmalert"})
    [slow] = [rule for rule in found if rule["alert"] == "RuntimeHttpLatencyHigh"]
    assert slow["annotations"]["profile_url"] == AGENT.replace("%s", "RuntimeHttpLatencyHigh")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"profileUrlPattern": "http://{{ $labels.instance }}/profiles/alert/%s"}, None),
        ({"target": "vmalert"}, None),
        ({"profileUrlPattern": AGENT, "target": "vmalert"}, AGENT.replace("%s", "RuntimeCpuSpike")),
    ],
    ids=["the pattern knows no agent", "nobody can be asked", "one page for all"],
)
def test_services_in_go_have_no_link_to_a_page_that_nobody_serves(overrides: dict, expected: str | None) -> None:
    found = {rule["alert"]: rule["annotations"] for rule in rules("alert", {"source": "go", **overrides})}
    assert found["RuntimeCpuSpike"].get("profile_url") == expected


def test_every_alert_that_the_profiler_takes_a_profile_for_links_to_it_and_no_other() -> None:
    assert {rule["alert"] for rule in ALERTS if "profile_url" in rule["annotations"]} == set(alerts.KINDS)


def test_what_templates_ask_is_promql() -> None:
    asked = {
        re.sub(r'\\(["\\])', r"\1", query).replace("%q", '"x"')
        for rule in ALERTS
        for text in rule["annotations"].values()
        for query in re.findall(r'query \(printf "((?:\\.|[^"\\])*)"', text)
    }
    assert 5 <= len(asked)
    for query in asked:
        promql_parser.parse(query)
