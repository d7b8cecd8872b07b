import pytest

from runtime_exporter.collectors.supervision.overhead import MEMORY_SECONDS, Overhead


class Spent(dict):
    """The totals of an account that is spent from by hand."""

    def add(self, part, seconds):
        self[part] = self.get(part, 0.0) + seconds


@pytest.fixture
def spent():
    return Spent()


@pytest.fixture
def overhead(clock, spent):
    return Overhead(lambda: spent, clock=clock)


@pytest.mark.parametrize("every", [1.0, 15.0, 60.0, 600.0])
def test_a_steady_use_is_its_share_of_a_core_however_rarely_somebody_looks(clock, spent, overhead, every):
    for _ in range(20):
        clock.advance(every)
        spent.add("scrape", 0.02 * every)
        overhead.look()

    assert {"scrape": pytest.approx(0.02, rel=0.01)} == overhead.look()


def test_what_is_done_once_a_minute_at_a_stroke_is_told_within_a_fifth_at_any_moment(clock, spent, overhead):
    told = []
    for second in range(3600):
        clock.advance(1.0)
        if second % 60 == 59:
            spent.add("profiling", 0.6)
        told.append(overhead.look().get("profiling", 0.0))

    assert 0.008 < min(told[600:]) < 0.01 < max(told[600:]) < 0.012


def test_what_is_over_is_forgotten(clock, spent, overhead):
    clock.advance(1000.0)
    overhead.look()
    spent.add("background", 1.0)
    at_once = overhead.look()["background"]
    clock.advance(MEMORY_SECONDS * 10)

    assert pytest.approx(1 / MEMORY_SECONDS, rel=0.05) == at_once
    assert pytest.approx(0, abs=1e-6) == overhead.look()["background"]


def test_what_was_used_before_it_began_is_not_in_the_rate_but_in_the_total(clock):
    overhead = Overhead(lambda: {"scrape": 7.0}, clock=clock)
    clock.advance(60.0)

    assert {"scrape": 0.0} == overhead.look()
    assert {"scrape": 7.0} == overhead.totals()


def test_totals_that_begin_again_at_zero_are_no_negative_use(clock, spent, overhead):
    spent.add("scrape", 1.0)
    overhead.look()
    spent["scrape"] = 0.0
    clock.advance(15.0)

    assert 0 <= overhead.look()["scrape"]


def test_forgetting_starts_at_zero(clock, spent, overhead):
    spent.add("scrape", 1.0)
    overhead.look()
    overhead.forget()

    assert {"scrape": 0.0} == overhead.look()
