"""A user's business metrics: from a list in YAML to rules, alerts, a dashboard and a page; what is refused, and with which words."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import _jsonnet
import promql_parser
import pytest
import yaml

import tools
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import bundle, business, config, dashboards, exposed, exposition, generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

ORDERS = {"metric": "shop_orders_total"}
KEPT = {"metric": "shop_orders_kept"}
VALUE = {"metric": "shop_order_value_euros", "kind": "histogram"}
_RULES_ALONE = """
local config = std.extVar('config');
local recorded = { _config:: config, prometheusRules+:: { groups+: [] } } + (import 'rules/recording/business.libsonnet');
recorded.prometheusRules.groups + (import 'rules/lib/outside.libsonnet')(config)
"""
EXAMPLE = bundle.root() / "examples" / "shop" / "business.yaml"


def complete(*metrics: Any, **overrides: Any) -> list[dict[str, Any]]:
    return business.complete(metrics, config.compose(config.defaults(), overrides))


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return generate.generate(config.load([EXAMPLE]))


def groups(*metrics: dict[str, Any], **overrides: Any) -> list[dict[str, Any]]:
    """Return the groups of business metrics alone: to evaluate the whole mixin takes seconds."""
    effective = config.compose(config.defaults(), overrides)
    effective["businessMetrics"] = business.complete(metrics, effective)
    text = _jsonnet.evaluate_snippet(
        "test", _RULES_ALONE, ext_codes={"config": json.dumps(effective)}, jpathdir=[str(bundle.root())]
    )
    found: list[dict[str, Any]] = json.loads(text)
    return found


def rules(*metrics: dict[str, Any], **overrides: Any) -> list[dict[str, Any]]:
    return [rule for group in groups(*metrics, **overrides) for rule in group["rules"]]


def board(*metrics: dict[str, Any], **overrides: Any) -> list[dict[str, Any]]:
    """Return the panels of the dashboard."""
    effective = config.compose(config.defaults(), overrides)
    rendered = dashboards.render({**effective, "businessMetrics": business.complete(metrics, effective)})
    text = rendered.get("dashboards/business.json")
    return list(dashboards.panels_of(json.loads(text))) if text else []


def rules_of(files: dict[str, str]) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(text) for name, text in files.items() if name.startswith("rules/")]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("shop_orders_total", "businessMetrics.0: 'shop_orders_total' is not a mapping such as {metric: shop_orders_total"),
        ({}, "businessMetrics.0: metric missing: the name under which it is exposed"),
        ({"metric": "shop orders"}, "businessMetrics.0.metric: 'shop orders' is not the name of a metric"),
        ({**ORDERS, "titel": "Orders"}, "businessMetrics.0.titel: no such key; did you mean 'title'?"),
        ({**ORDERS, "title": "{{ $value }}"}, "businessMetrics.0.title: '{{ $value }}' is not a line of text"),
        ({**ORDERS, "description": "a | b"}, "is not a line of text without {{, | and `"),
        ({**ORDERS, "kind": "rate"}, "businessMetrics.0.kind: 'rate' is not one of counter, gauge, histogram"),
        ({**ORDERS, "kind": "gauge"}, "businessMetrics.0.kind: 'gauge' does not fit shop_orders_total: what ends in _total is a counter"),
        ({"metric": "a_seconds_bucket"}, "is a series of a histogram: write a_seconds with kind: histogram"),
        ({"metric": "a_seconds_sum", "kind": "histogram"}, "write a_seconds, or kind: counter"),
        ({**ORDERS, "unit": "€"}, "businessMetrics.0.unit: '€' is not the id of a unit of Grafana"),
        ({**ORDERS, "per": "day"}, "businessMetrics.0.per: 'day' is not one of second, minute, hour"),
        ({**KEPT, "per": "hour"}, "businessMetrics.0.per: is for a counter, and shop_orders_kept is a gauge"),
        ({**ORDERS, "quantile": 0.9}, "businessMetrics.0.quantile: is for a histogram"),
        ({**VALUE, "quantile": 95}, "businessMetrics.0.quantile: 95 is not a number between 0 and 1"),
        ({**ORDERS, "aggregation": "max"}, "businessMetrics.0.aggregation: is for a gauge"),
        ({**KEPT, "aggregation": "median"}, "is not one of sum, max, min, avg"),
        ({**ORDERS, "by": "status-code"}, "businessMetrics.0.by: 'status-code' is not a list of label names"),
        ({**ORDERS, "by": ["job"]}, "businessMetrics.0.by: 'job' is kept anyway, as are cluster, namespace, job"),
        ({**ORDERS, "by": ["instance"]}, "cannot be one of its labels: a business metric is of a service"),
        ({**VALUE, "by": "le"}, "cannot be one of its labels: the bounds of buckets are no parts"),
        ({**ORDERS, "by": ["status", "status"]}, "businessMetrics.0.by: 'status' is there twice"),
        ({**ORDERS, "selector": "status=placed"}, "businessMetrics.0.selector: 'status=placed' is not a mapping of labels"),
        ({**ORDERS, "alert": 5}, "businessMetrics.0.alert: 5 is not a mapping such as {below: 1, for: 15m}"),
        ({**ORDERS, "alert": {}}, "businessMetrics.0.alert: above and below missing"),
        ({**ORDERS, "alert": {"over": 5}}, "businessMetrics.0.alert.over: no such key"),
        ({**ORDERS, "alert": {"above": "many"}}, "businessMetrics.0.alert.above: 'many' is not a number"),
        ({**ORDERS, "alert": {"above": 1, "for": "soon"}}, "businessMetrics.0.alert.for: 'soon' is not a duration"),
        ({**ORDERS, "alert": {"above": 1, "severity": "bad"}}, "businessMetrics.0.alert.severity: 'bad' is not a severity"),
        ({**ORDERS, "alert": {"above": 1, "below": 2}}, "businessMetrics.0.alert.below: 2 is not less than above, 1"),
    ],
)  # fmt: skip
def test_an_entry_that_makes_no_sense_is_refused_with_its_place(spec: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        complete(spec)
    assert said in str(refused.value)


def test_two_entries_of_one_metric_or_of_one_title_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"businessMetrics\.1\.metric: .* is measured by businessMetrics\.0 already"):
        complete(ORDERS, {**ORDERS, "title": "Again"})
    with pytest.raises(ConfigError, match=r"businessMetrics\.1\.title: 'Orders' is that of businessMetrics\.0 already"):
        complete({**ORDERS, "title": "Orders"}, {**KEPT, "title": "Orders"})
    with pytest.raises(ConfigError, match=r"businessMetrics\.1\.metric: .* is measured by businessMetrics\.0 already"):
        complete(ORDERS, {"metric": "shop_orders", "kind": "gauge", "title": "Again"})


def test_what_is_not_said_follows_from_the_name() -> None:
    [counter, gauge] = complete(ORDERS, KEPT)
    assert ("counter", "Shop orders", "short", "second") == tuple(
        counter[key] for key in ("kind", "title", "unit", "per")
    )
    assert ("gauge", "Shop orders kept", "sum") == tuple(gauge[key] for key in ("kind", "title", "aggregation"))


def test_the_file_and_the_line_are_named(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("businessMetrics:\n  - metric: shop_orders_total\n  - metric: shop_orders_kept\n    per: hour\n")
    with pytest.raises(ConfigError, match=r"my\.yaml:4: businessMetrics\.1\.per"):
        generate.generate(config.load([path]))


def test_a_name_that_is_there_already_is_refused() -> None:
    made = complete({"metric": "http_server_requests_total"}, {**KEPT, "alert": {"above": 1}})
    with pytest.raises(
        ConfigError, match=r"businessMetrics\.0\.metric: .* would make a second job:http_server_requests:rate5m"
    ):
        business.refuse_taken(made, [{"record": "job:http_server_requests:rate5m"}] * 2)
    with pytest.raises(ConfigError, match=r"businessMetrics\.1\.metric: .* would make a second ShopOrdersKeptHigh"):
        business.refuse_taken(made, [{"alert": "ShopOrdersKeptHigh"}] * 2)
    business.refuse_taken(made, [{"alert": "ShopOrdersKeptHigh"}, {"record": "job:http_server_requests:rate5m"}])


def test_an_empty_list_leaves_nothing_behind() -> None:
    assert ([], []) == (groups(), board())


def test_every_kind_is_recorded_by_service_and_part(files: dict[str, str]) -> None:
    recorded = {
        rule["record"]: rule["expr"] for rule in rules_of(files) if "shop_" in rule["expr"] and "record" in rule
    }
    assert {
        "job_status:shop_orders:rate5m": 'sum by (namespace, job, status) (rate(shop_orders_total{job=~".+"}[5m]))',
        "job:shop_revenue_euros:rate5m": 'sum by (namespace, job) (rate(shop_revenue_euros_total{job=~".+"}[5m]))',
        "job:shop_order_value_euros_bucket:rate5m": 'sum by (namespace, job, le) (rate(shop_order_value_euros_bucket{job=~".+"}[5m]))',
        "job_result:shop_searches:rate5m": 'sum by (namespace, job, result) (rate(shop_searches_total{job=~".+"}[5m]))',
        "job:shop_orders_kept:sum": 'sum by (namespace, job) (shop_orders_kept{job=~".+"})',
    } == recorded  # fmt: skip


def test_alerts_compare_in_the_unit_of_the_panel_and_tell_which_part() -> None:
    spec = {**ORDERS, "title": "Orders", "by": ["status"], "per": "hour", "selector": {"status": "placed"}}
    metric = {**spec, "alert": {"below": 3, "above": 1e5, "for": "10m"}}
    [orders, high, low] = rules(metric)
    assert ("ShopOrdersLow", "3600 * job_status:shop_orders:rate5m < 3", "10m", {"severity": "warning"}) == tuple(
        low[key] for key in ("alert", "expr", "for", "labels")
    )
    assert ("ShopOrdersHigh", "3600 * job_status:shop_orders:rate5m > 100000") == (high["alert"], high["expr"])
    assert (
        "Orders of {{ $labels.job }} status={{ $labels.status }}: {{ $value | humanize }} per hour, below 3."
        == low["annotations"]["description"]
    )
    assert low["annotations"]["dashboard_url"].endswith(
        "/d/runtime-exporter-business?var-job={{ $labels.job | urlquery }}"
    )
    assert 'shop_orders_total{job=~".+",status="placed"}' in orders["expr"]


def test_alerts_can_be_switched_off_and_what_is_recorded_stays() -> None:
    metrics = [{**ORDERS, "alert": {"below": 1}}, {**KEPT, "alert": {"above": 1, "enabled": False}}]
    assert ["job:shop_orders:rate5m", "job:shop_orders_kept:sum", "ShopOrdersLow"] == [
        rule.get("record") or rule["alert"] for rule in rules(*metrics)
    ]
    assert 2 == len(rules(*metrics, alerts={"enabled": False}))


def test_several_clusters_stay_apart() -> None:
    spec = {**ORDERS, "by": "status", "alert": {"below": 1}}
    [recorded, alert] = rules(spec, showMultiCluster=True, clusterLabel="k8s")
    assert recorded["expr"].startswith("sum by (k8s, namespace, job, status) (rate(")
    assert "in cluster {{ $labels.k8s }}" in alert["annotations"]["description"]
    assert "var-cluster={{ $labels.k8s | urlquery }}" in alert["annotations"]["dashboard_url"]


def test_both_parsers_take_the_rules(files: dict[str, str], tmp_path: Path) -> None:
    for rule in rules_of(files):
        promql_parser.parse(rule["expr"])
    promtool = tools.require("promtool", package="prometheus")
    for name in ("alerts", "recording"):
        (tmp_path / f"{name}.yaml").write_text(files[f"rules/{name}.yaml"])
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


def test_no_group_is_too_large_for_mimir() -> None:
    many = [{"metric": f"shop_things_{index}_total", "alert": {"below": 1, "above": 2}} for index in range(25)]
    found = groups(*many)
    assert max(len(group["rules"]) for group in found) <= 20
    assert len({group["name"] for group in found}) == len(found)


def test_the_page_says_what_is_measured_shown_and_told(files: dict[str, str]) -> None:
    page = files["docs/business-metrics.md"]
    for metric in complete(*config.load([EXAMPLE]).values["businessMetrics"]):
        assert f"\n## {metric['title']}\n" in page
        assert f"`{metric['metric']}`" in page
        assert metric["description"] in page
    assert "| Orders | `shop_orders_total` | counter | short per minute | `status` |" in page
    assert "Recorded as `job_status:shop_orders:rate5m`" in page
    assert "- **ShopRevenueEurosLow** (warning): `3600 * job:shop_revenue_euros:rate5m < 100`, for 15m." in page
    assert "http://localhost:3000/d/runtime-exporter-business" in page


def test_the_bounds_of_alerts_are_drawn_on_the_panels() -> None:
    alert = {"above": 9, "below": 2}
    shown = board({**KEPT, "title": "Kept", "alert": alert}, {**ORDERS, "alert": {"above": 5}})
    steps = {
        panel["title"]: [
            (step["value"], step["color"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        ]
        for panel in shown
    }
    assert [(0, "red"), (2, "green"), (9, "red")] == steps["Kept"]
    assert [(0, "green"), (5, "red")] == steps["Shop orders per second"]


def test_an_application_that_others_instrument_has_business_metrics_too() -> None:
    assert 3 == len(board(ORDERS, source="starlette_exporter"))


# --- what is exposed --------------------------------------------------------------------------------------------------

SCRAPE = """\
# HELP shop_orders_total Orders.
# TYPE shop_orders_total counter
shop_orders_total{status="placed",note="a } b"} 3
# TYPE shop_orders_kept gauge
shop_orders_kept 12
# TYPE shop_order_value_euros histogram
shop_order_value_euros_bucket{le="+Inf"} 1
shop_order_value_euros_sum 7
shop_order_value_euros_count 1
"""


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (ORDERS, []),
        ({**ORDERS, "by": ["status"]}, []),
        (KEPT, []),
        (VALUE, []),
        ({"metric": "shop_order_total"}, ["businessMetrics.0.metric: nothing exposes shop_order_total; did you mean 'shop_orders_total'?"]),
        ({**KEPT, "kind": "counter"}, ["businessMetrics.0.kind: 'counter' does not fit shop_orders_kept, which is exposed as a gauge"]),
        ({"metric": VALUE["metric"]}, ["businessMetrics.0.kind: 'gauge' does not fit shop_order_value_euros, which is exposed as a histogram"]),
        ({**ORDERS, "by": "state"}, ["businessMetrics.0.by: shop_orders_total has no label 'state'; it has note, status"]),
    ],
)  # fmt: skip
def test_entries_are_held_against_a_scrape(spec: dict[str, Any], found: list[str]) -> None:
    assert found == business.mismatches([spec], exposition.families([SCRAPE]))


def test_a_counter_of_openmetrics_and_a_list_of_names_are_read_too() -> None:
    openmetrics = "# TYPE shop_orders counter\nshop_orders_total 3.0\n# EOF\n"
    assert [] == business.mismatches([ORDERS], exposition.families([openmetrics]))
    assert [] == business.mismatches([{**KEPT, "kind": "counter"}], exposition.families(["shop_orders_kept\n"]))


def test_check_says_what_a_scrape_does_not_have(tmp_path: Path, runtime_exporter: Callable[..., Result]) -> None:
    (tmp_path / "my.yaml").write_text("businessMetrics:\n  - {metric: shop_orders_kept, kind: counter}\n")
    (tmp_path / "scrape").write_text(SCRAPE)
    said = runtime_exporter("check", "--config", tmp_path / "my.yaml", "--metrics", tmp_path / "scrape")
    assert 1 == said.exit_code
    assert "businessMetrics.0.kind: 'counter' does not fit shop_orders_kept, which is exposed as a gauge" in said.stderr


def test_generate_refuses_what_looks_like_one_of_ours_and_is_none(
    tmp_path: Path, runtime_exporter: Callable[..., Result]
) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("businessMetrics:\n  - metric: profile_leaks\n")
    said = runtime_exporter("generate", tmp_path / "out", "--config", path)
    assert (2, False) == (said.exit_code, (tmp_path / "out").exists())
    assert f"error: {path}:2: businessMetrics.0.metric: 'profile_leaks' is nothing that is exposed" in said.stderr
    exposed.check(
        {}, {"http_server_request_duration_seconds_bucket"}, [{"metric": "http_server_request_duration_seconds"}]
    )
