"""What mixtool's lint asks of alerts and their groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rule_lints.bundle import name

if TYPE_CHECKING:
    from rule_lints.bundle import Bundle, Check


def alert_name_length(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.alerts if len(rule["alert"]) > 40]


def alert_name_camelcase(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.alerts if not re.fullmatch(r"([A-Z]+[a-z0-9]+)+", rule["alert"])]


def alert_severity_rule(bundle: Bundle) -> list[str]:
    known = {"warning", "critical", "info"}
    return [name(rule) for rule in bundle.alerts if rule["labels"].get("severity") not in known]


def alert_description_missing_rule(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.alerts if not rule["annotations"].get("description")]


def alert_description_templating(bundle: Bundle) -> list[str]:
    return [
        name(rule)
        for rule in bundle.alerts
        if not re.search(r"\{\{.*\}\}", rule["annotations"]["description"], re.DOTALL)
    ]


def alert_summary_missing_rule(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.alerts if not rule["annotations"].get("summary")]


def alert_summary_templating(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.alerts if "{{" in rule["annotations"]["summary"]]


def alert_summary_style(bundle: Bundle) -> list[str]:
    return [name(rule) for rule in bundle.alerts if not re.fullmatch(r"[A-Z].+\.", rule["annotations"]["summary"])]


def alert_group_rule_count(bundle: Bundle) -> list[str]:
    return [group["name"] for group in bundle.groups if len(group["rules"]) > 20]


def alert_group_name_length(bundle: Bundle) -> list[str]:
    return [group["name"] for group in bundle.groups if len(group["name"]) > 40]


CHECKS: dict[str, Check] = {
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
}
