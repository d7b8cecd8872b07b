"""What an application registers by itself, where several workers answer."""

from __future__ import annotations

import logging

import prometheus_client as peer
import pytest
from prometheus_client.multiprocess import MultiProcessCollector

from runtime_exporter import metrics
from runtime_exporter.prefork.foreign import Foreign
from worker_process import fleet_in


@pytest.fixture
def registry():
    return metrics.CollectorRegistry()


class Queue:
    def collect(self):
        return []


def test_what_is_of_one_worker_is_left_out_counted_and_named_once(registry, caplog):
    metrics.Counter("ours", "O", registry=registry)
    peer.ProcessCollector(registry=registry)
    foreign = Foreign(registry, {})
    assert ((), 0) == (foreign.collectors(), foreign.left_out)

    peer.Counter("theirs", "T", registry=registry)
    registry.register(Queue())
    with caplog.at_level(logging.WARNING, "runtime_exporter"):
        assert ((), 2) == (foreign.collectors(), foreign.left_out)
        foreign.collectors()
    (line,) = caplog.messages
    assert "2 collectors" in line
    assert "counter:theirs" in line


def test_the_files_of_prometheus_client_stand_for_its_metrics(registry, tmp_path):
    peer.Counter("theirs", "T", registry=registry)
    registry.register(Queue())
    foreign = Foreign(registry, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)})
    (merged,) = foreign.collectors()
    assert (True, 1) == (isinstance(merged, MultiProcessCollector), foreign.left_out)


def test_an_application_that_merges_by_itself_is_left_to_do_so(registry, tmp_path):
    merged = MultiProcessCollector(registry, str(tmp_path))
    foreign = Foreign(registry, {})
    assert ((merged,), 0) == (foreign.collectors(), foreign.left_out)


def test_a_directory_of_prometheus_client_that_is_not_there_merges_nothing(registry, tmp_path):
    peer.Counter("theirs", "T", registry=registry)
    foreign = Foreign(registry, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "gone")})
    assert ((), 1) == (foreign.collectors(), foreign.left_out)


def test_workers_add_up_prometheus_clients_own_metrics_if_it_keeps_files(tmp_path):
    (tmp_path / "peer").mkdir()
    with fleet_in(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "peer")) as fleet:
        for worker in (fleet.worker(), fleet.worker()):
            worker.do("import prometheus_client; prometheus_client.Counter('theirs', 'T').inc(2)")
        assert {4.0} == {fleet.value("theirs_total") for _ in range(10)}


def test_workers_leave_out_what_is_of_one_of_them(tmp_path):
    with fleet_in(tmp_path) as fleet:
        worker = fleet.worker()
        worker.do("import prometheus_client; prometheus_client.Counter('theirs', 'T').inc(2)")
        series = fleet.series()
        assert (None, 1) == (series.get("theirs_total"), series["runtime_exporter_left_out_collectors"])
        assert 1 == worker.log.count("counter:theirs")
