"""`python -m shop` as people start it: both frameworks, with the exporter beside them."""

import json
import signal

import pytest
import requests

from shop_process import answers, started
from tools import wait_for


@pytest.mark.parametrize(("option", "route"), [([], "/products/<product_id>"), (["--asgi"], "/products/{product_id}")])
def test_the_shop_is_measured_under_its_routes_and_ends_on_request(option, route):
    with started(*option) as (process, url, exporter):
        for number in range(3):
            assert 200 == requests.get(f"{url}/products/{number + 1}", timeout=30).status_code
        order = {"user": 1, "items": [{"product": 1}]}
        assert 201 == requests.post(f"{url}/orders", data=json.dumps(order), timeout=30).status_code
        metrics = requests.get(f"{exporter}/metrics", timeout=30).text.splitlines()
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(60), process.stderr.read()
    labels = f'http_request_method="GET",http_route="{route}",http_response_status_code="200"'
    assert f"http_server_request_duration_seconds_count{{{labels}}} 3" in metrics
    assert any(line.startswith('shop_orders_total{status="placed"} 1') for line in metrics)


def test_a_shop_with_a_fault_is_degraded_and_still_serves():
    with started("--fault", "garbage-cycles") as (_, url, exporter):
        reply = requests.get(f"{exporter}/health", timeout=30)
        assert (200, "degraded", {"database": "healthy", "faults": "degraded"}) == (
            reply.status_code,
            reply.json()["status"],
            reply.json()["checks"],
        )
        requests.post(f"{url}/faults/reset", timeout=30)
        wait_for(lambda: requests.get(f"{exporter}/health", timeout=30).json()["status"] == "healthy", what="health")


def test_without_the_exporter_nobody_listens_beside_the_shop():
    with started("--bare") as (_, _, exporter):
        assert not answers(exporter + "/metrics")


def test_an_unknown_fault_is_one_line_that_names_the_known():
    with started("--fault", "rain") as (process, _, _):
        assert 2 == process.wait(60)
        expected = "error: there is no fault 'rain'; there are slow-search, memory-leak, thread-leak, cpu-heavy-order, garbage-cycles, errors\n"
        assert expected == process.stderr.read()
