import psutil
import pytest

from runtime_exporter.collectors.host import HostCollector, default_source
from runtime_exporter.collectors.sources.host import LinuxHost


@pytest.fixture
def collector(proc):
    source = LinuxHost(proc=str(proc), ticks=100)
    collector = HostCollector(source.read, close=source.close)
    yield collector
    collector.close()


def test_cores_memory_and_load_are_read(collector, values):
    collector.update()
    ours = values(collector)

    assert 16 + 3 == len(ours)
    assert (0.1, 0.01, 0.2, 1.0, 0.05, 0.02, 0.03, 0.04) == tuple(
        pytest.approx(ours[f"host_cpu_seconds_total{{cpu=0,mode={mode}}}"])
        for mode in ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    )
    assert (8000 * 1024, 16000 * 1024, 1.25) == (
        ours["host_memory_available_bytes"],
        ours["host_memory_total_bytes"],
        ours["host_load1"],
    )


def test_iowait_that_the_kernel_takes_back_does_not_go_down(collector, proc, values):
    collector.update()
    proc.write("stat", "cpu 0\ncpu0 11 1 20 100 4 2 3 4 0 0\n")

    collector.update()
    ours = values(collector)

    assert (0.05, 0.11) == (
        ours["host_cpu_seconds_total{cpu=0,mode=iowait}"],
        ours["host_cpu_seconds_total{cpu=0,mode=user}"],
    )


def test_a_core_that_went_offline_goes_from_the_metrics(collector, proc, values):
    collector.update()
    proc.write("stat", "cpu 0\ncpu0 10 1 20 100 5 2 3 4 0 0\n")

    collector.update()

    assert [] == [name for name in values(collector) if "cpu=1" in name]


def test_an_old_kernel_with_fewer_columns_has_fewer_modes(collector, proc, values):
    proc.write("stat", "cpu 1 2 3 4\ncpu0 1 2 3 4\n")

    collector.update()

    assert 4 == sum(name.startswith("host_cpu") for name in values(collector))


def test_memory_that_the_kernel_does_not_tell_is_hidden(collector, proc, values):
    proc.write("meminfo", "MemTotal: 5 kB\n")

    collector.update()

    assert "host_memory_available_bytes" not in values(collector)
    assert 5120 == values(collector)["host_memory_total_bytes"]


@pytest.mark.parametrize(("path", "message"), [("stat", "no line cpu0"), ("loadavg", "is empty")])
def test_an_empty_file_is_an_error_that_names_it(collector, proc, path, message):
    proc.write(path, "")

    with pytest.raises(ValueError, match=message):
        collector.update()


def test_a_file_that_is_not_there_is_an_error(collector, proc):
    proc.remove("meminfo")

    with pytest.raises(FileNotFoundError):
        collector.update()


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_this_machine_is_read_on_every_system(values, platform):
    read, close = default_source(platform)
    collector = HostCollector(read, close=close)
    collector.update()
    collector.close()
    ours = values(collector)

    assert psutil.virtual_memory().total == ours["host_memory_total_bytes"]
    assert psutil.cpu_count() == sum("mode=user}" in name for name in ours)
    assert not any("guest" in name for name in ours)


def test_the_default_source_is_chosen_at_the_first_update(values):
    collector = HostCollector()
    collector.close()
    collector.update()
    collector.close()

    assert psutil.virtual_memory().total == values(collector)["host_memory_total_bytes"]
