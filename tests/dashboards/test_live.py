"""Every query of every dashboard against a real Prometheus that holds an hour of the contract's metrics.

Two services, one of them with two instances: what only works for a single target (a join, a label that is summed away) shows here.
The series are backfilled by promtool; the end-to-end test asks the same of the real exporter.
"""

from __future__ import annotations

import itertools
import math
import re
import subprocess
import time

import pytest
import requests

from runtime_exporter.mixin.dashboards import expand, panels_of, queries
from tools import free_port, require, wait_for

STEP, MINUTES = 15, 60
WEEK = 7 * 86400
TARGETS = [("shop", "10.0.0.1:9464"), ("shop", "10.0.0.2:9464"), ("stock", "10.0.0.3:9464")]
BOUNDS = ("0.01", "0.1", "1.0", "+Inf")
# What Prometheus would write by itself, were there targets and rules.
PROMETHEUS_OWN = {
    "up": {},
    "scrape_duration_seconds": {},
    "scrape_samples_scraped": {},
    "scrape_samples_post_metric_relabeling": {},
    "scrape_sample_limit": {},
    "scrape_series_added": {},
    "ALERTS": {
        "alertname": ["RuntimeMemoryLeakSuspected"],
        "alertstate": ["firing", "pending"],
        "severity": ["warning"],
    },
    "ALERTS_FOR_STATE": {"alertname": ["RuntimeMemoryLeakSuspected"], "severity": ["warning"]},
}
# What rules record of a service as a whole, with the labels they add.
OBJECTIVES = {"slo": ["availability", "latency"], "sli": [""], "period": ["30d"]}
WINDOWS = ("1h", "6h", "1d", "3d")
RECORDED = {
    "slo:objective:ratio": OBJECTIVES,
    "slo:error_budget_remaining:ratio": OBJECTIVES,
    "slo:events:rate5m": OBJECTIVES,
    "slo:bad_events:rate5m": OBJECTIVES,
    **{f"slo:bad_events_per_events:ratio_rate{window}": OBJECTIVES for window in WINDOWS},
    "job:http_server_requests:rate5m": {},
    "job:http_server_errors:rate5m": {},
    "job:http_server_request_duration_seconds_bucket:rate5m": {"le": ["0.01", "0.1", "1.0", "+Inf"]},
    **{f"anomaly:signal:{what}": {"anomaly": ["requests"]} for what in ("value", "lower_bound", "upper_bound")},
}
# A week ago, too.
BUSINESS = {
    "job_status:shop_orders:rate5m": {"status": ["placed", "failed"]},
    "job:shop_revenue_euros:rate5m": {},
    "job:shop_order_value_euros_bucket:rate5m": {"le": ["0.01", "0.1", "1.0", "+Inf"]},
    "job_result:shop_searches:rate5m": {"result": ["found", "nothing"]},
    "job:shop_orders_kept:sum": {},
}
BUDGET = "job:http_server_error_budget_remaining:ratio30d"
VALUES = {
    "process_start_time_seconds": 1e9,
    "runtime_exporter_collector_success": 1,
    "ALERTS": 1,
    "up": 1,
    "prometheus_build_info": 1,
    "anomaly:signal:lower_bound": 0.25,
}


def label_sets(labels):
    return [dict(zip(labels, values, strict=True)) for values in itertools.product(*labels.values())]


def series(name, labels):
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{text}}}"


def ramp(index, slope):
    return index * slope


def steady(name):
    return lambda _: VALUES.get(name, 0.5)


def family(name, about, target):
    """Yield (series, function of the sample's index) for a family of the contract on one target."""
    for labels in label_sets(about.get("labels", {})):
        own = {**target, **labels}
        if about["type"] == "histogram":
            for position, bound in enumerate(BOUNDS, 1):
                yield series(f"{name}_bucket", {**own, "le": bound}), lambda i, p=position: ramp(i, p)
            yield series(f"{name}_count", own), lambda i: ramp(i, len(BOUNDS))
            yield series(f"{name}_sum", own), lambda i: ramp(i, 0.4)
        elif about["type"] == "counter":
            yield series(name, own), lambda i: ramp(i, 2)
        else:
            yield series(name, own), steady(name)


