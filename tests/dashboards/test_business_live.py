"""The shop's business metrics, as examples/shop/business.yaml has them, in a real Prometheus that scrapes the real shop: every panel has data.

What the rules recorded a week ago is backfilled by promtool.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time

import pytest
import requests

import rule_files
from runtime_exporter.mixin import bundle, config, generate
from runtime_exporter.mixin.dashboards import GRAFANA_VARIABLES, panels_of, queries
from shop_process import answers, started
from source_fleet import DEMO
from tools import free_port, require, wait_for

EXAMPLE = bundle.root() / "examples" / "shop" / "business.yaml"
VALUES = {**GRAFANA_VARIABLES, "__rate_interval": "10s", "__interval": "1s"}
WEEK = 7 * 86400
LAST_WEEK = {
    'job_status:shop_orders:rate5s{job="shop",status="placed"}': 0.5,
    'job:shop_revenue_euros:rate5s{job="shop"}': 80,
    'job_result:shop_searches:rate5s{job="shop",result="found"}': 2,
    'job:shop_orders_kept:sum{job="shop"}': 7,
    'job:shop_order_value_euros_bucket:rate5s{job="shop",le="1000.0"}': 0.5,
    'job:shop_order_value_euros_bucket:rate5s{job="shop",le="+Inf"}': 0.5,
}


@pytest.fixture(scope="module")
def files():
    """What is generated for the shop, with the demo's windows of seconds."""
    patch = config.compose(rule_files.load(DEMO), config.load([EXAMPLE]).values)
    return generate.generate(patch)


@pytest.fixture(scope="module")
def ask(files, tmp_path_factory):
    """The shop with customers, and Prometheus beside it; a function that asks Prometheus."""
    home = tmp_path_factory.mktemp("business")
    with started() as (_, shop, exporter), customers(shop), prometheus(home, files, exporter) as url:

        def asked(expression):
            answer = requests.get(f"{url}/api/v1/query", params={"query": expression}, timeout=10).json()
            assert "success" == answer["status"], (expression, answer)
            return answer["data"]["result"]

        yield asked


class customers:
    """Customers who order, and search for something, until the end of the block."""

    def __init__(self, shop):
        self.shop, self.stop = shop, threading.Event()
        self.thread = threading.Thread(target=self._shop)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(timeout=20)

    def _shop(self):
        order = {"user": 1, "items": [{"product": 1, "quantity": 2}]}
        with requests.Session() as session:
            while not self.stop.wait(0.1):
                with contextlib.suppress(requests.RequestException):  # of a shop that has much to do
                    session.post(f"{self.shop}/orders", json=order, timeout=10)
                    session.get(f"{self.shop}/search", params={"q": "chair"}, timeout=10)


class prometheus:
    """Prometheus over the shop's exporter, with the generated rules and the records of last week, until the end of the block."""

    def __init__(self, home, files, exporter):
        self.home, self.address = home, f"127.0.0.1:{free_port()}"
        (home / "rules").mkdir()
        for name, text in files.items():
            if name.startswith("rules/"):
                (home / name).write_text(text)
        now = int(time.time()) - WEEK
        samples = [f"{series} {value} {now + i}" for series, value in LAST_WEEK.items() for i in range(0, 1200, 5)]
        (home / "history.om").write_text("\n".join([*samples, "# EOF", ""]))
        promtool = require("promtool", package="prometheus")
        subprocess.run(
            [promtool, "tsdb", "create-blocks-from", "openmetrics", "-q", home / "history.om", home / "data"],
            check=True,
            capture_output=True,
        )
        document = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(home / "rules" / "*.yaml")],
            "scrape_configs": [
                {"job_name": "shop", "static_configs": [{"targets": [exporter.removeprefix("http://")]}]},
            ],
        }
        (home / "prometheus.yml").write_text(json.dumps(document))

    def __enter__(self):
        program = require("prometheus", package="prometheus")
        options = [f"--config.file={self.home / 'prometheus.yml'}", f"--storage.tsdb.path={self.home / 'data'}"]
        with (self.home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [program, *options, f"--web.listen-address={self.address}"], stdout=log, stderr=log
            )
        wait_for(lambda: answers(f"http://{self.address}/-/ready"), what="Prometheus")
        return f"http://{self.address}"

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)


def test_every_panel_of_every_business_metric_has_data(ask, files):
    board = json.loads(files["dashboards/business.json"])
    assert 15 == len(list(panels_of(board)))

    def silent():
        return [(title, expression) for title, expression in queries(board, VALUES) if not ask(expression)]

    try:
        wait_for(lambda: not silent(), seconds=60, what="data in every panel", pause=1)
    except pytest.fail.Exception:
        assert [] == silent()


def test_orders_are_counted_as_the_customers_made_them(ask):
    """About ten orders a second at most, each worth the same: the revenue is the orders times their value."""
    rate = "sum(job_status:shop_orders:rate5s) > 0"
    assert wait_for(lambda: ask(rate), what="orders")
    value = "sum(rate(shop_revenue_euros_total[1m])) / sum(rate(shop_order_value_euros_sum[1m]))"
    assert 1 == pytest.approx(float(wait_for(lambda: ask(value), what="revenue")[0]["value"][1]))


def test_a_fall_below_its_bound_is_told(ask):
    """The revenue of an hour is far above 100 euros while customers come: the alert is there, and silent."""
    revenue = wait_for(lambda: ask("3600 * job:shop_revenue_euros:rate5s > 100"), what="revenue")
    assert 1 == len(revenue)
    assert [] == ask('ALERTS{alertname="ShopRevenueEurosLow", alertstate="firing"}')
