"""What a process says of its own profiles while it runs: a real exporter that profiles this one."""

from __future__ import annotations

import threading

import pytest
import requests

from frame_names import name_of
from runtime_exporter import Exporter
from runtime_exporter.http import HTTPMetrics
from runtime_exporter.metrics import CollectorRegistry
from runtime_exporter.settings import Settings
from tools import needs_gil, wait_for


@pytest.fixture
def exporter():
    settings = Settings(
        port=0, profiling=True, profile_interval=1.0, profile_leak_span=6.0, overhead_budget=0.5, profile_comparison_windows=1,
        profile_baseline_windows=2,
    )  # fmt: skip
    with Exporter(settings, registry=CollectorRegistry(), http=HTTPMetrics()) as exporter:
        yield exporter.start()


@pytest.fixture
def growing():
    """More and more threads that wait for the end of the test, and one that computes meanwhile."""
    end, threads = threading.Event(), []

    def wait():
        end.wait()

    def work():
        while not end.wait(0.15):
            for _ in range(3):
                threads.append(threading.Thread(target=wait, name="poller"))
                threads[-1].start()
            sum(number * number for number in range(300_000))

    worker = threading.Thread(target=work, name="worker")
    worker.start()
    yield
    end.set()
    worker.join()
    for thread in threads:
        thread.join()


@needs_gil
def test_functions_comparison_suspects_and_advice_are_told_by_a_running_process(exporter, growing):
    def get(path):
        return requests.get(f"{exporter.url}/api/v1/{path}", timeout=10).json()

    def suspected():
        return next((one for one in get("recommendations").get("leak_suspects", ()) if one["kind"] == "threads"), None)

    suspect = wait_for(suspected, seconds=60)
    assert "poller" in suspect["site"]
    assert suspect["last"] >= suspect["first"] + 10

    def compared():
        kinds = {one["kind"]: one for one in get("summary?limit=500")["profiles"]}
        return kinds if "baseline" in kinds["cpu"]["comparison"] else None

    kinds = wait_for(compared, seconds=60)
    assert {"cpu", "wall", "block"} == kinds.keys()
    names = {one["function"] for one in kinds["cpu"]["cum"]}
    assert [] != [name for name in names if name.endswith(name_of("test_summary", "growing.<locals>.work"))], names
    assert kinds["cpu"]["total"] >= sum(one["value"] for one in kinds["cpu"]["self"]) - 1e-6
    metrics = requests.get(exporter.url + "/metrics", timeout=10).text
    assert 'profile_leak_slope_per_second{kind="threads",site="poller in ' in metrics
    assert 'profile_leak_suspects{kind="rss"}' in metrics


def test_advice_is_on_the_numbers_of_the_collectors(exporter):
    reading = exporter._numbers()
    assert (True, True) == (reading.gc is not None, reading.gil is not None)
    assert reading.memory.resident > 10_000_000
