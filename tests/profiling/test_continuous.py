"""The profiler that is always on, with a sampler that says what it is told to, and once with a real one."""

import itertools
import logging
import threading
import time
from pathlib import Path

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.continuous import THREAD_NAME, Continuous
from runtime_exporter.profiling.membership import Rules
from runtime_exporter.profiling.pipeline import Pipeline
from runtime_exporter.profiling.pprof.references import check
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.samplers.sampler import Capabilities, Usage, Window
from runtime_exporter.profiling.samplers.thread import ThreadSampler
from runtime_exporter.profiling.store import Store
from runtime_exporter.profiling.watch import Watch
from runtime_exporter.profiling.windows import blocked, is_idle, profiles

START = 1_700_000_000.0
MS = 10**6


def stack(*names):
    return tuple(Frame(name, f"{name.partition(':')[0]}.py", 10, 1) for name in reversed(names))


BUSY = {
    ("MainThread", stack("app:main", "app:work")): Usage(900, 45_000 * MS, 45_000 * MS),
    ("MainThread", stack("app:main", "app:wait")): Usage(300, 0, 15_000 * MS),
    ("pool", stack("app:pool", "queue:Queue.get")): Usage(1200, 1 * MS, 60_000 * MS),
}


class FakeSampler:
    """Every `take` is a minute in which `stacks` was seen."""

    name = "fake"
    capabilities = Capabilities(unbiased=False, threads=True, measures=frozenset({"cpu", "wall"}))

    def __init__(self, stacks=BUSY, *, seconds=60.0, error=None):
        self.stacks = stacks
        self.seconds = seconds
        self.error = error
        self.calls = []
        self.end = START

    def start(self):
        self.calls.append("start")

    def close(self):
        self.calls.append("close")

    def forked(self):
        self.calls.append("forked")

    shortest = 0.0
    pauses = 0

    def afford(self, budget):
        self.budget = budget

    def tend(self):
        self.calls.append("tend")

    def take(self):
        self.calls.append("take")
        if self.error is not None:
            raise self.error
        begin, self.end = self.end, self.end + self.seconds
        return Window(
            self.stacks,
            begin,
            self.end,
            samples=1200,
            rate=20.0,
            bias_ratio=0.2,
            own_cpu_ns=30 * MS,
            helper_cpu_ns=MS,
            pauses=self.pauses,
        )


def run(turns=3, sampler=None, sources=(), **arguments):
    sampler = sampler or FakeSampler()
    continuous = Continuous(lambda: sampler, Pipeline(**arguments), sources=sources)
    continuous.sampler = sampler
    for _ in range(turns):
        continuous.turn()
    return continuous


def test_a_window_becomes_a_profile_of_cpu_time_and_one_of_wall_time():
    made = profiles(FakeSampler().take(), comments=("backend fake",))
    cpu, wall = made["cpu"], made["wall"]
    assert {"cpu", "wall"} == made.keys()
    assert [(900, 45_000 * MS), (1, MS)] == [sample.values for sample in cpu.samples]
    assert [(900, 45_000 * MS), (300, 15_000 * MS), (1200, 60_000 * MS)] == [sample.values for sample in wall.samples]
    assert ("thread_name", "MainThread") == cpu.samples[0].labels[0][:2]
    assert (START * 1e9, 60 * 10**9, 50 * MS) == (cpu.time_nanos, cpu.duration_nanos, cpu.period)
    assert ("backend fake",) == cpu.comments
    check(cpu)


def test_waiting_is_a_block_profile_without_those_who_wait_for_work():
    waiting = {
        ("MainThread", stack("app:main", "socket:socket.recv")): Usage(40, 1 * MS, 2_001 * MS),
        ("pool", stack("threading:Thread.run", "concurrent.futures.thread:_worker", "queue:get")): Usage(
            9, 0, 900 * MS
        ),
        ("MainThread", stack("app:main", "app:work")): Usage(9, 450 * MS, 450 * MS),
    }
    (sample,) = blocked(FakeSampler(waiting).take()).samples
    assert (40, 2_000 * MS) == sample.values
    assert {"thread_name": "MainThread", "wait": "socket"} == {label.key: label.str for label in sample.labels}


