"""A run directory that cannot be used: the process goes on alone, and says so."""

from __future__ import annotations

import shutil

import pytest
import requests

from tools import wait_for
from worker_process import fleet_in

ORDERS = 'orders_total{kind="a"}'
SHARES = 'runtime_exporter_collector_success{collector="workers"}'


@pytest.fixture
def fleet(tmp_path):
    with fleet_in(tmp_path) as fleet:
        yield fleet


def said(worker):
    return [line for line in worker.log.splitlines() if "collector workers" in line]


def test_a_missing_directory_costs_the_sharing_only_and_it_begins_when_the_directory_is_there(fleet):
    fleet.directory.rmdir()
    first, second = fleet.worker(), fleet.worker()
    first.do("counter.labels('a').inc(1)")
    second.do("counter.labels('a').inc(2)")

    assert {1.0} == {
        fleet.value('orders_total{kind="a"}') for _ in range(10)
    }  # of one process, and of the same each time
    fleet.wait_for(SHARES, 0)
    assert 1 == fleet.value('runtime_exporter_workers{state="live"}')
    for worker in (first, second):
        (line,) = said(worker)
        assert str(fleet.directory) in line

    fleet.directory.mkdir()
    fleet.wait_for('orders_total{kind="a"}', 3)
    fleet.wait_for(SHARES, 1)


def test_who_waits_for_the_port_serves_when_the_one_that_has_it_dies(fleet):
    fleet.directory.rmdir()
    first, second = fleet.worker(), fleet.worker()
    second.do("counter.labels('a').inc(2)")
    first.kill()

    def answered():
        try:
            return fleet.value('orders_total{kind="a"}')
        except requests.RequestException:
            return None

    assert 2 == wait_for(answered, what="the second serves")


def test_a_full_disk_costs_the_sharing_only(fleet):
    worker = fleet.worker(start=False, RUNTIME_EXPORTER_RUN_DIRECTORY="")
    worker.do("import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))")
    worker.start(run_directory=str(fleet.directory))
    worker.do("counter.labels('a').inc(2)")
    fleet.wait_for(SHARES, 0)
    assert 2 == fleet.value('orders_total{kind="a"}')
    assert 1 == len(said(worker))


@pytest.mark.parametrize("what", ["everything", "the directory, too", "cells"])
def test_workers_share_anew_where_somebody_removes_their_files(fleet, what):
    workers = [fleet.worker(), fleet.worker()]
    for number, worker in enumerate(workers, 1):
        worker.do(f"counter.labels('a').inc({number})")
    fleet.wait_for(ORDERS, 3)
    if what == "the directory, too":
        shutil.rmtree(fleet.directory)
    else:
        for file in fleet.directory.glob("*.cells" if what == "cells" else "*"):
            file.unlink() if not file.is_dir() else shutil.rmtree(file)
    for worker in workers:
        wait_for(lambda worker=worker: "emptied" in worker.log, what="it is told")
    fleet.wait_for('runtime_exporter_workers{state="live"}', 2)
    for worker in workers:
        worker.do("counter.labels('a').inc(1)")
    assert {5.0} == {fleet.value(ORDERS) for _ in range(10)}
    assert {1.0} == {fleet.value(SHARES) for _ in range(4)}
    assert ["1 line"] * 2 == [f"{worker.log.count('emptied')} line" for worker in workers]
    third = fleet.worker()
    third.do("counter.labels('a').inc(10)")
    fleet.wait_for(ORDERS, 15)
    assert "does not share" not in third.log
    assert (fleet.directory / "2.socket").is_socket()


def test_a_directory_that_becomes_full_is_told_and_costs_what_is_new_only_and_only_for_as_long_as_it_is(fleet):
    worker = fleet.worker()
    worker.do("counter.labels('a').inc(2)")
    fleet.wait_for(SHARES, 1)
    worker.do("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (66_000, resource.RLIM_INFINITY))")
    worker.do("for number in range(5000): counter.labels(str(number)).inc()")
    fleet.wait_for(SHARES, 0)
    series = fleet.series()
    assert 2 == series['orders_total{kind="a"}']
    missing = {f'orders_total{{kind="{number}"}}' for number in range(5000)} - series.keys()
    assert missing
    wait_for(lambda: fleet.value("runtime_exporter_unshared_series") >= len(missing), what="what is missing is counted")
    worker.do("counter.labels('a').inc(1)")
    fleet.wait_for('orders_total{kind="a"}', 3)

    other = fleet.worker()
    other.do("for number in range(5000): counter.labels(str(number)).inc()")
    worker.do("resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))")
    fleet.wait_for("runtime_exporter_unshared_series", 0)
    fleet.wait_for(SHARES, 1)
    series = fleet.series()
    assert {2.0} == {series[f'orders_total{{kind="{number}"}}'] for number in range(5000)}
    assert 3 == series['orders_total{kind="a"}']


def test_a_file_in_the_place_of_the_directory_is_told_in_one_line(fleet):
    fleet.directory.rmdir()
    fleet.directory.write_text("")
    worker = fleet.worker()
    fleet.wait_for(SHARES, 0)
    (line,) = said(worker)
    assert str(fleet.directory) in line


def test_workers_of_two_services_do_not_answer_for_each_other(fleet, tmp_path):
    fleet.worker().do("counter.labels('a').inc(1)")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run").mkdir()
    intruder = fleet.worker(start=False, RUNTIME_EXPORTER_RUN_DIRECTORY=str(tmp_path / "other" / "run"))
    intruder.start()
    intruder.do("counter.labels('a').inc(50)")

    assert {1.0} == {fleet.value('orders_total{kind="a"}') for _ in range(20)}
    assert "does not share" in intruder.log


def test_what_a_failing_collector_last_said_is_not_told_of_it(fleet):
    failing, _ = fleet.worker(), fleet.worker()
    before = fleet.value("process_open_fds")
    assert before
    failing.do("handle._supervisor.collectors['process'].update = lambda: 1 / 0")
    wait_for(
        lambda: 'worker_process_open_fds{worker="0"}' not in fleet.series(),
        what="the families of a failing collector go",
    )
    assert 'worker_process_open_fds{worker="1"}' in fleet.series()
    fleet.wait_for('runtime_exporter_collector_success{collector="process"}', 0)
