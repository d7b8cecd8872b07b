"""Profiles for alerts: the right kind, one at a time, rarely, kept with what is known of the alert; and reasons where there is none."""

from __future__ import annotations

import logging
import threading

import pytest

from runtime_exporter.errors import BusyError, ProfileError
from runtime_exporter.profiling.alerts import Alert
from runtime_exporter.profiling.captures import MOST_WAITING, Captures, Source
from runtime_exporter.profiling.ondemand import OnDemand
from runtime_exporter.profiling.profile import Frame, build
from runtime_exporter.profiling.shelf import Shelf
from runtime_exporter.profiling.store import Store
from runtime_exporter.profiling.threads import inventory, thread_profile
from runtime_exporter.settings import Settings
from tools import wait_for

SPIKE = Alert("RuntimeCpuSpike", {"alertname": "RuntimeCpuSpike", "severity": "warning", "job": "shop"}, "f00d")
LEAK = Alert("RuntimeMemoryLeakSuspected")
PROFILE = build("cpu", [((Frame("shop:slow"),), (1, 10**9), ())], time_nanos=10**18, duration_nanos=10**9)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def made():
    """Captures that are closed with the test."""
    every = []

    def make(sources, shelf=None, **options):
        captures = Captures(sources, shelf or Shelf(), **options)
        every.append(captures)
        return captures

    yield make
    for captures in every:
        captures.close()


def instantly(seconds):
    return PROFILE


def done(captures, name):
    wait_for(lambda: captures.left(name) is None, what=f"the profile for {name}")


def test_a_profile_is_kept_with_the_alert_in_its_labels_and_all_of_it_in_its_comments(made, tmp_path):
    shelf = Shelf(Store(tmp_path))
    told = []
    captures = made({"cpu": Source(instantly, 2.0)}, shelf, taken=told.append)
    answer = captures.ask(SPIKE)
    done(captures, SPIKE.name)

    assert (True, "cpu", 2.0) == (answer.accepted, answer.kind, answer.seconds)
    (entry,) = shelf.entries(labels={"alert": "RuntimeCpuSpike"})
    assert {"alert": "RuntimeCpuSpike", "fingerprint": "f00d"} == dict(entry.labels)
    assert "alert label severity=warning" in shelf.read(entry.name).comments
    assert {("cpu", "kept"): 1} == captures.counted()[0]
    assert [(entry.name, SPIKE)] == [(one.entry.name, one.alert) for one in told]


def test_the_threads_of_this_process_are_taken_by_the_real_thing(made):
    shelf = Shelf()
    captures = made({"goroutine": Source(lambda _: thread_profile(inventory(), kind="goroutine"))}, shelf)
    captures.ask(Alert("RuntimeThreadLeakSuspected"))
    done(captures, "RuntimeThreadLeakSuspected")

    (entry,) = shelf.entries("goroutine")
    threads = {label.str for sample in shelf.read(entry.name).samples for label in sample.labels}
    assert "MainThread" in threads
    assert {("goroutine", "unkept"): 1} == captures.counted()[0]


def test_a_real_burst_of_wall_time_ends_early_when_we_are_closed(made):
    shelf, samplers = Shelf(), OnDemand()
    captures = made({"wall": Source(samplers.wall, 100.0)}, shelf)
    captures.ask(Alert("RuntimeHttpLatencyHigh"))
    wait_for(
        lambda: any(thread.name == "runtime-exporter-sampler" for thread in threading.enumerate()),
        what="the burst to begin",
    )
    samplers.close()
    captures.close()

    (entry,) = shelf.entries("wall")
    assert entry.end - entry.begin < 90


def test_alerts_of_one_name_are_answered_once_in_a_while(made):
    clock = Clock()
    captures = made({"cpu": Source(instantly)}, pause=600.0, clock=clock)
    assert captures.ask(SPIKE).accepted
    done(captures, SPIKE.name)
    clock.now += 599.0
    again = captures.ask(SPIKE)
    assert captures.ask(Alert("RuntimeProfileRegression")).accepted
    clock.now += 2.0

    assert "one was asked for 599 s ago, and there is one in 600 s for alerts of one name" == again.reason
    assert captures.ask(SPIKE).accepted


def test_they_are_taken_one_at_a_time_and_few_wait(made):
    going, most, lock = threading.Event(), [0, 0], threading.Lock()

    def slow(seconds):
        with lock:
            most[0] += 1
            most[1] = max(most)
        assert going.wait(20)
        with lock:
            most[0] -= 1
        return PROFILE

    captures = made({"cpu": Source(slow, 5.0)}, clock=Clock())
    alerts = [Alert(f"Mine{number}", wants="cpu") for number in range(MOST_WAITING + 3)]
    answers = [captures.ask(alert) for alert in alerts]
    wait_for(lambda: most[0] == 1, what="the first to begin")

    assert [True] * (MOST_WAITING + 1) + [False] * 2 == [answer.accepted for answer in answers]
    assert [5.0, 10.0, 15.0] == [answer.seconds for answer in answers[:3]]
    assert 15.0 == captures.left("Mine2")
    assert "4 others are waiting for their turn" == answers[-1].reason
    going.set()
    done(captures, "Mine4")
    assert {("cpu", "unkept"): 5, ("cpu", "skipped"): 2} == captures.counted()[0]
    assert 1 == most[1]


