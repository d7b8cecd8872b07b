"""Several real processes that share a run directory: any of them answers for all, and none takes anything with it."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from tools import require, wait_for

ORDERS = 'orders_total{kind="a"}'
LIVE = 'runtime_exporter_workers{state="live"}'


def answering(fleet, times=40):
    """Return which workers answer, by the number in the header of a page of one process."""
    return {
        requests.get(f"{fleet.url}/-/healthy", timeout=20).headers["X-Runtime-Exporter-Worker"] for _ in range(times)
    }


# Asks for a scrape when its collectors are made and have seen nothing yet.
BEGINS = """
import urllib.request
from runtime_exporter import exporter
def look(settings):
    with urllib.request.urlopen({url!r}, timeout=30) as answer:
        raise LookupError(answer.read().decode())
exporter.ALL = {{**exporter.ALL, "looks": look}}
try:
    exporter.Exporter()
except LookupError as seen:
    said = str(seen)
"""


def test_a_worker_that_begins_says_nothing_of_itself_until_it_has_looked_also_if_it_is_killed_then(fleet):
    fleet.worker()
    begun = fleet.value("process_start_time_seconds")
    second = fleet.worker(start=False)
    seen = second.do(BEGINS.format(url=f"{fleet.url}/metrics"))
    assert f"{LIVE} 2.0" in seen
    assert [] == [line for line in seen.splitlines() if line.startswith("worker_") and 'worker="1"' in line]
    assert begun == fleet.value("process_start_time_seconds")

    second.kill()
    fleet.wait_for(LIVE, 1)
    assert begun == fleet.value("process_start_time_seconds")


def test_any_worker_answers_for_all_and_each_is_told_by_a_small_number(fleet):
    first, second = fleet.worker(), fleet.worker()
    first.do("counter.labels('a').inc(3)")
    second.do("counter.labels('a').inc(4)")

    for worker in (first, second):
        worker.do("Gauge('queue', 'Q', multiprocess_mode='livesum').set_function(lambda: 3)")

    assert {7.0} == {fleet.value(ORDERS) for _ in range(20)}
    fleet.wait_for("queue", 6)
    assert {f"worker 0, process {first.pid}", f"worker 1, process {second.pid}"} == answering(fleet)
    page = requests.get(f"{fleet.url}/debug/pprof/", timeout=20)
    assert f"Answered by {page.headers['X-Runtime-Exporter-Worker']}:" in page.text
    resident = [f'worker_process_resident_memory_bytes{{worker="{number}"}}' for number in (0, 1)]
    wait_for(lambda: set(resident) <= fleet.series().keys(), what="both are measured")
    series = fleet.series()
    assert 2 == series[LIVE]
    each = [series[name] for name in resident]
    assert min(each) > 5e6
    assert sum(each) == series["process_resident_memory_bytes"]


def test_a_worker_that_is_stopped_keeps_no_scrape_waiting(fleet):
    stopped, *_ = fleet.worker(), fleet.worker(), fleet.worker()
    stopped.do("counter.labels('a').inc(2)")
    stopped.process.send_signal(signal.SIGSTOP)
    assert {2.0} == {fleet.value(ORDERS) for _ in range(20)}


def test_a_worker_that_is_killed_takes_no_number_with_it_and_leaves_no_gap(fleet):
    workers = [fleet.worker(), fleet.worker()]
    for worker in workers:
        worker.do("counter.labels('a').inc(5)")
    fleet.wait_for(ORDERS, 10)

    workers[0].kill()

    assert {10.0} == {fleet.value(ORDERS) for _ in range(10)}
    fleet.wait_for(LIVE, 1)
    assert f"worker 1, process {workers[1].pid}" in answering(fleet, 3)
    third = fleet.worker()
    third.do("counter.labels('a').inc(1)")
    fleet.wait_for(ORDERS, 11)
    assert f"worker 0, process {third.pid}" in answering(fleet)


def test_workers_may_be_replaced_while_others_ask_and_no_request_is_lost(fleet):
    fleet.worker()
    stop, answers, resets = threading.Event(), [], []

    def ask():
        while not stop.is_set():
            try:
                answers.append(requests.get(f"{fleet.url}/-/healthy", timeout=20).status_code)
            except requests.ConnectionError:
                resets.append(1)

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        for _ in range(3):
            fleet.worker()
            fleet.workers.pop(0).end()
        stop.set()
        for one in asking:
            one.result()

    assert {200} == set(answers)
    assert 1 >= len(resets)  # the kernel resets who comes in the microseconds between the last accept() and close()


def test_scrapes_stay_valid_and_no_counter_goes_back_while_workers_are_killed(fleet):
    fleet.worker()
    chance, seen, texts = random.Random(5), 0.0, []
    until = time.monotonic() + 4
    while time.monotonic() < until:
        if len(fleet.workers) < 3:
            fleet.worker(start=False).do("import runtime_exporter.metrics; busy()")
        if chance.random() < 0.2:
            fleet.workers.pop(chance.randrange(1, len(fleet.workers))).kill()
        text = fleet.text()
        texts.append(text)
        total = sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("orders_total{"))
        assert total >= seen
        seen = total

    assert seen > 1000
    checked = subprocess.run(
        [require("promtool", package="prometheus"), "check", "metrics"],
        input=texts[-1].encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (0, b"") == (checked.returncode, checked.stderr)


def test_exemplars_are_shown_by_any_worker(fleet):
    for number in (0, 1):
        fleet.worker().do(
            f"Histogram('waits', 'W', ['who']).labels('{number}').observe(0.3, {{'trace_id': 'of-{number}'}})"
        )

    def seen(traces):
        headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
        text = requests.get(f"{fleet.url}/metrics", headers=headers, timeout=20).text
        return all(f'# {{trace_id="{one}"}} 0.3 ' in text for one in traces)

    wait_for(lambda: all(seen(["of-0", "of-1"]) for _ in range(8)), what="both, whoever answers")
