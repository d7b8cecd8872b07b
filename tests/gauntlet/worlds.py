"""The configurations that the rules are generated from. Each is a world: its rules are others, so its cases have a Prometheus of their own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from gauntlet.service import SOURCES
from runtime_exporter.mixin import config, jsonnet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# The histories are scraped each minute; everything else is as it is by default, but for what the world is there for.
OVERRIDES: dict[str, dict[str, Any]] = {
    "one cluster": {"scrapeInterval": "1m"},
    "two clusters": {"scrapeInterval": "1m", "showMultiCluster": True},
    "Go": {"scrapeInterval": "1m", "source": "go"},
    "objectives": {
        "scrapeInterval": "1m",
        "slos": {
            "checkout": {"selector": 'http_route="/checkout"', "objective": 0.995},
            "search": {
                "sli": "latency",
                "selector": 'http_route="/search"',
                "by": "route",
                "threshold": "250ms",
                "objective": 0.99,
            },
        },
    },
}
# What `beside` of a naive rule names; it is not asked for where that alert is not.
NAIVE = Path(__file__).with_name("naive.yaml")

Group = dict[str, Any]


class Rules(NamedTuple):
    """What Prometheus would evaluate: groups of recording rules, of our alerts, and of the naive ones beside them."""

    recording: list[Group]
    alerts: list[Group]
    naive: list[Group]

    def of(self, detectors: Collection[str], *, naive: bool = True) -> Rules:
        """Return the rules of these alerts alone, with what they read of the recording rules."""
        alerts, others = _kept(self.alerts, "alert", detectors), _kept(self.naive, "beside", detectors if naive else ())
        return Rules(needed(self.recording, expressions([*alerts, *others])), alerts, others)


def files(overrides: dict[str, Any]) -> dict[str, Any]:
    """Return the rule files by name, as `generate` makes them, without the dashboards that it makes, too."""
    checked = config.check(overrides, config.defaults())
    return dict(jsonnet.evaluate("rules/main.jsonnet", config=checked)["rules"])


@cache
def rules(world: str) -> Rules:
    """Return what is evaluated in a world."""
    documents = files(OVERRIDES[world])
    text = NAIVE.read_text(encoding="utf-8")
    for native, name in SOURCES[OVERRIDES[world].get("source", "native")].renamed.items():
        text = text.replace(native, name)
    return Rules(
        documents["recording.yaml"]["groups"], documents["alerts.yaml"]["groups"], yaml.safe_load(text)["groups"]
    )


def detectors() -> list[str]:
    """Return the alerts that the gauntlet looks at: all, but for the one that always fires."""
    names = {rule["alert"] for group in rules("one cluster").alerts for rule in group["rules"]}
    return sorted(names - {"Watchdog"})


def beside(detectors: Collection[str]) -> dict[str, str]:
    """Return which of these detectors each naive rule stands beside."""
    document = yaml.safe_load(NAIVE.read_text(encoding="utf-8"))
    found = {rule["alert"]: rule["labels"]["beside"] for group in document["groups"] for rule in group["rules"]}
    return {name: detector for name, detector in found.items() if detector in detectors}


def needed(recording: list[Group], readers: Iterable[str]) -> list[Group]:
    """Return the groups of the recording rules that these expressions read, directly or through others."""
    rules = [rule for group in recording for rule in group["rules"]]
    known = {rule["record"] for rule in rules}
    wanted: set[str] = set()
    found = known & words(*readers)
    while found - wanted:
        wanted |= found
        found = known & words(*(rule["expr"] for rule in rules if rule["record"] in wanted))
    return _kept(recording, "record", wanted)


def expressions(groups: Iterable[Group]) -> list[str]:
    return [rule["expr"] for group in groups for rule in group["rules"]]


def words(*expressions: str) -> set[str]:
    """Return what could be names of series in PromQL: more than are, which does no harm."""
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", " ".join(expressions)))


def _kept(groups: Iterable[Group], key: str, names: Collection[str]) -> list[Group]:
    kept = []
    for group in groups:
        rules = [rule for rule in group["rules"] if rule.get(key, rule.get("labels", {}).get(key)) in names]
        if rules:
            # Annotations are not what is decided.
            bare = [{name: value for name, value in rule.items() if name != "annotations"} for rule in rules]
            kept.append({**group, "rules": bare})
    return kept