def history(contract, now):
    """Return an OpenMetrics text with a sample every STEP seconds until now."""
    lines = []
    for job, instance in TARGETS:
        target = {"job": job, "instance": instance}
        families = {
            **contract,
            **{name: {"type": "gauge", "labels": labels} for name, labels in PROMETHEUS_OWN.items()},
        }
        for name, about in families.items():
            # What a dashboard compares with a week ago was there then, too.
            ends = [now - WEEK, now] if name.startswith("profile_") else [now]
            for text, value in family(name, about, target):
                lines += [
                    f"{text} {value(i):g} {end - (MINUTES * 60) + i * STEP}"
                    for end in ends
                    for i in range(MINUTES * 60 // STEP + 1)
                ]
    for job in {job for job, _ in TARGETS}:
        lines += [f"{series(BUDGET, {'job': job})} 0.75 {now - i * STEP}" for i in range(MINUTES * 60 // STEP, -1, -1)]
        lines += [
            f"{series(name, {'job': job, **own})} {own.get('le') == '+Inf' or VALUES.get(name, 0.5):g} {end - i * STEP}"
            for name, labels in {**RECORDED, **BUSINESS}.items()
            for own in label_sets(labels)
            for end in ([now - WEEK, now] if name in BUSINESS else [now])
            for i in range(MINUTES * 60 // STEP, -1, -1)
        ]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory, contract):
    """Run Prometheus over a backfilled hour; yield a function that asks an instant query and returns the result's series."""
    server, promtool = require("prometheus", package="prometheus"), require("promtool", package="prometheus")
    home = tmp_path_factory.mktemp("prometheus")
    now = int(time.time()) - 60
    (home / "history.om").write_text(history(contract, now))
    (home / "prometheus.yml").write_text("scrape_configs: []\n")
    subprocess.run(
        [
            promtool,
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--quiet",
            str(home / "history.om"),
            str(home / "data"),
        ],
        check=True,
        capture_output=True,
    )
    address = f"127.0.0.1:{free_port()}"
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                server,
                f"--config.file={home / 'prometheus.yml'}",
                f"--storage.tsdb.path={home / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            with requests.Session() as session:
                wait_for(lambda: ready(session, address), what="Prometheus")

                def ask(expression):
                    answer = session.get(
                        f"http://{address}/api/v1/query", params={"query": expression, "time": now}, timeout=20
                    ).json()
                    assert "success" == answer["status"], f"{expression}: {answer.get('error')}"
                    return answer["data"]["result"]

                yield ask
        finally:
            process.terminate()
            process.wait(timeout=30)


def ready(session, address):
    try:
        return session.get(f"http://{address}/-/ready", timeout=2).ok
    except requests.RequestException:
        return False


def test_every_query_returns_numbers(prometheus, boards):
    """With every metric of the contract there, no panel may be empty: tests/may_be_empty.yaml is about the machine, not about the query."""
    silent = []
    for name, board in boards.items():
        for title, expression in queries(board):
            result = prometheus(expression)
            if not result or any(math.isnan(float(each["value"][1])) for each in result):
                silent.append((name, title, expression))
    assert [] == silent


def test_every_legend_names_labels_that_the_result_has(prometheus, boards):
    wrong = []
    for name, board in boards.items():
        for panel in panels_of(board):
            for target in panel["targets"]:
                labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                for each in prometheus(expand(target["expr"], board)):
                    wrong += [(name, panel["title"], label) for label in labels - set(each["metric"])]
    assert [] == wrong


def test_every_column_of_a_table_is_in_its_result(prometheus, boards):
    """A label column that no query returns would be an empty column, or none."""
    for board in boards.values():
        for panel in panels_of(board):
            if panel["type"] != "table":
                continue
            results = [prometheus(expand(target["expr"], board)) for target in panel["targets"]]
            labels = {label for result in results for each in result for label in each["metric"]}
            letters = [target["refId"] for target in panel["targets"]]
            values = {"Value"} if len(letters) == 1 else {f"Value #{letter}" for letter in letters}
            assert set() == set(panel["transformations"][1]["options"]["include"]["names"]) - labels - values, panel[
                "title"
            ]


def test_lines_of_a_table_join_because_all_its_queries_have_the_same_labels(prometheus, boards):
    for board in boards.values():
        for panel in panels_of(board):
            if panel["type"] == "table":
                labels = {
                    frozenset(each["metric"])
                    for target in panel["targets"]
                    for each in prometheus(expand(target["expr"], board))
                }
                assert 1 == len(labels), panel["title"]


def test_a_ratio_of_errors_is_zero_where_nothing_fails(prometheus, boards):
    [ratio] = [expr for title, expr in queries(boards["overview"]) if title == "Error ratio by service"]
    spared = ratio.replace('http_response_status_code=~"5.."', 'http_response_status_code=~"599"')
    assert ratio != spared
    assert [0.0, 0.0] == [float(each["value"][1]) for each in prometheus(spared)]
    assert [pytest.approx(1 / 4)] * 2 == [float(each["value"][1]) for each in prometheus(ratio)]


def test_requests_are_classed_by_status_and_what_is_no_status_stays_other(prometheus, boards):
    [by_class] = [expr for title, expr in queries(boards["http"]) if title == "Requests by status class"]
    assert ["2xx", "4xx", "5xx", "other"] == sorted(each["metric"]["class"] for each in prometheus(by_class))


def test_a_ratio_without_requests_is_nothing_and_not_nan(prometheus, boards):
    [ratio] = [expr for title, expr in queries(boards["overview"]) if title == "Error ratio"]
    assert [] == prometheus(ratio.replace("http_server_request_duration_seconds_count", "absent_metric"))


def test_quantiles_read_the_buckets(prometheus, boards):
    """A quarter of the observations lies in each bucket, so the median is the second bound."""
    [median] = [expr for title, expr in queries(boards["http"]) if title == "p50"]
    assert [pytest.approx(0.1)] == [float(each["value"][1]) for each in prometheus(median)]


def test_every_annotation_is_a_query_that_prometheus_takes(prometheus, boards):
    for board in boards.values():
        for annotation in board["annotations"]["list"]:
            prometheus(expand(annotation["expr"], board))


def test_a_restart_and_a_firing_alert_are_marked(prometheus, boards):
    board = boards["overview"]
    marks = {each["name"]: expand(each["expr"], board) for each in board["annotations"]["list"]}
    assert len(TARGETS) == len(prometheus(marks["Alerts"]))
    assert [] == prometheus(marks["Restarts"])
    grown = marks["Restarts"].replace("process_start_time_seconds", "process_cpu_seconds_total")
    assert len(TARGETS) == len(prometheus(grown))


def test_every_choice_of_a_variable_has_values(prometheus, boards):
    for board in boards.values():
        for each in board["templating"]["list"]:
            if each["type"] == "query" and each["name"] not in {"cluster", "namespace"}:
                selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", each["query"]).groups()
                assert prometheus(f"group by ({label}) ({expand(selector, board)})"), each["name"]
