import os
import time
from types import SimpleNamespace

import psutil
import pytest

from runtime_exporter.collectors.process import ProcessCollector, default_source
from runtime_exporter.collectors.sources import rlimits
from runtime_exporter.collectors.sources.process import DescriptorCount, LinuxProcess, psutil_process


@pytest.fixture
def make(proc):
    made = []

    def make():
        usage = SimpleNamespace(ru_utime=2.5, ru_stime=0.5, ru_minflt=111, ru_majflt=7, ru_nvcsw=40, ru_nivcsw=2)
        source = LinuxProcess(lambda: usage, proc=str(proc), ticks=100, page_bytes=4096)
        made.append(ProcessCollector(source.read, close=source.close))
        return made[-1]

    yield make
    for collector in made:
        collector.close()


def test_everything_is_read_from_a_fake_kernel(make, values):
    collector = make()

    collector.update()

    expected = {
        "process_cpu_seconds_total": 3.0,
        "process_cpu_mode_seconds_total{mode=user}": 2.5,
        "process_cpu_mode_seconds_total{mode=system}": 0.5,
        "process_resident_memory_bytes": 4096000.0,
        "process_virtual_memory_bytes": 81920000.0,
        "process_start_time_seconds": 1700000060.0,
        "process_open_fds": 2.0,  # of the names in the fake one counts as the listing's own
        "process_max_fds": 1024.0,
        "process_num_threads": 9.0,
        "process_page_faults_total{kind=minor}": 111.0,
        "process_page_faults_total{kind=major}": 7.0,
        "process_context_switches_total{kind=voluntary}": 40.0,
        "process_context_switches_total{kind=involuntary}": 2.0,
        "process_io_read_bytes_total": 8192.0,
        "process_io_write_bytes_total": 4096.0,
    }
    assert expected == values(collector)


@pytest.mark.parametrize(
    ("path", "families"),
    [
        ("self/io", {"process_io_read_bytes_total", "process_io_write_bytes_total"}),
        ("self/limits", {"process_max_fds"}),
        ("stat", {"process_start_time_seconds"}),
    ],
)
def test_a_missing_file_hides_its_families_and_no_others(make, proc, values, path, families):
    whole, broken = make(), None
    whole.update()
    proc.remove(path)
    broken = make()

    broken.update()

    assert families == values(whole).keys() - values(broken).keys()


def test_a_missing_line_hides_its_family(make, proc, values):
    proc.write("self/limits", "Max processes 1 2 processes\n")
    proc.write("self/io", "read_bytes: 5\n")
    collector = make()

    collector.update()

    gone = {"process_max_fds", "process_io_write_bytes_total"}
    assert gone.isdisjoint(values(collector))
    assert 5.0 == values(collector)["process_io_read_bytes_total"]


def test_an_unlimited_number_of_descriptors_is_no_number(make, proc, values):
    proc.write("self/limits", "Max open files            unlimited            unlimited            files     \n")
    collector = make()

    collector.update()

    assert "process_max_fds" not in values(collector)


def test_permission_denied_hides_the_family(make, values, monkeypatch):
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: _deny(path) if str(path).endswith("/io") else real(path, *rest))
    collector = make()

    collector.update()

    assert "process_io_read_bytes_total" not in values(collector)
    assert 3.0 == values(collector)["process_cpu_seconds_total"]


def _deny(path):
    raise PermissionError(13, "Permission denied", path)


@pytest.mark.parametrize("text", ["", "4711 (python) R 1 1 1", "4711 (py"])
def test_a_truncated_stat_is_an_error_that_names_the_file(make, proc, text):
    proc.write("self/stat", text)

    with pytest.raises(ValueError, match=r"self/stat: .* fields after the command"):
        make().update()


def test_a_family_comes_back_with_its_file(make, proc, values):
    proc.remove("self/io")
    collector = make()
    collector.update()
    proc.write("self/io", "read_bytes: 1\nwrite_bytes: 2\n")

    collector.update()

    assert 2.0 == values(collector)["process_io_write_bytes_total"]


def test_the_boot_time_is_read_once(make, proc, values):
    collector = make()
    collector.update()
    proc.write("stat", "btime 1700000001\n")

    collector.update()

    assert 1700000060.0 == values(collector)["process_start_time_seconds"]


def test_descriptors_are_counted_without_the_one_of_the_listing():
    count = DescriptorCount("/proc/self/fd")
    before = count.read()
    descriptor = os.open("/dev/null", os.O_RDONLY)

    after = count.read()
    os.close(descriptor)

    assert (before + 1, before) == (after, count.read())


def test_descriptors_of_a_directory_that_is_not_there_are_unknown(tmp_path):
    assert DescriptorCount(str(tmp_path / "none")).read() is None


def test_the_size_of_the_directory_counts_where_the_kernel_says_so(tmp_path, monkeypatch):
    (tmp_path / "0").write_text("")
    count = DescriptorCount(str(tmp_path))
    monkeypatch.setattr(type(tmp_path), "stat", lambda _: SimpleNamespace(st_size=0))
    first = count.read()
    monkeypatch.setattr(type(tmp_path), "stat", lambda _: SimpleNamespace(st_size=9))

    assert (0, 9) == (first, count.read())


def test_this_process_agrees_with_psutil(values):
    collector = ProcessCollector()
    collector.update()
    ours, process = values(collector), psutil.Process()
    collector.close()

    assert pytest.approx(process.create_time(), abs=1.5) == ours["process_start_time_seconds"]
    assert pytest.approx(process.memory_info().rss, rel=0.1) == ours["process_resident_memory_bytes"]
    assert pytest.approx(time.process_time(), abs=0.5) == ours["process_cpu_seconds_total"]
    assert process.num_threads() == ours["process_num_threads"]


def test_without_proc_the_numbers_come_from_psutil(values):
    read, close = default_source("darwin")
    collector = ProcessCollector(read, close=close)
    collector.update()
    collector.close()
    ours = values(collector)

    assert psutil.Process().create_time() == ours["process_start_time_seconds"]
    assert rlimits.max_descriptors() == ours["process_max_fds"]
    assert ours["process_cpu_seconds_total"] > 0
    assert {"process_page_faults_total{kind=minor}", "process_io_read_bytes_total"}.isdisjoint(ours)


def test_a_system_that_counts_handles_tells_those(monkeypatch):
    class Windows(psutil.Process):
        num_fds = property(lambda _: (_ for _ in ()).throw(AttributeError))

        def num_handles(self):
            return 77

    monkeypatch.setattr(psutil, "Process", Windows)

    assert 77 == psutil_process()().open_fds


def test_no_limit_on_descriptors_is_no_number(monkeypatch):
    unlimited = rlimits.resource.RLIM_INFINITY
    monkeypatch.setattr(rlimits.resource, "getrlimit", lambda _: (unlimited, unlimited))

    assert rlimits.max_descriptors() is None


def test_a_collector_that_never_ran_closes():
    ProcessCollector().close()
