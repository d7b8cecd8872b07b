import pytest

from runtime_exporter.collectors.limits import LimitsCollector
from runtime_exporter.errors import NoData

NO_RLIMIT = "Max address space         unlimited            unlimited            bytes     \n"


@pytest.fixture
def make(proc, cgroups):
    made = []

    def make(membership, user=1000):
        if membership is not None:
            proc.write("self/cgroup", membership)
        made.append(LimitsCollector(proc=str(proc), cgroup_root=str(cgroups), user=lambda: user))
        return made[-1]

    yield make
    for collector in made:
        collector.close()


def test_version_2_tells_memory_cpu_and_throttling(make, cgroups, values):
    cgroups.write("app/memory.max", "1073741824\n")
    cgroups.write("app/cpu.max", "150000 100000\n")
    cgroups.write("app/cpu.stat", "usage_usec 9\nnr_periods 40\nnr_throttled 10\nthrottled_usec 2500000\n")
    collector = make("0::/app\n")

    collector.update()

    expected = {
        "process_memory_limit_bytes": 1073741824.0,
        "process_cpu_limit_cores": 1.5,
        "process_cpu_throttled_seconds_total": 2.5,
        "process_cpu_throttled_periods_total": 10.0,
        "process_cpu_periods_total": 40.0,
    }
    assert expected == values(collector)


def test_version_1_tells_the_same(make, cgroups, values):
    cgroups.write("memory/docker/x/memory.limit_in_bytes", "1048576\n")
    cgroups.write("cpu/docker/x/cpu.cfs_quota_us", "50000\n")
    cgroups.write("cpu/docker/x/cpu.cfs_period_us", "100000\n")
    cgroups.write("cpu/docker/x/cpu.stat", "nr_periods 4\nnr_throttled 1\nthrottled_time 500000000\n")
    collector = make("9:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n0::/\n")

    collector.update()

    expected = {
        "process_memory_limit_bytes": 1048576.0,
        "process_cpu_limit_cores": 0.5,
        "process_cpu_throttled_seconds_total": 0.5,
        "process_cpu_throttled_periods_total": 1.0,
        "process_cpu_periods_total": 4.0,
    }
    assert expected == values(collector)


def test_the_tightest_group_above_counts(make, cgroups, values):
    for path, memory, cpu, throttled in (("a", 300, "max", 1), ("a/b", 100, "50000", 2), ("a/b/c", 200, "200000", 3)):
        cgroups.write(f"{path}/memory.max", f"{memory}\n")
        cgroups.write(f"{path}/cpu.max", f"{cpu} 100000\n")
        cgroups.write(f"{path}/cpu.stat", f"nr_periods 9\nnr_throttled {throttled}\nthrottled_usec 0\n")
    collector = make("0::/a/b/c\n")

    collector.update()
    ours = values(collector)

    assert (100.0, 0.5, 2.0) == (
        ours["process_memory_limit_bytes"],
        ours["process_cpu_limit_cores"],
        ours["process_cpu_throttled_periods_total"],
    )


def test_a_path_that_only_the_host_knows_is_found_at_the_mount(make, cgroups, values):
    cgroups.write("memory/memory.limit_in_bytes", "4096\n")
    collector = make("4:memory:/docker/0123456789abcdef\n")

    collector.update()

    assert {"process_memory_limit_bytes": 4096.0} == values(collector)


def test_a_group_outside_the_namespace_is_found_at_the_mount(make, cgroups, values):
    cgroups.write("memory.max", "8192\n")
    collector = make("0::/../../other\n")

    collector.update()

    assert {"process_memory_limit_bytes": 8192.0} == values(collector)


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        ("0::/app\n", {"app/memory.max": "max\n", "app/cpu.max": "max 100000\n", "app/cpu.stat": "usage_usec 1\n"}),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}),
        ("2:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n", "cpu/cpu.stat": ""}),
        ("2:cpu:/\n", {"cpu/cpu.cfs_quota_us": "50000\n"}),
        ("0::/app\n", {"app/cpu.max": "100000 0\n"}),
        ("0::/app\n", {"app/cpu.max": ""}),
        ("0::/\n", {}),
        (None, {}),
    ],
)
def test_no_limit_is_no_data(make, cgroups, membership, files):
    for path, text in files.items():
        cgroups.write(path, text)

    with pytest.raises(NoData):
        make(membership).update()


