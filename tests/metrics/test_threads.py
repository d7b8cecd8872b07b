"""Under threads, in finalisers, after a fork: nothing is lost and nothing hangs."""

from __future__ import annotations

import os
import threading

import pytest

from counting_modes import MODES, count_as
from runtime_exporter import metrics
from runtime_exporter.metrics import cells, counter
from tools import together


@pytest.fixture(params=MODES)
def mode(request, monkeypatch):
    count_as(request.param, monkeypatch)


def test_no_update_is_lost_between_threads(rapid_switches, mode):
    count = metrics.Counter("c", "C", registry=None)
    level = metrics.Gauge("g", "G", registry=None)
    sizes = metrics.Histogram("h", "H", registry=None)
    sums = metrics.Summary("s", "S", registry=None)

    def work():
        for _ in range(20_000):
            count.inc()
            level.inc(2)
            level.dec()
            sizes.observe(0.25)
            sums.observe(0.5)

    together(*[work] * 4)
    assert (count.value(), level.value()) == (80_000.0, 80_000.0)
    assert (sizes.counts()[-1], sizes.sum) == (80_000, 20_000.0)
    assert [point.value for point in sums.points()] == [80_000.0, 40_000.0]


def test_the_watch_on_atomicity_would_notice_a_call_between_read_and_write(rapid_switches):
    values = [0.0]

    def call():
        pass

    def work():
        for _ in range(50_000):
            value = values[0]
            call()
            values[0] = value + 1

    def loses():
        values[0] = 0.0
        together(*[work] * 4)
        return values[0] < 200_000

    # Whether threads really meet is the machine's choice: one loss in fifty attempts is proof enough.
    assert any(loses() for _ in range(50))


def test_a_child_that_threads_make_together_is_one_child(rapid_switches):
    for attempt in range(200):
        count = metrics.Counter("c", "C", ["a"], registry=None)
        barrier = threading.Barrier(4)

        def work(count=count, barrier=barrier):
            barrier.wait()
            count.labels("x").inc()

        together(*[work] * 4)
        assert count.labels("x").value() == 4.0, attempt


def test_scrapes_while_series_come_and_go_are_whole(rapid_switches):
    level = metrics.Gauge("g", "G", ["a"], registry=None)
    stop = threading.Event()

    def churn():
        number = 0
        while not stop.is_set():
            number += 1
            level.labels(str(number % 50)).set(1)
            level.remove(str((number + 25) % 50))

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            lines = metrics.generate_latest(level).decode().splitlines()[2:]
            assert all(line.endswith((" 1.0", " 0.0")) for line in lines)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_counts_for_itself_and_can_make_new_series_though_a_lock_was_held():
    count = metrics.Counter("c", "C", ["a"], registry=None)
    count.labels("parent").inc(5)
    with cells.STORE.lock:
        child = os.fork()
        if child == 0:
            try:
                count.labels("parent").inc(100)
                big = metrics.Histogram("h", "H", registry=None, buckets=range(1, 9000))
                big.observe(3)
                os._exit(0 if count.labels("parent").value() == 105 and big.counts()[-1] == 1 else 1)
            finally:
                os._exit(2)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert count.labels("parent").value() == 5.0


def test_a_series_that_is_made_while_its_own_thread_makes_one_neither_hangs_nor_shares_cells(monkeypatch):
    count = metrics.Counter("c", "C", ["where"], registry=None)
    segment = cells.Segment

    def interrupted(size):
        """Do what a signal handler or a finaliser may do at any call."""
        monkeypatch.setattr(cells, "Segment", segment)
        count.labels("handler").inc(5)
        return segment(size)

    monkeypatch.setattr(cells, "Segment", interrupted)
    monkeypatch.setattr(cells.STORE, "_next", cells.STORE._segment.size)  # which is full
    monkeypatch.setattr(cells.STORE, "_free", {})
    thread = threading.Thread(target=lambda: count.labels("program").inc(), daemon=True)
    thread.start()
    thread.join(10)

    assert not thread.is_alive()
    assert {("handler",): 5.0, ("program",): 1.0} == {
        labels: child.value() for labels, child in count.family.children.items()
    }


def test_without_a_gil_a_signal_handler_may_count_what_its_own_thread_is_counting(monkeypatch):
    monkeypatch.setattr(counter, "FREE_THREADED", True)
    count = metrics.Counter("c", "C", registry=None)

    def work():
        with count.family.lock:  # inc() is interrupted here
            count.inc()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert 1.0 == count.value()


def test_a_metric_wider_than_a_segment_gets_a_segment_of_its_own():
    wide = metrics.Histogram("h", "H", registry=None, buckets=range(1, 20_000))
    wide.observe(15_000)
    assert (wide.counts()[14_998], wide.counts()[14_999]) == (0, 1)


def test_counts_and_sum_of_a_snapshot_belong_together_while_threads_observe(rapid_switches, mode):
    sizes = metrics.Histogram("h", "H", registry=None)
    sums = metrics.Summary("s", "S", registry=None)
    stop = threading.Event()

    def work():
        number = 0
        while not stop.is_set():
            number += 1
            sizes.observe(1.0)
            sums.observe(1.0)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2_000):
            for metric in (sizes, sums):
                counts, total = metric.snapshot()
                assert sum(counts) == total
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert sizes.counts()[-1] == sizes.sum > 0
