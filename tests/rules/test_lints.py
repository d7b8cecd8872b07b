"""The rules as linters see them: mixtool's and pint's checks (tests/rule_lints/) find what they should, and in ours nothing.

They look at the generated files, as a user's linter would. What is excluded stands in rules/.lint with a reason.
"""

from __future__ import annotations

import re
from pathlib import Path

import promql_parser
import pytest
import yaml

import promql_tree
import rule_lints
import unsafe_promql
from rule_lints import ALL_OF_PINT, CHECKS, MIXTOOL, PINT, Bundle
from runtime_exporter.mixin import contract

ROOT = Path(__file__).resolve().parents[2]
# Recording rules first, as they are evaluated.
FILES = sorted((ROOT / "generated" / "rules").glob("*.yaml"), reverse=True)
BUNDLE = Bundle.of(FILES)
DASHBOARDS = sorted((ROOT / "generated" / "dashboards").glob("*.json"))
EXCLUSIONS = yaml.safe_load((ROOT / "rules" / ".lint").read_text())["exclusions"]


@pytest.mark.parametrize("check", CHECKS)
def test_a_linter_finds_only_what_it_is_told_to_overlook(check):
    excluded = {next(iter(entry.values())) for entry in EXCLUSIONS.get(check, {"entries": []})["entries"]}
    assert set(CHECKS[check](BUNDLE)) == excluded


def test_every_check_of_pint_is_one_here_or_is_left_out_with_a_reason():
    whole = {check for check, said in EXCLUSIONS.items() if "entries" not in said}
    assert whole == ALL_OF_PINT - set(PINT)
    assert set(EXCLUSIONS) - whole <= set(CHECKS)
    assert all(len(said["reason"]) > 20 and said["reason"].endswith(".") for said in EXCLUSIONS.values())
    assert len(MIXTOOL) == 10


def test_there_is_something_to_look_at():
    assert len(BUNDLE.alerts) > 20
    assert len(BUNDLE.rules) - len(BUNDLE.alerts) > 10
    assert len(DASHBOARDS) >= 5
    assert {"instance", "job"} <= (BUNDLE.known["instance:http_server_requests:rate5m"] or set())


# --- what not every Prometheus from 2.42 on, and not every other engine, can read ---------------------------------------


def expressions():
    for rule in BUNDLE.rules:
        yield rule_lints.name(rule), rule["expr"]
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


def whole_bounds(expression):
    """2.x has le="1" as it was exposed, 3.x makes it "1.0": who writes one of them is blind in the other."""
    return [
        value
        for selector in promql_tree.selectors(promql_parser.parse(expression))
        for label, operator, value in selector.matchers
        if label in ("le", "quantile") and operator == "=" and re.fullmatch(r"\d+", value)
    ]


def anchors(text):
    """Anchors and aliases of YAML, which not every version reads."""
    return [token.value for token in yaml.scan(text) if isinstance(token, (yaml.AnchorToken, yaml.AliasToken))]


def newer_functions(text):
    """Functions of templates that not every version has."""
    templates = " ".join(re.findall(r"\{\{.*?\}\}", text))
    return re.findall(r"\b(urlQueryEscape|toDuration|now|parseDuration)\b", templates)


def of_the_wizard(text):
    """What only Grafana's import wizard fills in: in a provisioned dashboard every panel is without its data source."""
    return re.findall(r"DS_PROMETHEUS|__inputs", text)


def test_no_bound_of_a_histogram_is_a_whole_number():
    assert {where: found for where, expression in expressions() if (found := whole_bounds(expression))} == {}


def test_files_have_no_anchors():
    assert {path.name: found for path in FILES if (found := anchors(path.read_text()))} == {}


def test_templates_use_only_functions_that_every_version_has():
    texts = [text for rule in BUNDLE.alerts for text in rule["annotations"].values()]
    assert {text: found for text in texts if (found := newer_functions(text))} == {}


