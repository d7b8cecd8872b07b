"""The account of what the exporter uses, against the kernel's clocks of the threads that used it."""

import os
import threading
import time

import pytest

from runtime_exporter.costs import Costs


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


def run(costs, part, function):
    """Run a function on a thread of the account; return the CPU seconds on that thread's clock."""
    used = []

    def work():
        try:
            function()
        finally:
            used.append(time.thread_time())

    thread = threading.Thread(target=work)
    costs.start(thread, part)
    thread.join()
    return used[0]


@pytest.fixture
def costs():
    return Costs()


def test_what_a_thread_used_is_its_parts(costs):
    used = run(costs, "push", lambda: burn(0.05)) + run(costs, "push", lambda: burn(0.05))

    assert {"push": pytest.approx(used, abs=0.005)} == costs.totals()


def test_a_thread_that_still_runs_is_seen_from_another_one(costs):
    done, end = threading.Event(), threading.Event()
    used = []

    def work():
        burn(0.05)
        used.append(time.thread_time())
        done.set()
        end.wait(30)

    thread = threading.Thread(target=work)
    costs.start(thread, "profiling")
    done.wait(30)
    seen = costs.totals()
    end.set()
    thread.join()

    assert {"profiling": pytest.approx(used[0], abs=0.005)} == seen


def test_what_a_thread_does_for_another_part_is_of_that_one_and_counted_once(costs):
    def work():
        burn(0.03)
        with costs.within("scrape"):
            burn(0.06)
            with costs.within("scrape"):
                burn(0.02)
        burn(0.01)

    used = run(costs, "web", work)
    totals = costs.totals()

    assert {"web": pytest.approx(used - 0.08, abs=0.005), "scrape": pytest.approx(0.08, abs=0.005)} == totals
    assert used == pytest.approx(sum(totals.values()), abs=0.005)


def test_of_a_thread_of_the_application_only_what_is_done_for_us_is_ours(costs):
    burn(0.02)
    with costs.within("scrape"):
        burn(0.02)
    burn(0.02)

    assert {"scrape": pytest.approx(0.02, abs=0.005)} == costs.totals()


def test_a_failure_is_accounted_for_and_goes_on_to_who_called(costs):
    def work():
        with costs.within("scrape"):
            burn(0.01)
            return {}["no"]

    with pytest.raises(KeyError, match="no"):
        work()
    burn(0.02)

    assert {"scrape": pytest.approx(0.01, abs=0.005)} == costs.totals()


def test_a_thread_that_a_thread_of_ours_starts_is_of_its_part_unless_another_is_named(costs):
    def work():
        run(costs, None, lambda: burn(0.02))
        run(costs, "push", lambda: burn(0.02))

    run(costs, "targets", work)

    assert {"targets": pytest.approx(0.02, abs=0.01), "push": pytest.approx(0.02, abs=0.005)} == costs.totals()


def test_totals_never_go_back_while_threads_come_switch_and_end(costs):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            with costs.within("scrape"):
                burn(0.0005)

    def come_and_go():
        while not stop.is_set():
            run(costs, "push", lambda: burn(0.0005))

    threads = [threading.Thread(target=target) for target in (work, work, come_and_go)]
    for thread in threads[:2]:
        costs.start(thread, "web")
    threads[2].start()
    before, backward = {}, []
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        now = costs.totals()
        backward += [(part, was, now.get(part, 0.0)) for part, was in before.items() if now.get(part, 0.0) < was]
        before = now
    stop.set()
    for thread in threads:
        thread.join()

    assert [] == backward
    assert {"web", "scrape", "push"} == set(before)


def test_a_meter_counts_what_no_thread_of_ours_used(costs):
    meter = costs.meter("profiling")
    meter.nanoseconds += 2_000_000

    assert {"profiling": 0.002} == costs.totals()


def test_in_the_child_of_a_fork_it_begins_at_zero_and_works_though_another_thread_held_the_lock(costs):
    costs.meter("profiling").nanoseconds = 5
    with costs.within("scrape"):
        burn(0.01)
        holder = threading.Thread(target=costs._lock.acquire)
        holder.start()
        holder.join()
        costs.forked()
        at_once = costs.totals()
    with costs.within("scrape"):
        burn(0.01)

    assert {} == at_once
    assert {"scrape": pytest.approx(0.01, abs=0.005)} == costs.totals()


def test_where_no_other_thread_can_read_a_clock_it_is_settled_by_its_own(costs, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    seen = []

    def work():
        burn(0.02)
        seen.append(costs.totals())
        costs.settle()
        seen.append(costs.totals())

    run(costs, "background", work)

    assert [{}, {"background": pytest.approx(0.02, abs=0.005)}] == seen


def test_a_connections_thread_leaves_no_circle_behind(costs):
    import gc
    import weakref

    gc.collect()
    gc.disable()
    try:
        thread = threading.Thread(target=lambda: None)
        costs.start(thread, "web")
        thread.join()
        gone = weakref.ref(thread)
        del thread
        assert gone() is None
    finally:
        gc.enable()


def test_the_account_of_the_process_begins_anew_in_a_real_child():
    from runtime_exporter.costs import COSTS

    with COSTS.within("scrape"):
        burn(0.01)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, str(COSTS.totals().get("scrape", 0.0)).encode())
            os._exit(0)
    os.waitpid(child, 0)
    said = os.read(reading, 100)
    os.close(reading)
    os.close(writing)

    assert b"0.0" == said
    assert COSTS.totals()["scrape"] > 0.01


def test_a_green_thread_is_not_accounted_for_since_its_clock_is_that_of_all(costs):
    class Green(threading.Thread):
        """As gevent's: it runs where it was started."""

        def start(self):
            self.run()

    burn(0.02)
    costs.start(Green(target=lambda: burn(0.01)), "web")

    assert {} == costs.totals()