def test_it_waits_while_somebody_else_has_a_profile_taken(made):
    answers = [BusyError("another"), BusyError("another"), PROFILE]

    def busy(seconds):
        answer = answers.pop(0)
        if isinstance(answer, BusyError):
            raise answer
        return answer

    captures = made({"cpu": Source(busy)})
    captures.ask(SPIKE)
    done(captures, SPIKE.name)

    assert {("cpu", "unkept"): 1} == captures.counted()[0]


def test_what_fails_is_logged_once_told_and_may_be_asked_for_again(made, caplog):
    def broken(seconds):
        raise ProfileError("no sampler works here")

    captures = made({"cpu": Source(broken)})
    with caplog.at_level(logging.WARNING, "runtime_exporter"):
        for _ in range(2):
            assert captures.ask(SPIKE).accepted
            done(captures, SPIKE.name)

    assert ["the cpu profile for RuntimeCpuSpike failed: no sampler works here"] == caplog.messages
    assert "the cpu profile failed: no sampler works here" == captures.outcome(SPIKE.name)
    assert {("cpu", "failed"): 2} == captures.counted()[0]


def test_what_is_told_of_a_profile_and_fails_does_not_hurt(made, caplog):
    def broken(captured):
        raise ZeroDivisionError

    captures = made({"cpu": Source(instantly)}, taken=broken)
    captures.ask(SPIKE)
    done(captures, SPIKE.name)

    assert {("cpu", "unkept"): 1} == captures.counted()[0]


@pytest.mark.parametrize(
    ("alert", "kind"),
    [
        (SPIKE, "cpu"),
        (Alert("RuntimeHttpLatencyHigh"), "wall"),
        (Alert("RuntimeLockHotSpot"), "wall"),  # there is no source of block
        (Alert("RuntimeProfileRegression", {"profile": "wall"}), "wall"),
        (Alert("RuntimeProfileRegression", {"profile": "nonsense"}), "cpu"),
        (Alert("Mine", wants="wall"), "wall"),
        (Alert("Mine", wants="nonsense"), ""),
        (Alert("Mine"), ""),
        (LEAK, ""),
    ],
)
def test_the_kind_of_profile_is_the_one_that_explains_the_alert(alert, kind):
    captures = Captures({"cpu": Source(instantly), "wall": Source(instantly)}, Shelf())

    assert kind == captures.kind(alert)


@pytest.mark.parametrize(
    ("alert", "kinds", "instead"),
    [
        (Alert("RuntimeHttpLatencyHigh"), ("cpu",), "no wall profile can be taken here, and cpu comes next"),
        (Alert("RuntimeHttpLatencyHigh"), ("cpu", "wall"), ""),
        (Alert("RuntimeLockHotSpot"), ("wall",), "no block profile can be taken here, and wall comes next"),
        (SPIKE, ("cpu",), ""),
        (Alert("RuntimeProfileRegression", {"profile": "wall"}), ("cpu",), "no wall profile can be taken here, and cpu comes next"),
    ],
)  # fmt: skip
def test_who_gets_the_second_best_kind_is_told_why(made, alert, kinds, instead):
    answer = made(dict.fromkeys(kinds, Source(instantly))).ask(alert)

    assert (True, kinds[-1], instead) == (answer.accepted, answer.kind, answer.instead)


def test_what_cannot_be_taken_is_refused_with_the_reason():
    captures = Captures({}, Shelf())

    assert "no heap profile can be taken here" == captures.ask(LEAK).reason
    assert "no kind of profile explains this alert" in captures.ask(Alert("Mine")).reason
    assert "no block or wall profile can be taken here" == captures.ask(Alert("RuntimeLockHotSpot")).reason


def test_a_heap_window_is_short_and_can_be_forbidden():
    takes = dict.fromkeys(("cpu", "heap", "goroutine"), instantly)
    usual = Captures.of(Settings(), takes, Shelf())
    without = Captures.of(Settings(alert_heap_seconds=0), takes, Shelf())

    assert ["cpu", "heap", "goroutine"] == [usual.kind(Alert("Mine", wants=kind)) for kind in takes]
    assert (10.0, 3.0, 0.0) == tuple(usual._sources[kind].seconds for kind in takes)
    assert "" == without.kind(LEAK)


def test_nothing_is_taken_after_the_end_and_again_after_a_new_start(made):
    captures = made({"cpu": Source(instantly)})
    captures.close()
    assert "the exporter is being closed" == captures.ask(SPIKE).reason

    captures.open()
    assert captures.ask(SPIKE).accepted
    done(captures, SPIKE.name)