def test_dashboards_never_name_an_import_of_grafanas_wizard():
    assert {path.name: found for path in DASHBOARDS if (found := of_the_wizard(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("finds", "text", "found"),
    [
        (whole_bounds, 'rate(a_bucket{le="1"}[5m]) > on () b{quantile="0"}', ["1", "0"]),
        (whole_bounds, 'rate(a_bucket{le=~"1(\\\\.0)?"}[5m]) > b{le="0.5"}', []),
        (anchors, "a: &x {b: 1}\nc: *x\n", ["x", "x"]),
        (anchors, "a: |-\n  rate(a[5m]) * b & c\n", []),
        (newer_functions, "since {{ now }}, {{ $labels.job | urlQueryEscape }}", ["now", "urlQueryEscape"]),
        (newer_functions, "now it is {{ $value }}", []),
        (of_the_wizard, '{"uid": "${DS_PROMETHEUS}", "__inputs": []}', ["DS_PROMETHEUS", "__inputs"]),
    ],
)
def test_and_would_be_found_elsewhere(finds, text, found):
    assert sorted(finds(text)) == sorted(found)


# --- each check finds what it is there for ------------------------------------------------------------------------------

GOOD = {
    "alert": "Watchdog",
    "expr": "rate(a_total[5m]) > 1",
    "for": "5m",
    "labels": {"severity": "warning"},
    "annotations": {
        "summary": "It is.",
        "description": "{{ $value }} of {{ $labels.job }}.",
        "runbook_url": "http://localhost/runbooks/Watchdog",
        "dashboard_url": "x",
    },
}
RECORD = {"record": "job:a:rate5m", "expr": "sum by (job) (rate(a_total[5m]))"}


def group(*rules, **more):
    return {"name": "of-these", "interval": "1m", "rules": list(rules), **more}


def spoiled(**changes):
    annotations = {**GOOD["annotations"], **changes.pop("annotations", {})}
    return {**GOOD, **changes, "annotations": annotations}


def at_once(expression):
    return {key: value for key, value in spoiled(expr=expression).items() if key != "for"}


WRONG = [
    ("alert-name-length", spoiled(alert="R" + "a" * 40)),
    ("alert-name-camelcase", spoiled(alert="runtime_bad")),
    ("alert-severity-rule", spoiled(labels={"severity": "page"})),
    ("alert-description-missing-rule", spoiled(annotations={"description": ""})),
    ("alert-description-templating", spoiled(annotations={"description": "It is."})),
    ("alert-summary-missing-rule", spoiled(annotations={"summary": ""})),
    ("alert-summary-templating", spoiled(annotations={"summary": "It {{ is }}."})),
    ("alert-summary-style", spoiled(annotations={"summary": "it is"})),
    ("promql/syntax", spoiled(expr="rate(a_total[5m] > 1")),
    ("promql/syntax", spoiled(expr="rate(a_total) > 1")),
    ("promql/features", spoiled(expr="mad_over_time(a[5m]) > 1")),
    ("promql/features", spoiled(expr="time() - a > 10m")),
    ("promql/regexp", spoiled(expr='rate(a_total{job=~"shop"}[5m]) > 1')),
    ("promql/regexp", spoiled(expr='rate(a_total{job=~"^a|b$"}[5m]) > 1')),
    ("promql/fragile", spoiled(expr="topk(3, rate(a_total[5m])) > 1")),
    ("promql/fragile", at_once("sum by (job) (a) / sum by (job) (b) > 1")),
    ("promql/impossible", spoiled(expr="a > 1 * (1 > bool 2)")),
    ("promql/impossible", spoiled(expr="count by (job) (a) == 0")),
    ("promql/impossible", spoiled(expr="sum by (job) (count by (instance) (a)) > 1")),
    ("promql/vector_matching", spoiled(expr="sum by (job, instance) (a) / sum by (job) (b) > 1")),
    ("promql/vector_matching", spoiled(expr="a > 1 and on (job) sum by (namespace) (b)")),
    ("promql/aggregate", spoiled(expr="sum by (instance) (a) > 1")),
    ("promql/aggregate", spoiled(expr="sum without (job) (a) > 1")),
    ("promql/aggregate", spoiled(expr="max(a) > 1")),
    ("promql/counter", spoiled(expr="a_total > 1")),
    ("promql/rate", spoiled(expr="rate(a_bytes[5m]) > 1")),
    ("promql/rate", spoiled(expr="rate(a_total[20s]) > 1")),
    ("promql/nan", spoiled(expr="sum by (job) (a / b) > 1")),
    ("promql/selector", spoiled(expr='{job="shop"} > 1')),
    ("alerts/comparison", spoiled(expr="rate(a_total[5m])")),
    ("alerts/for", spoiled(**{"for": "0s"})),
    ("alerts/absent", at_once("absent(up) > 0")),
    ("alerts/absent", spoiled(expr="absent(up) > 0", **{"for": "15s"})),
    ("alerts/template", spoiled(labels={"severity": "warning", "value": "{{ $value }}"})),
    ("alerts/template", spoiled(expr="sum by (instance) (a) > 1")),
    ("alerts/external_labels", spoiled(annotations={"description": "{{ $externalLabels.region }}."})),
    ("alerts/annotation", {**GOOD, "annotations": {"summary": "It is.", "description": "{{ $value }}."}}),
    ("rule/for", spoiled(**{"for": "12h"})),
    ("rule/label", spoiled(labels={})),
    ("rule/label", {**RECORD, "labels": {"severity": "info"}}),
    ("rule/link", spoiled(annotations={"runbook_url": "http://localhost/runbooks/Nowhere"})),
    ("rule/name", {"record": "no_level", "expr": "up"}),
    ("rule/dependency", spoiled(expr="a:b:c > 1")),
    ("labels/conflict", spoiled(labels={"severity": "warning", "cluster": "eu"})),
    ("yaml/parse", spoiled(owner="us")),
    ("pint/comment", spoiled(expr="rate(a_total[5m]) > 1 # pint disable promql/rate")),
]
WRONG_GROUPS = [
    ("alert-group-name-length", group(RECORD, name="g" * 41), "g" * 41),
    ("alert-group-rule-count", group(*[RECORD] * 21), "of-these"),
    ("rule/duplicate", group(RECORD, {**RECORD, "expr": "sum by (job) (b)"}), "job:a:rate5m"),
    ("group/interval", group(RECORD, interval="6m"), "of-these"),
    ("yaml/parse", group(RECORD, query_offset="1m"), "of-these"),
]


@pytest.mark.parametrize(("check", "rule"), WRONG, ids=[check for check, _ in WRONG])
def test_a_linter_finds_what_is_wrong(check, rule):
    assert CHECKS[check](Bundle([group(RECORD, GOOD)])) == []
    assert set(CHECKS[check](Bundle([group(rule)]))) == {rule_lints.name(rule)}


@pytest.mark.parametrize(("check", "groups", "found"), WRONG_GROUPS, ids=[check for check, _, _ in WRONG_GROUPS])
def test_a_linter_finds_what_is_wrong_with_a_group(check, groups, found):
    assert CHECKS[check](Bundle([group(RECORD, GOOD)])) == []
    assert CHECKS[check](Bundle([groups])) == [found]


def test_no_check_is_left_that_has_never_complained():
    assert {check for check, *_ in (*WRONG, *WRONG_GROUPS)} == set(CHECKS)


@pytest.mark.parametrize(
    "expression",
    [
        "sum by (job) (a / (b > 0)) > 1",
        "sum by (job) (a) / on (job) group_left () sum by (job) (b) > 1",
        "a > 1 and on (job) sum by (job) (b)",
        "sum by (job, instance) (a) > 1 unless on (job) sum by (job) (b) > 1",
        "histogram_quantile(0.9, sum by (job, le) (rate(a_bucket[5m]))) > on (job) max by (job) (b)",
        "max by (job) (a) or max by (job, instance) (b) > 1",
    ],
)
def test_and_finds_nothing_where_all_is_well(expression):
    bundle = Bundle([group({**GOOD, "expr": expression})])
    assert {check: found for check in PINT if (found := CHECKS[check](bundle))} == {}
