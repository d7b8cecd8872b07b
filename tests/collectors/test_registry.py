"""All collectors together, on the real process."""

import gc
import importlib
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from runtime_exporter import collectors
from runtime_exporter.collectors import ALL, Supervisor
from runtime_exporter.collectors.supervision.background import THREAD_NAME
from runtime_exporter.metrics.exposition import OPENMETRICS, TEXT
from runtime_exporter.settings import Settings
from tools import require

# `exporter` needs the version and is told of scrapes: the composition root makes it, whatever collectors were chosen.
NO_COLLECTORS = {"__init__", "collector", "supervisor", "exporter", "facts"}
# The names and types of the contract; what this machine has no values for is in `families` all the same.
CONTRACT = {
    "counter": """
        process_cpu_seconds process_cpu_mode_seconds process_cpu_throttled_seconds process_cpu_throttled_periods
        process_cpu_periods process_page_faults process_context_switches process_io_read_bytes process_io_write_bytes
        process_thread_cpu_seconds host_cpu_seconds python_gc_objects_collected python_gc_objects_uncollectable
        python_gc_collections python_threads_started python_exceptions runtime_exporter_folded
        profile_self_seconds profile_cum_seconds profile_total_seconds profile_samples profile_wait_seconds
        profile_contentions profile_allocated_bytes profile_captures runtime_exporter_profiler_pauses
        runtime_exporter_cpu_seconds
    """,
    "gauge": """
        process_resident_memory_bytes process_virtual_memory_bytes process_start_time_seconds process_open_fds process_max_fds
        process_resident_memory_anon_bytes process_resident_memory_file_bytes process_resident_memory_shared_bytes
        process_resident_memory_peak_bytes process_swap_bytes process_stack_bytes process_proportional_memory_bytes
        process_memory_limit_bytes process_memory_limit_used_bytes process_threads_left process_cpu_limit_cores process_num_threads process_malloc_inuse_bytes
        process_malloc_free_bytes host_memory_available_bytes host_memory_total_bytes host_load1 python_info python_gc_objects
        host_filesystem_available_bytes host_filesystem_size_bytes host_filesystem_available_inodes
        host_filesystem_size_inodes process_max_threads
        python_gc_threshold python_gc_enabled python_gc_frozen_objects python_allocated_blocks python_object_types
        python_threads python_thread_oldest_age_seconds python_asyncio_tasks runtime_exporter_collector_duration_seconds
        runtime_exporter_collector_success runtime_exporter_overhead_ratio runtime_exporter_overhead_budget_ratio
        runtime_exporter_profiler_backend_info runtime_exporter_profiler_bias_ratio
        profile_inuse_bytes profile_function_info profile_regression_active profile_regression_score
        profile_regression_delta_ratio profile_divergence profile_mde_ratio profile_baseline_age_seconds
        profile_recommendation profile_last_capture_timestamp_seconds profile_regressions
        profile_recommendation_impact_ratio profile_leak_suspects profile_leak_slope_bytes_per_second
        profile_leak_slope_per_second profile_goroutines
    """,
    "histogram": "python_gc_duration_seconds python_asyncio_loop_lag_seconds python_gil_wait_seconds",
}


@pytest.fixture
def supervisor():
    supervisor = Supervisor([factory(Settings(profiling=True)) for factory in ALL.values()])
    yield supervisor
    supervisor.close()


def descriptors_of_this_process():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_each_collector_is_one_file_with_its_name():
    files = {path.stem for path in Path(collectors.__file__).parent.glob("*.py")} - NO_COLLECTORS
    modules = {name: importlib.import_module(f"runtime_exporter.collectors.{name}") for name in ALL}

    assert set(ALL) == files
    assert {name: name for name in ALL} == {name: factory(Settings()).name for name, factory in ALL.items()}
    assert dict.fromkeys(ALL, True) == {
        name: type(ALL[name](Settings())).__module__ == module.__name__ for name, module in modules.items()
    }


def test_names_and_types_are_those_of_the_contract(supervisor):
    expected = {name: kind for kind, names in CONTRACT.items() for name in names.split()}

    assert expected == {family.family.name: family.family.type for family in supervisor.families}


def test_making_all_collectors_changes_nothing_in_the_process():
    def hooks():
        return sys.excepthook, threading.excepthook, sys.unraisablehook, tuple(gc.callbacks)

    before, descriptors, threads = hooks(), descriptors_of_this_process(), set(threading.enumerate())
    Supervisor([factory(Settings(profiling=True)) for factory in ALL.values()])

    assert (before, descriptors) == (hooks(), descriptors_of_this_process())
    assert set() == set(threading.enumerate()) - threads


def test_closing_gives_everything_back(supervisor):
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook, list(gc.callbacks))
    descriptors = len(descriptors_of_this_process())
    supervisor.start()
    supervisor.collected_families()
    supervisor.close()

    assert hooks == (sys.excepthook, threading.excepthook, sys.unraisablehook, gc.callbacks)
    assert descriptors == len(descriptors_of_this_process())
    assert THREAD_NAME not in [thread.name for thread in threading.enumerate()]