def test_a_sampler_that_measures_no_wall_time_makes_no_wall_profile():
    assert {"cpu"} == profiles(FakeSampler().take(), frozenset({"gil"})).keys()


def test_each_turn_adds_a_window_to_the_series():
    report = run(3).report
    cpu = report.tallies["cpu"]
    assert 3 * 45_001 * MS == cpu.self_.total
    assert {"app:work": 2 * 45_000 * MS} == cpu.self_.members
    assert ("fake", False, 0.2) == (report.backend, report.unbiased, report.interval.taken.bias_ratio)


def test_idle_stacks_are_idle_in_the_wall_profile():
    pool = stack("threading:Thread.run", "concurrent.futures.thread:_worker")
    report = run(3, FakeSampler({("pool", pool): Usage(1200, 0, 60_000 * MS)}), idle=is_idle).report
    assert 3 * 60_000 * MS == report.tallies["wall"].self_.members["idle"]


def test_the_tables_of_the_last_intervals_are_kept_and_no_more():
    recent = run(10, recent=4).report.interval.recent
    assert {"cpu": 4, "wall": 4} == {kind: len(tables) for kind, tables in recent.items()}
    assert START + 600 == recent["cpu"][-1].end


def test_every_profile_is_kept_with_the_labels_and_says_how_it_was_taken(tmp_path):
    store = Store(tmp_path, clock=lambda: START + 60)
    report = run(2, store=store, labels={"version": "1.4"}).report
    entries = store.entries("cpu", labels={"version": "1.4"})
    assert [START, START + 60] == [entry.begin for entry in entries]
    comments = store.read(entries[0].name).comments
    assert ("backend fake, bias ratio 0.200", "looks 1200, truncated 0, dropped 0", "version 1.4") == comments
    assert {("cpu", "kept"): 2, ("wall", "kept"): 2} == report.captures
    assert START + 120 == report.captured["cpu", "kept"]


