"""One target, watched: what is remembered of it, that a bad one costs only itself, and that it ends when it is told to."""

from __future__ import annotations

import itertools
import threading

import pytest

from runtime_exporter.agent.watcher import (
    LONGEST_BACKOFF_SECONDS,
    LONGEST_INTERVAL_SECONDS,
    Watcher,
    backoff,
    stretched,
)
from runtime_exporter.errors import ProfileError
from runtime_exporter.profiling.pipeline import Pipeline, Taken
from runtime_exporter.profiling.profile import Frame, build
from tools import wait_for


class Target:
    """A source that gives what it is told to, one after the other, and then waits to be closed."""

    language = "go"

    def __init__(self, *results):
        self.results = list(results)
        self.closed = threading.Event()

    def take(self):
        if not self.results:
            self.closed.wait(30)
            raise ProfileError("closed")
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def close(self):
        self.closed.set()


class Log:
    """What was logged, as it is: each change of state once."""

    def __init__(self):
        self.states = {}
        self.lines = []

    def report(self, key, state, message, **_):
        if self.states.get(key, "ok") != state:
            self.lines.append(message)
        self.states[key] = state


def taken(begin=100.0, seconds=10.0):
    profile = build("cpu", [((Frame("main.work"),), (10, 10**9), ())], time_nanos=round(begin * 1e9))
    return Taken({"cpu": profile}, begin, begin + seconds, backend="go")


def watcher(*results, **options):
    log = Log()
    made = Watcher("shop", Target(*results), Pipeline(), interval=10.0, log=log, unix_clock=lambda: 123.0, **options)
    return made, log


def test_a_target_is_up_when_it_gives_profiles_and_they_become_a_report():
    one, log = watcher(taken())
    assert (None, None) == (one.state.up, one.report.interval)

    one.turn()

    assert (True, "", 1, 0, 123.0) == (
        one.state.up,
        one.state.problem,
        one.state.taken,
        one.state.failures,
        one.state.last,
    )
    assert ["cpu"] == [*one.report.tallies]
    assert [] == log.lines


@pytest.mark.parametrize(
    ("error", "said"),
    [(ProfileError("connection refused"), "connection refused"), (ValueError("a bug"), "ValueError: a bug")],
)
def test_a_target_that_fails_is_down_and_is_told_once_until_it_is_up_again(error, said):
    one, log = watcher(error, error, taken())

    pauses = [one.turn(), one.turn()]

    assert (False, said, 2, 2) == (one.state.up, one.state.problem, one.state.failures, one.state.in_a_row)
    assert 10 <= pauses[0] < pauses[1] <= 24
    one.turn()
    assert (True, 0, 2) == (one.state.up, one.state.in_a_row, one.state.failures)
    assert [f"target shop is not profiled: {said}", "target shop is profiled again"] == log.lines


def test_who_does_not_answer_is_asked_ever_more_seldom_to_a_limit():
    waits = [backoff(failures, 10.0, chance=lambda: 0.0) for failures in range(1, 10)]

    assert [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0, 600.0] == waits
    assert 1.2 * LONGEST_BACKOFF_SECONDS == backoff(10**6, 10.0, chance=lambda: 1.0)
    assert 3600.0 == backoff(5, 3600.0, chance=lambda: 0.0)


def test_the_next_look_is_an_interval_after_the_begin_of_the_last():
    clock = itertools.chain([0.0, 4.0, 4.0], itertools.repeat(4.0))
    one, _ = watcher(taken(), clock=lambda: next(clock))

    assert 6.0 == one.turn()


def test_profiles_are_made_something_of_one_target_at_a_time():
    gate = threading.Lock()
    one, _ = watcher(taken(), turn=gate)
    with gate:
        thread = threading.Thread(target=one.turn)
        thread.start()
        wait_for(lambda: not one.source.results, what="the profiles are taken")
        assert one.report.interval is None
    thread.join(30)
    assert one.report.interval is not None


def test_it_ends_while_it_waits_for_the_target():
    before = set(threading.enumerate())
    one, log = watcher(taken())
    one.start()
    wait_for(lambda: one.state.up, what="the first look")

    one.close()
    one.close()

    assert set() == {thread for thread in set(threading.enumerate()) - before if thread.name.endswith("-shop")}
    assert (True, []) == (one.state.up, log.lines)


def test_what_is_to_be_remembered_is_read_before_the_first_look():
    steps = []
    one, _ = watcher(taken(), recall=lambda: (steps.append(one.state.up) for _ in range(3)))
    one.start()
    wait_for(lambda: one.state.up, what="the first look")
    one.close()

    assert [None, None, None] == steps


@pytest.mark.parametrize(
    ("cost", "budget", "expected"),
    [
        (0.05, 0.01, 10.0),
        (0.1, 0.01, 10.0),
        (0.4, 0.01, 40.0),
        (0.4, 0.02, 20.0),
        (60.0, 0.01, LONGEST_INTERVAL_SECONDS),
        (0.4, 0.0, LONGEST_INTERVAL_SECONDS),
    ],
)
def test_an_interval_is_as_long_as_its_budget_needs(cost, budget, expected):
    assert pytest.approx(expected) == stretched(10.0, cost, budget)


def test_no_interval_is_made_shorter_however_long_was_asked_for():
    assert 3600.0 == stretched(3600.0, 60.0, 0.01)


class Spending:
    """CPU seconds: each look, from its beginning to its end, takes the next of these."""

    def __init__(self, *costs):
        self.costs = iter(costs)
        self.asked = 0
        self.now = 0.0

    def __call__(self):
        self.asked += 1
        if self.asked % 4 == 0:  # begin, making something of it, its end, and the end of all
            self.now += next(self.costs)
        return self.now


def test_a_target_that_costs_too_much_is_looked_at_less_often_and_then_as_asked_for_again():
    cpu = Spending(0.4, 0.4, 0.0, 0.0, 0.0)
    one, _ = watcher(
        *(taken(100.0 + 10 * number) for number in range(5)), cpu_clock=cpu, clock=lambda: 0.0, budget=0.01
    )
    turns = [(one.turn(), one.state.interval) for _ in range(5)]

    assert [(pytest.approx(each), pytest.approx(each)) for each in (40.0, 40.0, 20.0, 10.0, 10.0)] == turns
    assert pytest.approx(0.05) == one.state.cost
