"""What pint asks of alerts, of rules as a whole, and of their groups."""

from __future__ import annotations

import collections
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promql_parser

import promql_labels
from rule_lints.bundle import name
from runtime_exporter.mixin import config, contract, promql
from runtime_exporter.mixin.duration import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rule_lints.bundle import Bundle, Check

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
# What every target has from Prometheus or from service discovery: a rule that sets one of these hides where it comes from.
OF_TARGETS = {"cluster", "namespace", "job", "instance", "alertname"}
LONGEST_FOR_SECONDS = 6 * 3600


def alerts_comparison(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.alerts if not promql.compares(rule["expr"])]


def alerts_for(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.rules for key in ("for", "keep_firing_for") if rule.get(key) in ("0", "0s")]


def alerts_absent(bundle: Bundle) -> list[str]:
    """A failed scrape makes a gap: absent() has to wait for two."""
    least = 2 * seconds(config.defaults()["scrapeInterval"])
    return [
        name(rule) for rule in bundle.alerts if "absent(" in rule["expr"] and seconds(rule.get("for", "0s")) < least
    ]


def alerts_template(bundle: Bundle) -> list[str]:
    """A label with the value in it is another alert at every evaluation; one that the expression has removed is an empty text."""
    with_value = [
        name(rule) for rule in bundle.alerts for text in rule["labels"].values() if "$value" in text or ".Value" in text
    ]
    return with_value + [name(rule) for rule in bundle.alerts if _speaks_of_what_is_gone(rule, bundle)]


def _speaks_of_what_is_gone(rule: Mapping[str, Any], bundle: Bundle) -> bool:
    left = promql_labels.labels(promql_parser.parse(rule["expr"]), bundle.known)
    if left is None:
        return False
    # `if` asks whether there is one; namespace is in every query, and empty where nobody has it.
    said = " ".join(re.sub(r"\{\{ if .*?\{\{ end \}\}", "", text) for text in rule["annotations"].values())
    return bool(set(re.findall(r"\$labels\.(\w+)", said)) - left - set(rule["labels"]) - {"namespace"})


def alerts_external_labels(bundle: Bundle) -> list[str]:
    """A label of the server that evaluates: ours are evaluated by anybody's."""
    return [
        name(rule)
        for rule in bundle.alerts
        if re.search(r"\$externalLabels|\.ExternalLabels", json.dumps([rule["labels"], rule["annotations"]]))
    ]


def alerts_annotation(bundle: Bundle) -> list[str]:
    needed = {"summary", "description", "runbook_url", "dashboard_url"}
    return [name(rule) for rule in bundle.alerts if not needed <= set(rule["annotations"])]


def rule_duplicate(bundle: Bundle) -> list[str]:
    identities = collections.Counter(
        (name(rule), json.dumps(rule.get("labels", {}), sort_keys=True)) for rule in bundle.rules
    )
    return [each for (each, _), count in identities.items() if count > 1]


def rule_for(bundle: Bundle) -> list[str]:
    """Nobody waits for so long; a shift is over by then."""
    return [
        name(rule)
        for rule in bundle.alerts
        for key in ("for", "keep_firing_for")
        if seconds(rule.get(key, "0s")) > LONGEST_FOR_SECONDS
    ]


def rule_label(bundle: Bundle) -> list[str]:
    """An alert says how bad it is; a recorded series says nothing of the kind."""
    return [name(rule) for rule in bundle.rules if ("alert" in rule) != ("severity" in rule.get("labels", {}))]


def rule_link(bundle: Bundle) -> list[str]:
    """A page that is not there."""
    return [
        name(rule)
        for rule in bundle.alerts
        if "runbook_url" in rule["annotations"]
        and not (RUNBOOKS / f"{rule['annotations']['runbook_url'].rpartition('/')[2]}.md").is_file()
    ]


def rule_name(bundle: Bundle) -> list[str]:
    return [
        rule["record"]
        for rule in bundle.rules
        if "record" in rule and not re.fullmatch(r"[a-z_]+(:[a-z_0-9]+)+", rule["record"])
    ]


def rule_dependency(bundle: Bundle) -> list[str]:
    """What an expression reads of the recorded kind is recorded."""
    recorded = {rule["record"] for rule in bundle.rules if "record" in rule}
    return [
        name(rule)
        for rule in bundle.rules
        for metric in contract.names_used(rule["expr"])
        if ":" in metric and metric not in recorded
    ]


def labels_conflict(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.rules if OF_TARGETS & set(rule.get("labels", {}))]


def group_interval(bundle: Bundle) -> list[str]:
    """Above five minutes a series is stale between two evaluations."""
    return [group["name"] for group in bundle.groups if seconds(group.get("interval", "1m")) > 300]


def yaml_parse(bundle: Bundle) -> list[str]:
    """Only what every version reads: a group has no query_offset before 2.53."""
    of_group, of_rule = (
        {"name", "interval", "rules", "limit"},
        {"expr", "for", "keep_firing_for", "labels", "annotations"},
    )
    return [group["name"] for group in bundle.groups if set(group) - of_group] + [
        name(rule)
        for rule in bundle.rules
        if set(rule) - of_rule - {"alert", "record"} or ("alert" in rule and "record" in rule)
    ]


def pint_comment(bundle: Bundle) -> list[str]:
    """A word to pint in an expression: what is to be overlooked stands in one place."""
    return [name(rule) for rule in bundle.rules if re.search(r"#\s*pint\b", rule["expr"])]


CHECKS: dict[str, Check] = {
    "alerts/comparison": alerts_comparison,
    "alerts/for": alerts_for,
    "alerts/absent": alerts_absent,
    "alerts/template": alerts_template,
    "alerts/external_labels": alerts_external_labels,
    "alerts/annotation": alerts_annotation,
    "rule/duplicate": rule_duplicate,
    "rule/for": rule_for,
    "rule/label": rule_label,
    "rule/link": rule_link,
    "rule/name": rule_name,
    "rule/dependency": rule_dependency,
    "labels/conflict": labels_conflict,
    "group/interval": group_interval,
    "yaml/parse": yaml_parse,
    "pint/comment": pint_comment,
}
