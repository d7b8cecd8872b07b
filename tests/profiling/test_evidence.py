"""Advice is given on as many intervals as have enough samples, on the facts of the same time, and not too often."""

import os
from types import SimpleNamespace

import pytest

from runtime_exporter.profiling.advice import Facts
from runtime_exporter.profiling.evidence import Adviser
from runtime_exporter.profiling.pipeline import Interval, Taken
from runtime_exporter.profiling.profile import Frame, Label, build

NANO = 10**9
WORK, IDLE = (
    Frame("app:work", "app.py", 1),
    Frame("concurrent.futures.thread:_worker", "/usr/lib/python3.11/concurrent/futures/thread.py", 81),
)
QUEUE = Frame("queue:Queue.get", "/usr/lib/python3.11/queue.py", 171)
HASH = Frame("app:hash", "app.py", 9)


class Read:
    """Numbers that tell what they were asked for."""

    def __init__(self):
        self.number = 0
        self.asked = []

    def __call__(self):
        self.number += 1
        return SimpleNamespace(since=self._since, number=self.number, pools={"serve": None})

    def _since(self, earlier, seen):
        self.asked.append((earlier.number if earlier is not None else None, seen))
        return Facts()


def interval(number, *, cpu=60, wall=(), seconds=60, **more):
    begin = number * seconds
    time = {"time_nanos": begin * NANO, "duration_nanos": seconds * NANO}
    profiles = {"cpu": build("cpu", [((WORK,), (cpu, cpu * NANO // 20), ())], **time)}
    if wall:
        profiles["wall"] = build("wall", wall, **time)
    return Interval(Taken(profiles, float(begin), float(begin + seconds), backend="thread", **more), {}, {})


def gathered(adviser, numbers, **more):
    for number in numbers:
        adviser.suspects(interval(number, **more))
    return adviser.evidence()


@pytest.mark.parametrize(("cpu", "intervals"), [(300, 1), (299, 2), (100, 3), (60, 5), (10, 10)])
def test_as_many_intervals_are_taken_together_as_have_300_samples_within_ten_minutes(cpu, intervals):
    evidence = gathered(Adviser("python", began=0.0), range(20), cpu=cpu)
    assert (intervals * 60.0, intervals * cpu) == (evidence.window, evidence.profiles["cpu"].samples)
    assert intervals * cpu / 20 == pytest.approx(evidence.profiles["cpu"].total)


def test_every_kind_needs_its_samples_and_memory_is_what_it_is_now():
    adviser = Adviser("python", began=0.0)
    for number in range(8):
        one = interval(number, cpu=150, wall=[((WORK,), (100, NANO), ())])
        heap = build("heap", [((WORK,), (1, 5, 1, 100 + number), ())], time_nanos=0, duration_nanos=0)
        adviser.suspects(Interval(Taken({**one.profiles, "heap": heap}, one.taken.begin, one.taken.end), {}, {}))
    profiles = adviser.evidence().profiles
    assert (450, 300, 107) == (profiles["cpu"].samples, profiles["wall"].samples, profiles["heap"].total)


def test_facts_are_of_the_time_from_when_the_first_of_the_intervals_began():
    read = Read()
    adviser = Adviser("python", began=0.0, read=read)
    gathered(adviser, range(1), cpu=60)
    assert None is read.asked[-1][0]  # nothing was read before the first interval
    gathered(adviser, range(1, 9), cpu=60)
    before, seen = read.asked[-1]
    assert (4, 300.0) == (before, seen.seconds)  # five intervals end with reading 9; the one before them was the 4th


def test_pools_are_as_busy_as_their_threads_do_not_wait_for_work_and_runnable_is_who_computes():
    read = Read()
    adviser = Adviser("python", began=0.0, read=read)
    group = (Label("thread_name", "serve"),)
    wall = [
        ((WORK,), (10, 30 * NANO), group),
        ((QUEUE, IDLE), (10, 90 * NANO), group),
        ((HASH,), (10, 7 * NANO), (Label("thread_name", "no pool"),)),
        ((Frame("time:sleep", "", 0), HASH, WORK, IDLE), (5, 12 * NANO), group),
    ]
    gathered(adviser, [0], wall=wall)
    _, seen = read.asked[-1]
    assert 0.5 == seen.runnable  # 30 s of 60 at a stack that uses CPU
    assert {"serve": pytest.approx(42.0)} == seen.busy


def test_the_worst_of_the_backends_is_what_the_profile_is_trusted_by():
    adviser = Adviser("python", began=0.0)
    adviser.suspects(interval(0, unbiased=False, bias_ratio=0.5))
    adviser.suspects(interval(1, unbiased=True))
    assert "high" == adviser.evidence().bias
    adviser.suspects(interval(2, cpu=400, unbiased=True))
    assert "none" == adviser.evidence().bias


def test_the_rules_are_asked_at_most_once_in_ten_seconds():
    read = Read()
    adviser = Adviser("python", began=0.0, read=read)
    for second in range(25):
        one = interval(second, cpu=600, seconds=1)
        adviser.suspects(one)
        adviser.recommend(one, {})
    assert 3 == len(read.asked)


def test_the_distance_from_the_past_is_a_fact_where_it_is_known():
    adviser = Adviser("python", began=0.0)
    adviser.suspects(interval(0))

    def judged(divergence):
        return {"cpu": SimpleNamespace(comparison=SimpleNamespace(divergence=divergence))}

    found = [adviser.evidence(one).facts.divergence for one in ({}, judged(0.25), judged(float("nan")))]
    assert [None, 0.25, None] == found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_the_child_of_a_fork_knows_nothing_of_its_parent():
    class Growth:
        forgot = None

        def look(self, _):
            return {"rss": []}

        def forget(self, began):
            self.forgot = began

    growth = Growth()
    adviser = Adviser("python", began=0.0, read=Read(), growth=growth, clock=lambda: 1234.0)
    gathered(adviser, range(5), cpu=60)
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            adviser.suspects(interval(6))
            evidence = adviser.evidence()
            os.write(into, f"{evidence.window} {evidence.age} {growth.forgot}".encode())
        finally:
            os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    with os.fdopen(out) as told:
        assert f"60.0 {420.0 - 1234.0} 1234.0" == told.read()
    assert None is growth.forgot


def test_a_process_is_as_old_as_it_says_and_one_that_began_at_another_time_has_no_past():
    adviser = Adviser("python", began=500.0)
    adviser.suspects(interval(0, cpu=100))
    adviser.born(0.0)  # 500 was when it was first looked at
    known = adviser.evidence()
    adviser.born(0.5)  # the same, as clocks are
    adviser.suspects(interval(1, cpu=100))
    same = adviser.evidence()
    adviser.born(90.0)
    adviser.suspects(interval(2, cpu=100))
    other = adviser.evidence()

    assert [100, 200, 100] == [one.profiles["cpu"].samples for one in (known, same, other)]
    assert (60.0, 119.5, 90.0) == (known.age, same.age, other.age)
