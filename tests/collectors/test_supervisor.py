import threading
import time
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from collectors.doubles import Hanging, Scripted
from runtime_exporter.collectors.supervision.overhead import Overhead
from runtime_exporter.collectors.supervisor import Supervisor
from runtime_exporter.errors import NoData
from runtime_exporter.metrics.exposition import OPENMETRICS, TEXT
from tools import together


def samples(supervisor):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in supervisor.collect()
        for sample in metric.samples
    }


@pytest.fixture
def make(clock):
    made = []

    def make(*collectors, **options):
        made.append(Supervisor(collectors, **{"clock": clock, **options}))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.close()


def test_a_scrape_updates_each_cheap_collector_once(make):
    one, two = Scripted("one"), Scripted("two")
    ours = samples(make(one, two))

    assert (1, 1) == (one.calls, two.calls)
    assert (1.0, 1.0) == (ours["one_value",], ours["two_value",])


def test_each_collector_is_timed_and_judged(make, clock):
    fine, broken, empty = Scripted("fine"), Scripted("broken"), Scripted("empty")
    fine.act = lambda: clock.advance(0.25)
    broken.error, empty.error = RuntimeError("no"), NoData("none")
    ours = samples(make(fine, broken, empty))

    name = "runtime_exporter_collector_success"
    assert (1, 0, 1) == (ours[name, "fine"], ours[name, "broken"], ours[name, "empty"])
    assert 0.25 == ours["runtime_exporter_collector_duration_seconds", "fine"]


def test_a_collector_that_raises_costs_only_its_own_families(make):
    fine, broken = Scripted("fine"), Scripted("broken")
    broken.error = RuntimeError("no")
    supervisor = make(broken, fine, reuse=0)
    during = samples(supervisor)
    broken.error = None
    after = samples(supervisor)

    assert (1.0, None) == (during["fine_value",], during.get(("broken_value",)))
    assert (2.0, 2.0) == (after["fine_value",], after["broken_value",])


def test_within_the_window_of_reuse_nothing_is_updated_again(make, clock):
    collector = Scripted()
    supervisor = make(collector, reuse=1.0)
    samples(supervisor)
    clock.advance(0.9)
    samples(supervisor)
    early = collector.calls
    clock.advance(0.1)
    samples(supervisor)

    assert (1, 2) == (early, collector.calls)


def test_a_hundred_scrapes_at_once_are_one_update():
    collector = Scripted()
    collector.act = lambda: time.sleep(0.02)
    supervisor = Supervisor([collector], reuse=30.0, patience=30.0)
    barrier, results = threading.Barrier(100), []

    def scrape():
        barrier.wait()
        results.append(samples(supervisor)["scripted_value",])

    together(*[scrape] * 100)

    assert (1, [1.0] * 100) == (collector.calls, results)


def test_a_scrape_does_not_wait_for_another_one_that_hangs():
    collector = Hanging(interval=None)
    fine = Scripted("fine")
    supervisor = Supervisor([fine, collector], reuse=0.0, patience=0.05)
    collector.release.set()
    samples(supervisor)
    collector.release.clear()
    collector.entered.clear()
    stuck = threading.Thread(target=samples, args=(supervisor,))
    stuck.start()
    collector.entered.wait(30)

    ours = samples(supervisor)
    collector.release.set()
    stuck.join()

    assert ours["hanging_value",] == 1.0
    assert 2 == fine.calls


def test_a_collector_that_hangs_in_the_background_does_not_block_a_scrape():
    collector, fine = Hanging(), Scripted("fine")
    supervisor = Supervisor([collector, fine])
    supervisor.start()
    collector.entered.wait(30)
    try:
        ours = samples(supervisor)
    finally:
        collector.release.set()
        supervisor.close()

    assert 1.0 == ours["fine_value",]
    assert ("hanging_value",) not in ours
    assert ("runtime_exporter_collector_success", "hanging") not in ours


def test_a_collector_that_goes_on_hanging_has_failed(make, clock):
    collector = Hanging()
    supervisor = make(collector)
    supervisor.start()
    collector.entered.wait(30)
    clock.advance(61.0)
    ours = samples(supervisor)
    collector.release.set()

    assert 0 == ours["runtime_exporter_collector_success", "hanging"]


def test_before_it_is_started_nothing_runs_in_the_background_and_nothing_is_said_of_it(make):
    collector = Scripted("slow", interval=1.0)
    ours = samples(make(collector))

    assert 0 == collector.calls
    assert [] == [key for key in ours if "slow" in key]


def test_values_from_the_background_are_in_the_scrape():
    collector = Scripted("slow", interval=60.0)
    supervisor = Supervisor([collector], reuse=0)
    supervisor.start()
    try:
        deadline = time.monotonic() + 30
        while ("slow_value",) not in samples(supervisor):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        ours = samples(supervisor)
    finally:
        supervisor.close()

    assert (1.0, 1) == (ours["slow_value",], ours["runtime_exporter_collector_success", "slow"])


