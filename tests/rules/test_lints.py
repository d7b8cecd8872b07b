"""What linters of rules ask for, written anew, since none of them can be had from a package index: mixtool's lint and pint's offline checks.

They look at the generated files, as a user's linter would. What is excluded stands in rules/.lint with a reason.
"""

from __future__ import annotations

import collections
import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml

import promql_tree
import unsafe_promql
from runtime_exporter.mixin import contract, promql
from unsafe_promql import bare

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "generated" / "rules").glob("*.yaml"))
GROUPS = [group for path in FILES for group in yaml.safe_load(path.read_text())["groups"]]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
DASHBOARDS = sorted((ROOT / "generated" / "dashboards").glob("*.json"))
RATES = {"rate", "irate", "increase", "resets", "changes"}
# What every target has from Prometheus or from service discovery: a rule that sets one of these hides where it comes from.
OF_TARGETS = {"cluster", "namespace", "job", "instance", "alertname"}


def name(rule):
    return rule.get("alert") or rule["record"]


def trees(rule):
    return list(promql_tree.selectors(promql_parser.parse(rule["expr"])))


# --- mixtool lint -----------------------------------------------------------------------------------------------------


def alert_name_length():
    return [name(rule) for rule in ALERTS if len(rule["alert"]) > 40]


def alert_name_camelcase():
    return [name(rule) for rule in ALERTS if not re.fullmatch(r"([A-Z]+[a-z0-9]+)+", rule["alert"])]


def alert_severity_rule():
    known = {"warning", "critical", "info"}
    return [name(rule) for rule in ALERTS if rule["labels"].get("severity") not in known]


def alert_description_missing_rule():
    return [name(rule) for rule in ALERTS if not rule["annotations"].get("description")]


def alert_description_templating():
    return [
        name(rule) for rule in ALERTS if not re.search(r"\{\{.*\}\}", rule["annotations"]["description"], re.DOTALL)
    ]


def alert_summary_missing_rule():
    return [name(rule) for rule in ALERTS if not rule["annotations"].get("summary")]


def alert_summary_templating():
    return [name(rule) for rule in ALERTS if "{{" in rule["annotations"]["summary"]]


def alert_summary_style():
    return [name(rule) for rule in ALERTS if not re.fullmatch(r"[A-Z].+\.", rule["annotations"]["summary"])]


def alert_group_rule_count():
    return [group["name"] for group in GROUPS if len(group["rules"]) > 20]


def alert_group_name_length():
    return [group["name"] for group in GROUPS if len(group["name"]) > 40]


# --- pint lint --------------------------------------------------------------------------------------------------------


def promql_regexp():
    """A regular expression that is a plain text, has anchors, or matches everything."""
    found = []
    for rule in RULES:
        for selector in trees(rule):
            for _, operator, value in selector.matchers:
                if operator in ("=~", "!~") and (
                    re.fullmatch(r"[\w:/ -]*|\.\*", value) or re.search(r"^\^|\$$", value)
                ):
                    found.append(name(rule))
    return found


def promql_fragile():
    """An alert on what is on top just now flaps by itself."""
    return [name(rule) for rule in ALERTS if re.search(r"\b(topk|bottomk|limitk|limit_ratio)\b", bare(rule["expr"]))]


def promql_counter():
    """A counter says something only by its growth."""
    return [
        name(rule)
        for rule in RULES
        for selector in trees(rule)
        if selector.name.endswith(("_total", "_bucket", "_count"))
        and ":" not in selector.name
        and not RATES & set(selector.functions)
    ]


def promql_nan():
    """A division inside an aggregation: one 0 / 0 spoils the sum."""
    found = []
    for rule in RULES:
        for inside in re.findall(
            r"\b(?:sum|avg)\s*(?:(?:by|without)\s*\([^)]*\))?\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", bare(rule["expr"])
        ):
            if "/" in inside and "> 0" not in inside:
                found.append(name(rule))
    return found


def promql_selector():
    """A series without a name is a search through all of them."""
    return [name(rule) for rule in RULES for selector in trees(rule) if not selector.name]


def alerts_comparison():
    return [name(rule) for rule in ALERTS if not promql.compares(rule["expr"])]


def alerts_for():
    return [name(rule) for rule in RULES for key in ("for", "keep_firing_for") if rule.get(key) in ("0", "0s")]


def alerts_absent():
    """A failed scrape makes a gap: absent() has to wait for two."""
    return [name(rule) for rule in ALERTS if "absent(" in rule["expr"] and "for" not in rule]