def test_without_a_place_to_keep_them_profiles_are_counted_as_unkept(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for store in (None, Store(tmp_path / "file" / "profiles")):
        report = run(2, store=store).report
        assert {("cpu", "unkept"): 2, ("wall", "unkept"): 2} == report.captures
        assert 2 == report.tallies["cpu"].windows


def test_old_profiles_are_merged_as_time_goes_by(tmp_path):
    sampler = FakeSampler()
    store = Store(tmp_path, clock=lambda: sampler.end)
    run(200, sampler, store=store)
    assert {"raw", "10m"} == {entry.resolution for entry in store.entries("cpu")}
    total = sum(sum(sample.values[1] for sample in store.read(one.name).samples) for one in store.entries("cpu"))
    assert 200 * 45_001 * MS == total


def test_further_sources_bring_further_kinds():
    def heap(window):
        stacks = [(stack("app:main", "app:load"), (1, 1000, 1, 800), ())]
        return {"heap": build("heap", stacks, time_nanos=round(window.begin * 1e9), duration_nanos=60 * 10**9)}

    tally = run(3, sources=[heap]).report.tallies["heap"]
    assert ("bytes", {"app:load": 800}) == (tally.unit, tally.self_.members)


def test_a_source_a_comparison_and_advice_that_fail_cost_only_themselves_and_one_line_each(caplog):
    def broken(*_):
        raise ProfileError("it is broken")

    continuous = run(3, sources=[broken], compare=broken, advise=broken)
    assert 3 == continuous.report.tallies["cpu"].windows
    assert ({}, ()) == (continuous.report.comparisons, continuous.report.recommendations)
    assert 3 == len(caplog.messages)
    assert all(message.endswith("failed: it is broken") for message in caplog.messages)


def test_a_sampler_that_fails_is_told_once_and_once_more_when_it_works_again(caplog):
    caplog.set_level(logging.INFO)
    sampler = FakeSampler(error=ValueError("no frames"))
    continuous = run(3, sampler)
    sampler.error = None
    continuous.turn()
    assert ["profiling failed: ValueError: no frames", "profiling works again"] == caplog.messages
    assert 1 == continuous.report.tallies["cpu"].windows


def test_the_hooks_get_the_interval_and_the_comparisons():
    seen = []

    def advise(interval, comparisons):
        seen.append((interval.taken.end, comparisons))
        return ("do less",)

    report = run(2, compare=lambda interval: {"cpu": len(interval.recent["cpu"])}, advise=advise).report
    assert [(START + 60, {"cpu": 1}), (START + 120, {"cpu": 2})] == seen
    assert ({"cpu": 2}, ("do less",)) == (report.comparisons, report.recommendations)


def test_what_it_costs_is_added_up_and_stretches_the_interval_before_the_budget_is_exceeded():
    ticks = iter(range(100))
    continuous = Continuous(FakeSampler, interval=60.0, budget=lambda: 0.005, cpu=lambda: float(next(ticks)))
    continuous.sampler = FakeSampler()
    assert 200.0 == continuous.turn()  # one second at half of 1 %
    assert 1.03 == pytest.approx(continuous.report.cpu_seconds)
    assert 0.001 == pytest.approx(continuous.report.helper_cpu_seconds)
    assert 60.0 == continuous.pause(0.05)
    assert 600.0 == continuous.pause(50.0)


def test_what_each_window_costs_by_itself_stretches_the_interval_too():
    continuous = Continuous(FakeSampler, interval=5.0)
    continuous.sampler = FakeSampler()
    continuous.sampler.shortest = 12.0
    assert 12.0 == continuous.pause(0.0)
    continuous.sampler.shortest = 1000.0
    assert 50.0 == continuous.pause(0.0)


def test_between_two_turns_the_sampler_is_looked_after():
    now = [0.0]
    stop = threading.Event()
    continuous = Continuous(FakeSampler, clock=lambda: now[0])
    sampler = continuous.sampler = FakeSampler()
    sampler.tend = lambda: sampler.calls.append("tend") or now.__setitem__(0, now[0] + 0.004)
    assert False is continuous._ended(stop, 0.01)
    assert ["tend"] * 3 == sampler.calls
    stop.set()
    assert True is continuous._ended(stop, 60.0)
    assert ["tend"] * 3 == sampler.calls


def test_pauses_are_counted_and_told_once_and_once_more_when_they_are_over(caplog):
    caplog.set_level(logging.INFO, "runtime_exporter")
    sampler = FakeSampler()
    continuous = run(1, sampler)
    for sampler.pauses in (1, 2, 0, 0):
        continuous.turn()
    assert 3 == continuous.report.pauses
    assert [
        "sampling had to pause: even at its lowest rate it costs more than its budget",
        "sampling is within its budget without pauses again",
    ] == [record.message for record in caplog.records]


def test_what_keeps_its_own_pace_is_charged_and_does_not_stretch_the_interval():
    ticks = iter([0.0, 1.0, 5.0, 5.01])
    continuous = Continuous(
        FakeSampler,
        interval=60.0,
        paced=[lambda _: {}],
        budget=lambda: 0.005,
        cpu=lambda: next(ticks),
        clock=lambda: 0.0,
    )
    continuous.sampler = FakeSampler()
    assert 202.0 == pytest.approx(continuous.turn())  # 1.01 s at half of 1 %
    assert 5.01 + 0.03 == pytest.approx(continuous.report.cpu_seconds)


def test_making_one_has_no_effects():
    sampler = FakeSampler()
    continuous = Continuous(lambda: sampler)
    assert not continuous.running
    assert [] == sampler.calls
    assert {} == continuous.report.tallies


def test_a_sampler_that_cannot_work_here_is_an_error_of_the_start():
    class Impossible(FakeSampler):
        def start(self):
            raise ProfileError("not here")

    continuous = Continuous(Impossible)
    with pytest.raises(ProfileError, match="not here"):
        continuous.start()
    assert not continuous.running
    continuous.close()


def profiling_threads():
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_closing_accounts_for_what_was_seen_last_and_leaves_no_thread():
    sampler = FakeSampler()
    ticks = itertools.count(0, 2)
    continuous = Continuous(lambda: sampler, interval=3600.0, clock=lambda: next(ticks))
    continuous.start()
    continuous.start()
    assert 1 == len(profiling_threads())
    continuous.close()
    continuous.close()
    assert [] == profiling_threads()
    assert ["start", "take", "close", "close"] == sampler.calls
    assert 1 == continuous.report.tallies["cpu"].windows
    continuous.start()
    assert continuous.running
    continuous.close()


def test_the_sampler_is_told_what_it_may_use_now():
    sampler, allowed = FakeSampler(), iter((0.004, 0.002))
    continuous = Continuous(lambda: sampler, budget=lambda: next(allowed))
    told = []
    for _ in range(2):
        continuous._tend(sampler)
        told.append(sampler.budget)
    assert ([0.004, 0.002], ["tend", "tend"]) == (told, sampler.calls)


def test_a_sampler_that_has_only_begun_is_not_asked():
    sampler = FakeSampler()
    continuous = Continuous(lambda: sampler, interval=3600.0, clock=lambda: 7.0)
    continuous.start()
    continuous.close()
    assert ["start", "close"] == sampler.calls


def test_what_an_earlier_process_left_is_read_first_in_steps_within_the_budget():
    steps, waits = [], []

    def recall():
        for step in range(3):
            steps.append(step)
            yield

    ticks = itertools.count(0.0, 0.5)
    continuous = Continuous(FakeSampler, recall=recall, budget=lambda: 0.0025, cpu=lambda: next(ticks))
    stop = threading.Event()
    stop.wait = waits.append
    continuous._remember(stop)
    assert [0, 1, 2] == steps
    assert [50.0] * 3 == waits
    assert 2.0 == continuous.report.cpu_seconds


def test_a_moment_is_no_interval():
    assert {} == run(3, FakeSampler(seconds=0.5)).report.tallies


def test_the_child_of_a_fork_begins_anew():
    sampler = FakeSampler()
    continuous = run(3, sampler)
    continuous.forked()
    assert {} == continuous.report.tallies
    assert "forked" == sampler.calls[-1]
    continuous.turn()
    assert 1 == continuous.report.tallies["cpu"].windows


def test_a_regression_against_the_quiet_past_is_confirmed():
    watch = Watch(windows=5, fewest=20)
    quiet = {("main", stack("app:main", f"app:f{n}")): Usage(120, 6_000 * MS, 6_000 * MS) for n in range(10)}
    slow = {**quiet, ("main", stack("app:main", "app:search")): Usage(600, 30_000 * MS, 30_000 * MS)}
    sampler = FakeSampler(quiet)
    continuous = run(
        40, sampler, compare=lambda interval: watch.compare(interval.tables, interval.profiles), rules=Rules(top=3)
    )
    calm = continuous.report.comparisons["cpu"]
    assert () == calm.comparison.findings
    assert 0 < calm.comparison.mde_ratio < 1
    sampler.stacks = slow
    for _ in range(40):
        continuous.turn()
    comparison = continuous.report.comparisons["cpu"].comparison
    assert ["app:search"] == [one.function for one in comparison.findings if one.state == "confirmed"]


def busy(stop):
    while not stop.is_set():
        sum(range(2000))


def test_a_real_process_is_profiled_and_its_busy_function_is_found(tmp_path):
    continuous = Continuous(ThreadSampler, Pipeline(store=Store(tmp_path), rules=Rules(top=5)), interval=1.2)
    stop = threading.Event()
    worker = threading.Thread(target=busy, args=(stop,), name="worker")
    worker.start()
    continuous.start()
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            tally = continuous.report.tallies.get("cpu")
            if tally is not None and any(name.endswith(":busy") for name in tally.self_.members):
                break
            time.sleep(0.05)
    finally:
        continuous.close()
        stop.set()
        worker.join()
    tally = continuous.report.tallies["cpu"]
    (name,) = (name for name in tally.self_.members if name.endswith(":busy"))
    assert Path(__file__).samefile(tally.info[name][0])
    assert tally.self_.total == sum(tally.self_.members.values()) + tally.self_.other
    (kept,) = continuous.pipeline.store.entries("cpu")[:1]
    assert "cpu" == continuous.pipeline.store.read(kept.name).sample_types[1].type
