import pytest

from runtime_exporter.collectors.supervision.overhead import MEMORY_SECONDS, Overhead


def test_a_steady_use_is_its_share_of_a_core(clock):
    overhead = Overhead(clock=clock)
    for _ in range(600):
        clock.advance(1.0)
        overhead.add("scrape", 0.02)

    assert {"scrape": pytest.approx(0.02, rel=0.02)} == overhead.ratios()


def test_a_steady_use_is_right_before_the_minute_is_over(clock):
    overhead = Overhead(clock=clock)
    for _ in range(20):
        clock.advance(1.0)
        overhead.add("scrape", 0.02)

    assert pytest.approx(0.02, rel=0.1) == overhead.ratio("scrape")


def test_what_is_over_is_forgotten(clock):
    overhead = Overhead(clock=clock)
    clock.advance(1000.0)
    overhead.add("background", 1.0)
    at_once = overhead.ratio("background")
    clock.advance(MEMORY_SECONDS * 10)

    assert pytest.approx(1 / MEMORY_SECONDS, rel=0.01) == at_once
    assert pytest.approx(0, abs=1e-6) == overhead.ratio("background")


def test_a_part_that_never_was_uses_nothing(clock):
    assert 0 == Overhead(clock=clock).ratio("scrape")


def test_forgetting_starts_at_zero(clock):
    overhead = Overhead(clock=clock)
    overhead.add("scrape", 1.0)
    overhead.forget()

    assert {} == overhead.ratios()
