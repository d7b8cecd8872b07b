"""How the values of several workers become one: every family of ours says so, and what it says makes sense for rules and panels."""

from __future__ import annotations

import pytest

from runtime_exporter.act.metrics import ActMetrics
from runtime_exporter.agent.collector import AgentCollector
from runtime_exporter.exporter import Exporter
from runtime_exporter.http import HTTPMetrics
from runtime_exporter.metrics.catalogue import exposed_name
from runtime_exporter.settings import Settings

SHARED = {
    "process_memory_limit_bytes",
    "process_memory_limit_used_bytes",
    "process_threads_left",
    "process_cpu_limit_cores",
    "process_cpu_throttled_seconds_total",
    "process_cpu_throttled_periods_total",
    "process_cpu_periods_total",
    "python_info",
}
"""Of the whole control group, or of the installation: no worker has its own."""


def families():
    exporter = Exporter(Settings(http_body_sizes=True), http=HTTPMetrics(body_sizes=True))
    metrics = (*exporter.families(), *AgentCollector(tuple).families, *ActMetrics(["restart"], dry_run=False).families)
    return {exposed_name(metric.family): metric.family for metric in metrics}


def test_every_gauge_of_ours_says_how_its_values_become_one():
    # A gauge that says nothing is "all": a label `worker` on it, and every sum and comparison in a rule would be another.
    assert [] == [name for name, family in families().items() if family.mode in ("all", "liveall")]


def test_what_is_of_a_process_or_its_interpreter_is_told_of_each_worker_too():
    expected = {name for name in families() if name.startswith(("process_", "python_"))} - SHARED
    assert expected == {name for name, family in families().items() if family.per_worker}


def test_what_the_kernel_counts_for_all_workers_together_is_not_added_up():
    shared = {name for name in families() if name.startswith("host_")} | SHARED
    assert set() == {name for name in shared if "sum" in families()[name].mode}


@pytest.mark.parametrize(
    ("used", "limit", "modes"),
    [
        # Descriptors are each process's own: the fullest worker against the tightest limit.
        ("process_open_fds", "process_max_fds", ("livemax", "livemin")),
        # The group's memory against the group's limit, or the largest address space against the tightest rlimit.
        ("process_memory_limit_used_bytes", "process_memory_limit_bytes", ("livemax", "livemin")),
        # The threads of all against these and what is left for all.
        ("process_num_threads", "process_threads_left", ("livesum", "livemin")),
        # What the exporter costs and may cost adds up alike.
        ("runtime_exporter_overhead_ratio", "runtime_exporter_overhead_budget_ratio", ("livesum", "livesum")),
    ],
)
def test_a_share_of_a_limit_means_of_several_workers_what_it_means_of_one(used, limit, modes):
    assert modes == (families()[used].mode, families()[limit].mode)


def test_a_worker_that_takes_the_place_of_another_is_no_restart_of_the_service():
    # RuntimeRestarting counts changes of it. Recycled workers come and go all the time, also the oldest.
    assert families()["process_start_time_seconds"].mode == "min"
