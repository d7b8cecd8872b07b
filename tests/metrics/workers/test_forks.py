"""Processes that come of processes: forked from any thread, spawned, joined while others count, left and joined again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from runtime_exporter import metrics
from runtime_exporter.metrics import workers
from runtime_exporter.metrics.cells import STORE
from runtime_exporter.metrics.workers import beginning
from runtime_exporter.metrics.workers.folding import HEAPED
from tools import together
from workers_in_tests import Fork, samples

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Counting:
    """Threads that count until the block ends."""

    def __init__(self, *metrics_):
        self._metrics = metrics_
        self._stop = threading.Event()
        self.done = [0, 0]
        self._threads = [threading.Thread(target=self._count, args=(number,)) for number in range(2)]

    def _count(self, number):
        count, sizes = self._metrics
        while not self._stop.is_set():
            for _ in range(100):
                count.inc()
                sizes.observe(1.0)
            self.done[number] += 100

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_a_child_that_gets_no_memory_counts_for_itself_and_leaves_the_parents_files_alone(
    directory, merged, monkeypatch
):
    workers.join(directory)
    count = metrics.Counter("poor_c", "C", ["a"], registry=None)
    sizes = metrics.Histogram("poor_h", "H", registry=None, buckets=(1, 2))
    state = metrics.Enum("poor_e", "E", registry=None, states=("a", "b"))
    for _ in range(3):
        count.labels("x").inc()
        sizes.observe(1.5)
    state.state("b")
    before = samples(merged)

    def refuse(buffer):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    def child():
        count.labels("x").inc(100)
        count.labels("born").inc()
        for _ in range(5):
            sizes.observe(1.5)
        lines = metrics.generate_latest(count) + metrics.generate_latest(sizes)
        assert b'poor_c_total{a="x"} 100.0' in lines
        assert b"poor_h_sum 7.5" in lines
        assert [0, 5, 5] == sizes.counts()
        assert 1 == state._value
        assert workers.current() is None
        with pytest.raises(workers.RunDirectoryError, match="heap"):
            workers.join(directory)

    metrics.generate_latest(count)
    with monkeypatch.context() as patched:
        patched.setattr(beginning, "lay_nothing", refuse)
        with Fork(child):
            pass
    assert before == samples(merged)
    count.labels("x").inc()
    assert 4.0 == samples(merged)['poor_c_total{a="x"}']


def test_nothing_is_lost_when_files_come_and_go_under_cells_that_threads_count_in(directory, rapid_switches):
    count = metrics.Counter("swap_c", "C", registry=None)
    sizes = metrics.Histogram("swap_h", "H", registry=None)
    with Counting(count, sizes) as counting:
        for number in range(30):
            place = directory / str(number)
            place.mkdir()
            workers.join(place)
            workers.current().leave()
    assert sum(counting.done) == count.value() == sizes.counts()[-1] == sizes.sum > 0


def test_children_that_are_forked_while_threads_count_begin_at_zero(directory, merged, rapid_switches):
    count = metrics.Counter("busy_c", "C", registry=None)
    sizes = metrics.Histogram("busy_h", "H", registry=None)
    workers.join(directory)

    def child():
        assert (0.0, 0, 0.0) == (count.value(), sizes.counts()[-1], sizes.sum)
        for _ in range(5):
            count.inc()
            sizes.observe(2.0)

    with Counting(count, sizes) as counting:
        for _ in range(10):
            with Fork(child):
                pass
    total = sum(counting.done)
    found = samples(merged)
    assert (total + 50.0, total + 50.0, total + 100.0) == tuple(
        found[name] for name in ("busy_c_total", "busy_h_count", "busy_h_sum")
    )


def test_a_fork_in_a_thread_is_a_worker_too(directory, merged):
    count = metrics.Counter("thread_c", "C", registry=None)
    workers.join(directory)
    count.inc()
    found = []

    def fork():
        with Fork(count.inc):
            found.append((samples(merged)["thread_c_total"], merged.states()["live"]))

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    assert [(2.0, 2)] == found


def test_children_that_come_and_go_leave_few_files_also_where_nobody_folds_for_them(directory, merged):
    count = metrics.Counter("storm_c", "C", registry=None)
    workers.join(directory)
    files = []
    for _ in range(3 * HEAPED):
        with Fork(count.inc):
            pass
        files.append(len([*directory.glob("*.cells")]))
    assert HEAPED + 1 >= max(files)
    assert 3.0 * HEAPED == samples(merged)["storm_c_total"]
    assert 3 * HEAPED == merged.states()["retired"]


def test_a_child_keeps_what_counts_once_however_many_have_it(directory, merged):
    start = metrics.Gauge("kept_start", "S", registry=None, multiprocess_mode="min")
    jobs = metrics.Gauge("kept_jobs", "J", registry=None, multiprocess_mode="sum")
    build = metrics.Info("kept_build", "B", registry=None)
    absent = metrics.Gauge("kept_absent", "A", registry=None, multiprocess_mode="max")
    phase = metrics.Enum("kept_phase", "P", registry=None, states=["begins", "runs"])
    workers.join(directory)
    start.set(100)
    jobs.set(7)
    build.info({"version": "1"})
    absent.hidden = True
    phase.state("runs")

    def child():
        assert (100.0, 0.0, True) == (start.value(), jobs.value(), absent.hidden)

    with Fork(child):
        found = samples(merged)
    assert (100.0, 7.0, 1.0) == (found["kept_start"], found["kept_jobs"], found['kept_build_info{version="1"}'])
    assert "kept_absent" not in found
    assert (1.0, 1.0) == tuple(found[f'kept_phase{{worker="{number}",kept_phase="runs"}}'] for number in (0, 1))


def test_a_child_of_a_child_is_a_worker_and_numbers_are_taken_again(directory, merged):
    count = metrics.Counter("deep_c", "C", registry=None)
    workers.join(directory)
    numbers = []

    def child():
        count.inc()
        with Fork(count.inc):
            pass

    for _ in range(3):
        with Fork(child):
            numbers.append(sorted(path.name for path in directory.glob("*.worker")))
    assert [["0.worker", "1.worker", "2.worker"]] * 3 == numbers
    assert 6.0 == samples(merged)["deep_c_total"]


def test_a_child_that_can_have_no_files_counts_for_itself(directory, merged, caplog):
    count = metrics.Counter("poor_c", "C", registry=None)
    workers.join(directory)
    count.inc(5)

    def child():
        directory.rename(directory.with_suffix(".gone"))
        with Fork(poor):
            pass
        directory.with_suffix(".gone").rename(directory)

    def poor():
        assert workers.current() is None
        count.inc(2)
        assert 2.0 == count.value()

    with Fork(child):
        assert 5.0 == count.value() == samples(merged)["poor_c_total"]


def test_a_series_that_is_born_in_the_parent_after_the_fork_is_the_parents(directory, merged):
    count = metrics.Counter("late_c", "C", ["who"], registry=None)
    workers.join(directory)
    with Fork(lambda: count.labels("child").inc()):
        count.labels("parent").inc()
        found = samples(merged)
    assert {'late_c_total{who="child"}': 1.0, 'late_c_total{who="parent"}': 1.0} == {
        name: value for name, value in found.items() if name.startswith("late_c")
    }


def test_being_told_twice_of_a_fork_is_being_told_once(directory, merged):
    count = metrics.Counter("told_c", "C", registry=None)
    workers.join(directory)
    count.inc()

    def child():
        count.inc()
        workers.forked()
        count.inc()

    with Fork(child):
        found = samples(merged)
    assert (3.0, 2) == (found["told_c_total"], len([*directory.glob("*.worker")]))


def test_who_leaves_and_joins_again_is_counted_once(directory, merged):
    count = metrics.Counter("again_c", "C", registry=None)
    workers.join(directory).leave()
    count.inc(100)  # in nobody's name
    workers.join(directory)
    count.inc(2)
    assert 2.0 == samples(merged)["again_c_total"]
    workers.current().leave()
    count.inc(1)
    assert 2.0 == samples(merged)["again_c_total"]
    assert 3.0 == count.value()


PROGRAM = """
import sys
from runtime_exporter import metrics
metrics.Counter("spawned_c", "C", registry=None).inc(3)
print("counted", flush=True)
sys.stdin.read()
"""


def test_a_process_that_is_spawned_with_the_variable_only_counts_and_is_one_of_them(directory, merged):
    environment = {**os.environ, "RUNTIME_EXPORTER_RUN_DIRECTORY": str(directory)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        assert ["counted\n"] * 2 == [process.stdout.readline() for process in started]
        assert 6.0 == samples(merged)["spawned_c_total"]
        assert 2 == merged.states()["live"]
    finally:
        for process in started:
            process.communicate()
    assert 6.0 == samples(merged)["spawned_c_total"]


def test_the_variable_that_names_no_directory_is_a_line_in_the_log_and_no_more(tmp_path):
    environment = {**os.environ, "RUNTIME_EXPORTER_RUN_DIRECTORY": str(tmp_path / "missing")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, input=""
    )
    assert "counted\n" == done.stdout
    assert 1 == len(done.stderr.splitlines())
    assert str(tmp_path / "missing") in done.stderr


def test_who_does_not_join_imports_nothing_of_it():
    program = "import runtime_exporter.metrics, sys; print([name for name in sys.modules if name == 'ctypes' or '.workers' in name])"
    environment = {name: value for name, value in os.environ.items() if name != "RUNTIME_EXPORTER_RUN_DIRECTORY"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert "[]\n" == done.stdout


def test_ticks_and_scrapes_from_many_threads_neither_hang_nor_lose(directory, merged):
    count = metrics.Counter("many_c", "C", ["a"], registry=None)
    worker = workers.join(directory)
    end = time.monotonic() + 1.0
    failures = []

    def work(number):
        try:
            while time.monotonic() < end:
                count.labels(str(number)).inc()
                worker.tick()
                samples(merged)
        except BaseException as error:
            failures.append(error)

    together(*(partial(work, number) for number in range(4)))
    assert [] == failures
    found = samples(merged)
    assert {f'many_c_total{{a="{values[0]}"}}': child.value() for values, child in count.family.children.items()} == {
        name: value for name, value in found.items() if name.startswith("many_c")
    }


def test_cells_of_what_died_before_a_fork_are_used_again_in_the_child(directory, merged):
    count = metrics.Counter("dead_c", "C", ["a"], registry=None)
    workers.join(directory)
    for number in range(3_000):
        count.labels(str(number)).inc()
    count.clear()

    def child():
        before = STORE.mapped_bytes
        for number in range(3_000):
            count.labels(str(number)).inc()
        assert before == STORE.mapped_bytes

    with Fork(child):
        assert 3_000 == len([name for name in samples(merged) if name.startswith("dead_c")])
