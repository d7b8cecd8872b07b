"""Which likely causes are asked for: what the source can show, and from the values of the configuration on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rule_files import rules
from runtime_exporter.mixin import config

SYMPTOMS = {
    "RuntimeHttpErrorBudgetBurn",
    "RuntimeHttpLatencyHigh",
    "RuntimeHttpLatencyRegression",
    "RuntimeHttpThroughputDrop",
    "RuntimeSloBudgetBurn",
}
# The first words of each.
GC, CPU, LOOP, LOCKS, START = "garbage collection", "a CPU limit", "a blocked event loop", "waits for locks", "a start"

ALL = (GC, CPU, LOOP, LOCKS, START)


def fits(named: list[str], expected: tuple[str, ...]) -> bool:
    """Whether the causes that are named are those expected, in their order."""
    return len(named) == len(expected) and all(map(str.startswith, named, expected))


def causes(overrides: dict[str, Any]) -> dict[str, list[str]]:
    """Return, by alert, what is named as a likely cause; of those alerts alone that name one."""
    found = {rule["alert"]: rule["annotations"]["description"] for rule in rules("alert", overrides)}
    return {alert: named for alert, text in found.items() if (named := re.findall(r"; likely cause: ([\w ]+)", text))}


def test_every_alert_of_what_users_feel_names_causes_and_no_other_does() -> None:
    found = causes({})
    assert set(found) == SYMPTOMS
    assert {alert: fits(named, ALL) for alert, named in found.items()} == dict.fromkeys(SYMPTOMS, True)


@pytest.mark.parametrize(("source", "expected"), [("go", (GC, LOCKS, START)), ("opentelemetry", (LOCKS, START))])
def test_a_source_is_asked_only_for_what_it_can_show(source: str, expected: tuple[str, ...]) -> None:
    named = causes({"source": source})["RuntimeHttpLatencyHigh"]
    assert fits(named, expected)


@pytest.mark.parametrize(
    "overrides",
    [{"causes": {"enabled": False}}, {"causes": None}, {"target": "vmalert"}],
    ids=["off", "null", "vmalert, whose templates cannot query"],
)
def test_who_wants_none_hears_none(overrides: dict[str, Any]) -> None:
    assert causes(overrides) == {}


def test_a_cause_speaks_from_its_setting_on() -> None:
    values = {
        "gcRatio": 0.11,
        "throttledRatio": 0.12,
        "loopLagSeconds": 0.13,
        "lockWaitSeconds": 0.14,
        "startedSeconds": 15,
    }
    assert set(config.defaults()["causes"]) == {"enabled", *values}
    [text] = [
        rule["annotations"]["description"]
        for rule in rules("alert", {"causes": values})
        if rule["alert"] == "RuntimeHttpLatencyRegression"
    ]
    asked = re.findall(r'query \(printf "(?:\\.|[^"\\])*[<>] ([\d.]+)"', text)
    assert [float(bound) for bound in asked] == list(values.values())
