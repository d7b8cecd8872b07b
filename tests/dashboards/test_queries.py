"""The queries in the dashboards: which metrics they read, and how their variables are filled in."""

from __future__ import annotations

import pytest
import yaml

import promql_tree
from empty_panels import REASONS, why_empty
from runtime_exporter.mixin import bundle, dashboards
from runtime_exporter.mixin.dashboards import expand, panels_of, queries
from runtime_exporter.mixin.duration import seconds

# What Prometheus itself writes for every target and every alert.
PROMETHEUS_OWN = {
    "ALERTS",
    "ALERTS_FOR_STATE",
    "scrape_duration_seconds",
    "scrape_sample_limit",
    "scrape_samples_post_metric_relabeling",
    "scrape_samples_scraped",
    "scrape_series_added",
    "up",
}
BOARD = {
    "templating": {"list": [{"name": "job", "allValue": ".+"}, {"name": "cluster", "allValue": ".*"}]},
}


def all_queries(boards):
    return {
        (name, title, expression)
        for name, board in boards.items()
        for title, expression in [
            *queries(board),
            *((each["name"], expand(each["expr"], board)) for each in board["annotations"]["list"]),
        ]
    }


def series_names(contract):
    """Return every name of a series that the contract's families have."""
    names = set()
    for family, about in contract.items():
        suffixes = promql_tree.HISTOGRAM_SUFFIXES if about["type"] == "histogram" else ("",)
        names |= {family + suffix for suffix in suffixes}
    return names


def test_every_query_reads_only_metrics_of_the_contract_or_recorded_by_a_rule(boards, contract, recorded):
    known = series_names(contract) | recorded | PROMETHEUS_OWN
    unknown = {
        (name, title, metric)
        for name, title, expr in all_queries(boards)
        for metric in promql_tree.metrics(expr) - known
    }
    assert set() == unknown


def test_every_family_of_the_contract_is_documented():
    families = yaml.safe_load((bundle.root() / "tests" / "dashboards" / "contract.yaml").read_text())
    page = bundle.root() / "docs" / "metrics.md"
    if not page.is_file():
        pytest.skip(f"{page} is not there yet")
    text = page.read_text()
    assert [] == [family for family in families if f"`{family.removeprefix('worker_')}`" not in text]


def test_labels_that_queries_match_or_aggregate_by_exist_on_the_metric(boards, contract):
    families = {name: about.get("labels", {}) for name, about in contract.items()}
    of_target = {"cluster", "namespace", "job", "instance", "le"}
    wrong = set()
    for name, title, expression in all_queries(boards):
        for selector in promql_tree.selectors(promql_tree.parse(expression)):
            family = next(
                (f for f in families if selector.name in {f, *(f + s for s in promql_tree.HISTOGRAM_SUFFIXES)}), None
            )
            if family:
                unknown = {label for label, _, _ in selector.matchers} - of_target - set(families[family])
                wrong |= {(name, title, selector.name, label) for label in unknown}
    assert set() == wrong


def test_every_query_that_may_be_empty_exists_and_says_why(boards):
    listed = {
        (name, title, metric): reason
        for name, panels in REASONS.items()
        for title, reasons in panels.items()
        for metric, reason in reasons.items()
    }
    read = {
        (name, title, metric)
        for name, board in boards.items()
        for title, expression in queries(board)
        for metric in promql_tree.metrics(expression)
    }
    assert set() == set(listed) - read
    assert all(reason.strip() for reason in listed.values())


def test_a_query_may_be_empty_for_the_metric_that_is_listed_and_for_no_other():
    assert "nothing fires, which is healthy" == why_empty("overview", "Services", "sum by (job) (ALERTS)")
    assert why_empty("overview", "Services", "sum by (job) (up)") is None
    assert why_empty("runtime", "Services", "ALERTS") is None


def test_panels_in_collapsed_rows_are_found(boards):
    assert "Event loop lag" in {title for title, _ in queries(boards["runtime"])}


def test_no_variable_is_left_in_a_query(boards):
    left = [expr for _, _, expr in all_queries(boards) if "$" in expr.replace("${1}", "")]
    assert [] == left


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(x[$__rate_interval])", "rate(x[1m])"),
        ("x[${__range}:$__interval]", "x[1h:15s]"),
        ('x{job=~"$job", c=~"${cluster:regex}"}', 'x{job=~".+", c=~".*"}'),
        ('x{job=~"$jobs"}', 'x{job=~"$jobs"}'),
        ('label_replace(x, "a", "${1}xx", "b", "(.).*")', 'label_replace(x, "a", "${1}xx", "b", "(.).*")'),
    ],
)
def test_variables_are_filled_in_as_grafana_does(expression, expected):
    assert expected == expand(expression, BOARD)


def test_the_caller_chooses_the_values():
    assert 'x{job=~"shop"}[10s]' == expand('x{job=~"$job"}[$__range]', BOARD, {"job": "shop", "__range": "10s"})


def test_queries_give_title_and_expression(config):
    import json

    board = json.loads(dashboards.render(config)["dashboards/exporter.json"])
    assert (
        "Target up",
        'max by (cluster, namespace, job, instance) (up{cluster=~".*", namespace=~".*", job=~".+", instance=~".+"})',
    ) in queries(board)


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("1d", 86400)])
def test_a_duration_of_prometheus_is_a_number_of_seconds(text, expected):
    assert expected == seconds(text)


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "1.5h", "-5m"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


def test_the_page_about_dashboards_names_every_panel(boards):
    text = (bundle.root() / "docs" / "dashboards.md").read_text()
    missing = [
        (name, panel["title"])
        for name, board in boards.items()
        for panel in panels_of(board)
        if panel["title"] not in text and name != "business"  # those titles are the user's own
    ]
    assert [] == missing


def test_the_contract_file_has_no_family_twice():
    text = (bundle.root() / "tests" / "dashboards" / "contract.yaml").read_text()
    names = [line.split(":")[0] for line in text.splitlines() if line and line[0] not in " #"]
    assert sorted(set(names)) == sorted(names)
    assert set(names) == set(yaml.safe_load(text))
