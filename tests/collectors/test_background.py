import logging
import threading
import time

import pytest

from collectors.doubles import Hanging, Scripted
from runtime_exporter.collectors.supervision import background as module
from runtime_exporter.collectors.supervision.background import THREAD_NAME, Background
from runtime_exporter.collectors.supervision.member import Member
from runtime_exporter.costs import COSTS


@pytest.fixture
def cpu(clock):
    return type(clock)(0.0)


@pytest.fixture
def make(clock, cpu):
    def make(*collectors, budget=0.01):
        members = [Member(collector, clock=clock, cpu=cpu) for collector in collectors]
        return Background(members, lambda _: budget, clock=clock, cpu=cpu), members

    return make


def test_each_is_updated_at_its_own_pace_within_the_jitter(make, clock):
    quick, slow = Scripted("quick", 1.0), Scripted("slow", 15.0)
    background, _ = make(quick, slow)
    for _ in range(3000):
        background.turn()
        clock.advance(0.1)

    assert 300 == pytest.approx(quick.calls, rel=0.12)
    assert 20 == pytest.approx(slow.calls, rel=0.12)


def test_paces_differ_from_turn_to_turn(make):
    background, (member,) = make(Scripted("one", 10.0))
    member.run()
    pauses = [background.pause(member) for _ in range(50)]

    assert 50 == len(set(pauses))
    assert 9.0 <= min(pauses) < 9.3
    assert 10.7 < max(pauses) <= 11.0


def test_what_belongs_to_the_scrape_is_left_to_it(make):
    scrape = Scripted("scrape", None)
    background, _ = make(scrape)

    assert 5.0 == background.turn()
    assert 0 == scrape.calls


def test_the_wait_is_until_the_next_is_due(make, clock):
    background, _ = make(Scripted("one", 2.0))
    first = background.turn()
    clock.advance(1.0)

    assert pytest.approx(first - 1.0) == background.turn()


def test_an_expensive_collector_slows_down_to_its_part_of_the_budget(make, clock, cpu):
    cheap, dear = Scripted("cheap", 1.0), Scripted("dear", 1.0)
    dear.act = lambda: cpu.advance(0.1)
    background, _ = make(cheap, dear, budget=0.01)
    started = clock()
    for _ in range(2000):
        background.turn()
        clock.advance(0.5)

    # 0.1 s at half of 1 % of a core is an update every 20 s.
    assert 50 == pytest.approx(dear.calls, abs=6)
    assert 1000 == pytest.approx(cheap.calls, rel=0.4)
    assert cpu() / (clock() - started) < 0.01


def test_what_it_costs_to_wake_up_makes_updates_rarer(make):
    background, (member,) = make(Scripted("one", 1.0), budget=0.01)
    member.run()
    assert 1.1 >= background.pause(member)
    for _ in range(50):
        background.woke(0.04)

    assert 4.0 == pytest.approx(background.pause(member), rel=0.15)
    for _ in range(50):
        background.woke(0.00001)
    assert 1.1 >= background.pause(member)


def test_updates_are_as_rare_as_what_is_allowed_at_the_moment_makes_them(clock, cpu):
    collector, allowed = Scripted("one", 1.0), {"background": 0.01}
    collector.act = lambda: cpu.advance(0.01)
    member = Member(collector, clock=clock, cpu=cpu)
    background = Background([member], allowed.__getitem__, clock=clock, cpu=cpu)
    member.run()
    alone = background.pause(member)
    allowed["background"] = 0.005
    beside_others = background.pause(member)
    allowed["background"] = 0.001

    assert 1.1 >= alone
    assert 2.0 == pytest.approx(beside_others, rel=0.15)
    assert 10.0 == pytest.approx(background.pause(member), rel=0.15)


@pytest.fixture
def real():
    """A background on real clocks, closed at the end."""
    made = []

    def make(*collectors, budget=1.0):
        made.append(Background([Member(collector) for collector in collectors], lambda _: budget))
        return made[-1]

    yield make
    for background in made:
        background.close()


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ours():
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_one_daemon_thread_updates_until_it_is_closed(real):
    collector = Scripted("one", 0.01)
    background = real(collector)
    before = COSTS.totals().get("background", 0.0)
    background.start()
    background.start()
    until(lambda: collector.calls >= 3)
    (thread,) = ours()
    daemon = thread.daemon
    background.close()
    background.close()
    calls = collector.calls

    assert (True, [], calls, False) == (daemon, ours(), collector.calls, background.running)
    assert COSTS.totals()["background"] > before


def test_it_starts_again_after_close(real):
    collector = Scripted("one", 60.0)
    background = real(collector)
    background.start()
    until(lambda: collector.calls == 1)
    background.close()
    background.start()
    until(lambda: collector.calls == 2)

    assert background.running


def test_a_collector_that_raises_does_not_end_the_thread(real):
    broken, fine = Scripted("broken", 0.01), Scripted("fine", 0.01)
    broken.error = RuntimeError("no")
    background = real(broken, fine)
    background.start()
    until(lambda: broken.calls >= 3 and fine.calls >= 3)

    assert 1 == len(ours())


def test_closing_does_not_wait_long_for_a_collector_that_hangs(real, monkeypatch, caplog):
    monkeypatch.setattr(module, "_JOIN_SECONDS", 0.05)
    caplog.set_level(logging.WARNING, logger="runtime_exporter")
    collector = Hanging()
    background = real(collector)
    background.start()
    collector.entered.wait(30)
    (thread,) = ours()
    background.close()
    message = caplog.messages
    collector.release.set()
    thread.join(30)

    assert ["a collector hangs in the background; its thread is left to end by itself"] == message
    assert not thread.is_alive()


def test_a_collector_may_close_the_background_that_runs_it(real):
    collector = Scripted("one", 0.01)
    background = real(collector)
    collector.act = background.close
    background.start()
    until(lambda: collector.calls == 1 and not ours())

    assert not background.running
