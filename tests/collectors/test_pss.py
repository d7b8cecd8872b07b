import os

import pytest

from runtime_exporter.collectors.pss import PssCollector
from runtime_exporter.errors import NoData


@pytest.fixture
def collector(proc):
    collector = PssCollector(proc=str(proc))
    yield collector
    collector.close()


def test_the_line_of_all_mappings_is_read(collector, values):
    collector.update()

    assert {"process_proportional_memory_bytes": 3000 * 1024} == values(collector)


def test_a_rollup_without_the_line_is_broken(collector, proc):
    proc.write("self/smaps_rollup", "Rss: 1 kB\n")

    with pytest.raises(ValueError, match="no line Pss"):
        collector.update()


def test_an_old_kernel_has_no_data(tmp_path):
    with pytest.raises(NoData, match="No such file"):
        PssCollector(proc=str(tmp_path)).update()


def test_a_process_that_may_not_be_traced_has_no_data(collector, monkeypatch):
    def deny(path, *_):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", deny)

    with pytest.raises(NoData, match="Permission denied"):
        collector.update()


def test_it_is_taken_in_the_background_at_most_every_fifteen_seconds():
    assert 15.0 == PssCollector.interval


def test_this_process_has_some(values):
    collector = PssCollector()
    collector.update()
    collector.close()

    assert 1e6 < values(collector)["process_proportional_memory_bytes"] < 1e10
