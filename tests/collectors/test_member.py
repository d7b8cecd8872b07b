import logging

import pytest

from collectors.doubles import Scripted
from runtime_exporter import metrics
from runtime_exporter.collectors.collector import Collector
from runtime_exporter.collectors.supervision.member import SCRAPE_LIMIT_SECONDS, Member, State
from runtime_exporter.errors import NoData


@pytest.fixture
def collector():
    return Scripted()


@pytest.fixture
def cpu(clock):
    return type(clock)(0.0)


@pytest.fixture
def member(collector, clock, cpu):
    return Member(collector, clock=clock, cpu=cpu)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.DEBUG, logger="runtime_exporter")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_collector_that_works_shows_its_families(member, collector):
    before = member.families
    member.run()

    assert ((), collector.families, State.FINE) == (before, member.families, member.state)


def test_a_collector_that_raises_shows_nothing_until_it_works_again(member, collector):
    member.run()
    collector.error = OSError("gone")
    member.run()
    broken = (member.state, member.families)
    collector.error = None
    member.run()

    assert ((State.FAILED, ()), collector.families) == (broken, member.families)


def test_other_workers_see_a_gauge_only_while_it_has_a_value_and_a_total_from_its_first_on(collector, clock, cpu):
    gauge, counter = metrics.Gauge("g", "G", registry=None), metrics.Counter("c", "C", registry=None)
    collector.families = (gauge, counter)
    member = Member(collector, clock=clock, cpu=cpu)

    def withheld():
        return gauge.family.withheld, counter.family.withheld

    new = withheld()
    member.run()
    works = withheld()
    collector.error = OSError("gone")
    member.run()
    broken = withheld()
    member.forked()

    assert ((True, True), (False, False), (True, False), (True, True)) == (new, works, broken, withheld())


def test_a_family_may_be_hidden_and_withheld_each_without_the_other():
    metric = metrics.Gauge("g", "G", registry=None)
    metric.hidden = metric.family.withheld = True
    metric.hidden = False
    seen = (metric.hidden, metric.family.withheld)
    metric.hidden, metric.family.withheld = True, False
    assert ((False, True), (True, False)) == (seen, (metric.hidden, metric.family.withheld))


def test_no_data_is_not_a_failure(member, collector):
    collector.error = NoData("not on this machine")
    member.run()

    assert (State.EMPTY, ()) == (member.state, member.families)


def test_a_change_of_state_is_one_line_in_the_log(member, collector, lines):
    for error in (None, None, OSError("gone\naway"), OSError("other"), None, None, NoData("none"), ValueError()):
        collector.error = error
        member.run()

    assert [
        ("DEBUG", "collector scripted works"),
        ("WARNING", "collector scripted failed: OSError: gone away"),
        ("INFO", "collector scripted works again"),
        ("DEBUG", "collector scripted has nothing to report: none"),
        ("WARNING", "collector scripted failed: ValueError"),
    ] == lines()


def test_time_and_cpu_are_those_of_the_last_update(member, collector, clock, cpu):
    def act():
        clock.advance(0.5)
        cpu.advance(0.125)

    collector.act = act
    member.run()

    assert (0.5, 0.125) == (member.seconds, member.cpu_seconds)


def test_a_collector_that_costs_too_much_in_each_scrape_goes_to_the_background_and_comes_back(member, collector, cpu):
    paces = []
    for cost in (5.0, 0.1, 2.0, 2.0, 1.1, 0.7, 0.7, 0.7, 0.4):
        collector.act = lambda cost=cost: cpu.advance(cost * SCRAPE_LIMIT_SECONDS)
        member.run()
        paces.append(member.interval)

    # One cheap update of three keeps it in the scrape; to come back takes one well under the limit.
    assert [None, None, None, None, 5.0, 5.0, 5.0, 5.0, None] == paces


def test_the_pace_of_a_collector_in_the_background_is_its_own(clock, cpu):
    collector = Scripted(interval=7.0)
    collector.act = lambda: cpu.advance(1.0)
    member = Member(collector, clock=clock, cpu=cpu)
    for _ in range(4):
        member.run()

    assert 7.0 == member.interval


def test_a_collector_without_new_values_for_long_is_late_and_shows_nothing(member, clock, lines):
    member.run()
    member.expect_within(30.0)
    clock.advance(90.0)
    member.check_freshness()
    fresh = member.state
    clock.advance(0.1)
    member.check_freshness()
    member.check_freshness()
    late = (member.state, member.families)
    member.run()

    assert (State.FINE, (State.LATE, ()), State.FINE) == (fresh, late, member.state)
    assert [
        ("DEBUG", "collector scripted works"),
        ("WARNING", "collector scripted has no new values: its update hangs, or waits for one that does"),
        ("INFO", "collector scripted works again"),
    ] == lines()


def test_a_quick_pace_has_a_minute_of_grace(member, clock):
    member.run()
    member.expect_within(0.5)
    clock.advance(59.0)
    member.check_freshness()

    assert State.FINE is member.state


@pytest.mark.parametrize("moment", ["start", "close", "fork"])
def test_nothing_that_a_collector_raises_gets_out(member, collector, lines, moment):
    setattr(collector, f"{moment}_error", RuntimeError("no"))
    {"start": member.start, "close": member.close, "fork": member.forked}[moment]()

    assert 1 == len(lines())
    assert "WARNING" == lines()[0][0]
    assert lines()[0][1].startswith("collector scripted ")


def test_after_a_fork_nothing_is_known(member, collector, clock):
    member.run()
    member.expect_within(1.0)
    member.forked()
    clock.advance(1000.0)
    member.check_freshness()

    assert (State.UNKNOWN, ()) == (member.state, member.families)


def test_a_collector_needs_no_more_than_an_update():
    class Small(Collector):
        name, interval, families = "small", None, ()

    small = Small()

    assert (None, None, None, {}) == (small.start(), small.close(), small.forked(), small.folded())
    with pytest.raises(NotImplementedError):
        small.update()
