"""Processes that come of a started one: what they count is told at once, and who lives for a moment is watched as its parent."""

from __future__ import annotations

import os
import signal

import pytest
import requests

from tools import wait_for

ORDERS = 'orders_total{kind="a"}'
LIVE = 'runtime_exporter_workers{state="live"}'


@pytest.mark.parametrize(
    "how",
    [
        "said = fork(work, 4, 30)",
        "pids = []; t = threading.Thread(target=lambda: pids.append(fork(work, 4, 30))); t.start(); t.join(); said = pids[0]",
    ],
    ids=["from the main thread", "from a thread"],
)
def test_a_forked_child_counts_for_itself_is_watched_and_takes_over_when_its_parent_dies(fleet, how):
    parent = fleet.worker()
    parent.do("counter.labels('a').inc(3)")
    child = int(parent.do(how))
    try:
        fleet.wait_for(ORDERS, 7)
        assert 2 == fleet.value(LIVE)
        resident = 'worker_process_resident_memory_bytes{worker="1"}'
        wait_for(lambda: (fleet.value(resident) or 0) > 5e6, what="the child is watched")
        answers = {
            requests.get(f"{fleet.url}/debug/pprof/", timeout=20).headers["X-Runtime-Exporter-Worker"]
            for _ in range(10)
        }
        assert {f"worker 0, process {parent.pid}"} == answers  # the child may be one that lets nobody speak

        parent.kill()

        def taken_over():
            try:
                return fleet.series()
            except requests.RequestException:
                return None

        assert 7 == wait_for(taken_over, what="the child answers")[ORDERS]
        fleet.wait_for(LIVE, 1)
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("variable", [True, False], ids=["by the variable", "by their parent"])
def test_children_of_multiprocessing_count_in_the_directory_that_they_are_told_of(fleet, variable):
    parent = fleet.worker(start=False, **({} if variable else {"RUNTIME_EXPORTER_RUN_DIRECTORY": ""}))
    parent.start(**({} if variable else {"run_directory": str(fleet.directory)}))
    parent.do("counter.labels('a').inc(1)")
    parent.do(
        "import multiprocessing\n"
        "for way in ('fork', 'spawn', 'forkserver'):\n"
        "    child = multiprocessing.get_context(way).Process(target=work, args=(10, 0))\n"
        "    child.start(); child.join(); assert child.exitcode == 0\n"
        "from multiprocessing import forkserver\n"
        "forkserver._forkserver._stop()  # or it would have the parent's output until its end"
    )
    fleet.wait_for(ORDERS, 31)
    fleet.wait_for(LIVE, 1)


def test_a_fork_from_a_process_that_joined_late_waits_for_no_lock_of_its_parent_and_writes_nothing_for_it(fleet):
    parent = fleet.worker(start=False, RUNTIME_EXPORTER_RUN_DIRECTORY="")
    assert fleet.url == parent.start(run_directory=str(fleet.directory), port=fleet.port)
    parent.do(
        "from runtime_exporter.metrics.cells import STORE\n"
        "held, done = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with STORE.journal._lock: held.set(); done.wait(60)\n"
        "holding = threading.Thread(target=hold); holding.start(); held.wait(60)\n"
        "before = STORE.journal._log._path.read_bytes()\n"
        "pid, status, end = fork(work, 4, 0), (0, 0), time.monotonic() + 20\n"
        "while status[0] == 0 and time.monotonic() < end:\n"
        "    status = os.waitpid(pid, os.WNOHANG); time.sleep(0.01)\n"
        "after = STORE.journal._log._path.read_bytes()\n"
        "done.set(); holding.join()\n"
        "if status[0] == 0: os.kill(pid, 9); os.waitpid(pid, 0)\n"
        "assert status == (pid, 0), status\n"
        "assert before == after"
    )
    fleet.wait_for(ORDERS, 4)


def test_a_child_may_start_an_exporter_of_its_own_before_and_after_it_is_watched(fleet):
    parent = fleet.worker()
    for pause in (0.0, 2.0):
        parent.do(
            f"def child():\n"
            f"    time.sleep({pause})\n"
            f"    other = runtime_exporter.start(port=0)\n"
            f"    import urllib.request\n"
            f"    text = urllib.request.urlopen(other.url + '/metrics').read()\n"
            f"    time.sleep(1.5)\n"
            f"    os._exit(0 if b'orders_total' in text else 3)\n"
            f"pid = fork(child); said = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]); assert said == 0, said"
        )


def test_a_child_that_closes_the_exporter_that_it_inherited_is_left_alone(fleet):
    parent = fleet.worker()
    parent.do(
        "def child():\n"
        "    handle.close(); time.sleep(1.5)\n"
        "    end = time.monotonic() + 30\n"
        "    while threading.active_count() > 1 and time.monotonic() < end: time.sleep(0.05)\n"
        "    os._exit(len(threading.enumerate()))\n"
        "said = os.waitstatus_to_exitcode(os.waitpid(fork(child), 0)[1]); assert said == 1, said"
    )


def test_without_a_run_directory_a_child_is_not_touched(tmp_path, fleet):
    alone = fleet.worker(start=False, RUNTIME_EXPORTER_RUN_DIRECTORY="")
    alone.start(port=0)
    alone.do(
        "def child():\n"
        "    time.sleep(1.5); os._exit(len(threading.enumerate()))\n"
        "said = os.waitstatus_to_exitcode(os.waitpid(fork(child), 0)[1]); assert said == 1, said"
    )
