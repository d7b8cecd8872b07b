"""Bands of a user's own: what a line of YAML makes, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import anomalies, config, exposed, promql
from runtime_exporter.mixin.generate import generate

ORDERS = "sum by (job) (rate(shop_orders_total[5m]))"


SIGNALS = {each: {"signal": each, "season": "day", "direction": "high"} for each in anomalies.CHOICES["signal"]}


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    """The rules of a band of one line, and of one of each signal that is known by its name, without that of every service."""
    bands = {"orders": ORDERS} | {f"my_{name}": spec for name, spec in SIGNALS.items()}
    files = generate({"anomalies": bands, "anomaly": {"requests": {"enabled": False}}})
    paths = ("rules/recording.yaml", "rules/alerts.yaml")
    return [rule for path in paths for group in yaml.safe_load(files[path])["groups"] for rule in group["rules"]]


def of_band(rules: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [rule for rule in rules if rule.get("labels", {}).get("anomaly") == name]


def test_one_line_makes_the_rules_of_a_band_and_two_alerts(rules):
    mine = of_band(rules, "orders")
    assert [rule["record"] for rule in mine if "record" in rule] == [
        f"anomaly:signal:{each}"
        for each in (
            "seen", "value", "level1h", "deviation", "spread1d", "mean1d", "expected_high", "expected_low",
            "upper_bound", "lower_bound",
        )
    ]  # fmt: skip
    assert [(rule["labels"]["direction"], rule["labels"]["severity"]) for rule in mine if "alert" in rule] == [
        ("high", "warning"),
        ("low", "warning"),
    ]
    assert all('{anomaly="orders"}' in rule["expr"] for rule in mine if rule.get("record") != "anomaly:signal:seen")


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_signal_is_known_by_its_name_to_the_rules_too(rules, signal):
    mine = of_band(rules, f"my_{signal}")
    assert [rule["labels"]["direction"] for rule in mine if "alert" in rule] == ["high"]
    # A band of the day alone looks no further back.
    assert "offset 16" not in str(mine)
    assert "7d" not in str(mine)


def test_the_band_that_every_service_has_can_be_switched_off(rules):
    assert of_band(rules, "requests") == []


def test_bands_need_no_filter_by_value_so_that_nothing_at_all_is_seen(rules):
    [value] = [rule["expr"] for rule in of_band(rules, "orders") if rule.get("record") == "anomaly:signal:value"]
    assert value == (
        '0 + anomaly:signal:seen{anomaly="orders"} or 0 * max_over_time(anomaly:signal:seen{anomaly="orders"}[1d])'
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (ORDERS, "zero"),
        ("count by (job) (shop_sessions)", "zero"),
        ("sum by (job) (shop_queue_length)", "nothing"),
        ('sum(rate(a_total{path="/x"}[5m]))', "zero"),
        ("sum(rate(a_total[5m])) / sum(rate(b_total[5m]))", "nothing"),
        ("histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m])))", "nothing"),
    ],
)
def test_what_counts_is_zero_when_its_series_has_ended_and_what_does_not_has_no_value(expression, expected):
    assert anomalies.missing(expression) == expected


def test_what_is_said_of_missing_series_holds():
    spec = {"expression": ORDERS, "missing": "nothing"}
    assert anomalies.complete({"orders": spec}) == {"orders": spec}


def test_numbers_that_yaml_takes_for_text_are_numbers_and_null_leaves_a_band_out():
    given = {"orders": {"signal": "cpu", "minDeviation": "1e-2"}, "gone": None}
    assert anomalies.complete(given) == {"orders": {"signal": "cpu", "minDeviation": 0.01}, "gone": None}


@pytest.mark.parametrize(
    ("band", "said"),
    [
        ({"Orders": ORDERS}, "anomalies.Orders: 'Orders' is not a name in lower case"),
        ({"requests": ORDERS}, "its settings are under anomaly.requests"),
        ({"orders": 5}, "anomalies.orders: 5 is neither an expression nor a mapping"),
        ({"orders": "sum(x"}, "anomalies.orders: 'sum(x' is not PromQL"),
        ({"orders": "x[5m]"}, "is not PromQL"),
        ({"orders": "shop_orders_total"}, "take rate(shop_orders_total[5m])"),
        ({"orders": "vector(1)"}, "reads no metric"),
        ({"orders": {"direction": "high"}}, "anomalies.orders: expression missing, or a signal: requests"),
        ({"orders": {"expression": "x", "signal": "cpu"}}, "expression and signal are both given"),
        ({"orders": {"signal": "cpus"}}, "anomalies.orders.signal: 'cpus' is not one of"),
        ({"orders": {"signal": "cpu", "marginn": 1}}, "anomalies.orders.marginn: no such key; did you mean 'margin'?"),
        (
            {"orders": {"signal": "cpu", "margin": 1}},
            "anomalies.orders.margin: 1 makes a band that nothing can be below",
        ),
        ({"orders": {"signal": "cpu", "deviations": 0}}, "leaves no room for noise"),
        ({"orders": {"signal": "cpu", "minDeviation": -1}}, "is not a number from 0 upwards"),
        ({"orders": {"signal": "cpu", "severity": "bad"}}, "anomalies.orders.severity: 'bad' is not one of"),
    ],
)
def test_a_band_that_cannot_be_is_refused_with_its_place(band, said):
    with pytest.raises(ConfigError) as refused:
        anomalies.complete(band)
    assert said in str(refused.value)


def test_the_defaults_of_all_bands_are_checked_as_those_of_one():
    with pytest.raises(ConfigError, match=r"anomaly\.strategy: 'robst' is not one of robust, adaptive; did you mean"):
        generate({"anomaly": {"strategy": "robst"}})
    with pytest.raises(ConfigError, match=r"anomaly\.requests\.minDeviation"):
        generate({"anomaly": {"requests": {"minDeviation": -1}}})
    anomalies.check_defaults(config.defaults())


def test_a_metric_that_is_one_of_ours_with_a_letter_wrong_is_refused():
    ours = {"process_resident_memory_bytes"}
    exposed.check_bands({"orders": ORDERS, "gone": None, "cpu": {"signal": "cpu"}}, ours)
    with pytest.raises(ConfigError, match="reads process_resident_memory_byte, which nothing exposes"):
        exposed.check_bands({"memory": "process_resident_memory_byte"}, ours)


def test_an_expression_tells_what_it_does_and_its_texts_do_not():
    text = 'sum by (job) (rate(a_total{path="/count(x)"}[5m])) # avg(x) / 2'
    assert promql.operations(text) == {"sum", "rate"}
    assert promql.operations("max(a) without (b) / b") == {"max", "/"}
