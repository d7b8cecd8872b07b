import pytest

from runtime_exporter.collectors.memory import MemoryCollector
from runtime_exporter.errors import NoData


@pytest.fixture
def collector(proc):
    collector = MemoryCollector(proc=str(proc))
    yield collector
    collector.close()


def test_kilobytes_become_bytes(collector, values):
    collector.update()

    expected = {
        "process_resident_memory_anon_bytes": 2500 * 1024,
        "process_resident_memory_file_bytes": 1000 * 1024,
        "process_resident_memory_shared_bytes": 500 * 1024,
        "process_resident_memory_peak_bytes": 5000 * 1024,
        "process_swap_bytes": 64 * 1024,
        "process_stack_bytes": 132 * 1024,
    }
    assert expected == values(collector)


def test_a_line_that_an_old_kernel_does_not_write_hides_its_family(collector, proc, values):
    collector.update()
    proc.write("self/status", "RssAnon:\t 1 kB\nVmSwap: broken\n")

    collector.update()

    assert {"process_resident_memory_anon_bytes": 1024} == values(collector)


def test_another_system_has_no_data(tmp_path):
    with pytest.raises(NoData, match="status is not there"):
        MemoryCollector(proc=str(tmp_path)).update()


def test_parts_of_the_resident_memory_of_this_process_add_up(values):
    collector = MemoryCollector()
    collector.update()
    collector.close()
    ours = values(collector)

    parts = sum(ours[f"process_resident_memory_{part}_bytes"] for part in ("anon", "file", "shared"))
    assert 0 < parts <= ours["process_resident_memory_peak_bytes"]
