"""A user's objectives: from YAML to rules that promtool accepts, and what is refused with its place and what would be right."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import tools
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import config, generate, slos

if TYPE_CHECKING:
    from pathlib import Path

OBJECTIVE = {"objective": 0.999}
LATENCY = {"sli": "latency", "objective": 0.95, "threshold": "250ms"}
SEVERAL = {
    "checkout": {"objective": 0.9995, "period": "28d", "selector": 'job="shop", http_route="/orders"'},
    "search": {**LATENCY, "selector": 'http_route="/search"', "by": "route"},
    "payments": {
        "sli": "custom",
        "objective": 0.99,
        "events": "shop_payments_total",
        "badEvents": 'shop_payments_total{status="failed"}',
        "windows": ["pageFast"],
    },
    "silent": {"objective": 0.5, "alert": False},
}


def refused(name: str, spec: Any, **overrides: Any) -> str:
    effective = config.compose(config.defaults(), overrides)
    with pytest.raises(ConfigError) as raised:
        slos.check({name: spec}, effective)
    return str(raised.value)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "slos.mine: objective missing: the share of good events, as 0.999"),
        ({"objective": 1}, "slos.mine.objective: 1 must lie between 0 and 1, as 0.999: at 1 there is no budget at all"),
        ({"objective": 0}, "slos.mine.objective: 0 must lie between 0 and 1"),
        ({"objective": 99.9}, "at 1 there is no budget at all; write 0.999 for 99.9 %"),
        ({"objective": "much"}, "slos.mine.objective: 'much' must lie between 0 and 1"),
        ({**OBJECTIVE, "perod": "28d"}, "slos.mine.perod: no such key; did you mean 'period'?"),
        ({**OBJECTIVE, "period": "1h"}, "slos.mine.period: '1h' is not a duration of a day or more"),
        ({**OBJECTIVE, "sli": "latencies"}, "is not one of availability, latency, custom"),
        ({**OBJECTIVE, "sli": "latency"}, "slos.mine: threshold missing: sli latency needs it"),
        ({**OBJECTIVE, "threshold": "1s"}, "slos.mine.threshold: sli availability has no such key"),
        ({**LATENCY, "threshold": "300ms"}, "slos.mine.threshold: '300ms' is no bound of a bucket"),
        ({**LATENCY, "threshold": "300ms"}, "the nearest is 250ms"),
        ({**LATENCY, "threshold": "soon"}, "is not a duration such as 250ms or 1s"),
        ({**OBJECTIVE, "sli": "custom", "events": "a_total"}, "slos.mine: badEvents missing: sli custom needs it"),
        (
            {**OBJECTIVE, "sli": "custom", "events": "rate(a_total[5m])", "badEvents": "b_total"},
            "slos.mine.events: 'rate(a_total[5m])' is not a counter such as",
        ),
        ({**OBJECTIVE, "selector": "job=shop"}, "slos.mine.selector: 'job=shop' is not a list of label matchers"),
        (
            {**OBJECTIVE, "selector": 'http_request_method="POST"'},
            "names the label http_request_method, which is not among those that requests are recorded with: namespace, job, http_route",
        ),
        ({"objective": 0.9}, "makes pageFast ask for 1.44 of all events to be bad, so it can never fire"),
        ({"objective": 0.9}, "windows: [pageSlow, ticketFast, ticketSlow]"),
        ({**OBJECTIVE, "windows": ["pageFats"]}, "is none of alerts.sloBudgetBurn.windows; did you mean 'pageFast'?"),
        ({**OBJECTIVE, "windows": "pageFast"}, "slos.mine.windows: 'pageFast' is not a list of names"),
        ({**OBJECTIVE, "by": "instance"}, "slos.mine.by: 'instance' is not one of job, route"),
        ({**OBJECTIVE, "alert": "no"}, "slos.mine.alert: 'no' is not true or false"),
        (0.999, "slos.mine: 0.999 is not a mapping"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused_with_its_place(spec: Any, said: str) -> None:
    assert said in refused("mine", spec)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Checkout", "is not a name in lower case with hyphens"),
        ("latency", "is the objective that every service has: its settings are under slo.latency"),
    ],
)
def test_a_name_that_cannot_be_taken_is_refused(name: str, said: str) -> None:
    assert said in refused(name, OBJECTIVE)


def test_the_file_and_the_line_are_named(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(
        "slos:\n  checkout:\n    sli: latency\n    objective: 0.95\n    threshold: 300ms\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"my\.yaml:5: slos\.checkout\.threshold"):
        generate.generate(config.load([path]))


def test_a_bound_of_ones_own_buckets_is_a_threshold() -> None:
    own = config.compose(config.defaults(), {"slo": {"buckets": [0.3, 1]}})
    slos.check({"mine": {**LATENCY, "threshold": "300ms"}}, own)


def test_the_objective_that_every_service_has_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"slo\.latency\.threshold: '1s' is no bound of a bucket"):
        generate.generate({"slo": {"buckets": [0.3, 0.6]}})
    with pytest.raises(ConfigError, match=r"slo\.latency\.objective: 0.9 makes pageFast ask for 1.44"):
        generate.generate({"slo": {"latency": {"objective": 0.9}}})


@pytest.fixture(scope="module")
def rules() -> dict[str, Any]:
    files = generate.generate({"slos": SEVERAL})
    documents = [yaml.safe_load(text) for name, text in files.items() if name.startswith("rules/")]
    return {"groups": [group for document in documents for group in document["groups"]]}


def test_promtool_takes_the_rules_of_several_objectives(rules: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rules), encoding="utf-8")
    promtool = tools.require("promtool", package="prometheus")
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


def test_each_period_has_factors_of_its_own(rules: dict[str, Any]) -> None:
    found = {
        (rule["labels"]["long"], round(float(rule["expr"].split("\n")[0].split(" > ")[1]), 7))
        for group in rules["groups"]
        for rule in group["rules"]
        if rule.get("alert") == "RuntimeSloBudgetBurn" and '{slo="checkout"}' in rule["expr"]
    }
    # 2, 5, 10 and 10 % of 28 days: 13.44, 5.6, 2.8 and 0.933 times 0.05 %.
    assert {("1h", 0.00672), ("6h", 0.0028), ("1d", 0.0014), ("3d", 0.0004667)} == found


def test_an_objective_speaks_through_its_own_windows_or_not_at_all(rules: dict[str, Any]) -> None:
    burns = [
        (name, rule["labels"]["long"])
        for group in rules["groups"]
        for rule in group["rules"]
        for name in ("payments", "silent")
        if rule.get("alert") == "RuntimeSloBudgetBurn" and f'{{slo="{name}"}}' in rule["expr"]
    ]
    assert [("payments", "1h")] == burns


def test_a_budget_is_summed_over_its_own_period(rules: dict[str, Any]) -> None:
    budgets = [
        rule["expr"]
        for group in rules["groups"]
        for rule in group["rules"]
        if rule.get("record") == "slo:error_budget_remaining:ratio"
    ]
    assert [["[28d]"] * 2, ["[30d]"] * 2] == [
        [part for part in ("[28d]", "[30d]") for _ in range(expr.count(part))] for expr in budgets
    ]


def test_no_group_is_too_large_for_mimir() -> None:
    many = {f"objective-{index}": OBJECTIVE for index in range(9)}
    files = generate.generate({"slos": many})
    groups = [
        group for name, text in files.items() if name.startswith("rules/") for group in yaml.safe_load(text)["groups"]
    ]
    assert max(len(group["rules"]) for group in groups) <= 20
    assert len({group["name"] for group in groups}) == len(groups)