def alerts_template():
    """A label with the value in it is another alert at every evaluation."""
    return [name(rule) for rule in ALERTS for text in rule["labels"].values() if "$value" in text or ".Value" in text]


def alerts_annotation():
    return [
        name(rule)
        for rule in ALERTS
        if not {"summary", "description", "runbook_url", "dashboard_url"} <= set(rule["annotations"])
    ]


def rule_duplicate():
    identities = collections.Counter((name(rule), json.dumps(rule.get("labels", {}), sort_keys=True)) for rule in RULES)
    return [each for (each, _), count in identities.items() if count > 1]


def rule_name():
    return [
        rule["record"]
        for rule in RULES
        if "record" in rule and not re.fullmatch(r"[a-z_]+(:[a-z_0-9]+)+", rule["record"])
    ]


def rule_dependency():
    """What an expression reads of the recorded kind is recorded."""
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    return [
        name(rule)
        for rule in RULES
        for metric in contract.names_used(rule["expr"])
        if ":" in metric and metric not in recorded
    ]


def labels_conflict():
    return [name(rule) for rule in RULES if OF_TARGETS & set(rule.get("labels", {}))]


def group_interval():
    """Above five minutes a series is stale between two evaluations."""
    return [group["name"] for group in GROUPS if group.get("interval", "1m") not in {"15s", "30s", "1m", "2m", "5m"}]


CHECKS = {
    "alert-group-name-length": alert_group_name_length,
    "alert-group-rule-count": alert_group_rule_count,
    "alert-name-camelcase": alert_name_camelcase,
    "alert-name-length": alert_name_length,
    "alert-severity-rule": alert_severity_rule,
    "alert-description-missing-rule": alert_description_missing_rule,
    "alert-description-templating": alert_description_templating,
    "alert-summary-missing-rule": alert_summary_missing_rule,
    "alert-summary-templating": alert_summary_templating,
    "alert-summary-style": alert_summary_style,
    "promql/regexp": promql_regexp,
    "promql/fragile": promql_fragile,
    "promql/counter": promql_counter,
    "promql/nan": promql_nan,
    "promql/selector": promql_selector,
    "alerts/comparison": alerts_comparison,
    "alerts/for": alerts_for,
    "alerts/absent": alerts_absent,
    "alerts/template": alerts_template,
    "alerts/annotation": alerts_annotation,
    "rule/duplicate": rule_duplicate,
    "rule/name": rule_name,
    "rule/dependency": rule_dependency,
    "labels/conflict": labels_conflict,
    "group/interval": group_interval,
}


@pytest.fixture(scope="module")
def exclusions():
    return yaml.safe_load((ROOT / "rules" / ".lint").read_text())["exclusions"]


@pytest.mark.parametrize("check", CHECKS)
def test_a_linter_finds_only_what_it_is_told_to_overlook(check, exclusions):
    excluded = {next(iter(entry.values())) for entry in exclusions.get(check, {"entries": []})["entries"]}
    assert set(CHECKS[check]()) == excluded


def test_every_exclusion_has_a_reason(exclusions):
    assert set(exclusions) <= set(CHECKS)
    assert all(each["reason"].endswith(".") for each in exclusions.values())


def test_there_is_something_to_look_at():
    assert len(ALERTS) > 20
    assert len(RULES) - len(ALERTS) > 10
    assert len(DASHBOARDS) >= 5


# --- what not every Prometheus from 2.42 on, and not every other engine, can read ---------------------------------------


def expressions():
    for rule in RULES:
        yield name(rule), rule["expr"]
    for path in DASHBOARDS:
        for expression in contract.expressions(path.read_text()):
            yield path.name, expression


@pytest.mark.parametrize("what", unsafe_promql.CONSTRUCTS)
def test_no_expression_has(what):
    assert [(where, expression) for where, expression in expressions() if unsafe_promql.has(what, expression)] == []


@pytest.mark.parametrize(
    ("what", "expression"),
    [
        ("a function that is gone, experimental or newer", "holt_winters(x[5m], 0.1, 0.1)"),
        ("a function that is gone, experimental or newer", "mad_over_time(x[5m])"),
        ("a duration where a number stands", "time() - x > 10m"),
        ("an underscore in a number", "x > 1_000"),
        ("a sum of durations", "rate(x[5m+1m])"),
        ("anchored or smoothed", "rate(x[5m] anchored)"),
        ("a function of a number alone", "x * sqrt(12)"),
        ("a name in quotes, or or between matchers", 'x{a="b" or c="d"}'),
        ("a subquery of one step", "rate(x[5m:5m])"),
    ],
)
def test_and_would_be_found(what, expression):
    assert unsafe_promql.has(what, expression)


