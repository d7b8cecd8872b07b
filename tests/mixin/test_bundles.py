"""The selector of a bundle, and what it says of recorded series: tests/compat/test_two_bundles.py runs two of them."""

from __future__ import annotations

import pytest

from runtime_exporter.mixin import bundles

CONFIG = {"namespaceLabel": "namespace", "clusterLabel": "cluster", "showMultiCluster": False}


@pytest.mark.parametrize(
    ("selector", "several", "expected"),
    [
        ("", False, ""),
        ('job=~".+"', False, ""),
        ('job="shop"', False, 'job="shop"'),
        ('env="prod", job =~ "a|b,c" , namespace!="x"', False, 'job=~"a|b,c",namespace!="x"'),
        ("job=`a\"job='x'`,team='job=\"y\"'", False, "job=`a\"job='x'`"),
        ('cluster="eu"', False, ""),
        ('cluster="eu"', True, 'cluster="eu"'),
        ('env="prod"', True, ""),
    ],
)
def test_the_matchers_of_labels_that_are_kept_are_those_of_recorded_series(
    selector: str, several: bool, expected: str
) -> None:
    assert bundles.recorded_matchers({**CONFIG, "selector": selector, "showMultiCluster": several}) == expected


def test_what_is_recorded_is_narrowed_and_nothing_else() -> None:
    rules = [
        {"record": "job:a:rate5m", "expr": 'sum by (job) (rate(a_total{job="x"}[5m])) or 0 * job:b:rate5m'},
        {"alert": "Ours", "expr": 'job:a:rate5m{slo="s"} > 1 and on (job) up'},
        {"alert": "Theirs", "expr": "job:a:rate5m > 1"},
        {"record": "anomaly:signal:seen", "expr": "sum(orders) > -Inf", "labels": {"anomaly": "theirs"}},
        {"record": "anomaly:signal:value", "expr": "0 + anomaly:signal:seen", "labels": {"anomaly": "theirs"}},
        {"record": "anomaly:signal:value", "expr": "0 + anomaly:signal:seen", "labels": {"anomaly": "ours"}},
    ]
    config = {
        **CONFIG,
        "selector": 'job="x"',
        "customAlerts": {"Theirs": {}},
        "anomalies": {"theirs": {"expression": "sum(orders)"}, "ours": {"signal": "cpu"}, "gone": None},
    }
    files = {"a.yaml": {"groups": [{"name": "g", "interval": "1m", "rules": rules}]}}
    [group] = bundles.narrowed(files, config)["a.yaml"]["groups"]
    assert (group["name"], group["interval"]) == ("g", "1m")
    assert [rule["expr"] for rule in group["rules"]] == [
        'sum by (job) (rate(a_total{job="x"}[5m])) or 0 * job:b:rate5m{job="x"}',
        'job:a:rate5m{slo="s",job="x"} > 1 and on (job) up',
        "job:a:rate5m > 1",
        "sum(orders) > -Inf",
        "0 + anomaly:signal:seen",
        '0 + anomaly:signal:seen{job="x"}',
    ]
