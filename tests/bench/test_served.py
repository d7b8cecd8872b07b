"""A loaded server: its applications are in turn, each is told by its own requests, and a server that waits is no loaded one."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks import loaded, served
from benchmarks.figures import Figure, Goal, Missing
from benchmarks.instrumented import AGAIN, BY_HAND, OURS, PFI
from benchmarks.loaded import BARE, Cycles, Switch, Turn

NAMES = (BARE, OURS, AGAIN, BY_HAND, PFI)


class World:
    """A clock that stands still but for sleeps, in which each application answers so many requests of so much CPU time a second."""

    def __init__(self, switch, speeds):
        self.switch, self.speeds, self.order = switch, speeds, []
        self.now = self.cpu = self.requests = 0.0

    async def sleep(self, seconds):
        if seconds > loaded._BETWEEN:
            self.order.append(self.switch.app)
        self.now += seconds
        self.cpu += seconds / 2
        self.requests += seconds / 2 * self.speeds[self.switch.app]

    def clocks(self):
        return SimpleNamespace(thread_time=lambda: self.cpu, perf_counter=lambda: self.now)


def world(monkeypatch, speeds):
    made = World(Switch("a"), speeds)
    monkeypatch.setattr(loaded, "time", made.clocks())
    monkeypatch.setattr(loaded.asyncio, "sleep", made.sleep)
    return made


def test_a_turn_counts_what_its_application_answered_and_what_the_thread_took(monkeypatch):
    made = world(monkeypatch, {"a": 1000, "b": 500})
    cycles = Cycles(made.switch, {"A": "a", "B": "b"}, lambda: made.requests)
    taken = asyncio.run(cycles.take(20))

    assert [pytest.approx((15, 0.015, 0.03))] * 20 == [tuple(turn) for turn in taken["A"]]
    assert [pytest.approx((7.5, 0.015, 0.03))] * 20 == [tuple(turn) for turn in taken["B"]]
    assert {("a", "b"), ("b", "a")} == {tuple(made.order[at : at + 2]) for at in range(0, 40, 2)}


def test_who_waits_for_load_does_not_wait_for_good(monkeypatch):
    made = world(monkeypatch, {"a": 0})
    with pytest.raises(TimeoutError):
        asyncio.run(Cycles(made.switch, {"A": "a"}, lambda: made.requests).loaded())
    assert loaded._PATIENCE < made.now < loaded._PATIENCE + 1


def turn(speed, *, busy=1.0, requests=900):
    return Turn(requests, requests / speed, requests / speed / busy)


def taken(speeds, *, slow=(1.0, 1.5, 1.0), busy=1.0):
    """Cycles of a machine that is slower in one of them."""
    return {name: [turn(speed / each, busy=busy) for each in slow] for name, speed in speeds.items()}


SPEEDS = dict(zip(NAMES, (30_000.0, 27_000.0, 27_000.0, 24_000.0, 15_000.0), strict=True))


def test_a_machine_that_is_slow_in_a_cycle_changes_no_speed():
    assert pytest.approx(SPEEDS) == served._speeds(taken(SPEEDS))


def test_a_cycle_in_which_somebody_else_had_the_core_is_left_out():
    cycles = taken(SPEEDS)
    cycles[BY_HAND][1] = turn(1.0, requests=3)
    assert pytest.approx(SPEEDS) == served._speeds(cycles)
    assert {} == served._speeds({name: [turn(1.0, requests=3)] for name in NAMES})


def report(monkeypatch, told, lacking=None, *, processes=1):
    """Tell of a round of so many processes each time, over and over."""
    told = cycle(told or [{}])
    monkeypatch.setattr(served.shutil, "which", lambda _: "/usr/bin/wrk")
    monkeypatch.setattr(served, "_loaded", lambda cycles: (lacking or {}, next(told)))
    monkeypatch.setattr(served, "_PROCESSES", processes)
    return [*served.report(quick=processes == 1)]


def test_a_round_tells_of_all_of_its_processes(monkeypatch):
    one, other = ({**SPEEDS, OURS: speed, AGAIN: speed} for speed in (26_000.0, 28_000.0))
    told = [taken(one, slow=(1.0,)), taken(other, slow=(1.0,))]
    (first, *_) = [item for item in report(monkeypatch, told, processes=2) if isinstance(item, Figure)]
    assert (8, first.ratio.low) == (first.count, first.ratio.high)  # and so all rounds are the same
    assert 26 / 30 < first.ratio.middle < 28 / 30


def test_the_goal_is_told_of_the_bare_application_where_the_server_was_busy(monkeypatch):
    items = report(monkeypatch, [taken(SPEEDS), taken(SPEEDS, slow=(1.0, 1.1))])
    figures = [item for item in items if isinstance(item, Figure)]
    (goal,) = [item for item in items if isinstance(item, Goal)]

    assert [BARE, BY_HAND, PFI] == [figure.peer for figure in figures]
    assert 0.9 == pytest.approx(figures[0].ratio.middle)
    assert (1.0, 1.0) == pytest.approx((figures[0].noise.low, figures[0].noise.high))
    assert goal.concerns(figures[0])
    assert "DOES NOT HOLD" == goal.verdict(figures[0])


@pytest.mark.parametrize(
    "told", [[taken(SPEEDS, busy=0.7)], [{name: [turn(1e4, requests=3, busy=0.1)] for name in NAMES}]]
)
def test_of_a_server_that_waited_no_goal_is_told(monkeypatch, told):
    items = report(monkeypatch, told)
    assert not [item for item in items if isinstance(item, Goal)]
    (missing,) = [item for item in items if isinstance(item, Missing)]
    assert "a loaded server" == missing.name
    assert "of a core" in missing.remedy


def test_what_is_missing_is_named(monkeypatch):
    speeds = {name: SPEEDS[name] for name in NAMES if name != PFI}
    items = report(monkeypatch, [taken(speeds), taken(speeds)], {PFI: "no module"})
    assert Missing(PFI, "no module") in items
    assert [BARE, BY_HAND] == [item.peer for item in items if isinstance(item, Figure)]
    assert [Missing(BARE, "no uvicorn")] == report(monkeypatch, [], {BARE: "no uvicorn"})


def test_a_real_server_has_each_application_in_turn_and_ends():
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.loaded", "5", OURS, BY_HAND, "aioprometheus"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": ""},  # without the peers
    ) as server:
        port, missing = json.loads(server.stdout.readline())
        assert ["aioprometheus"] == [*missing]
        ask_until_it_is_gone(port)
        (told,) = [json.loads(line) for line in server.stdout]
        assert 0 == server.wait(30)
    assert {BARE, OURS, BY_HAND} == told.keys()
    turns = [Turn(*turn) for each in told.values() for turn in each]
    assert 15 == len(turns)
    assert sum(turn.requests for turn in turns) > 0
    assert all(0 < turn.cpu for turn in turns)


def ask_until_it_is_gone(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        while True:
            client.request("GET", "/items0/1")
            answer = client.getresponse()
            assert (200, b"ok") == (answer.status, answer.read())
            if answer.will_close:
                break
    except (ConnectionError, http.client.HTTPException):
        pass
    finally:
        client.close()
