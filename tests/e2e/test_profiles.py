"""The shop under load, asked for profiles by the program that Go's users have."""

from __future__ import annotations

import json
import re
import threading

import pytest
import requests

import go_tools
from runtime_exporter.demo.stack import RATE
from shop import loadgen
from shop_process import started
from tools import wait_for

GUILTY = "shop.faults:CpuHeavyOrder.try_every_permutation"


@pytest.fixture(scope="module")
def exporter(tmp_path_factory):
    """The exporter of a shop with customers and an expensive discount."""
    kept = tmp_path_factory.mktemp("profiles")
    with started(profile_directory=kept, alert_profile_seconds=3) as (_, shop, url):
        requests.post(f"{shop}/faults/cpu-heavy-order", json={"on": True, "units": 9}, timeout=10).raise_for_status()
        stop = threading.Event()
        options = {"rate": RATE, "seconds": 600, "connections": 4, "stop": stop}
        customers = threading.Thread(target=loadgen.run, args=(shop,), kwargs=options)
        customers.start()
        try:
            yield url
        finally:
            stop.set()
            customers.join()


def top(url):
    """The functions of a profile and the part of the whole that each takes with its callees, as go tool pprof has it."""
    # On the way it tells where from it fetches and where to it saves: that is not printed.
    printed, _ = go_tools.require_go().run("tool", "pprof", "-top", "-cum", "-nodecount=500", url)
    lines = printed.splitlines()
    heading = next(number for number, line in enumerate(lines) if "flat%" in line)
    rows = [re.fullmatch(r"\s*\S+\s+\S+%\s+\S+%\s+\S+\s+([\d.]+)%\s+(.*)", line) for line in lines[heading + 1 :]]
    return {row[2]: float(row[1]) / 100 for row in rows if row}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_go_tool_pprof_asks_the_shop_what_its_cpu_goes_to(exporter):
    assert 0.5 < top(f"{exporter}/debug/pprof/profile?seconds=5")[GUILTY]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_alert_that_is_posted_has_a_profile_that_names_the_guilty_function(exporter):
    labels = {"alertname": "RuntimeCpuSpike", "instance": exporter.removeprefix("http://"), "severity": "warning"}
    alert = {"status": "firing", "labels": labels, "annotations": {}, "fingerprint": "f1"}
    body = {"version": "4", "status": "firing", "alerts": [alert]}
    answer = requests.post(f"{exporter}/-/alert", json=body, timeout=10).json()["alerts"][0]
    assert ("accepted", "cpu") == (answer["result"], answer["profile"])

    def taken():
        entries = requests.get(f"{exporter}/api/v1/profiles", timeout=10).json()["profiles"]
        return [one for one in entries if one["labels"].get("alert") == "RuntimeCpuSpike"]

    (entry,) = wait_for(taken, seconds=60, what="the profile for the alert")
    assert 0.5 < top(f"{exporter}/api/v1/profiles/{entry['id']}")[GUILTY], json.dumps(entry)
    page = requests.get(f"{exporter}/profiles/alert/RuntimeCpuSpike", timeout=30)
    assert (200, True) == (page.status_code, GUILTY in page.text)