def test_every_expression_is_of_the_grammar_of_prometheus_3():
    for where, expression in expressions():
        try:
            promql_parser.parse(expression)
        except ValueError as error:
            pytest.fail(f"{where}: {error}: {expression}")


def test_no_bound_of_a_histogram_is_a_whole_number():
    """2.x has le="1" as it was exposed, 3.x makes it "1.0": who writes one of them is blind in the other."""
    written = [
        (where, value)
        for where, expression in expressions()
        for selector in promql_tree.selectors(promql_parser.parse(expression))
        for label, operator, value in selector.matchers
        if label in ("le", "quantile") and operator == "=" and re.fullmatch(r"\d+", value)
    ]
    assert written == []


def test_groups_rules_and_files_have_only_what_every_version_reads():
    assert {key for group in GROUPS for key in group} <= {"name", "interval", "rules", "limit"}
    assert {key for rule in RULES for key in rule} <= {
        "alert",
        "record",
        "expr",
        "for",
        "keep_firing_for",
        "labels",
        "annotations",
    }
    for path in FILES:
        assert not re.search(
            r"^[^'\"#|]*[:-] [&*]\w", re.sub(r"(?s)\|-?\n.*?(?=\n\s*\w+:)", "", path.read_text()), re.MULTILINE
        ), path


def test_templates_use_only_functions_that_every_version_has():
    texts = [text for rule in ALERTS for text in rule["annotations"].values()]
    assert [
        text
        for text in texts
        if re.search(r"\b(urlQueryEscape|toDuration|now|parseDuration)\b", " ".join(re.findall(r"\{\{.*?\}\}", text)))
    ] == []


def test_dashboards_never_name_an_import_of_grafanas_wizard():
    assert [
        path.name for path in DASHBOARDS if "DS_PROMETHEUS" in path.read_text() or "__inputs" in path.read_text()
    ] == []


GOOD = {
    "alert": "RuntimeGood",
    "expr": "rate(a_total[5m]) > 1",
    "for": "5m",
    "labels": {"severity": "warning"},
    "annotations": {"summary": "It is.", "description": "{{ $value }}.", "runbook_url": "x", "dashboard_url": "x"},
}


def spoiled(**changes):
    annotations = {**GOOD["annotations"], **changes.pop("annotations", {})}
    return {**GOOD, **changes, "annotations": annotations}


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        ("alert-name-length", spoiled(alert="R" + "a" * 40)),
        ("alert-name-camelcase", spoiled(alert="runtime_bad")),
        ("alert-severity-rule", spoiled(labels={"severity": "page"})),
        ("alert-description-missing-rule", spoiled(annotations={"description": ""})),
        ("alert-description-templating", spoiled(annotations={"description": "It is."})),
        ("alert-summary-missing-rule", spoiled(annotations={"summary": ""})),
        ("alert-summary-templating", spoiled(annotations={"summary": "It {{ is }}."})),
        ("alert-summary-style", spoiled(annotations={"summary": "it is"})),
        ("promql/regexp", spoiled(expr='rate(a_total{job=~"shop"}[5m]) > 1')),
        ("promql/regexp", spoiled(expr='rate(a_total{job=~"^a|b$"}[5m]) > 1')),
        ("promql/fragile", spoiled(expr="topk(3, rate(a_total[5m])) > 1")),
        ("promql/counter", spoiled(expr="a_total > 1")),
        ("promql/nan", spoiled(expr="sum by (job) (a / b) > 1")),
        ("promql/selector", spoiled(expr='{job="shop"} > 1')),
        ("alerts/comparison", spoiled(expr="rate(a_total[5m])")),
        ("alerts/for", spoiled(**{"for": "0s"})),
        ("alerts/absent", {key: value for key, value in spoiled(expr="absent(up) > 0").items() if key != "for"}),
        ("alerts/template", spoiled(labels={"severity": "warning", "value": "{{ $value }}"})),
        ("alerts/annotation", {**GOOD, "annotations": {"summary": "It is."}}),
        ("rule/name", {"record": "no_level", "expr": "up"}),
        ("rule/dependency", spoiled(expr="a:b:c > 1")),
        ("labels/conflict", spoiled(labels={"severity": "warning", "cluster": "eu"})),
    ],
)
def test_a_linter_finds_what_is_wrong(check, rule, monkeypatch):
    def see(one):
        monkeypatch.setitem(globals(), "RULES", [one])
        monkeypatch.setitem(globals(), "ALERTS", [one] if "alert" in one else [])
        return CHECKS[check]()

    assert see(GOOD) == []
    assert set(see(rule)) == {name(rule)}