def test_a_limit_of_the_address_space_counts_where_it_is_tighter(make, proc, cgroups, values):
    cgroups.write("memory.max", "5000\n")
    proc.write("self/limits", "Max address space         4000            unlimited            bytes     \n")
    collector = make("0::/\n")

    collector.update()

    assert 4000.0 == values(collector)["process_memory_limit_bytes"]


def test_without_groups_the_limit_of_the_address_space_is_the_limit(make, proc, values):
    proc.write("self/limits", "Max address space         4000            unlimited            bytes     \n")
    collector = make(None)

    collector.update()

    assert {"process_memory_limit_bytes": 4000.0} == values(collector)


def test_a_limit_that_changes_is_seen(make, cgroups, values):
    cgroups.write("memory.max", "5000\n")
    collector = make("0::/\n")
    collector.update()
    cgroups.write("memory.max", "7000\n")

    collector.update()

    assert 7000.0 == values(collector)["process_memory_limit_bytes"]


def test_a_process_moved_to_another_group_is_followed(make, proc, cgroups, values):
    cgroups.write("a/memory.max", "5000\n")
    cgroups.write("b/memory.max", "6000\n")
    collector = make("0::/a\n")
    collector.update()
    proc.write("self/cgroup", "0::/b\n")

    collector.update()

    assert 6000.0 == values(collector)["process_memory_limit_bytes"]


STATS = {
    "memory.stat": "anon 600\nfile 350\nshmem 50\ninactive_file 100\nactive_file 200\nslab_reclaimable 30\nslab_unreclaimable 9\n",
    "memory/memory.stat": "rss 600\ninactive_file 1\nactive_file 2\ntotal_inactive_file 100\ntotal_active_file 200\n",
}


@pytest.mark.parametrize(
    ("membership", "limit", "usage", "used"),
    [
        ("0::/\n", "memory.max", "memory.current", 670.0),
        ("9:memory:/\n0::/\n", "memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", 700.0),
    ],
    ids=["version 2", "version 1"],
)
def test_of_the_groups_memory_all_counts_that_the_kernel_cannot_take_back(
    make, cgroups, values, membership, limit, usage, used
):
    cgroups.write(limit, "5000\n")
    cgroups.write(usage, "1000\n")
    for path, text in STATS.items():
        cgroups.write(path, text)
    collector = make(membership)

    collector.update()

    assert {"process_memory_limit_bytes": 5000.0, "process_memory_limit_used_bytes": used} == values(collector)


def test_what_is_used_is_of_the_group_whose_limit_is_the_tightest(make, cgroups, values):
    for path, limit, usage in (("a", 3000, 2900), ("a/b", 2000, 1500), ("a/b/c", "max", 100)):
        cgroups.write(f"{path}/memory.max", f"{limit}\n")
        cgroups.write(f"{path}/memory.current", f"{usage}\n")
        cgroups.write(f"{path}/memory.stat", "inactive_file 50\n")
    collector = make("0::/a/b/c\n")

    collector.update()

    assert {"process_memory_limit_bytes": 2000.0, "process_memory_limit_used_bytes": 1450.0} == values(collector)