def test_promtool_has_nothing_to_say_about_it(supervisor):
    promtool = require("promtool", package="prometheus")
    supervisor.start()
    supervisor.collected_families()

    for member in supervisor._members:
        if member.interval is not None:
            member.run()
    supervisor._good_until = 0
    done = subprocess.run(
        [promtool, "check", "metrics"], input=TEXT.render([supervisor]), capture_output=True, timeout=60, check=False
    )

    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_both_formats_are_read_back_to_the_same_values(supervisor):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
    from prometheus_client.parser import text_string_to_metric_families as parse_text

    supervisor.collected_families()
    supervisor._good_until = float("inf")

    def read(parse, exposition):
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse(exposition.decode())
            for sample in family.samples
        }

    assert read(parse_text, TEXT.render([supervisor])) == read(parse_openmetrics, OPENMETRICS.render([supervisor]))


FORK = """
    import json, os, sys, threading, time
    from runtime_exporter.collectors import ALL, Supervisor
    from runtime_exporter.collectors.supervision.background import THREAD_NAME
    from runtime_exporter.settings import Settings

    def values(supervisor):
        return {sample.name + str(sample.labels): sample.value for metric in supervisor.collect() for sample in metric.samples}

    def ours():
        return sum(thread.name == THREAD_NAME for thread in threading.enumerate())

    def wait_for(name):
        deadline = time.monotonic() + 30
        while not any(key.startswith(name) for key in values(supervisor)):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    supervisor = Supervisor([factory(Settings(profiling=True)) for factory in ALL.values()], reuse=0, patience=5.0)
    supervisor.start()
    wait_for("python_allocated_blocks")
    until = time.thread_time() + 0.3
    while time.thread_time() < until:
        pass
    supervisor.collected_families()

    # Another thread holds the lock of the scrape while this one forks.
    held, release = threading.Event(), threading.Event()
    def hold():
        with supervisor._lock:
            held.set()
            release.wait()
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        report = {"threads": ours()}
        child = values(supervisor)
        report["pid_threads"] = child["process_num_threads{}"]
        report["cpu"] = child["process_cpu_seconds_total{}"]
        report["main"] = child["process_thread_cpu_seconds_total{'group': 'MainThread'}"]
        report["groups"] = [key for key in child if key.startswith("python_threads{") and child[key]]
        report["background"] = [key for key in child if key.startswith("python_allocated_blocks")]
        supervisor.start()
        wait_for("python_allocated_blocks")
        report["started"] = ours()
        supervisor.close()
        report["closed"] = ours()
        print(json.dumps(report), flush=True)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    release.set()
    holder.join()
    after = values(supervisor)
    print(json.dumps({"status": status, "threads": ours(), "cpu": after["process_cpu_seconds_total{}"]}), flush=True)
    supervisor.close()
"""


@pytest.mark.parametrize("_time", range(3))
def test_a_forked_child_measures_itself_and_can_start_again_and_the_parent_goes_on(_time):
    import json

    done = subprocess.run(
        # Python 3.12 and later warn of any fork in a process with threads.
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", textwrap.dedent(FORK)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ("", 0) == (done.stderr, done.returncode)
    child, parent = map(json.loads, done.stdout.splitlines())

    assert 0 == child["threads"]
    assert 1 == child["pid_threads"]
    assert child["cpu"] < 0.2  # what the parent burnt is not the child's
    assert 0 < child["main"] < 0.2
    assert ["python_threads{'group': 'MainThread', 'daemon': 'false'}"] == child["groups"]
    assert [] == child["background"]
    assert (1, 0) == (child["started"], child["closed"])
    assert (0, 1) == (parent["status"], parent["threads"])
    assert parent["cpu"] > 0.3


def test_a_program_that_ends_without_closing_ends_in_peace():
    program = textwrap.dedent("""
        import time
        from runtime_exporter.collectors import ALL, Supervisor
        from runtime_exporter.settings import Settings
        supervisor = Supervisor([factory(Settings(profiling=True)) for factory in ALL.values()])
        supervisor.start()
        supervisor.collected_families()
        time.sleep(0.05)
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_a_daemon_that_closes_every_descriptor_is_still_measured(tmp_path):
    program = textwrap.dedent("""
        import os, sys
        from runtime_exporter.collectors import ALL, Supervisor
        from runtime_exporter.settings import Settings
        supervisor = Supervisor([factory(Settings(profiling=True)) for factory in ALL.values()], reuse=0)
        supervisor.collected_families()
        os.closerange(3, 200)
        theirs = [os.open(sys.argv[1], os.O_RDWR | os.O_CREAT) for _ in range(10)]
        supervisor.collected_families()
        supervisor.close()
        for descriptor in theirs:
            os.write(descriptor, b"still open")
        print([member.collector.name for member in supervisor._members if member.state.name == "FAILED"])
    """)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "file")], capture_output=True, text=True, timeout=60, check=False
    )

    assert ("[]\n", "") == (done.stdout, done.stderr)
