import itertools
import re
import threading
import time
from types import SimpleNamespace

import pytest

from runtime_exporter.collectors.sources.task_files import seconds_since_boot
from runtime_exporter.collectors.sources.thread_clocks import ThreadClocks
from runtime_exporter.collectors.threads import ThreadsCollector

STAT = "7 (python) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 9 0 6000 81920000 1000 0 0\n"


class FakeThread:
    def __init__(self, tid, name, daemon=False):
        self.native_id, self.name, self.daemon = tid, name, daemon


class World:
    """A process with Python's threads and native ones, each with a file in /proc and a CPU clock."""

    def __init__(self, proc):
        self.proc = proc
        self.main = FakeThread(4711, "MainThread")
        self.threads = [self.main]
        self.cpu = {4711: 1.0}
        self.module = SimpleNamespace(
            enumerate=lambda: list(self.threads), main_thread=lambda: self.main, _counter=itertools.count(1).__next__
        )

    def start(self, tid, name, daemon=False, started=6000):
        self.native(tid, "python", started)
        self.threads.append(FakeThread(tid, name, daemon))

    def native(self, tid, comm, started=6000):
        self.proc.write(f"self/task/{tid}/stat", STAT.replace(" 6000 ", f" {started} "))
        self.proc.write(f"self/task/{tid}/comm", comm + "\n")
        self.cpu[tid] = 1.0

    def end(self, tid):
        self.threads = [thread for thread in self.threads if thread.native_id != tid]
        for name in ("stat", "comm"):
            self.proc.remove(f"self/task/{tid}/{name}")
        (self.proc.root / f"self/task/{tid}").rmdir()
        del self.cpu[tid]

    def numbered(self, count):
        self.module._counter = itertools.count(count + 1).__next__

    def clock(self, tid):
        if tid not in self.cpu:
            raise OSError(22, "Invalid argument")
        return self.cpu[tid]

    def collector(self, **options):
        clocks = ThreadClocks(clock=self.clock, process_clock=lambda: sum(self.cpu.values()))
        options = {
            "module": self.module,
            "proc": str(self.proc),
            "uptime": lambda: 100.0,
            "clocks": clocks,
            "pid": lambda: 4711,
            **options,
        }
        return ThreadsCollector(**options)


@pytest.fixture
def world(proc):
    return World(proc)


def test_threads_are_counted_by_group_and_daemon(world, values):
    world.start(1, "ThreadPoolExecutor-0_0")
    world.start(2, "ThreadPoolExecutor-0_1")
    world.start(3, "Thread-1 (handle)", daemon=True)
    collector = world.collector()

    collector.update()
    ours = values(collector)

    assert (1, 2, 1) == (
        ours["python_threads{group=MainThread,daemon=false}"],
        ours["python_threads{group=ThreadPoolExecutor,daemon=false}"],
        ours["python_threads{group=handle,daemon=true}"],
    )


def test_a_group_whose_threads_ended_stays_at_zero_and_loses_its_age(world, values):
    world.start(1, "worker-1")
    collector = world.collector()
    collector.update()
    world.end(1)

    collector.update()
    ours = values(collector)

    assert 0 == ours["python_threads{group=worker,daemon=false}"]
    assert "python_thread_oldest_age_seconds{group=worker}" not in ours


def test_the_age_is_that_of_the_oldest_thread_of_the_group(world, values):
    world.start(1, "worker-1", started=9000)
    world.start(2, "worker-2", started=8000)
    collector = world.collector()

    collector.update()

    assert 20.0 == values(collector)["python_thread_oldest_age_seconds{group=worker}"]


@pytest.mark.parametrize("text", ["", "2 (python) S 1"])
def test_a_thread_without_a_readable_start_is_as_old_as_its_first_look(world, proc, values, text):
    now = [100.0]
    world.start(2, "worker-2")
    proc.write("self/task/2/stat", text)
    collector = world.collector(uptime=lambda: now[0])
    collector.update()
    now[0] = 130.0

    collector.update()

    assert 30.0 == values(collector)["python_thread_oldest_age_seconds{group=worker}"]


def test_cpu_is_by_group_with_native_threads_by_their_own_names(world, values):
    world.start(1, "worker-1")
    world.native(2, "python")
    world.native(3, "jemalloc_bg_thd")
    world.cpu.update({1: 4.0, 2: 2.0, 3: 3.0})
    collector = world.collector()

    collector.update()
    ours = values(collector)

    expected = {"MainThread": 1.0, "worker": 4.0, "native": 2.0, "jemalloc_bg_thd": 3.0, "ended": 0.0}
    assert expected == {group: ours[f"process_thread_cpu_seconds_total{{group={group}}}"] for group in expected}


def test_cpu_does_not_go_back_when_a_thread_ends(world, values):
    world.start(1, "worker-1")
    world.cpu[1] = 4.0
    collector = world.collector()
    collector.update()
    world.end(1)

    collector.update()

    assert 4.0 == values(collector)["process_thread_cpu_seconds_total{group=worker}"]


def test_a_thread_that_left_python_but_not_the_system_stays_in_its_group(world, values):
    world.start(1, "worker-1")
    collector = world.collector()
    collector.update()
    world.threads.pop()
    world.cpu[1] = 9.0

    collector.update()

    assert 9.0 == values(collector)["process_thread_cpu_seconds_total{group=worker}"]


def test_a_native_thread_that_ends_while_it_is_named_costs_nothing(world, proc, values):
    world.native(2, "x")
    proc.remove("self/task/2/comm")
    del world.cpu[2]
    collector = world.collector()

    collector.update()

    assert 1.0 == values(collector)["process_thread_cpu_seconds_total{group=MainThread}"]


