"""What is made of an interval's profiles, wherever they come from: here from hand-made ones, as an agent gets them of Go."""

import pytest

from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.membership import Rules
from runtime_exporter.profiling.pipeline import Pipeline, Report, Taken
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.store import Store

START = 1_700_000_000.0
SECOND = 10**9


def profile(kind, begin, values):
    stacks = [
        ((Frame(name, "app.go", 10, 1), Frame("main.main", "app.go", 90, 1)), row, ()) for name, row in values.items()
    ]
    return build(kind, stacks, time_nanos=round(begin * SECOND), duration_nanos=60 * SECOND)


def taken(number=0, **more):
    begin = START + 60 * number
    profiles = {
        "cpu": profile("cpu", begin, {"main.work": (30, 30 * SECOND), "main.rest": (10, 10 * SECOND)}),
        "heap": profile("heap", begin, {"main.load": (9, 9000, 2, 800)}),
    }
    return Taken(profiles, begin, begin + 60, **{"backend": "go", **more})


def test_intervals_of_another_process_become_counters_and_gauges():
    pipeline = Pipeline(rules=Rules(top=3))
    for number in range(4):
        report = pipeline.take_in(taken(number, own_cpu_seconds=0.25, helper_cpu_seconds=0.5))
    assert report is pipeline.report
    cpu, heap = report.tallies["cpu"], report.tallies["heap"]
    assert (4 * 40 * SECOND, 4) == (cpu.self_.total, cpu.windows)
    assert {"main.load": 800} == heap.self_.members
    assert (1.0, 2.0) == (report.cpu_seconds, report.helper_cpu_seconds)
    assert ("go", True) == (report.backend, report.unbiased)
    assert 4 == len(report.interval.recent["cpu"])


def test_before_the_first_interval_a_report_is_empty():
    assert Report() == Pipeline().report
    assert ("", False) == (Pipeline().report.backend, Pipeline().report.unbiased)


def test_a_profile_that_cannot_be_read_costs_only_itself(caplog):
    first = taken()
    report = Pipeline().take_in(Taken({**first.profiles, "wall": object()}, first.begin, first.end))
    assert {"cpu", "heap"} == report.tallies.keys()
    assert 1 == report.captures["wall", "failed"]
    assert ["the wall profile failed"] == [message.partition(":")[0] for message in caplog.messages]


def test_a_store_that_cannot_be_tidied_is_one_line(tmp_path, caplog, monkeypatch):
    def broken():
        raise ProfileError("it is broken")

    store = Store(tmp_path, clock=lambda: START)
    monkeypatch.setattr(store, "maintain", broken)
    pipeline = Pipeline(store=store, labels={"version": "7"})
    for number in range(3):
        pipeline.take_in(taken(number))
    assert ["keeping profiles failed: it is broken"] == caplog.messages
    assert 3 == pipeline.report.captures["cpu", "kept"]
    assert 3 == len(store.entries("cpu", labels={"version": "7"}))


def test_what_is_forgotten_is_begun_anew():
    pipeline = Pipeline()
    pipeline.take_in(taken())
    pipeline.charge(2.0)
    assert 2.0 == pytest.approx(pipeline.report.cpu_seconds)
    pipeline.forget()
    assert Report() == pipeline.report
    assert 1 == pipeline.take_in(taken()).tallies["cpu"].windows