def test_of_a_limit_of_address_space_the_address_space_counts(make, proc, cgroups, values):
    cgroups.write("memory.max", "500000000\n")
    cgroups.write("memory.current", "1000\n")
    cgroups.write("memory.stat", "inactive_file 50\n")
    proc.write("self/limits", "Max address space         4096000              unlimited            bytes     \n")
    proc.write("self/status", "VmPeak:\t    3500 kB\nVmSize:\t    3000 kB\nVmRSS:\t    1000 kB\n")
    collector = make("0::/\n")

    collector.update()

    assert {"process_memory_limit_bytes": 4096000.0, "process_memory_limit_used_bytes": 3072000.0} == values(collector)


@pytest.mark.parametrize(
    ("membership", "directory"), [("0::/app\n", "app"), ("8:pids:/app\n4:cpu,cpuacct:/app\n0::/\n", "pids/app")]
)
def test_threads_are_our_own_and_those_that_the_group_still_allows(make, proc, cgroups, values, membership, directory):
    proc.write("self/task/4712/stat", "")  # two threads are ours
    cgroups.write(f"{directory}/pids.max", "100\n")
    cgroups.write(f"{directory}/pids.current", "30\n")
    collector = make(membership)

    collector.update()

    assert {"process_max_threads": 72.0, "process_threads_left": 70.0} == values(collector)


def test_a_group_above_that_has_less_left_counts(make, cgroups, values):
    for path, limit, current in (("a", 50, 45), ("a/b", 20, 2), ("a/b/c", "max", 2)):
        cgroups.write(f"{path}/pids.max", f"{limit}\n")
        cgroups.write(f"{path}/pids.current", f"{current}\n")
    collector = make("0::/a/b/c\n")

    collector.update()

    assert {"process_max_threads": 6.0, "process_threads_left": 5.0} == values(collector)


def test_a_limit_below_what_there_is_leaves_what_we_have(make, cgroups, values):
    cgroups.write("pids.max", "10\n")
    cgroups.write("pids.current", "30\n")
    collector = make("0::/\n")

    collector.update()

    assert {"process_max_threads": 1.0, "process_threads_left": 0.0} == values(collector)


NPROC = "Max processes             40                   80                   processes \n"


def test_the_limit_of_the_user_counts_where_it_is_tighter_and_not_for_root(make, proc, cgroups, values):
    cgroups.write("pids.max", "100\n")
    cgroups.write("pids.current", "30\n")
    proc.write("self/limits", NPROC)
    ours, roots = make("0::/\n"), make("0::/\n", user=0)

    ours.update()
    roots.update()

    assert {"process_max_threads": 40.0, "process_threads_left": 39.0} == values(ours)
    assert {"process_max_threads": 71.0, "process_threads_left": 70.0} == values(roots)


@pytest.mark.parametrize(
    "files",
    [{"pids.max": "max\n", "pids.current": "30\n"}, {"pids.current": "30\n"}, {"pids.max": "100\n"}],
    ids=["unlimited", "the root", "an old kernel"],
)
def test_without_a_limit_of_threads_there_is_no_such_series(make, cgroups, values, files):
    cgroups.write("memory.max", "5000\n")
    for path, text in files.items():
        cgroups.write(path, text)
    collector = make("0::/\n")

    collector.update()

    assert {"process_memory_limit_bytes": 5000.0} == values(collector)


def test_throttling_that_the_kernel_does_not_tell_is_hidden(make, cgroups, values):
    cgroups.write("cpu.max", "100000 100000\n")
    cgroups.write("cpu.stat", "nr_periods 5\n")
    collector = make("0::/\n")

    collector.update()

    assert {"process_cpu_limit_cores": 1.0} == values(collector)


def test_a_broken_limit_is_an_error(make, cgroups):
    cgroups.write("memory.max", "lots\n")

    with pytest.raises(ValueError, match="lots"):
        make("0::/\n").update()


def test_the_groups_of_this_machine_are_read(values):
    collector = LimitsCollector()
    try:
        collector.update()
    except NoData:
        return
    finally:
        collector.close()

    assert all(value >= 0 for value in values(collector).values())