def test_what_it_costs_is_exported_beside_the_budget(make, clock):
    spent = {"scrape": 1.5}
    supervisor = make(Scripted(), overhead=Overhead(lambda: spent, clock=clock), budget=0.02, reuse=0)
    clock.advance(600.0)
    spent["scrape"] += 3.0
    ours = samples(supervisor)

    assert pytest.approx(0.005) == ours["runtime_exporter_overhead_ratio", "scrape"]
    assert 0.02 == ours["runtime_exporter_overhead_budget_ratio",]
    assert 4.5 == ours["runtime_exporter_cpu_seconds_total", "scrape"]


def test_what_was_folded_is_counted_here_and_elsewhere_and_a_broken_source_is_left_out(make):
    collector, broken = Scripted("one"), Scripted("two")
    collector.folded = lambda: {"python_threads": 3}
    broken.folded = lambda: 1 / 0
    ours = samples(make(collector, broken, folded=[lambda: {"http_server_request_duration_seconds": 5}]))

    name = "runtime_exporter_folded_total"
    assert {(name, "python_threads"): 3.0, (name, "http_server_request_duration_seconds"): 5.0} == {
        key: value for key, value in ours.items() if key[0] == name
    }


def test_collectors_are_found_by_their_names_and_families_are_all_that_there_may_be(make):
    one, two = Scripted("one"), Scripted("two", interval=1.0)
    supervisor = make(one, two)

    assert {"one": one, "two": two} == supervisor.collectors
    assert {"one_value", "two_value", "runtime_exporter_collector_success"} <= {
        family.family.name for family in supervisor.families
    }


def test_both_peers_can_read_it_in_both_formats(make):
    supervisor = make(Scripted())
    registry = CollectorRegistry()
    registry.register(supervisor)
    theirs = generate_latest(registry).decode()
    ours = TEXT.render([supervisor]).decode()

    parsed = {family.name for family in text_string_to_metric_families(ours)}
    assert {family.name for family in text_string_to_metric_families(theirs)} == parsed
    assert OPENMETRICS.render([supervisor]).endswith(b"# EOF\n")


def test_starting_and_closing_reach_every_collector_whatever_one_of_them_raises(make):
    broken, fine = Scripted("broken"), Scripted("fine")
    broken.start_error = broken.close_error = RuntimeError("no")
    supervisor = make(broken, fine)
    supervisor.start()
    supervisor.close()

    assert (["start", "close"], ["start", "close"]) == (broken.log, fine.log)


def test_closing_waits_for_a_scrape_that_reads_what_is_closed_but_not_for_ever():
    slow = Hanging(interval=None)
    supervisor = Supervisor([slow], patience=60)
    scrape = threading.Thread(target=supervisor.collected_families)
    scrape.start()
    assert slow.entered.wait(10)
    closing = threading.Thread(target=supervisor.close)
    closing.start()
    closing.join(0.2)
    assert ([], True) == (slow.log, closing.is_alive())
    slow.release.set()
    closing.join(10)
    scrape.join(10)
    assert (["close"], False) == (slow.log, closing.is_alive())

    stuck = Hanging(interval=None)
    impatient = Supervisor([stuck], patience=0.01)
    scrape = threading.Thread(target=impatient.collected_families)
    scrape.start()
    assert stuck.entered.wait(10)
    impatient.close()
    assert ["close"] == stuck.log
    stuck.release.set()
    scrape.join(10)


def test_the_last_values_can_be_read_after_close(make):
    collector = Scripted()
    supervisor = make(collector)
    supervisor.start()
    supervisor.close()

    assert 1.0 == samples(supervisor)["scripted_value",]


def test_a_fork_in_the_middle_of_a_scrape_leaves_the_child_a_free_lock(make):
    collector = Scripted()
    supervisor = make(collector, patience=0.01, reuse=0)
    supervisor._lock.acquire()
    parent = samples(supervisor)
    supervisor.forked()

    assert {} == parent
    assert 1.0 == samples(supervisor)["scripted_value",]
    assert ["forked"] == collector.log


def test_a_collector_that_cannot_follow_a_fork_does_not_keep_the_others_from_it(make):
    broken, fine = Scripted("broken"), Scripted("fine")
    broken.fork_error = RuntimeError("no")
    make(broken, fine).forked()

    assert ["forked"] == fine.log


def test_a_signal_handler_that_scrapes_during_a_scrape_does_not_deadlock():
    collector = Scripted()
    supervisor = Supervisor([collector], patience=0.01)
    inner = []
    collector.act = lambda: inner.append(samples(supervisor))
    outer = samples(supervisor)

    assert ([{}], 1.0) == (inner, outer["scripted_value",])


def test_settings_reach_the_collectors_that_have_limits():
    from runtime_exporter.collectors import ALL

    settings = SimpleNamespace(label_limit=3, object_types_limit=4, thread_groups_limit=5)
    limits = {
        name: factory(settings)._label.limit
        for name, factory in ALL.items()
        if name in ("asyncio", "exceptions", "objects", "threads")
    }

    assert {"asyncio": 3, "exceptions": 3, "objects": 4, "threads": 5} == limits
