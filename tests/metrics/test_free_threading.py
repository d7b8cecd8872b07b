"""Many threads at once, with the locks of an interpreter without a GIL: in such a one they really meet, elsewhere they switch.

Every number is known beforehand, so that one lost update is seen.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import threading

import pytest

from counting_modes import MODES, count_as
from runtime_exporter import metrics
from runtime_exporter.freethreading import FREE_THREADED
from runtime_exporter.metrics import bounded, cells, workers
from runtime_exporter.metrics.exposition import TEXT

THREADS = 8
ROUNDS = 4_000 if FREE_THREADED else 500


@pytest.fixture(params=MODES)
def mode(request, monkeypatch, rapid_switches):
    count_as(request.param, monkeypatch)
    return request.param


@pytest.fixture
def directory(tmp_path):
    gc.collect()  # families of other tests, which would be shared, too
    yield tmp_path
    worker = workers.current()
    if worker is not None:
        worker.leave()


class Crowd:
    """Threads that begin together; what any of them raises fails the test."""

    def __init__(self):
        self.errors = []
        self._threads = []

    def add(self, work, *arguments):
        def guarded():
            try:
                work(*arguments)
            except BaseException as error:
                self.errors.append(error)

        self._threads.append(threading.Thread(target=guarded, daemon=True))

    def run(self):
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(120)
        assert [] == self.errors
        assert not any(thread.is_alive() for thread in self._threads)


class Service:
    """What threads of an application count, and what it must come to."""

    def __init__(self):
        self.requests = metrics.Counter("ft_requests", "R", ["route"], registry=None)
        self.level = metrics.Gauge("ft_level", "L", registry=None, multiprocess_mode="livesum")
        self.sizes = metrics.Histogram("ft_sizes", "S", ["route"], registry=None, buckets=(1, 2, 4))
        self.waits = metrics.Summary("ft_waits", "W", registry=None)
        self.passing = metrics.Histogram("ft_passing", "P", ["who"], registry=None, buckets=(1, 2))
        self.families = (self.requests, self.level, self.sizes, self.waits, self.passing)

    def count(self, me):
        for number in range(ROUNDS):
            route = str(number % 5)
            self.requests.labels(route).inc()
            self.level.inc(3)
            self.level.dec(2)
            self.sizes.labels(route).observe(3.0)
            self.waits.observe(3.0)
            if number % 20 == 0:  # a series of its own that comes and goes
                who = f"{me}-{number % 3}"
                self.passing.labels(who).observe(3.0)
                self.passing.remove(who)

    def expected(self):
        series = ROUNDS * THREADS / 5
        return {
            **{f'ft_requests_total{{route="{route}"}}': series for route in range(5)},
            **{f'ft_sizes_count{{route="{route}"}}': series for route in range(5)},
            **{f'ft_sizes_sum{{route="{route}"}}': 3 * series for route in range(5)},
            "ft_level": float(ROUNDS * THREADS),
            "ft_waits_count": float(ROUNDS * THREADS),
            "ft_waits_sum": 3.0 * ROUNDS * THREADS,
        }


def samples(*collectors):
    lines = TEXT.render(collectors).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def whole(found):
    """No observation is counted and not added up, and no bucket disagrees with the count."""
    for name, count in found.items():
        if "_count" in name and name.startswith("ft_"):
            assert 3.0 * count == found[name.replace("_count", "_sum")], name
    for name, count in found.items():
        if match := re.fullmatch(r'ft_sizes_bucket\{route="(.)",le="(.*)"\}', name):
            route, le = match.groups()
            assert count == (found[f'ft_sizes_count{{route="{route}"}}'] if float(le) > 3 else 0)


def scrape(read, done, seen):
    last = {}
    while True:
        ended = done.is_set()
        found = read()
        whole(found)
        kept = {
            name: value for name, value in found.items() if name.startswith(("ft_requests", "ft_sizes", "ft_waits"))
        }
        assert all(kept.get(name, -1) >= value for name, value in last.items())
        last = kept
        seen.append(1)
        if ended:
            return


def counted_while(service, *reads):
    """Let all threads count while each of `reads` is scraped by a thread of its own."""
    counting, scraping, done = Crowd(), Crowd(), threading.Event()
    seen = [[] for _ in reads]
    for me in range(THREADS):
        counting.add(service.count, me)
    for read, rounds in zip(reads, seen, strict=True):
        scraping.add(scrape, read, done, rounds)

    def count():
        try:
            counting.run()
        finally:
            done.set()

    scraping.add(count)
    scraping.run()
    assert all(seen)


def test_threads_that_count_observe_make_and_remove_lose_nothing_while_two_scrape(mode):
    service = Service()
    counted_while(service, *[lambda: samples(*service.families)] * 2)
    found = samples(*service.families)
    assert service.expected() == {name: found[name] for name in service.expected()}


def test_a_worker_s_threads_lose_nothing_that_another_reads_in_its_files(mode, directory):
    service = Service()
    workers.join(directory)
    merged = [workers.Merged(directory) for _ in range(2)]
    # The third is asked by two threads at once, as a server does.
    both = workers.Merged(directory)
    reads = [lambda one=one: samples(*one.collected_families()) for one in (*merged, both, both)]
    counted_while(service, *reads)
    found = samples(*merged[0].collected_families())
    for one in (*merged, both):
        one.close()
    assert service.expected() == {name: found[name] for name in service.expected()}


def test_joining_and_leaving_in_the_middle_of_it_loses_nothing(mode, directory):
    service = Service()
    crowd = Crowd()
    for me in range(THREADS):
        crowd.add(service.count, me)

    def move():
        worker = workers.join(directory)
        worker.tick()
        worker.leave()

    crowd.add(move)
    crowd.run()
    found = samples(*service.families)
    assert service.expected() == {name: found[name] for name in service.expected()}


def test_a_set_is_never_lost_between_the_read_and_the_write_of_an_increment(mode):
    level = metrics.Gauge("ft_set", "S", registry=None)
    lost = []

    def add(done):
        while not done.is_set():
            level.inc(0.5)

    def replace(done):
        for number in range(1, ROUNDS):
            level.set(number * 1e6)
            if level.value() < number * 1e6:
                lost.append(number)
        done.set()

    crowd, done = Crowd(), threading.Event()
    for _ in range(THREADS - 1):
        crowd.add(add, done)
    crowd.add(replace, done)
    crowd.run()
    assert [] == lost


def test_a_bounded_label_admits_no_more_than_its_limit_and_counts_every_fold(mode):
    label = bounded.BoundedLabel(20)
    got = [[] for _ in range(THREADS)]

    def fold(mine):
        for number in range(ROUNDS // 4):
            mine.append(label.fold(f"value {number % 40}"))

    crowd = Crowd()
    for mine in got:
        crowd.add(fold, mine)
    crowd.run()
    told = [value for mine in got for value in mine]
    if mode == "free-threaded":
        assert set(told) == {*label.members, "other"}
        assert label.folded == told.count("other")
    assert len(label.members) <= 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_count_in_a_family_whose_lock_another_thread_held(monkeypatch):
    count_as("free-threaded", monkeypatch)
    count = metrics.Counter("ft_forked", "F", registry=None)
    held, done = threading.Event(), threading.Event()

    def hold():
        with count.family.lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    child = os.fork()
    if child == 0:
        try:
            counting = threading.Thread(target=count.inc, daemon=True)
            counting.start()
            counting.join(20)
            os._exit(0 if count.value() == 1 else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_no_view_of_the_cells_is_ever_sliced(monkeypatch):
    """In CPython 3.13 without a GIL, threads that slice one view get it released under all of them."""

    class Unsliced:
        def __init__(self, view):
            self._view, self.obj = view, view.obj

        def __getitem__(self, index):
            assert isinstance(index, int)
            return self._view[index]

        def __setitem__(self, index, value):
            assert isinstance(index, int)
            self._view[index] = value

    class Segment(cells.Segment):
        def __init__(self, size):
            super().__init__(size)
            self.ints, self.floats = Unsliced(self.ints), Unsliced(self.floats)

    monkeypatch.setattr(cells, "Segment", Segment)
    store = cells.CellStore()
    count = metrics.Counter("c", "C", ["a"], registry=None, store=store)
    sizes = metrics.Histogram("h", "H", ["a"], registry=None, store=store, buckets=(1, 2))
    sums = metrics.Summary("s", "S", registry=None, store=store)
    for number in range(20):
        count.labels(str(number)).inc()
        sizes.labels(str(number)).observe(1.5)
        sums.observe(1.0)
    sizes.labels("0").begin_anew()
    found = samples(count, sizes, sums)
    assert (found['c_total{a="3"}'], found['h_count{a="3"}'], found["s_sum"]) == (1, 1, 20)
    assert [0, 1, 1] == sizes.labels("3").counts()


@pytest.mark.skipif(not FREE_THREADED, reason="only a free-threaded interpreter can be without a GIL")
def test_importing_and_starting_the_exporter_leaves_the_interpreter_without_a_gil():
    program = (
        "import runtime_exporter, runtime_exporter.metrics.workers, sys\n"
        "exporter = runtime_exporter.start(port=0)\n"
        "exporter.close()\n"
        "print(sys._is_gil_enabled())"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout.strip(), ended.returncode) == ("False", 0), ended.stderr