def test_started_threads_are_the_numbered_ones_and_the_named_ones_that_were_seen(world, values):
    world.numbered(5)  # short-lived, never seen by a look
    world.start(1, "worker-1")
    collector = world.collector()
    collector.update()
    first = values(collector)["python_threads_started_total"]
    world.end(1)
    world.start(2, "worker-2")
    world.start(3, "Thread-6 (handle)")
    world.numbered(6)

    collector.update()
    collector.update()

    assert (6, 8) == (first, values(collector)["python_threads_started_total"])


def test_a_python_that_numbers_threads_in_another_way_counts_those_with_names(world, values):
    world.module._counter = None
    world.start(1, "worker-1")
    collector = world.collector()

    collector.update()

    assert 1 == values(collector)["python_threads_started_total"]


def test_a_thread_that_is_renamed_moves_to_the_new_group_and_keeps_its_age(world, values):
    world.start(1, "Thread-1 (run)", started=9000)
    collector = world.collector()
    collector.update()
    world.threads[-1].name = "mailer"

    collector.update()
    ours = values(collector)

    assert (0, 1, 10.0, 0) == (
        ours["python_threads{group=run,daemon=false}"],
        ours["python_threads{group=mailer,daemon=false}"],
        ours["python_thread_oldest_age_seconds{group=mailer}"],
        ours["python_threads_started_total"],
    )


def test_a_thread_without_an_id_yet_is_left_out(world, values):
    world.threads.append(FakeThread(None, "being born"))
    collector = world.collector()

    collector.update()

    assert ["python_threads{group=MainThread,daemon=false}"] == [
        name for name in values(collector) if "python_threads{" in name
    ]


def test_groups_beyond_the_limit_are_one_and_are_counted(world, values):
    for number in range(26):
        world.start(number + 1, f"job {chr(97 + number)}")
    collector = world.collector(limit=3)

    collector.update()
    groups = {name for name in values(collector) if name.startswith("python_threads{")}

    assert 4 == len(groups)
    assert 24 == values(collector)["python_threads{group=other,daemon=false}"]
    assert {"python_threads": 24} == collector.folded()


def test_memory_does_not_grow_with_threads_that_ended(world):
    collector = world.collector()
    for number in range(1, 50):
        world.start(number, f"req-{number}")
        collector.update()
        world.end(number)
    collector.update()

    assert ({4711}, {4711}) == (set(collector._known), set(collector._groups))


def test_without_proc_there_is_no_cpu_and_age_begins_at_the_first_look(world, values):
    collector = world.collector(platform="darwin", proc="/nonexistent")

    collector.update()
    ours = values(collector)

    assert 0.0 == ours["python_thread_oldest_age_seconds{group=MainThread}"]
    assert [] == [name for name in ours if name.startswith("process_thread_cpu")]


def test_the_child_of_a_fork_starts_at_zero(world, values):
    world.numbered(5)
    world.start(1, "worker-1")
    collector = world.collector()
    collector.update()
    world.end(1)
    world.cpu = {4711: 0.25}

    collector.forked()
    collector.update()
    ours = values(collector)

    assert (0, 0.25) == (
        ours["python_threads_started_total"],
        ours["process_thread_cpu_seconds_total{group=MainThread}"],
    )
    assert [] == [name for name in ours if "group=worker" in name]


def test_the_main_thread_of_a_forked_child_is_found_although_its_number_is_the_parents(world, values):
    world.main.native_id = 1234
    collector = world.collector()

    collector.update()

    assert 1.0 == values(collector)["process_thread_cpu_seconds_total{group=MainThread}"]


def test_real_threads_are_counted_and_their_cpu_is_that_of_the_process(values):
    collector = ThreadsCollector()
    collector.update()
    before = values(collector)["python_threads_started_total"]
    release = threading.Event()

    def burn():
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        release.wait()

    threads = [threading.Thread(target=burn) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len([tid for tid in threads if tid.native_id]) < 3:
        time.sleep(0.001)
    time.sleep(0)
    deadline = time.monotonic() + 30
    collector.update()
    while (
        values(collector).get("process_thread_cpu_seconds_total{group=burn}", 0) < 0.14 and time.monotonic() < deadline
    ):
        time.sleep(0.01)
        collector.update()
    during = values(collector)
    release.set()
    for thread in threads:
        thread.join()
    collector.update()
    after, process = values(collector), time.process_time()

    assert 3 == during["python_threads{group=burn,daemon=false}"]
    # Another test may have left a server behind whose threads count, too: fakes say it exactly, above.
    assert before + 3 <= after["python_threads_started_total"]
    assert (
        after["process_thread_cpu_seconds_total{group=burn}"]
        >= during["process_thread_cpu_seconds_total{group=burn}"]
        > 0.14
    )
    cpu = sum(value for name, value in after.items() if name.startswith("process_thread_cpu"))
    assert pytest.approx(process, abs=0.05) == cpu


def test_short_threads_that_no_look_saw_are_still_counted(values):
    collector = ThreadsCollector()
    collector.update()
    before = values(collector)["python_threads_started_total"]

    for _ in range(200):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    collector.update()

    # Threads that another test left behind may start some more.
    assert before + 200 <= values(collector)["python_threads_started_total"] < before + 220


def test_this_python_numbers_unnamed_threads_as_expected():
    assert re.fullmatch(r"count\(\d+\)", repr(threading._counter.__self__))


def test_ages_are_in_the_clock_that_start_times_are_in(values):
    collector = ThreadsCollector()
    collector.update()

    age = values(collector)["python_thread_oldest_age_seconds{group=MainThread}"]
    assert 0 < age < seconds_since_boot()


def test_where_there_is_no_boot_clock_one_that_goes_on_serves(monkeypatch):
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")

    assert pytest.approx(time.monotonic(), abs=1) == seconds_since_boot()
